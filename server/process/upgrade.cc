#include "server/process/upgrade.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/log.h"
#include "server/process/descriptor_message.h"
#include "transport/tls/ticket_keys.h"

namespace leat::server {

namespace {

constexpr const char* kVariable = "LEAT_UPGRADE";
constexpr std::string_view kAll = "all";  // no socket follows
constexpr std::string_view kTickets = "tickets ";
constexpr std::string_view kServes = "serves";  // of the new process
constexpr std::string_view kIsPid = "pid ";
constexpr const char* kEndedEarly = "ended before it served";
constexpr int kReceiveMs = 5'000;
constexpr size_t kMostName = 256;  // of a message, a name or keys
static_assert(sizeof(tls::KeptTicketKeys::Keys) + 16 < kMostName);

// In the new process.
[[noreturn]] void become(const Invocation& invocation, const std::vector<char*>& words, int channel) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::fcntl(channel, F_SETFD, 0);
  if (::chdir(invocation.folder.c_str()) == 0) ::execv(invocation.program.c_str(), words.data());
  ::_exit(127);
}

}  // namespace

Invocation Invocation::of_this_process(int count, char** arguments) {
  Invocation invocation;
  std::error_code failed;
  invocation.program = std::filesystem::read_symlink("/proc/self/exe", failed).string();
  invocation.folder = std::filesystem::current_path(failed).string();
  invocation.arguments.assign(arguments, arguments + count);
  return invocation;
}

Expected<Upgrade> Upgrade::start(const Invocation& invocation,
                                 const std::vector<ListeningSockets::Passed>& sockets,
                                 const std::string& tickets) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return system_error("socketpair");
  Fd own(ends[0]), other(ends[1]);
  std::vector<std::string> arguments = invocation.arguments;
  std::vector<char*> words;
  for (std::string& each : arguments) words.push_back(each.data());
  words.push_back(nullptr);
  ::setenv(kVariable, std::to_string(other.get()).c_str(), 1);
  // By a process that ends at once: the service manager takes only its own children for a main process whose end
  // it will see.
  const pid_t between = ::fork();
  if (between == 0) {
    const pid_t child = ::fork();
    if (child == 0) become(invocation, words, other.get());
    const bool told = child > 0 && send_message(other.get(), fmt::format("{}{}", kIsPid, child), {});
    ::_exit(told ? 0 : 1);
  }
  const int failed = errno;
  ::unsetenv(kVariable);
  if (between < 0) return std::unexpected(Error{"fork", failed});
  other.reset();
  int status = 0;
  while (::waitpid(between, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string said = receive_message(own.get(), kMostName).text;
  pid_t child = 0;
  if (said.starts_with(kIsPid))
    std::from_chars(said.data() + kIsPid.size(), said.data() + said.size(), child);
  if (child <= 0) return std::unexpected(Error{"fork", EAGAIN});
  ::fcntl(own.get(), F_SETFL, O_NONBLOCK);
  Upgrade upgrade(child, std::move(own));
  bool passed = true;
  for (const ListeningSockets::Passed& each : sockets)
    passed = passed && send_message(upgrade.channel_.get(), each.name, {&each.fd, 1});
  if (!tickets.empty())
    passed = passed && send_message(upgrade.channel_.get(), std::string(kTickets) + tickets, {});
  if (!passed || !send_message(upgrade.channel_.get(), kAll, {})) {
    ::kill(child, SIGKILL);
    upgrade.why_ = kEndedEarly;
  }
  return upgrade;
}

Upgrade::State Upgrade::look() {
  if (!why_.empty()) return State::Failed;
  pollfd event{channel_.get(), POLLIN, 0};
  if (::poll(&event, 1, 0) != 1) return State::Starting;
  if (receive_message(channel_.get(), kMostName).text == kServes) return State::Serves;
  why_ = kEndedEarly;  // whoever has the other end of the channel
  return State::Failed;
}

void Upgrade::give_up() {
  ::kill(pid_, SIGKILL);
  why_ = "did not serve in time";
}

UpgradeChannel UpgradeChannel::from_environment() {
  UpgradeChannel channel;
  const char* text = std::getenv(kVariable);
  if (text == nullptr) return channel;
  int fd = -1;
  const auto [end, wrong] = std::from_chars(text, text + std::strlen(text), fd);
  const bool whole = wrong == std::errc() && *end == '\0' && fd > STDERR_FILENO;
  ::unsetenv(kVariable);
  if (!whole || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return channel;
  channel.fd_.reset(fd);
  return channel;
}

bool UpgradeChannel::receive(InheritedSockets& sockets, std::string& tickets) const {
  for (;;) {
    pollfd event{fd_.get(), POLLIN, 0};
    if (::poll(&event, 1, kReceiveMs) != 1) return false;
    DescriptorMessage passed = receive_message(fd_.get(), kMostName);
    if (passed.text == kAll) return true;
    if (passed.text.starts_with(kTickets)) {
      tickets = passed.text.substr(kTickets.size());
      continue;
    }
    if (passed.text.empty() || passed.descriptors.size() != 1) return false;
    sockets.add(std::move(passed.text), std::move(passed.descriptors[0]));
  }
}

void UpgradeChannel::tell_that_it_serves() {
  if (!fd_) return;
  (void)send_message(fd_.get(), kServes, {});
  fd_.reset();
}

}  // namespace leat::server
