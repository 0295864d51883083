// Condition: how the daemon is, for handlers of its own that tell of it: whether it is about to leave, and what of it is
// out of service. And Watch, for whoever shows more.
//
// Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace leat::handlers {

struct Condition {
  std::atomic<bool> leaving = false;         // it has been told to stop
  std::atomic<uint32_t> out_of_service = 0;  // plugins that are declared and do not serve
  std::atomic<uint64_t> generation = 0;      // of the configuration that serves
  [[nodiscard]] bool ready() const { return !leaving && out_of_service == 0; }
};

// Who looks at all that is counted, and tells how much of it there was lately.
class Watch {
 public:
  virtual ~Watch() = default;
  // An object as JSON, made anew once a second at most. Any thread.
  [[nodiscard]] virtual std::string look() = 0;
};

// Where handlers find whom to ask; null while nobody watches.
struct WatchPlace {
  std::atomic<Watch*> now = nullptr;
};

}  // namespace leat::handlers
