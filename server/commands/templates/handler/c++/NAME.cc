// @NAME@: a plugin for Leat, with one handler. @NAME@.toml leads requests to it, test.cc and test.py ask it.
//
// One object of the class serves all workers at the same time. What the handlers change needs a lock, or
// belongs into a `struct Worker : leat::PerWorker`, of which each worker has its own.
#include <leat/plugin.hpp>

#include <string>
#include <string_view>

namespace {

class Plugin : public leat::Plugin<Plugin> {
 public:
  // [plugin.config] of @NAME@.toml. A mistake there is reported at its line, and the daemon does not start.
  explicit Plugin(leat::Setup& setup) : greeting_(setup.text("greeting", "Hello")) {
    if (greeting_.empty()) setup.fail("greeting", "must not be empty");
  }

  // GET /hello/Ada?times=3. What a parameter may be is said by its type: anything else is answered with a 400
  // that names it.
  leat::Reply hello(leat::Path<std::string_view, "name"> name,
                    leat::Query<int, "times", leat::Range{1, 10}, leat::Default{1}> times, leat::Json& json) {
    return json.object("greeting", greeting_, "name", name, "times", times);
  }

  static constexpr auto handlers() { return leat::list(handler<&Plugin::hello>("hello")); }

 private:
  const std::string greeting_;
};

}  // namespace

LEAT_PLUGIN(Plugin, "@NAME@", "0.1.0")
