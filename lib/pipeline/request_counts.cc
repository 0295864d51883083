#include "pipeline/request_counts.h"

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "pipeline/site.h"

namespace leat::pipeline {

size_t RequestCounts::error_of(uint16_t status) {
  constexpr std::array<uint16_t, kErrors.size() - 1> kStatuses = {400, 408, 413, 414, 431,
                                                                  499, 501, 503, 504, 505};
  return static_cast<size_t>(std::ranges::find(kStatuses, status) - kStatuses.begin());
}

void RequestCounts::Place::clear() {
  for (auto& kind : kinds) kind.store(0, std::memory_order_relaxed);
  for (auto& count : counts) count.store(0, std::memory_order_relaxed);
  for (Count* count : {&other_kinds, &received, &sent, &whole_ns, &first_byte_ns})
    count->store(0, std::memory_order_relaxed);
  for (Both& both : times) {
    both.whole.store(0, std::memory_order_relaxed);
    both.first_byte.store(0, std::memory_order_relaxed);
  }
}

// The next free place, or the one that it took when it came first.
void RequestCounts::Lane::add_kind(Place& place, size_t at, uint32_t kind) {
  for (size_t tried = 0; tried < kKinds; ++tried, at = (at + 1) % kKinds) {
    std::atomic<uint16_t>& found = place.kinds[at];
    const uint16_t taken = found.load(std::memory_order_relaxed);
    if (taken != 0 && taken != kind) continue;
    increase(place.counts[at]);
    if (taken == 0) found.store(static_cast<uint16_t>(kind), std::memory_order_release);
    return;
  }
  increase(place.other_kinds);
}

void RequestCounts::Lane::settle() {
  const uint64_t now = monotonic_ns();
  for (const Waiting& each : std::span(waiting_).first(waits_)) {
    const uint64_t whole = now > each.started_ns ? now - each.started_ns : 0;
    Place& place = *each.place;
    Place::Both& time = place.times[latency::bucket_of(whole)];
    increase(time.whole, each.requests);
    increase(place.whole_ns, whole * each.requests);
    if (each.answered_ns == 0) [[likely]] {
      increase(time.first_byte, each.requests);
      increase(place.first_byte_ns, whole * each.requests);
    } else {
      const uint64_t first = each.answered_ns > each.started_ns ? each.answered_ns - each.started_ns : 0;
      increase(place.times[latency::bucket_of(first)].first_byte, each.requests);
      increase(place.first_byte_ns, first * each.requests);
    }
  }
  waits_ = 0;
}

RequestCounts::RequestCounts(uint32_t workers, uint32_t routes) {
  for (uint32_t i = 0; i < workers; ++i) lanes_.push_back(std::make_unique<Lane>(routes + kFirst));
  for (uint32_t number = routes + kFirst; number > kFirst;) free_.push_back(--number);
}

void RequestCounts::enlist(Site& site) {
  const std::lock_guard lock(mutex_);
  for (const auto& route : site.routes()) {
    auto entry = entries_.find(route->id);
    if (entry == entries_.end()) {
      route->number = kOthers;
      if (free_.empty()) continue;
      entry = entries_.emplace(route->id, Entry{free_.back(), 0}).first;
      free_.pop_back();
      for (const auto& lane : lanes_) lane->places_[entry->second.number].clear();
    }
    route->number = entry->second.number;
    ++entry->second.sites;
  }
}

void RequestCounts::release(const Site& site) {
  const std::lock_guard lock(mutex_);
  for (const auto& route : site.routes()) {
    if (route->number < kFirst) continue;
    const auto entry = entries_.find(route->id);
    ENSURE(entry != entries_.end());
    if (--entry->second.sites != 0) continue;
    free_.push_back(entry->second.number);
    entries_.erase(entry);
  }
}

uint64_t RequestCounts::Totals::requests() const {
  uint64_t all = 0;
  for (const Kind& kind : kinds) all += kind.count;
  return all;
}

RequestCounts::Totals RequestCounts::totals_of(uint32_t number) const {
  Totals totals;
  std::map<uint16_t, uint64_t> kinds;
  uint64_t other = 0;
  const auto read = [](const Count& count) { return count.load(std::memory_order_relaxed); };
  for (const auto& lane : lanes_) {
    const Place& place = lane->places_[number];
    for (size_t i = 0; i < kKinds; ++i)
      if (const uint16_t kind = place.kinds[i].load(std::memory_order_acquire); kind != 0)
        kinds[kind] += read(place.counts[i]);
    other += read(place.other_kinds);
    totals.received += read(place.received);
    totals.sent += read(place.sent);
    totals.whole_ns += read(place.whole_ns);
    totals.first_byte_ns += read(place.first_byte_ns);
    for (size_t i = 0; i < latency::kBuckets; ++i) {
      totals.whole[i] += read(place.times[i].whole);
      totals.first_byte[i] += read(place.times[i].first_byte);
    }
  }
  for (const auto& [kind, count] : kinds)
    totals.kinds.push_back({http::method_name(static_cast<http::Method>(kind >> kStatusBits)),
                            static_cast<uint16_t>(kind & ((1U << kStatusBits) - 1)), count});
  if (other != 0) totals.kinds.push_back({{}, 0, other});
  return totals;
}

void RequestCounts::for_each(const std::function<void(std::string_view, const Totals&)>& show) const {
  const std::lock_guard lock(mutex_);
  const auto show_one = [&](std::string_view route, uint32_t number) {
    const Totals totals = totals_of(number);
    if (!totals.kinds.empty()) show(route, totals);
  };
  for (const auto& [route, entry] : entries_) show_one(route, entry.number);
  show_one("(none)", kNone);
  show_one("(others)", kOthers);
}

std::array<uint64_t, RequestCounts::kErrors.size()> RequestCounts::errors() const {
  std::array<uint64_t, kErrors.size()> sums = {};
  for (const auto& lane : lanes_)
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += lane->errors_[i].load(std::memory_order_relaxed);
  return sums;
}

}  // namespace leat::pipeline
