// RequestCounts: how many requests have ended, and how, for whoever watches the daemon.
//
// Owned by whoever owns the pipelines, one for all. Thread: any worker; each counts in cells of its own.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/metrics.h"
#include "http/exchange.h"

namespace leat::pipeline {

// The status that a request goes down with: that of its answer, or where that was cut, or never came, what
// was the reason: 499 for a client that left. That is not a status of HTTP, but the one known for this.
inline uint16_t recorded_status(const http::Exchange& exchange) {
  return exchange.cut() ? exchange.cut().status : exchange.response.status;
}

struct RequestCounts {
  // Counters, by the first digit of the status, which is 2 to 5 for an answer that is one.
  static constexpr size_t kFirst = 2;
  std::array<std::shared_ptr<metrics::Metric>, 4> by_class;

  void add(const http::Exchange& exchange) const {
    by_class[recorded_status(exchange) / 100 - kFirst]->add(1);
  }
};

}  // namespace leat::pipeline
