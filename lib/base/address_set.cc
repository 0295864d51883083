#include "base/address_set.h"

#include <algorithm>

namespace leat {

AddressSet::AddressSet(std::span<const AddressRange> ranges) {
  for (const AddressRange& range : ranges) {
    if (range.kind() == HostAddress::Kind::Unix) unix_ = true;
    if (range.kind() == HostAddress::Kind::Ipv4) ipv4_.push_back({range.first(), range.last()});
    if (range.kind() == HostAddress::Kind::Ipv6) ipv6_.push_back({range.first(), range.last()});
  }
  for (std::vector<Interval>* intervals : {&ipv4_, &ipv6_}) {
    // Prefixes are apart or one lies in the other, and of those that begin alike the widest comes first.
    std::ranges::sort(*intervals, [](const Interval& a, const Interval& b) {
      return a.first != b.first ? a.first < b.first : a.last > b.last;
    });
    std::vector<Interval> outer;
    for (const Interval& each : *intervals)
      if (outer.empty() || outer.back().last < each.first) outer.push_back(each);
    *intervals = std::move(outer);
  }
}

bool AddressSet::contains(const HostAddress& address) const {
  if (address.kind() == HostAddress::Kind::Unix) return unix_;
  if (!address.is_ip()) return false;
  const std::vector<Interval>& intervals = address.kind() == HostAddress::Kind::Ipv4 ? ipv4_ : ipv6_;
  Bytes bytes;
  std::ranges::copy(address.bytes(), bytes.begin());
  const auto behind = std::ranges::upper_bound(intervals, bytes, {}, &Interval::first);
  return behind != intervals.begin() && bytes <= std::prev(behind)->last;
}

}  // namespace leat
