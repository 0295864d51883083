// What those have in common who ask an upstream for a request's sake: plugins and middleware.
//
// Thread: the exchange's worker.
#pragma once

#include <cstdint>
#include <memory>

#include "base/thread_pool.h"
#include "client/upstream.h"
#include "http/exchange.h"

namespace leat::client {

// What is left of the time in which the request is to be answered, at least a millisecond; UINT64_MAX where it is not
// bounded yet.
uint64_t time_left_ms(http::Exchange& exchange);

// Has the upstream's name resolved again if it is time for that, on `pool`. Where that is full, or null, its addresses stay
// as they are until the next time. `now_ms` is CLOCK_MONOTONIC.
void refresh_if_due(const std::shared_ptr<Upstream>& upstream, uint64_t now_ms, ThreadPool* pool);

}  // namespace leat::client
