// Metrics: named numbers that a running process counts and that others read, in the form that Prometheus
// collects.
//
// A counter and a histogram have cells for each lane, which is a thread that registered as one (a worker),
// and cells that all other threads share. A lane alone writes its cells and no other lane writes to their
// cache lines, so that counting there is a load and a store without a lock prefix; whoever reads adds all
// cells up. A gauge has one cell, since the last value that any thread set is the value.
//
// The Registry knows what there is, and owns none of it: whoever declared a metric holds it, and it is shown
// for as long as somebody does. The same declaration made again while it lives is the same metric, by which
// counts outlive a reload. Rejected: a table that metrics are looked up in by name on each use, and metrics
// that stay once declared: what a plugin counted would be shown for ever after it is gone.
//
// Thread: declaring, reading and counting on any.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace leat::metrics {

inline constexpr uint32_t kNoLane = UINT32_MAX;
// This thread's lane. No two threads that count at the same time may have the same.
inline constinit thread_local uint32_t thread_lane = kNoLane;

enum class Type : uint8_t { Counter, Gauge, Histogram };
std::string_view type_name(Type type);

struct Label {
  std::string name;
  std::string value;
};

struct Description {
  Type type = Type::Counter;
  std::string name;            // [a-zA-Z_:][a-zA-Z0-9_:]*
  std::string help;            // one sentence for people
  std::vector<Label> labels;   // constant; names are [a-zA-Z_][a-zA-Z0-9_]*, without "__" in front
  std::vector<double> bounds;  // of a histogram's buckets: finite, ascending, each the most that is in it
  // The number of a counter or gauge that is known elsewhere: asked for, under the registry's mutex, whenever
  // it is shown.
  std::function<double()> read;
  bool limited = true;  // counts against the registry's limit
};

class Metric {
 public:
  // `description` is one that Registry::declare found good.
  Metric(Description description, std::string key, uint32_t lanes, uint64_t age);
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;

  // Each answers false, and changes nothing, for a metric of another type.
  // A counter's.
  bool add(uint64_t count) {
    if (type() != Type::Counter) return false;
    increase(0, count);
    return true;
  }
  // Where this thread counts, for who counts often: adding there is a load and a store. Null for a thread that is no
  // lane, and for what is no counter.
  [[nodiscard]] std::atomic<uint64_t>* own_cell() const {
    return type() == Type::Counter && thread_lane < lanes_ ? &cell(thread_lane, 0) : nullptr;
  }
  [[nodiscard]] uint64_t count() const { return count_in(0); }  // a counter's
  // A gauge's.
  bool set(double value) {
    if (type() != Type::Gauge) return false;
    cell(0, 0).store(std::bit_cast<uint64_t>(value), std::memory_order_relaxed);
    return true;
  }
  bool change(double by) {
    if (type() != Type::Gauge) return false;
    add_shared(cell(0, 0), by);
    return true;
  }
  // A histogram's. False too for what is no finite number: its sum would be lost for ever.
  bool observe(double value) {
    if (type() != Type::Histogram || !std::isfinite(value)) return false;
    const auto& bounds = description_.bounds;
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin();
    increase(static_cast<size_t>(bucket), uint64_t{1});
    increase(bounds.size() + 1, value);
    return true;
  }

  [[nodiscard]] Type type() const { return description_.type; }
  [[nodiscard]] const Description& description() const { return description_; }
  // Name and labels, "requests_total{plugin=\"demo\",kind=\"a\"}": what tells it from others.
  [[nodiscard]] const std::string& key() const { return key_; }
  // How many numbers it is shown as, against the limit.
  [[nodiscard]] size_t series() const { return series_of(description_); }
  static size_t series_of(const Description& description);

  // Adds the lines of its numbers to `text`. What is counted meanwhile is in it or not.
  void write(std::string& text) const;

 private:
  friend class Registry;
  struct alignas(64) Line {
    std::atomic<uint64_t> cells[8] = {};
  };

  std::atomic<uint64_t>& cell(uint32_t lane, size_t slot) const {
    return lines_[lane * lines_each_ + slot / 8].cells[slot % 8];
  }
  void increase(size_t slot, uint64_t count) {
    const uint32_t lane = std::min(thread_lane, lanes_);
    std::atomic<uint64_t>& mine = cell(lane, slot);
    if (lane == lanes_) {
      mine.fetch_add(count, std::memory_order_relaxed);
    } else {
      mine.store(mine.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    }
  }
  void increase(size_t slot, double by) {
    const uint32_t lane = std::min(thread_lane, lanes_);
    std::atomic<uint64_t>& mine = cell(lane, slot);
    if (lane == lanes_) return add_shared(mine, by);
    const double sum = std::bit_cast<double>(mine.load(std::memory_order_relaxed)) + by;
    mine.store(std::bit_cast<uint64_t>(sum), std::memory_order_relaxed);
  }
  static void add_shared(std::atomic<uint64_t>& cell, double by) {
    uint64_t before = cell.load(std::memory_order_relaxed);
    while (!cell.compare_exchange_weak(before, std::bit_cast<uint64_t>(std::bit_cast<double>(before) + by),
                                       std::memory_order_relaxed)) {
    }
  }
  [[nodiscard]] uint64_t count_in(size_t slot) const;
  [[nodiscard]] double sum_in(size_t slot) const;
  [[nodiscard]] std::string sample(std::string_view suffix, std::string_view bound) const;

  Description description_;  // its help is the registry's, under its mutex
  const std::string key_;
  const uint64_t age_;       // the registry's count of metrics when it was made
  const uint32_t lanes_;     // the cells after those of all lanes are the shared ones
  const size_t lines_each_;  // of a lane
  const std::unique_ptr<Line[]> lines_;
};

// Which metrics can be shown side by side. A name has one type, a histogram also takes its name with _bucket,
// _sum and _count behind it, and no two have the same key. The metrics must outlive it.
class Names {
 public:
  // Takes `metric` in, or returns the one in its way.
  const Metric* take(const Metric& metric);

 private:
  std::map<std::string, const Metric*> samples_;
  std::map<std::string_view, const Metric*> keys_;
};

// A sentence for the author of `metric`, in whose way `other` is.
std::string contradiction(const Metric& metric, const Metric& other);

// Numbers that somebody keeps who knows better how, whole families of them.
class Source {
 public:
  virtual ~Source() = default;
  // Adds their text, each family at once; no other metric has a name of theirs.
  virtual void write(std::string& text) const = 0;
};

// What a Source writes: the lines that a family begins with, a label's value, and a number.
void append_family(std::string& text, std::string_view name, std::string_view help, Type type);
void append_label(std::string& text, std::string_view value);
[[nodiscard]] std::string number_text(double value);

class Registry {
 public:
  // Limited metrics may be shown as so many numbers, all together. Ten thousand are some 100 lines for each
  // of 100 routes, a page of 1 MB that a collector still reads in one go; mostly more is a label that was
  // given too many values.
  void set_limit(size_t series);
  static constexpr size_t kLimit = 10'000;  // where none was set

  // The metric that `description` says, with zeros, or the living one of the same type, name, labels and
  // bounds. Labels may be in any order. An error is a sentence for the author of the declaration.
  std::expected<std::shared_ptr<Metric>, std::string> declare(Description description, uint32_t lanes);

  // `source` is asked, under the registry's mutex, whenever all is shown, until it is removed.
  void add(const Source& source);
  void remove(const Source& source);

  // All metrics that somebody holds, and what sources have, in the text exposition format 0.0.4 of Prometheus. Of those that cannot
  // be shown side by side the oldest is: where a reload changes a histogram's bounds or a type, the new
  // metric follows when the last that had declared the old one is gone.
  [[nodiscard]] std::string text();

 private:
  [[nodiscard]] std::vector<std::shared_ptr<Metric>> shown();
  void forget_gone();

  std::mutex mutex_;                                                        // of all below
  std::multimap<std::string, std::weak_ptr<Metric>, std::less<>> metrics_;  // by key, and then by age
  std::vector<const Source*> sources_;
  size_t limit_ = kLimit;
  size_t series_ = 0;  // of metrics_, gone ones too
  uint64_t made_ = 0;
};

}  // namespace leat::metrics
