// The same answer, by a plain handler and by coroutines that wait for nothing, and one in JSON;
// bench/task_bench.cc measures the differences.
#include <leat/plugin.hpp>

namespace {

using leat::Reply;
using leat::Task;

class Compared : public leat::Plugin<Compared> {
 public:
  Reply json(leat::Json& json) { return json.object("message", "Hello, World!"); }
  Reply plain() { return leat::text("Hello, World!"); }
  Task<Reply> task() { co_return leat::text("Hello, World!"); }
  Task<Reply> nested() { co_return co_await task(); }

  static constexpr auto handlers() {
    return leat::list(handler<&Compared::json>("json"), handler<&Compared::plain>("plain"),
                      handler<&Compared::task>("task"), handler<&Compared::nested>("nested"));
  }
};

}  // namespace

LEAT_PLUGIN(Compared, "task", "1.0")
