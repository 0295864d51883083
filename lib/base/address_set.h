// AddressSet: the addresses of many ranges, looked up in the time of a binary search: lists of whom to let in or not may
// have tens of thousands of lines.
//
// Made once, then read by any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/host_address.h"

namespace leat {

class AddressSet {
 public:
  AddressSet() = default;
  // Ranges may be there twice or lie in each other.
  explicit AddressSet(std::span<const AddressRange> ranges);

  // As AddressRange::contains() of any of them.
  [[nodiscard]] bool contains(const HostAddress& address) const;
  // How many ranges are looked through: those that lie in no other.
  [[nodiscard]] size_t size() const { return ipv4_.size() + ipv6_.size() + (unix_ ? 1 : 0); }

 private:
  using Bytes = std::array<uint8_t, 16>;
  struct Interval {
    Bytes first, last;
  };
  // Disjoint, in order.
  std::vector<Interval> ipv4_, ipv6_;
  bool unix_ = false;
};

}  // namespace leat
