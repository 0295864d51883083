#include "server/process/cpus.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "base/text.h"

namespace leat::server {

uint32_t granted_cpus() {
  const auto cpus = static_cast<uint32_t>(usable_cpus().size());
  const uint32_t granted = cgroup_cpu_limit();
  return granted != 0 && granted < cpus ? granted : cpus;
}

std::vector<int> usable_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

unsigned parse_cpu_max(std::string_view content) {
  const size_t space = content.find(' ');
  if (space == std::string_view::npos) return 0;
  const size_t end = content.find_first_of(" \n", space + 1);
  const auto quota = parse_number<uint64_t>(content.substr(0, space));
  const auto period = parse_number<uint64_t>(content.substr(space + 1, end - space - 1));
  if (!quota || !period || *period == 0) return 0;
  return static_cast<unsigned>(std::max<uint64_t>(1, (*quota + *period - 1) / *period));
}

unsigned cgroup_cpu_limit() {
  std::ifstream self("/proc/self/cgroup");
  std::string line;
  unsigned least = 0;
  while (std::getline(self, line)) {
    if (!line.starts_with("0::/")) continue;  // cgroup v2's only line
    std::string group = line.substr(3);
    while (true) {
      std::ifstream file("/sys/fs/cgroup" + group + "/cpu.max");
      const std::string content{std::istreambuf_iterator<char>(file), {}};
      if (const unsigned limit = parse_cpu_max(content); limit != 0 && (least == 0 || limit < least))
        least = limit;
      const size_t slash = group.rfind('/');
      if (slash == std::string::npos) break;
      group.resize(slash);
    }
  }
  return least;
}

}  // namespace leat::server
