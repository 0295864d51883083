// @NAME@: a plugin for Leat, with one kind of middleware, for the routes of whichever plugin. @NAME@.toml puts it before
// one, test.cc and test.py ask that.
//
// For each [[middleware]] entry one object is made, which serves all workers at the same time. What it changes needs a
// lock, or belongs into a `struct State : leat::PerRequest`, of which each request has its own.
#include <leat/plugin.hpp>

#include <string>

namespace {

class Key {
 public:
  // The entry in @NAME@.toml. A mistake there is reported at its line, and the daemon does not start.
  explicit Key(leat::Setup& options) : key_(options.text("key", "")) {
    if (key_.empty()) options.fail("key", "is missing: without it nobody could come in");
  }

  // Before the handler: leat::next() lets the request go on, everything else is its answer.
  leat::Reply request(leat::Request& request) const {
    if (request.header("X-API-Key") != key_) return leat::problem(401, "Send the key in X-API-Key.");
    return leat::next();
  }

  // The head of each answer on its way to the client, refusals too.
  void head(leat::Head& head) const { head.set("X-Guarded-By", "@NAME@"); }

 private:
  const std::string key_;
};

class Plugin : public leat::Plugin<Plugin> {
 public:
  static constexpr auto middleware() {
    return leat::kinds(kind<Key>("key", leat::Phase::Protect, "Lets requests pass that have the key."));
  }
};

}  // namespace

LEAT_PLUGIN(Plugin, "@NAME@", "0.1.0")
