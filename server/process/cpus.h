// How many workers this machine, or this container of it, has work for.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace leat::server {

// How many CPUs may be used, by affinity and cgroup together; at least one.
uint32_t granted_cpus();

// The CPUs that this process may run on (sched_getaffinity(2)), by number; never empty.
std::vector<int> usable_cpus();

// The CPUs' worth of time that the control group grants (cgroup v2, cpu.max of the process's group and those
// above it), rounded up, at least 1; 0 where there is no limit.
unsigned cgroup_cpu_limit();

// Reads one cpu.max file's content ("max 100000", "150000 100000") in the same terms.
unsigned parse_cpu_max(std::string_view content);

}  // namespace leat::server
