#include "server/process/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "base/text.h"

namespace leat::server {

namespace {

// Files of /proc are read whole in one call.
std::string_view read_proc(const char* path, std::span<char> room) {
  const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  const ssize_t got = ::read(file.get(), room.data(), room.size());
  return {room.data(), got > 0 ? static_cast<size_t>(got) : 0};
}

// The field of /proc/self/stat with this number, from 3 on: behind the name, which may have anything in it but an end.
double field_of(std::string_view stat, int number) {
  stat.remove_prefix(std::min(stat.rfind(')'), stat.size() - 1) + 1);
  for (int at = 2; at < number; ++at) {
    if (stat.empty()) return 0;
    stat.remove_prefix(1);
    if (at + 1 < number) stat.remove_prefix(std::min(stat.find(' '), stat.size()));
  }
  return static_cast<double>(parse_number<uint64_t>(stat.substr(0, stat.find(' '))).value_or(0));
}

// When the machine was started, in seconds since 1970.
double boot_time() {
  timespec wall{}, since_boot{};
  ::clock_gettime(CLOCK_REALTIME, &wall);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return static_cast<double>(wall.tv_sec - since_boot.tv_sec) +
         static_cast<double>(wall.tv_nsec - since_boot.tv_nsec) / 1e9;
}

uint64_t count_descriptors() {
  DIR* const folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  uint64_t count = 0;
  while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(folder);
  return count - std::min<uint64_t>(count, 1);  // without the one that lists them
}

}  // namespace

Usage Usage::without_descriptors() {
  constexpr int kUser = 14, kSystem = 15, kThreads = 20, kStart = 22, kVirtual = 23, kResident = 24;
  std::array<char, 1024> room;
  Usage usage;
  const std::string_view stat = read_proc("/proc/self/stat", room);
  if (stat.empty()) return usage;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  usage.cpu_seconds = (field_of(stat, kUser) + field_of(stat, kSystem)) / ticks;
  usage.threads = static_cast<uint64_t>(field_of(stat, kThreads));
  static const double booted = boot_time();  // once: it would waver
  usage.started = booted + field_of(stat, kStart) / ticks;
  usage.virtual_bytes = static_cast<uint64_t>(field_of(stat, kVirtual));
  usage.resident_bytes =
      static_cast<uint64_t>(field_of(stat, kResident)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return usage;
}

Usage Usage::now() {
  Usage usage = without_descriptors();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.most_descriptors = limit.rlim_cur;
  usage.open_descriptors = count_descriptors();
  return usage;
}

}  // namespace leat::server
