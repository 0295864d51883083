// PublishedKeys: the keys that a server publishes as a JWK Set (RFC 7517), for all workers and over reloads.
//
//   tend() -> KeyErrand: fetch -> read, a key in each turn -> publish -> wait for the interval -> fetch ...
//   await() -> KeyErrand: fetch -> read -> publish -> resumes who waits
//
// One fetch is under way at a time, whoever begins it, and between the beginnings of two there is `least_ms`: so tokens of keys
// that nobody knows cause no more than that. What cannot be had, or is no set of keys, changes nothing; what was fetched last
// is good for `max_age_ms`. A set is read on the worker's loop, one key in a turn, since numbers are checked that may be
// large.
//
// The hot path reads two atomic words; the lock is for who takes up other keys, and for who waits.
//
// Thread: any, but for what says otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/thread_pool.h"
#include "client/upstream.h"
#include "http/exchange.h"
#include "middleware/token_keys.h"

namespace leat::middleware {

struct KeySource {
  std::shared_ptr<client::Upstream> upstream;
  ThreadPool* pool = nullptr;  // on which its name is resolved again; may be null
  std::string path;
  uint64_t interval_ms = 900'000;  // between two fetches, unless the answer says that it is good for less
  uint64_t least_ms = 10'000;      // between the beginnings of two, whatever happens
  uint64_t max_age_ms = 86'400'000;
  uint64_t timeout_ms = 5'000;
  uint32_t waiting = 1024;  // requests that wait for a fetch, of all workers
};

class PublishedKeys : public std::enable_shared_from_this<PublishedKeys> {
 public:
  // What came of fetches; each may be null.
  struct KeyCounters {
    std::shared_ptr<metrics::Metric> changed, same, wrong, failed;
  };
  // What a worker has taken up.
  struct TakenUp {
    uint64_t version = 0;  // 0: none yet
    std::shared_ptr<const TokenKeys> keys;
  };

  PublishedKeys(std::shared_ptr<const KeySource> source, KeyCounters counters)
      : source_(std::move(source)), counters_(std::move(counters)) {}

  // Whether there are keys that may be used. `now_ms` is CLOCK_MONOTONIC.
  [[nodiscard]] bool good(uint64_t now_ms) const {
    return now_ms < good_until_ms_.load(std::memory_order_relaxed);
  }
  // True: `taken` has others now.
  bool take_up(TakenUp& taken) const {
    if (version_.load(std::memory_order_acquire) == taken.version) [[likely]]
      return false;
    const std::lock_guard lock(mutex_);
    taken = published_;
    return true;
  }

  // Has them fetched from now on, on that worker if no other does so already. Its thread.
  void tend(http::WorkerContext& worker);

  enum class Awaited : uint8_t {
    Coming,   // `resume` is called when the fetch is over, if the request is still there: suspend it
    TooMany,  // as many wait as may
    Nothing   // it is too early for a fetch, or nobody asks here
  };
  // Has them fetched soon for the sake of a request, on whose thread it is called.
  [[nodiscard]] Awaited await(http::Exchange& exchange, http::WorkerContext::Resume resume, void* argument);

  // "3 keys of http://127.0.0.1:80/keys".
  [[nodiscard]] std::string describe() const;

 private:
  friend class KeyErrand;
  struct Waiter {
    http::Ticket ticket;
    http::WorkerContext::Resume resume;
    void* argument;
  };

  // Whether a fetch may begin; then it has begun, and over() ends it.
  [[nodiscard]] bool begin(uint64_t now_ms);
  [[nodiscard]] uint64_t wait_ms(uint64_t now_ms) const;
  // The thread of `worker`, as is all below.
  void over(http::WorkerContext& worker, uint64_t next_ms);
  // `document`: what they were made of.
  void publish(std::string document, std::shared_ptr<const TokenKeys> keys, uint64_t now_ms);
  [[nodiscard]] bool is_published(std::string_view document) const;
  void keep(uint64_t now_ms) {
    good_until_ms_.store(now_ms + source_->max_age_ms, std::memory_order_relaxed);
  }

  const std::shared_ptr<const KeySource> source_;
  const KeyCounters counters_;
  std::atomic<uint64_t> version_ = 0, good_until_ms_ = 0;
  std::atomic<uint64_t> next_ms_ = 0;         // when the next fetch is due
  std::atomic<uint64_t> quiet_until_ms_ = 0;  // and none begins before
  std::atomic<bool> fetching_ = false, tended_ = false;
  mutable std::mutex mutex_;  // of all below, and of changes of `fetching_` and `version_`
  TakenUp published_;
  std::string document_;
  std::vector<Waiter> waiting_;
};

}  // namespace leat::middleware
