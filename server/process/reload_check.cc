#include "server/process/reload_check.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <expected>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/fd.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

// What a checker says is passed on up to here.
constexpr size_t kMostReport = size_t{64} * 1024;
// A checker ends itself in time and says at which plugin it was.
constexpr uint32_t kCheckerMoreMs = 5'000;
constexpr uint64_t kDescriptorsMs = 2'000;  // a worker's longest turn, and more

// Reads `fd` to its end into `text`, which it grows up to `most` bytes. False when `deadline_ms` or
// `stopping` came first; it looks for that in steps.
bool read_to_end(int fd, std::string& text, size_t most, uint64_t deadline_ms,
                 const std::stop_token& stopping) {
  constexpr int kStepMs = 100;
  char piece[4096];
  for (;;) {
    if (stopping.stop_requested() || monotonic_ms() >= deadline_ms) return false;
    pollfd event{fd, POLLIN, 0};
    if (::poll(&event, 1, kStepMs) <= 0) continue;
    const ssize_t got = ::read(fd, piece, sizeof piece);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return true;
    if (text.size() < most) text.append(piece, static_cast<size_t>(got));
  }
}

// Starts it, in a group of its own, so that what a plugin starts in it can be ended, too. What it says goes to `in`. An
// error is errno's.
std::expected<pid_t, int> start_checker(std::vector<std::string>& command, const std::string& folder,
                                        const Fd& in) {
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.get(), STDERR_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  // A plugin may have led the daemon elsewhere.
  ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  // And may have it ignore signals.
  sigset_t all;
  sigfillset(&all);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int failed =
      ::posix_spawn(&child, command[0].c_str(), &actions, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return std::unexpected(failed);
  return child;
}

// What its end, with that status, says of the configuration.
std::string judge_checker(int status, std::string report) {
  if (WIFSIGNALED(status))
    return fmt::format("loading it in a process of its own ended with the signal {} ({})\n{}",
                       WTERMSIG(status), ::strsignal(WTERMSIG(status)), report);
  if (WEXITSTATUS(status) == kExitFine) return {};
  if (!report.empty()) return report;
  return fmt::format("loading it in a process of its own ended with status {}", WEXITSTATUS(status));
}

}  // namespace

std::string check_in_own_process(std::vector<std::string> command, const std::string& folder,
                                 uint32_t load_timeout_ms, const std::stop_token& stopping) {
  int ends[2];
  // The kernel takes more connections for a moment than there may be: those go as soon as their worker sees them.
  const uint64_t until_ms = monotonic_ms() + kDescriptorsMs;
  while (::pipe2(ends, O_CLOEXEC) != 0) {
    if (errno != EMFILE || monotonic_ms() >= until_ms || stopping.stop_requested())
      return fmt::format("cannot check it: pipe: {}", std::strerror(errno));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const Fd out(ends[0]);
  Fd in(ends[1]);
  const auto child = start_checker(command, folder, in);
  if (!child) return fmt::format("cannot check it: {}: {}", command[0], std::strerror(child.error()));
  in.reset();

  std::string report;
  const uint32_t within_ms = load_timeout_ms + kCheckerMoreMs;
  const bool ended = read_to_end(out.get(), report, kMostReport, monotonic_ms() + within_ms, stopping);
  if (!ended) ::kill(-*child, SIGKILL);
  int status = 0;
  pid_t waited;
  while ((waited = ::waitpid(*child, &status, 0)) < 0 && errno == EINTR) {
  }
  if (stopping.stop_requested()) return "the daemon is stopping";
  if (!ended) return fmt::format("loading it in a process of its own took longer than {} ms", within_ms);
  if (waited < 0)
    return fmt::format("cannot tell how loading it in a process of its own ended: waitpid: {}",
                       std::strerror(errno));
  return judge_checker(status, std::move(report));
}

}  // namespace leat::server
