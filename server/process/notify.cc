#include "server/process/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "server/process/descriptor_message.h"

namespace leat::server {

namespace {

// A manager takes a message within moments. One that does not in this time is waited for no more, until it takes one.
constexpr timeval kPatience{.tv_sec = 2, .tv_usec = 0};
std::atomic<bool> stalls = false;

// systemd drops a message of more than 4096 bytes as a whole, and READY=1 with it: a reload that fails for a reason with
// many words would not end for it. A status of more than this nobody reads.
constexpr size_t kMostState = 1024;

}  // namespace

bool notify_manager(std::string_view state, std::span<const int> descriptors) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof address.sun_path)
    return false;
  const size_t size = std::strlen(path);
  std::memcpy(address.sun_path, path, size);
  if (path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | (stalls ? SOCK_NONBLOCK : 0), 0));
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  // A manager that does not listen is no reason to stop serving.
  const bool taken = send_message(socket.get(), text_prefix(state, kMostState), descriptors,
                                  reinterpret_cast<const sockaddr*>(&address), length);
  const bool full = !taken && errno == EAGAIN;
  if (!stalls.exchange(full) && full)
    log::warn("the service manager does not take what it is told by {}: it is waited for no more", path);
  return taken;
}

void notify_manager(std::string_view state) { (void)notify_manager(state, {}); }

void notify_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const uint64_t us =
      static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
  notify_manager("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
}

// WATCHDOG_PID is the main process, a supervisor that only waits: what serves answers for it.
uint64_t watchdog_ms() {
  const char* text = std::getenv("WATCHDOG_USEC");
  uint64_t us = 0;
  if (text == nullptr) return 0;
  const auto [end, wrong] = std::from_chars(text, text + std::strlen(text), us);
  return wrong == std::errc() && *end == '\0' ? us / 1000 : 0;
}

}  // namespace leat::server
