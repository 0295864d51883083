// Services of each kind, in C++, and what becomes of their contexts.
#include "services.h"

#include <leat/plugin.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace {

struct Users : users_v1 {
  static constexpr char kService[] = "users/1";
};
struct Counter : counter_v1 {
  static constexpr char kService[] = "counter/1";
};
struct Visits : visit_v1 {
  static constexpr char kService[] = "visit/1";
};
// Nobody provides it in this form.
struct Missing : users_v1 {
  static constexpr char kService[] = "missing/7";
};

class Provider : public leat::Plugin<Provider> {
 public:
  explicit Provider(leat::Setup& setup)
      : log_(setup.log()),
        name_(setup.text("name", "ann")),
        refuses_(setup.boolean("refuses", false)),
        missing_(setup) {
    log_.info("provider " + name_ + " is made");
  }
  ~Provider() { log_.info("provider " + name_ + " ends"); }
  void on_drain(uint64_t) { log_.info("provider " + name_ + " drains"); }

  struct Worker : leat::PerWorker {
    explicit Worker(Provider& owner, uint32_t) : log(owner.log_) { log.info("provider begins on a worker"); }
    ~Worker() { log.info("provider ends on a worker"); }
    uint64_t next() { return ++last; }
    uint64_t last = 0;
    leat::Log log;
  };
  struct Visit {
    using Plugin = Provider;
    explicit Visit(Provider& owner) : log(owner.log_) {
      if (owner.refuses_) throw std::runtime_error("no more visits");
      log.info("a visit begins");
    }
    ~Visit() { log.info("a visit ends after " + std::to_string(steps)); }
    uint64_t step() { return ++steps; }
    uint64_t steps = 0;
    leat::Log log;
  };

  leat_str name_of(uint64_t id) const { return id == 7 ? leat::to_str(name_) : leat_str{}; }
  // One's own services are used by others only.
  leat::Reply missing() { return leat::text(std::string(missing_ ? "there" : "missing")); }

  static leat::Reply aborts() { std::abort(); }

  static constexpr auto handlers() {
    return leat::list(handler<&Provider::missing>("missing"), handler<&Provider::aborts>("aborts"));
  }
  static constexpr Users kUsers = {
      {.struct_size = sizeof(Users), .name_of = leat::method<&Provider::name_of>}};
  static constexpr Counter kCounter = {{.struct_size = sizeof(Counter), .next = leat::method<&Worker::next>}};
  static constexpr Visits kVisits = {{.struct_size = sizeof(Visits), .step = leat::method<&Visit::step>}};
  static constexpr auto services() {
    return leat::list(leat::service<kUsers>(), leat::worker_service<kCounter>(),
                      leat::request_service<kVisits, Visit>());
  }
  static constexpr auto needs() { return leat::list(leat::optional_need<Missing>()); }

 private:
  leat::Log log_;
  std::string name_;
  bool refuses_;
  leat::Service<Missing> missing_;
};

}  // namespace

LEAT_PLUGIN(Provider, "provider", "1.0")
