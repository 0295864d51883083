// What a reload tries first: a configuration that crashes or hangs its loader must not do so in the daemon.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

namespace leat::server {

// Runs `command`, a program and its arguments that load a configuration and exit with 0 if it is good, in `folder`. It ends by
// itself within `load_timeout_ms`, or is killed soon after, as it is when `stopping` is asked for. What is wrong, as text;
// empty: nothing.
std::string check_in_own_process(std::vector<std::string> command, const std::string& folder,
                                 uint32_t load_timeout_ms, const std::stop_token& stopping);

}  // namespace leat::server
