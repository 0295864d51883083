// A plugin that says which build of it answers, and hands a counter to the next. Other builds of it fail at
// one step of a reload each.
#include <leat/plugin.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

class Generation : public leat::Plugin<Generation> {
 public:
  Generation() {
#ifdef CRASHES_IN_LOAD
    // Not abort(): what a bad pointer does.
    raise(SIGSEGV);
#endif
  }

  struct Worker : leat::PerWorker {
    Worker() {
#ifdef FAILS_WORKER_INIT
      throw std::runtime_error("this worker is not to its taste");
#endif
    }
  };

#ifdef FAILS_SELF_TEST
  void self_test() { throw std::runtime_error("it does not feel well"); }
#endif
  [[nodiscard]] std::string export_state() const { return std::to_string(count_); }
  void import_state(std::string_view state) {
#ifdef REFUSES_STATE
    throw std::runtime_error("it cannot read " + std::string(state));
#endif
#ifdef SLOW_IMPORT
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
#endif
    count_ = std::stoull(std::string(state));
  }

  leat::Reply version() { return leat::text(VERSION); }
  leat::Reply count(leat::Json& json) { return json.object("count", ++count_); }
  // In a variable that the toolchain may make unique in the process: then both builds count in it.
  leat::Reply shared(leat::Json& json) { return json.object("calls", ++shared_calls); }
  leat::Reply slow(leat::Path<uint32_t, "ms"> ms, leat::Request& request) {
    return request.after(std::chrono::milliseconds(*ms), []() -> leat::Reply { return leat::text(VERSION); });
  }

#ifdef UNLOADS
  static constexpr bool kUnloads = true;
#endif

  static constexpr auto handlers() {
    return leat::list(handler<&Generation::version>("version"), handler<&Generation::count>("count"),
                      handler<&Generation::shared>("shared"), handler<&Generation::slow>("slow"));
  }

 private:
  static inline std::atomic<int> shared_calls = 0;
  std::atomic<uint64_t> count_ = 0;
};

}  // namespace

LEAT_PLUGIN(Generation, "generation", VERSION)
