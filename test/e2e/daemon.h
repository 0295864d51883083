// Daemon: the real binary, started for one test on ports the kernel chooses, and what can be seen of it from
// outside: its log, its exit status, its memory.
//
// A test owns the daemon it starts. The destructor stops one that still runs and fails the test unless it
// drains and exits with 0, so that what a sanitizer says at exit is never lost. All waiting ends after
// kPatience, which no healthy run comes near: it is there to turn a hang into a failure.
// Rejected: one daemon for all tests; a start costs some 50 ms, and a test that breaks it would break the
// rest.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/sanitized.h"

namespace leat::e2e {

using test::kSanitized;
using test::kThreadSanitized;

inline const std::chrono::seconds kPatience{kSanitized ? 60 : 20};

// What is to hold on both.
inline constexpr const char* kEngines[] = {"io_uring", "epoll"};

// Calls `done` every few milliseconds until it is true; false after kPatience.
template <class Done>
[[nodiscard]] bool wait_until(Done done);

// A folder of its own below the system's one for temporary files, removed with all that is in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] std::string path(std::string_view name) const { return (folder_ / name).string(); }
  // Writes a file and returns its path.
  std::string write(std::string_view name, std::string_view text) const;

 private:
  std::filesystem::path folder_;
};

// The exit status as a shell would say it: 128 + the signal's number for one killed by a signal.
struct Outcome {
  int status = -1;
  std::string output;  // stdout
  std::string errors;  // stderr
};

// Runs the binary with `arguments` to its end.
Outcome run_leat(const std::vector<std::string>& arguments);
// The same with another program.
Outcome run_program(const std::string& program, const std::vector<std::string>& arguments);

class Daemon {
 public:
  struct Options {
    std::vector<std::string> arguments = {"--workers", "1"};
    uint64_t descriptors = 0;  // RLIMIT_NOFILE, soft and hard; 0: the test's own
    std::string program = {};  // empty: the daemon
    size_t listeners = 1;      // lines `listening on ADDRESS` to wait for
  };

  // Starts `leat run` with the configuration and waits until it listens.
  explicit Daemon(std::string_view configuration);
  Daemon(std::string_view configuration, Options options);
  // Another command that serves, by its arguments.
  explicit Daemon(const std::vector<std::string>& arguments);
  // The same in a folder, with its log in a file.
  Daemon(const std::vector<std::string>& arguments, const std::string& folder, const std::string& log_file);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Where it listens: "127.0.0.1:41234", "[::1]:41235" or "unix:/path", in the order of its log.
  [[nodiscard]] const std::string& address(size_t index = 0) const { return addresses_.at(index); }
  // Waits until it has said where: the constructor does so, unless Options::listeners is 0.
  void wait_until_ready(size_t listeners);
  void signal(int number) const;
  // Waits for its end and returns the exit status as Outcome has it.
  int wait();
  [[nodiscard]] bool running();
  [[nodiscard]] std::string log() const;                 // stderr so far
  [[nodiscard]] std::string output() const;              // stdout so far
  [[nodiscard]] bool logs(std::string_view text) const;  // ... within kPatience
  // The process that serves: the supervisor's child; 0 while there is none.
  [[nodiscard]] int serving_pid() const;
  // Of the process that serves. Resident memory; 0 when it has ended.
  [[nodiscard]] uint64_t resident_kib() const;
  [[nodiscard]] size_t open_descriptors() const;
  [[nodiscard]] std::string path(std::string_view name) const { return folder_.path(name); }

 private:
  TempFolder folder_;
  std::string log_file_;
  int pid_ = -1;
  std::optional<int> status_;  // set once waited for
  std::vector<std::string> addresses_;
};

// Raises this process's RLIMIT_NOFILE, which what it starts inherits, as far as the hard limit allows.
// Returns the limit reached.
uint64_t raise_descriptor_limit(uint64_t wanted);

// Implementation.

void sleep_a_little();

template <class Done>
bool wait_until(Done done) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    sleep_a_little();
  }
  return true;
}

}  // namespace leat::e2e
