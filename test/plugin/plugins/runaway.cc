// A plugin that leaves a thread running when it is destroyed.
#include <leat/plugin.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace {

class Runaway : public leat::Plugin<Runaway> {
 public:
  Runaway() {
    std::thread([] {
      while (rounds < 1000) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        ++rounds;
      }
    }).detach();
  }
  leat::Reply rounds_so_far() { return leat::text(std::to_string(rounds)); }
  static constexpr auto handlers() { return leat::list(handler<&Runaway::rounds_so_far>("rounds")); }

 private:
  static inline std::atomic<int> rounds = 0;
};

}  // namespace

LEAT_PLUGIN(Runaway, "runaway", "1.0.0")
