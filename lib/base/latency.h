// Latency: times from a microsecond to a minute and a half in buckets, ten for each power of ten, whose bounds are round
// numbers: 1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.4 and 8.
//
// A quantile is told within a tenth or so, and round bounds are what objectives are made of ("99 % within 250 ms").
// Finding a bucket is no search: the highest bit of a time and the two below it name a cell so narrow that at most one
// bound lies in it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace leat::latency {

inline constexpr size_t kBuckets = 81;  // the last is of what takes longer than the last bound

namespace detail {

constexpr std::array<uint64_t, kBuckets> make_bounds() {
  constexpr uint64_t kSteps[] = {100, 125, 160, 200, 250, 320, 400, 500, 640, 800};
  std::array<uint64_t, kBuckets> bounds{};
  uint64_t scale = 10;
  for (size_t i = 0; i + 1 < kBuckets; ++i) {
    bounds[i] = kSteps[i % std::size(kSteps)] * scale;
    if (i % std::size(kSteps) == std::size(kSteps) - 1) scale *= 10;
  }
  bounds.back() = UINT64_MAX;
  return bounds;
}

// The cell of a time.
constexpr size_t cell_of(uint64_t ns) {
  const uint64_t whole = ns | 4;
  const int high = 63 - std::countl_zero(whole);
  return static_cast<size_t>((high - 2) * 4) + ((whole >> (high - 2)) & 3);
}
inline constexpr size_t kCells = 62 * 4;

}  // namespace detail

// In nanoseconds: the most that is in each.
inline constexpr std::array<uint64_t, kBuckets> kBounds = detail::make_bounds();

namespace detail {

// The first bound that is not below the cell.
constexpr std::array<uint8_t, kCells> make_first() {
  std::array<uint8_t, kCells> first{};
  for (size_t cell = 0; cell < kCells; ++cell) {
    const uint64_t low = (uint64_t{4} + cell % 4) << (cell / 4);
    while (kBounds[first[cell]] < low) ++first[cell];
  }
  return first;
}
inline constexpr std::array<uint8_t, kCells> kFirst = make_first();

}  // namespace detail

constexpr size_t bucket_of(uint64_t ns) {
  const size_t at = detail::kFirst[detail::cell_of(ns)];
  return at + (ns > kBounds[at] ? 1 : 0);
}

// The time that a share of what is in the buckets did not exceed, in nanoseconds; 0 where nothing is. Within a bucket
// they are taken to be spread evenly; of what is in the last one no more is known than its lower bound.
constexpr double quantile(std::span<const uint64_t, kBuckets> counts, double share) {
  uint64_t all = 0;
  for (const uint64_t count : counts) all += count;
  if (all == 0) return 0;
  const double wanted = share * static_cast<double>(all);
  double before = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    const auto count = static_cast<double>(counts[i]);
    if (count != 0 && before + count >= wanted) {
      const auto low = i == 0 ? 0.0 : static_cast<double>(kBounds[i - 1]);
      if (i == kBuckets - 1) return low;
      return low + (static_cast<double>(kBounds[i]) - low) * ((wanted - before) / count);
    }
    before += count;
  }
  return static_cast<double>(kBounds[kBuckets - 2]);
}

}  // namespace leat::latency
