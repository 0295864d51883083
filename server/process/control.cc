#include "server/process/control.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/listener.h"
#include "server/cache_statistics.h"
#include "server/process/admin_command.h"
#include "server/process/crash_report.h"
#include "server/process/notify.h"
#include "server/process/reload_check.h"

namespace leat::server {

namespace {

// A client of the admin socket that says nothing for this long, or takes nothing, is hung up on.
constexpr int kClientTimeoutMs = 2000;
constexpr size_t kMostClients = 64;
constexpr int kMostAtOnce = 16;  // are accepted before those that are there are looked at
constexpr uint64_t kWithoutDescriptorsMs = 100;
// The longest names a path to purge, which may be as long as a request line.
constexpr size_t kMostCommand = size_t{72} * 1024;
// How often watched files are looked at. Polling, because it sees changes on every kind of file system.
constexpr int kWatchMs = 200;

// What changes when one of the files does.
std::string state_of(const std::vector<std::string>& files) {
  std::string state;
  for (const std::string& file : files) {
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0) status = {};
    state += fmt::format("{}:{}:{}:{}.{} ", status.st_dev, status.st_ino, status.st_size,
                         status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return state;
}

void set_send_timeout(int fd, int ms) {
  const timeval time{.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  return text;
}

// The line that says why: that of the first mistake. Before it stands what plugins have written while they were loaded.
std::string_view reason(std::string_view text) {
  constexpr std::string_view kMistake = "\nerror[";
  const size_t before = text.starts_with(kMistake.substr(1)) ? std::string_view::npos : text.find(kMistake);
  if (before != std::string_view::npos) text.remove_prefix(before + 1);
  return text.substr(0, text.find('\n'));
}

}  // namespace

Control::Control(Options options, Generations& generations)
    : options_(std::move(options)),
      generations_(generations),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      seen_(state_of(options_.watched)),
      settled_(seen_) {}

Control::~Control() {
  on_stopping();
  on_stopped();
}

Expected<void> Control::open() {
  if (options_.socket.path.empty()) return {};
  // An operator who waits for its turn must find room behind many that do not.
  const std::string& path = options_.socket.path;
  const std::string own = options_.takes_over ? path + ".next" : path;
  auto socket = net::listen_on({.kind = net::Address::Kind::Unix, .host = own}, {.unix_mode = 0660});
  if (socket && own != path && ::rename(own.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(own.c_str());
    socket = std::unexpected(Error{"rename", reason});
  }
  if (!socket) {
    if (!options_.socket.by_rule) return std::unexpected(socket.error());
    log::warn("there will be no admin commands: cannot listen on {}: {}", options_.socket.path,
              socket.error().text());
    return {};
  }
  admin_ = std::move(*socket);
  admin_file_ = identity_of(options_.socket.path);
  return {};
}

void Control::on_serving(Generations::Workers workers) {
  options_.last_good();
  options_.serves();
  workers_ = workers;
  thread_ = std::jthread([this](const std::stop_token& stopping) { run(stopping); });
}

void Control::on_reload() {
  reload_wanted_ = true;
  wake();
}

void Control::on_upgrade() {
  if (const auto asked = options_.upgrade(); !asked) log::error("no upgrade: {}", asked.error());
}

void Control::on_draining(uint64_t deadline_ms, std::function<void()> begin) {
  drain_deadline_ms_ = deadline_ms;
  begin_drain_ = std::move(begin);
  on_stopping();
}

void Control::on_stopping() {
  thread_.request_stop();
  wake();
}

void Control::on_stopped() {
  ended_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
  // Another daemon may have taken the name over.
  if (admin_ && identity_of(options_.socket.path) == admin_file_) ::unlink(options_.socket.path.c_str());
  admin_.reset();
}

void Control::wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

// Until something is due that no descriptor tells of; -1: nothing is.
int Control::wait_ms(uint64_t now, const std::stop_token& stopping) const {
  uint64_t next = stopping.stop_requested() ? UINT64_MAX : generations_.next_deadline_ms();
  if (!stopping.stop_requested()) next = std::min(next, look_at_ms_);
  if (!options_.watched.empty()) next = std::min(next, now + kWatchMs);
  if (now < accepts_after_ms_) next = std::min(next, accepts_after_ms_);
  for (const Client& client : clients_) next = std::min(next, client.until_ms);
  if (next == UINT64_MAX) return -1;
  return next > now ? static_cast<int>(std::min<uint64_t>(next - now, INT32_MAX)) : 0;
}

void Control::run(const std::stop_token& stopping) {
  give_crash_stack();
  while (!ended_) {
    const uint64_t now = monotonic_ms();
    const bool accepts = now >= accepts_after_ms_;
    // Without a descriptor poll() passes over it.
    std::vector<pollfd> events = {{wake_.get(), POLLIN, 0},
                                  {generations_.left_fd(), POLLIN, 0},
                                  {accepts ? admin_.get() : -1, POLLIN, 0}};
    for (const Client& client : clients_) events.push_back({client.fd.get(), POLLIN, 0});
    ::poll(events.data(), events.size(), wait_ms(now, stopping));
    for (const pollfd& event : events)
      if ((event.revents & POLLNVAL) != 0) descriptor_lost("one of the control thread's");
    uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    if (ended_) return;
    if (stopping.stop_requested()) {
      if (const auto begin = std::exchange(begin_drain_, nullptr)) {
        generations_.tell_of_end(drain_deadline_ms_);
        begin();
      }
    } else {
      generations_.tend(workers_);
      options_.tended();
      look_at_ms_ = options_.look(now);
      look_at_watched();
      if (reload_wanted_.exchange(false)) (void)reload("it was asked to", stopping);
    }
    serve_clients(std::span(events).subspan(3), stopping);
    if ((events[2].revents & POLLIN) != 0) take_clients();
  }
}

// A change counts once the files have been still for a look: a linker writes in several steps.
void Control::look_at_watched() {
  if (options_.watched.empty()) return;
  std::string now = state_of(options_.watched);
  if (now == seen_ && now != settled_) {
    settled_ = now;
    reload_wanted_ = true;
  }
  seen_ = std::move(now);
}

void Control::take_clients() {
  for (int taken = 0; taken < kMostAtOnce; ++taken) {
    Fd fd(::accept4(admin_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      // One that has been silent for the longest gives way: a crowd must not keep an operator out.
      if (clients_.size() == kMostClients) clients_.erase(clients_.begin());
      clients_.push_back({std::move(fd), {}, monotonic_ms() + kClientTimeoutMs});
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      log::limited(log::Level::Warn, {}, "an admin command has to wait: accept: {}", std::strerror(errno));
      accepts_after_ms_ = monotonic_ms() + kWithoutDescriptorsMs;
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

// `events` are of the clients there are, in their order.
void Control::serve_clients(std::span<const pollfd> events, const std::stop_token& stopping) {
  char piece[4096];
  for (size_t i = 0; i < events.size(); ++i) {
    Client& client = clients_[i];
    if (events[i].revents != 0) {
      bool ended = false;
      while (!client.line.ends_with('\n') && client.line.size() < kMostCommand) {
        const ssize_t got = ::recv(client.fd.get(), piece, sizeof piece, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) break;
        ended = got <= 0;
        if (ended) break;
        client.line.append(piece, static_cast<size_t>(got));
      }
      if (ended || client.line.ends_with('\n') || client.line.size() >= kMostCommand)
        answer(client, stopping);
    }
    if (client.fd && monotonic_ms() >= client.until_ms) answer(client, stopping);  // to what there is
  }
  std::erase_if(clients_, [](const Client& client) { return !client.fd; });
}

void Control::answer(Client& client, const std::stop_token& stopping) {
  if (!client.line.empty()) {
    const Answer answer = execute(trimmed(client.line), stopping);
    ::fcntl(client.fd.get(), F_SETFL, 0);  // blocking, for a bounded time
    set_send_timeout(client.fd.get(), kClientTimeoutMs);
    send_all(client.fd.get(), std::string(answer.good ? "ok\n" : "failed\n") + answer.text);
  }
  client.fd.reset();
}

Control::Answer Control::execute(std::string_view command, const std::stop_token& stopping) {
  if (command == "reload") {
    if (stopping.stop_requested()) return {false, "the daemon is stopping\n"};
    return reload("an operator asked for it", stopping);
  }
  if (command == "upgrade") return upgrade(stopping);
  if (command == "plugins")
    return {true, generations_.describe_text(workers_, stopping) + options_.plugin_remarks()};
  if (command == "plugins json") return {true, generations_.describe_json(workers_, stopping)};
  if (command == "cache stats") return {true, describe_cache(options_.metrics(), false)};
  if (command == "cache stats json") return {true, describe_cache(options_.metrics(), true)};
  if (command == "metrics") return {true, options_.metrics()};
  if (command == "status")
    return {true, options_.status(false) + generations_.describe_text(workers_, stopping) +
                      options_.plugin_remarks()};
  if (command == "status json")
    return {true, fmt::format("{{{},\"generations\":{}}}\n", options_.status(true),
                              trimmed(generations_.describe_json(workers_, stopping)))};
  if (command == "top") return {true, options_.top(false)};
  if (command == "top json") return {true, options_.top(true)};
  if (command == "config") return {true, options_.in_force(false)};
  if (command == "config json") return {true, options_.in_force(true)};
  if (command.starts_with("purge ")) return purge(command.substr(6));
  if (command.starts_with("explain\t")) {
    auto told = options_.explain(command);
    return told ? Answer{true, std::move(*told)} : Answer{false, told.error() + "\n"};
  }
  return {false, fmt::format("there is no command `{}`\n", command)};
}

// "soft folder /users"
Control::Answer Control::purge(std::string_view arguments) const {
  const auto word = [&arguments] {
    const std::string_view first = arguments.substr(0, arguments.find(' '));
    arguments.remove_prefix(std::min(first.size() + 1, arguments.size()));
    return first;
  };
  const std::string_view how = word(), by = word();
  constexpr std::pair<std::string_view, cache::PurgeBy> kKinds[] = {{"target", cache::PurgeBy::Target},
                                                                    {"folder", cache::PurgeBy::Folder},
                                                                    {"tag", cache::PurgeBy::Tag},
                                                                    {"all", cache::PurgeBy::All}};
  const auto* kind = std::ranges::find(kKinds, by, &std::pair<std::string_view, cache::PurgeBy>::first);
  if ((how != "soft" && how != "hard") || kind == std::end(kKinds))
    return {false, "purge takes: soft or hard, then target, folder, tag or all, then a name\n"};
  const std::string_view wrong = options_.purge(kind->second, arguments, how == "hard");
  if (!wrong.empty()) return {false, fmt::format("cannot purge `{}`: {}\n", arguments, wrong)};
  return {true, ""};
}

// This process is told to stop when it has succeeded.
Control::Answer Control::upgrade(const std::stop_token& stopping) {
  if (stopping.stop_requested()) return {false, "the daemon is stopping\n"};
  if (const auto asked = options_.upgrade(); !asked) return {false, asked.error() + "\n"};
  constexpr std::chrono::milliseconds kStep(20);
  const uint64_t until = monotonic_ms() + options_.load_timeout_ms() + options_.upgrade_more_ms;
  while (monotonic_ms() < until) {
    if (stopping.stop_requested())
      return {true, "another process serves, this one answers what it has begun\n"};
    if (options_.upgrade_failed())
      return {false, "the new process did not come to serve, this one goes on: what it said is on stderr\n"};
    std::this_thread::sleep_for(kStep);
  }
  return {false, "the new process is not known to serve yet\n"};
}

Control::Answer Control::reload(std::string_view why, const std::stop_token& stopping) {
  log::info("reloading: {}", why);
  notify_reloading();
  const auto answer = [this](bool good, std::string text) {
    const std::string_view cause = reason(text);
    notify_manager(fmt::format(
        "READY=1\nSTATUS={}",
        good ? fmt::format("generation {} serves", generations_.number())
             : fmt::format("the reload failed, generation {} goes on: {}", generations_.number(), cause)));
    options_.reloaded(good, cause);
    if (!text.ends_with('\n')) text += '\n';
    if (good) {
      log::info("generation {} serves", generations_.number());
    } else {
      log::error("the reload failed, generation {} goes on: {}", generations_.number(), trimmed(text));
    }
    return Answer{good, std::move(text)};
  };
  if (options_.upgrading())
    return answer(
        false,
        "an upgrade is under way, and the new process reads the files itself: reload again if it fails");
  if (std::string wrong =
          check_in_own_process(options_.checker, options_.folder, options_.load_timeout_ms(), stopping);
      !wrong.empty())
    return answer(false, std::move(wrong));
  std::string remarks;
  auto loaded = options_.load(remarks);
  if (!loaded) return answer(false, std::move(loaded.error()));
  std::string wrong = generations_.replace(std::move(loaded->assembly), workers_, stopping, remarks);
  if (!wrong.empty()) return answer(false, std::move(wrong));
  loaded->take_up(workers_, stopping, remarks);
  options_.replaced(generations_.number());
  options_.last_good();
  generations_.tend(workers_);
  options_.tended();
  for (size_t at = 0, end; at < remarks.size(); at = end + 1) {
    end = std::min(remarks.find('\n', at), remarks.size());
    log::warn("{}", std::string_view(remarks).substr(at, end - at));
  }
  return answer(true, remarks + fmt::format("generation {} serves", generations_.number()));
}

// What a process of its own finds wrong with the configuration; empty when it loads there.

}  // namespace leat::server
