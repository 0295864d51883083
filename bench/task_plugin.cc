// The same answer, by a plain handler and by coroutines that wait for nothing; bench/task_bench.cc measures
// the difference.
#include <leat/plugin.hpp>

namespace {

using leat::Reply;
using leat::Task;

class Compared : public leat::Plugin<Compared> {
 public:
  Reply plain() { return leat::text("Hello, World!"); }
  Task<Reply> task() { co_return leat::text("Hello, World!"); }
  Task<Reply> nested() { co_return co_await task(); }

  static constexpr auto handlers() {
    return leat::list(handler<&Compared::plain>("plain"), handler<&Compared::task>("task"),
                      handler<&Compared::nested>("nested"));
  }
};

}  // namespace

LEAT_PLUGIN(Compared, "task", "1.0")
