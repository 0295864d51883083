// Telling the service manager how far we are (sd_notify(3)), without linking its library: one datagram to the
// socket that NOTIFY_SOCKET names.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace leat::server {

// `state` is "READY=1", "STOPPING=1" and the like, STATUS= last: of a long one the end is cut off. Does nothing where no manager
// asked to be told. Any thread; one whose queue is full is waited for, for two seconds at most.
void notify_manager(std::string_view state);
// The same with descriptors, of which the manager keeps a copy (FDSTORE=1). False: there is none, or it does not listen.
bool notify_manager(std::string_view state, std::span<const int> descriptors);
// RELOADING=1, with the time as the manager wants it: CLOCK_MONOTONIC in microseconds, not earlier than when it
// asked.
void notify_reloading();
// How long the manager waits for WATCHDOG=1 before it ends the service (WATCHDOG_USEC); 0: it does not.
[[nodiscard]] uint64_t watchdog_ms();

}  // namespace leat::server
