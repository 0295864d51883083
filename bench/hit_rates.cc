// leat-hit-rates: how often the cache finds what it is asked for, beside other ways to decide what goes.
//
// Room is for 1,000 values of one size, and popular keys are Zipf's over ten times as many. The traces:
//
//   scan     Zipf(0.9), with a scan of ten times the room in its midst, during which the popular keys are asked
//            for as well
//   flat     Zipf(0.7)
//   steep    Zipf(1.1)
//   shift    Zipf(0.9), and half way all popular keys are others
//   news     Zipf(0.9) of how new a key is; a new one comes with each fiftieth request
//   loop     Zipf(0.9), and every other request goes through 1,500 keys round and round
//   recent   keys that come one after the other; each is asked for some times more, soon after
//
// The caches:
//
//   leat     cache::Store, within a budget of bytes
//   lru      least recently used
//   s3fifo   S3-FIFO (Yang and others, 2023), as Leat's store was before it remembered frequencies
//   tinylfu  W-TinyLFU: a window of 1 % before a segmented LRU, and a sketch of how often keys were asked for
//            that decides who may pass from the one to the other (Einziger, Friedman, Manes: TinyLFU, 2017)
//
// Prints one line of JSON, with a row for each trace and seed.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <list>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/siphash.h"
#include "cache/store.h"

namespace {

constexpr size_t kRoom = 1000;
constexpr uint32_t kOthers = 1U << 24;  // the first key that is not one of Zipf's

using Trace = std::vector<uint32_t>;

// Keys by how popular they are, the most popular one first.
class Zipf {
 public:
  Zipf(double exponent, std::mt19937& random) : random_(random), sums_(10 * kRoom) {
    double sum = 0;
    for (size_t i = 0; i < sums_.size(); ++i)
      sums_[i] = sum += 1 / std::pow(static_cast<double>(i + 1), exponent);
  }
  uint32_t operator()() {
    const double at = std::uniform_real_distribution<double>(0, sums_.back())(random_);
    return static_cast<uint32_t>(std::ranges::lower_bound(sums_, at) - sums_.begin());
  }

 private:
  std::mt19937& random_;
  std::vector<double> sums_;
};

Trace make_scan(std::mt19937& random) {
  Zipf popular(0.9, random);
  Trace trace;
  for (int i = 0; i < 60'000; ++i) trace.push_back(popular());
  for (uint32_t i = 0; i < 10 * kRoom; ++i) {
    trace.push_back(kOthers + i);
    if (i % 2 == 0) trace.push_back(popular());
  }
  for (int i = 0; i < 30'000; ++i) trace.push_back(popular());
  return trace;
}

// A hundred thousand requests; `key_of` is asked for each, with its number.
template <class KeyOf>
Trace make_trace(KeyOf key_of) {
  Trace trace;
  for (uint32_t i = 0; i < 100'000; ++i) trace.push_back(key_of(i));
  return trace;
}

Trace make_plain(std::mt19937& random, double exponent) {
  Zipf popular(exponent, random);
  return make_trace([&](uint32_t) { return popular(); });
}

Trace make_shift(std::mt19937& random) {
  Zipf popular(0.9, random);
  return make_trace([&](uint32_t i) { return popular() + (i < 50'000 ? 0 : kOthers); });
}

Trace make_news(std::mt19937& random) {
  Zipf popular(0.9, random);
  return make_trace([&](uint32_t i) { return kOthers + i / 50 - popular(); });
}

Trace make_loop(std::mt19937& random) {
  Zipf popular(0.9, random);
  return make_trace([&](uint32_t i) { return i % 2 == 0 ? kOthers + i / 2 % 1500 : popular(); });
}

Trace make_recent(std::mt19937& random) {
  std::exponential_distribution<double> distance(1.0 / 400);
  return make_trace([&](uint32_t i) {
    const auto back = random() % 4 == 0 ? 0 : static_cast<uint32_t>(distance(random));
    return kOthers + i / 4 - back;
  });
}

struct NamedTrace {
  const char* name;
  Trace (*make)(std::mt19937& random);
};
constexpr NamedTrace kTraces[] = {
    {"scan", make_scan},
    {"flat", [](std::mt19937& random) { return make_plain(random, 0.7); }},
    {"steep", [](std::mt19937& random) { return make_plain(random, 1.1); }},
    {"shift", make_shift},
    {"news", make_news},
    {"loop", make_loop},
    {"recent", make_recent},
};

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

// Three uses are counted; the small queue is a tenth; of what went from it hashes are remembered.
class S3Fifo {
 public:
  bool ask(uint32_t key) {
    if (const auto found = uses_.find(key); found != uses_.end()) {
      found->second = std::min<uint8_t>(3, found->second + 1);
      return true;
    }
    (ghosts_.contains(key) ? main_ : small_).push_front(key);
    uses_[key] = 0;
    while (small_.size() + main_.size() > kRoom) make_room();
    return false;
  }

 private:
  void make_room() {
    const bool from_small = main_.empty() || small_.size() > kRoom / 10;
    std::list<uint32_t>& queue = from_small ? small_ : main_;
    const uint32_t key = queue.back();
    queue.pop_back();
    uint8_t& uses = uses_[key];
    if (uses != 0) {
      uses = from_small ? 0 : uses - 1;
      return main_.push_front(key);
    }
    uses_.erase(key);
    if (!from_small || !ghosts_.insert(key).second) return;
    gone_.push_back(key);
    if (gone_.size() <= kRoom) return;
    ghosts_.erase(gone_.front());
    gone_.pop_front();
  }

  std::list<uint32_t> small_, main_, gone_;
  std::unordered_map<uint32_t, uint8_t> uses_;
  std::unordered_set<uint32_t> ghosts_;
};

class Leat {
 public:
  Leat() { store_.configure({.bytes = kBytes, .entry_bytes = kBytes / 64}, 1); }
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
  // Beside the values, an entry's own bytes and the tables.
  static constexpr size_t kBytes = kRoom * (kValue + 118);
  leat::cache::Store store_;
  const std::string value_ = std::string(kValue, 'v');
  size_t most_ = 0;
};

template <class Cache>
double hits(Cache&& cache, const Trace& trace) {
  const auto count = std::ranges::count_if(trace, [&](uint32_t key) { return cache.ask(key); });
  return 100.0 * static_cast<double>(count) / static_cast<double>(trace.size());
}

}  // namespace

int main() {
  const char* begin = "[";
  for (const NamedTrace& named : kTraces)
    for (uint32_t seed = 1; seed <= 5; ++seed) {
      std::mt19937 random(seed);
      const Trace trace = named.make(random);
      Leat leat;
      const double by_leat = hits(leat, trace);
      if (leat.most() > kRoom) {
        std::fprintf(stderr, "the store had room for %zu entries: no comparison\n", leat.most());
        return 1;
      }
      std::printf(
          "%s{\"trace\":\"%s\",\"seed\":%u,\"asked\":%zu,\"leat\":%.2f,\"lru\":%.2f,\"s3fifo\":%.2f,"
          "\"tinylfu\":%.2f,\"leat_entries\":%zu}",
          begin, named.name, seed, trace.size(), by_leat, hits(Lru(kRoom), trace), hits(S3Fifo(), trace),
          hits(TinyLfu(), trace), leat.most());
      begin = ",\n";
    }
  std::printf("]\n");
}
