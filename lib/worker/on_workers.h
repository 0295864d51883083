// on_workers: something to be done by every worker, waited for by another thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "worker/worker.h"

namespace leat::worker {

using Workers = std::span<const std::unique_ptr<Worker>>;

// Runs `work(index)` on every worker and waits for all of them. False when `stopping`, or the end of
// `within_ms`, came first: what was not run by then will not be.
bool on_workers(Workers workers, const std::stop_token& stopping, std::function<void(uint32_t)> work,
                uint64_t within_ms = UINT64_MAX);

// Who is kept from its loop for `ms` already, and by what, in words; empty where nobody is.
std::string describe_stuck(Workers workers, uint64_t ms);

}  // namespace leat::worker
