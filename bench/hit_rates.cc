// leat-hit-rates: how often the cache finds what it is asked for, beside other ways to decide what goes.
//
// One trace for all: Zipf(0.9) over ten times as many keys as there is room for, with a scan of ten times the
// room in its midst, during which the popular keys are asked for as well. Values are of one size.
//
//   Leat       cache::Store, which is S3-FIFO within a budget of bytes
//   LRU        least recently used
//   W-TinyLFU  a window of 1 % before a segmented LRU, and a sketch of how often keys were asked for that
//   decides
//              who may pass from the one to the other (Einziger, Friedman, Manes: TinyLFU, 2017)
//
// Prints one line of JSON.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <list>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/siphash.h"
#include "cache/store.h"

namespace {

constexpr size_t kRoom = 1000;
constexpr uint32_t kScanned = 1U << 24;  // keys of the scan are above

std::vector<uint32_t> make_trace(uint32_t seed) {
  std::vector<double> sums(10 * kRoom);
  double sum = 0;
  for (size_t i = 0; i < sums.size(); ++i) sums[i] = sum += 1 / std::pow(static_cast<double>(i + 1), 0.9);
  std::mt19937 random(seed);
  std::vector<uint32_t> trace;
  const auto popular = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const double at = std::uniform_real_distribution<double>(0, sum)(random);
      trace.push_back(static_cast<uint32_t>(std::ranges::lower_bound(sums, at) - sums.begin()));
    }
  };
  popular(60'000);
  for (uint32_t i = 0; i < 10 * kRoom; ++i) {
    trace.push_back(kScanned + i);
    if (i % 2 == 0) popular(1);
  }
  popular(30'000);
  return trace;
}

class Lru {
 public:
  explicit Lru(size_t room) : room_(room) {}
  bool touch(uint32_t key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return false;
    order_.splice(order_.begin(), order_, found->second);
    return true;
  }
  // The key that had to go for it, or none.
  int64_t add(uint32_t key) {
    order_.push_front(key);
    places_[key] = order_.begin();
    return order_.size() > room_ ? take_oldest() : -1;
  }
  int64_t take_oldest() {
    const uint32_t key = order_.back();
    remove(key);
    return key;
  }
  void remove(uint32_t key) {
    order_.erase(places_.at(key));
    places_.erase(key);
  }
  [[nodiscard]] bool has(uint32_t key) const { return places_.contains(key); }
  [[nodiscard]] uint32_t oldest() const { return order_.back(); }
  [[nodiscard]] bool full() const { return order_.size() >= room_; }

  bool ask(uint32_t key) {
    if (touch(key)) return true;
    add(key);
    return false;
  }

 private:
  size_t room_;
  std::list<uint32_t> order_;
  std::unordered_map<uint32_t, std::list<uint32_t>::iterator> places_;
};

// How often keys were asked for, about: four counters of four bits each, halved now and then.
class Sketch {
 public:
  void add(uint32_t key) {
    for (size_t row = 0; row < kRows; ++row) {
      uint8_t& counter = at(row, key);
      if (counter < 15) ++counter;
    }
    if (++added_ < 10 * kRoom) return;
    added_ /= 2;
    for (auto& row : counters_)
      for (uint8_t& counter : row) counter /= 2;
  }
  [[nodiscard]] uint8_t estimate(uint32_t key) {
    uint8_t least = 255;
    for (size_t row = 0; row < kRows; ++row) least = std::min(least, at(row, key));
    return least;
  }

 private:
  static constexpr size_t kRows = 4, kColumns = 4096;
  uint8_t& at(size_t row, uint32_t key) {
    const std::string_view bytes(reinterpret_cast<const char*>(&key), sizeof key);
    return counters_[row][leat::sip_hash(bytes, {row, 1}) % kColumns];
  }
  std::array<std::array<uint8_t, kColumns>, kRows> counters_{};
  size_t added_ = 0;
};

class TinyLfu {
 public:
  bool ask(uint32_t key) {
    sketch_.add(key);
    if (window_.touch(key) || safe_.touch(key)) return true;
    if (trial_.has(key)) {
      trial_.remove(key);
      if (const int64_t back = safe_.add(key); back >= 0) trial_.add(static_cast<uint32_t>(back));
      return true;
    }
    const int64_t candidate = window_.add(key);
    if (candidate < 0) return false;
    const auto passed = static_cast<uint32_t>(candidate);
    if (size_ < kMain) {
      ++size_;
      trial_.add(passed);
    } else if (sketch_.estimate(passed) > sketch_.estimate(trial_.oldest())) {
      trial_.take_oldest();
      trial_.add(passed);
    }
    return false;
  }

 private:
  static constexpr size_t kWindow = kRoom / 100, kMain = kRoom - kWindow, kSafe = kMain * 4 / 5;
  Sketch sketch_;
  Lru window_{kWindow}, safe_{kSafe}, trial_{kMain};
  size_t size_ = 0;
};

class Leat {
 public:
  Leat() { store_.configure({.bytes = kRoom * (kValue + 102), .entry_bytes = 1 << 12}, 1); }
  bool ask(uint32_t key) {
    const std::string name = "key " + std::to_string(key);
    if (store_.find(0, name, 0)) return true;
    store_.put(name, value_, 0, UINT64_MAX);
    most_ = std::max(most_, store_.statistics().entries);
    return false;
  }
  [[nodiscard]] size_t most() const { return most_; }

 private:
  static constexpr size_t kValue = 1000;
  leat::cache::Store store_;
  const std::string value_ = std::string(kValue, 'v');
  size_t most_ = 0;
};

template <class Cache>
double hits(Cache& cache, const std::vector<uint32_t>& trace) {
  size_t count = 0;
  for (const uint32_t key : trace) count += cache.ask(key) ? 1 : 0;
  return 100.0 * static_cast<double>(count) / static_cast<double>(trace.size());
}

}  // namespace

int main() {
  std::printf("[");
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    const auto trace = make_trace(seed);
    Leat leat;
    Lru lru(kRoom);
    TinyLfu tiny;
    const double by_leat = hits(leat, trace), by_lru = hits(lru, trace), by_tiny = hits(tiny, trace);
    if (leat.most() > kRoom) {
      std::fprintf(stderr, "the store had room for %zu entries: no comparison\n", leat.most());
      return 1;
    }
    std::printf(
        "%s{\"seed\":%u,\"asked\":%zu,\"leat\":%.2f,\"lru\":%.2f,\"tinylfu\":%.2f,\"leat_entries\":%zu}",
        seed == 1 ? "" : ",", seed, trace.size(), by_leat, by_lru, by_tiny, leat.most());
  }
  std::printf("]\n");
}
