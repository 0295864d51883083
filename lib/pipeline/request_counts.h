// RequestCounts: how many requests have ended on each route, how, and how long they took, for whoever watches the
// daemon.
//
// Each worker has a flat array of its own with a place for each route, which is found by a number that the route carries:
// a request costs some additions in one or two cache lines, and no lock. Who reads adds the workers up.
//
// A request has taken as long as its client sees: until its answer is given to the kernel, which is at the end of a turn,
// for all that ended in it. So its count waits for that moment, and one look at the clock serves all of a turn.
//
// Places go by a route's text, "GET /users/{id}", so that counts outlive a reload, and there is a bounded number of them:
// requests of routes that find none are counted together. A route that no site has any more is not shown, and its place is
// another's.
//
// Owned by whoever owns the pipelines, one for all. Thread: any; each Lane is its worker's alone.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/latency.h"
#include "http/exchange.h"

namespace leat::pipeline {

class Site;

// The status that a request goes down with: that of its answer, or where that was cut, or never came, what
// was the reason: 499 for a client that left. That is not a status of HTTP, but the one known for this.
inline uint16_t recorded_status(const http::Exchange& exchange) {
  return exchange.cut() ? exchange.cut().status : exchange.response.status;
}

class RequestCounts {
 public:
  // Route::number of requests that no route has, and of those whose route has found no place.
  static constexpr uint32_t kNone = 0;
  static constexpr uint32_t kOthers = 1;

  // What goes wrong before a handler has its say, or in spite of it: a request that is refused, a client that leaves.
  static constexpr std::array<std::string_view, 11> kErrors = {
      "malformed",   "request_timeout", "body_too_large", "line_too_long",  "headers_too_large",
      "client_left", "not_implemented", "no_room",        "answer_timeout", "version",
      "other"};
  [[nodiscard]] static size_t error_of(uint16_t status);

 private:
  // One worker writes, others read.
  using Count = std::atomic<uint64_t>;
  static void increase(Count& count, uint64_t by = 1) {
    count.store(count.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  // Pairs of method and status. A route has a few; what finds none of these places is counted by itself.
  static constexpr size_t kKinds = 32;
  struct alignas(64) Place {
    std::array<std::atomic<uint16_t>, kKinds> kinds = {};  // method and status; 0: free
    std::array<Count, kKinds> counts = {};
    Count other_kinds = 0;
    Count received = 0, sent = 0;           // bytes of bodies
    Count whole_ns = 0, first_byte_ns = 0;  // sums
    struct Both {
      Count whole, first_byte;
    };
    std::array<Both, latency::kBuckets> times = {};
    void clear();
  };

 public:
  class Lane {
   public:
    explicit Lane(uint32_t places) : places_(std::make_unique<Place[]>(places)) {}

    // A request has ended. `refused`: its protocol ended it.
    void add(const http::Exchange& exchange, uint32_t number, bool refused) {
      Place& place = places_[number];
      const uint16_t status = recorded_status(exchange);
      const auto method = static_cast<uint32_t>(exchange.request.method());
      const uint32_t kind = method << kStatusBits | status;
      const size_t at = (status + method * 7) % kKinds;
      if (place.kinds[at].load(std::memory_order_relaxed) == kind) [[likely]]
        increase(place.counts[at]);
      else
        add_kind(place, at, kind);
      increase(place.sent, exchange.bytes_sent());
      if (exchange.body_received != 0) [[unlikely]]
        increase(place.received, exchange.body_received);
      if (refused) [[unlikely]]
        increase(errors_[error_of(status)]);
      if (exchange.started_ns == 0) return;  // its head never was complete
      const Waiting one{&place, exchange.started_ns, exchange.answer_ns, 1};
      if (waits_ != 0 && waiting_[waits_ - 1].is_like(one)) {
        ++waiting_[waits_ - 1].requests;
        return;
      }
      waiting_[waits_] = one;
      if (++waits_ == waiting_.size()) [[unlikely]]
        settle();
    }
    // Answers have been given to the kernel: those that wait for it have taken until now.
    void on_turn_end() {
      if (waits_ != 0) settle();
    }

   private:
    friend class RequestCounts;
    // Of a turn's requests those that came together: where a client pipelines, most of them.
    struct Waiting {
      Place* place;
      uint64_t started_ns;
      uint64_t answered_ns;  // its first byte left before; 0: with the last
      uint64_t requests;
      [[nodiscard]] bool is_like(const Waiting& other) const {
        return place == other.place && started_ns == other.started_ns && answered_ns == other.answered_ns;
      }
    };
    void settle();
    static void add_kind(Place& place, size_t at, uint32_t kind);

    const std::unique_ptr<Place[]> places_;
    uint32_t waits_ = 0;
    std::array<Waiting, 64> waiting_;
    std::array<Count, kErrors.size()> errors_ = {};
  };

  // `routes` may be counted by themselves.
  RequestCounts(uint32_t workers, uint32_t routes);

  [[nodiscard]] Lane& lane(uint32_t worker) { return *lanes_[worker]; }

  // Gives the routes of a site their numbers, before it serves; and takes them back when nobody does anything by it any
  // more.
  void enlist(Site& site);
  void release(const Site& site);

  // --- What has been counted, added up.

  struct Kind {
    std::string_view method;
    uint16_t status;  // 0, without a method: those for which there was no place
    uint64_t count;
  };
  struct Totals {
    std::vector<Kind> kinds;  // by method and status
    uint64_t received = 0, sent = 0;
    uint64_t whole_ns = 0, first_byte_ns = 0;
    std::array<uint64_t, latency::kBuckets> whole = {}, first_byte = {};
    [[nodiscard]] uint64_t requests() const;
  };
  // Each route that a site has and that was asked for, by its text; then what has no route, as "(none)", and what found no
  // place, as "(others)".
  void for_each(const std::function<void(std::string_view route, const Totals& totals)>& show) const;
  [[nodiscard]] std::array<uint64_t, kErrors.size()> errors() const;

 private:
  static constexpr uint32_t kStatusBits = 10;
  static constexpr uint32_t kFirst = 2;  // number of a route of its own

  [[nodiscard]] Totals totals_of(uint32_t number) const;

  struct Entry {
    uint32_t number;
    uint32_t sites;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::vector<uint32_t> free_;  // numbers, the next one last
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace leat::pipeline
