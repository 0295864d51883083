// SpanLane: what one worker has to tell a collector of spans, and its way there (OTLP over HTTP).
//
//   add() -> filling, in memory that was taken when it was made -> a batch, when it is full or old enough -> the collector
//
// There are two halves: spans go into one while the other is on its way, or waits to be sent once more. Where a half is
// full, spans are dropped and counted; nobody ever waits for a collector. A batch that did not get there is tried again as
// the protocol has it: after what Retry-After says, or after a time that doubles, up to `retry_ms` in all.
//
// It is an errand of its worker's, from the first span that it has on until the last has gone (client/errand.h). So it needs no
// end of its own: what a reload leaves behind leaves when it is through.
//
// Thread: its worker's, but for the constructor and destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "base/thread_pool.h"
#include "client/errand.h"
#include "client/upstream.h"
#include "middleware/otlp.h"
#include "middleware/random.h"

namespace leat::middleware {

struct SpanTarget {
  std::shared_ptr<client::Upstream> upstream;
  ThreadPool* pool = nullptr;  // on which its name is resolved again; may be null
  std::string path;
  std::vector<std::pair<std::string, std::string>> fields;  // of the request, beside Content-Type
  uint64_t timeout_ms = 10'000;
};

struct SpanBatching {
  uint32_t spans = 512;            // a batch leaves when it has so many ...
  uint64_t interval_ms = 5'000;    // ... or its first one is so old
  size_t bytes = size_t{1} << 20;  // of the spans of a half
  uint64_t retry_ms = 60'000;
  uint64_t stop_ms = 1'000;  // for what is left when the worker stops
};

class SpanLane final : public client::Errand, public std::enable_shared_from_this<SpanLane> {
 public:
  // What became of spans; each may be null.
  struct SpanCounters {
    std::shared_ptr<metrics::Metric> exported;
    std::shared_ptr<metrics::Metric> full;     // there was no room
    std::shared_ptr<metrics::Metric> refused;  // the collector did not want them
    std::shared_ptr<metrics::Metric> away;     // the collector was not to be had
  };

  SpanLane(std::shared_ptr<const SpanTarget> target, const SpanBatching& batching,
           std::shared_ptr<const otlp::Envelope> envelope, SpanCounters counters);

  // Takes the fields of a span. `fetcher` is the worker's; null: nobody asks there. `now_ms` is CLOCK_MONOTONIC.
  void add(std::string_view span, client::Fetcher* fetcher, uint64_t now_ms);
  // One that was too large to be encoded.
  void drop() { count(counters_.full, 1); }

  [[nodiscard]] Plan plan(uint64_t now_ms, bool ending) override;
  void on_fetched(const client::Fetch& fetch, uint64_t now_ms) override;

 private:
  struct Half {
    std::unique_ptr<char[]> memory;
    size_t size = 0;  // of the spans, which stand behind the room for what is around them
    uint32_t spans = 0;
    uint64_t since_ms = 0;  // of the first one
  };

  static void count(const std::shared_ptr<metrics::Metric>& counter, uint64_t spans) {
    if (counter != nullptr && spans != 0) counter->add(spans);
  }
  [[nodiscard]] bool is_due(uint64_t now_ms, bool ending) const;
  [[nodiscard]] Plan send(uint64_t now_ms, bool ending);
  void exported(const client::Fetch& fetch);
  void try_again_later(const client::Fetch& fetch, uint64_t now_ms);
  void give_up(const std::shared_ptr<metrics::Metric>& counter, const client::Fetch* why);

  const std::shared_ptr<const SpanTarget> target_;
  const SpanBatching batching_;
  const std::shared_ptr<const otlp::Envelope> envelope_;
  const SpanCounters counters_;
  const std::shared_ptr<const client::Upstream> upstream_;
  std::vector<client::Field> fields_;
  const size_t front_;  // room for what is around the spans
  Half filling_, sending_;
  bool under_way_ = false;  // an errand
  bool full_ = false;       // nothing more goes into the half that is filled
  bool ending_ = false;
  uint64_t end_ms_ = 0;    // when what is left is given up
  uint64_t first_ms_ = 0;  // of the batch's tries
  uint64_t next_ms_ = 0;   // not to be tried before
  uint32_t tries_ = 0;
  Random random_;
};

}  // namespace leat::middleware
