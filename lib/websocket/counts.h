// What is counted of WebSockets, by the worker that has them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/metrics.h"

namespace leat::websocket {

struct Counts {
  // Codes that are counted by themselves; the last is for all others.
  static constexpr std::array<uint16_t, 10> kCodes = {1000, 1001, 1002, 1005, 1006,
                                                      1007, 1008, 1009, 1011, 0};
  using Counter = std::shared_ptr<metrics::Metric>;

  Counter opened, messages_in, messages_out, bytes_in, bytes_out, dropped;
  std::array<Counter, kCodes.size()> closed;

  // Null ones are not counted.
  static void add(const Counter& counter, uint64_t by = 1) {
    if (counter != nullptr) counter->add(by);
  }
  void add_closed(uint16_t code) const {
    size_t at = 0;
    while (at + 1 < kCodes.size() && kCodes[at] != code) ++at;
    add(closed[at]);
  }
};

}  // namespace leat::websocket
