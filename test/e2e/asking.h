// Clients that ask again and again while a daemon changes, and the processes that take over from it.
#pragma once

#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

// The supervisors that came after the first one, which are children of this process once those before them have
// ended.
class Successors {
 public:
  explicit Successors(const Daemon& first) : first_(first) { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~Successors() {
    for (const int pid : pids()) {
      int status = -1;
      pid_t ended = 0;
      // Two that follow each other at once are one; the second ends it without a drain.
      CHECK(wait_until(
          [&] { return ::kill(pid, SIGTERM) != 0 || (ended = ::waitpid(pid, &status, WNOHANG)) != 0; }));
      if (ended == pid) CHECK(status == 0);
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  }
  // In the order in which they took over. They log where the first does.
  [[nodiscard]] std::vector<int> pids() const {
    constexpr std::string_view kBegin = "process ", kEnd = " has taken over";
    std::vector<int> found;
    const std::string log = first_.log();
    for (size_t end = 0; (end = log.find(kEnd, end)) != std::string::npos; ++end)
      found.push_back(std::atoi(log.c_str() + log.rfind(kBegin, end) + kBegin.size()));
    return found;
  }

 private:
  const Daemon& first_;
};

// Asks again and again, on new connections or on one as long as that lasts.
class Asking {
 public:
  Asking(const std::string& address, bool keeps) : thread_([this, address, keeps] { run(address, keeps); }) {}
  ~Asking() { end(); }
  void end() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // A socket, or -1. Without assertions, as all that another thread does here.
  static int connect_to(const std::string& address) {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_un);
    if (address.starts_with("unix:")) {
      auto& file = reinterpret_cast<sockaddr_un&>(storage);
      file.sun_family = AF_UNIX;
      address.copy(file.sun_path, sizeof file.sun_path - 1, 5);
    } else {
      auto& port = reinterpret_cast<sockaddr_in&>(storage);
      port.sin_family = AF_INET;
      port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      port.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1)));
      size = sizeof(sockaddr_in);
    }
    const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&storage), size) == 0) return fd;
    ::close(fd);
    return -1;
  }
  [[nodiscard]] int answered() const { return answered_; }
  [[nodiscard]] int lost() const { return lost_; }

 private:
  // Without Catch2's assertions and so without Client, for they are the main thread's.
  void run(const std::string& address, bool keeps) {
    const std::string request = get("/json");
    while (!over_) {
      const int fd = connect_to(address);
      bool again = fd >= 0;
      if (!again) ++lost_;
      while (again && !over_) {
        char answer[4096];
        ssize_t got = -1;
        if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0)
          got = ::recv(fd, answer, sizeof answer, 0);
        const std::string_view text(answer, got > 0 ? static_cast<size_t>(got) : 0);
        const bool good = text.starts_with("HTTP/1.1 200 ");
        ++(good ? answered_ : lost_);
        again = keeps && good && !text.contains("Connection: close");
      }
      if (fd >= 0) ::close(fd);
    }
  }
  std::atomic<bool> over_ = false;
  std::atomic<int> answered_ = 0, lost_ = 0;
  std::thread thread_;
};

}  // namespace leat::e2e
