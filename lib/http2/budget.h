// Budget: how much of something a peer may do before it is too much. It has a bound, and what gives some of it back: time, or work
// that was of use.
#pragma once

#include <algorithm>
#include <cstdint>

namespace leat::http2 {

class Budget {
 public:
  explicit Budget(uint32_t most) : left_(most), most_(most) {}

  // Takes one. False: it is spent.
  [[nodiscard]] bool take() {
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  // The same where each second gives `rate` back.
  [[nodiscard]] bool take(uint64_t now_ms, uint32_t rate) {
    if (left_ == 0 || since_ms_ == 0) {
      if (since_ms_ != 0) give((now_ms - since_ms_) * rate / 1000);
      since_ms_ = now_ms;
    }
    return take();
  }
  void give(uint64_t more) { left_ = static_cast<uint32_t>(std::min<uint64_t>(most_, left_ + more)); }

 private:
  uint32_t left_;
  const uint32_t most_;
  uint64_t since_ms_ = 0;  // when it was looked at last what time gives
};

}  // namespace leat::http2
