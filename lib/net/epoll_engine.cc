// It keeps the promises of engine.h by remembering, for each descriptor, which operations are under way and
// whether the kernel said that there is something to read.
//
// Descriptors are watched edge-triggered for everything, from the first operation on: arming and ending
// operations then costs no system call. `readable` bridges the edges: it stays set until a receive finds
// nothing more. The engine is not told when its owner closes a descriptor, so one without operations counts
// as unknown, and its next operation asks the kernel to watch it anew; nothing is left to confuse when the
// number is used again.
//
// A send is tried when it is asked for, while its bytes are in the cache, and its completion is reported by
// the next wait(); only one that finds no room copies its parts and waits.
//
// Rejected: level-triggered watching, which costs an epoll_ctl() each time that a receive pauses or a send
// waits.
#include "net/epoll_engine.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/fd.h"

namespace leat::net {

namespace {

// Bytes from one peer before it is the turn of the others: two buffers hold the largest request line and
// head.
constexpr int kReceivesPerTurn = 2;
constexpr int kAcceptsPerTurn = 64;
constexpr size_t kEventsPerTurn = 512;
// The peer has ended its side, or has gone.
constexpr uint32_t kEnds = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
// Parts of a send that found no room, of which the memory is kept for the descriptor's next one.
constexpr size_t kMostWaitingKept = 8;

class EpollEngine final : public Engine {
 public:
  EpollEngine(Fd epoll, BufferPool pool)
      : epoll_(std::move(epoll)),
        pool_(std::move(pool)),
        description_(fmt::format("epoll ({} buffers of {} bytes)", pool_.count(), pool_.size())) {}

  void accept(Token token, int listener) override { start_input(token, listener, Input::Accepts); }
  void accept_one(Token token, int listener) override { start_input(token, listener, Input::AcceptsOne); }
  void connect(Token token, int fd, const sockaddr* address, socklen_t size) override;
  void receive(Token token, int fd) override { start_input(token, fd, Input::Receives); }
  void send(Token token, int fd, std::span<const iovec> parts) override;
  void poll(Token token, int fd) override { start_poll(token, fd, EPOLLIN | kEnds); }
  void poll_end(Token token, int fd) override { start_poll(token, fd, kEnds); }
  void cancel(Token target) override;
  void release(uint32_t buffer) override;
  [[nodiscard]] uint32_t free_buffers() const override { return pool_.count() - lent_; }
  size_t wait(std::span<Completion> out, uint64_t deadline_ns) override;
  [[nodiscard]] std::string_view description() const override { return description_; }

 private:
  enum class Input : uint8_t { Receives, Accepts, AcceptsOne };
  struct Operation {
    Token token;
    bool active = false;
  };
  struct Descriptor {
    Operation input;  // an accept or a receive
    Operation poll;
    uint32_t polled = 0;           // the events that `poll` waits for
    Operation output;              // a connect, or a send that waits for room
    std::vector<iovec> waiting;    // a send's parts
    bool connects = false;         // what `output` is
    Input does = Input::Receives;  // what `input` is
    bool readable = false;         // since the last receive that found nothing
    bool hung_up = false;          // the peer closed or the socket failed: a receive will say so
    bool queued = false;           // in ready_
    [[nodiscard]] bool active() const { return input.active || poll.active || output.active; }
  };

  Descriptor& descriptor(int fd);
  bool watch(int fd, Descriptor& state, Token token);
  void start(Operation& operation, Token token, int fd);
  void end(Operation& operation);
  void start_input(Token token, int fd, Input does);
  void start_poll(Token token, int fd, uint32_t events);
  void enqueue(int fd, Descriptor& state);

  int wait_for_events(uint64_t deadline_ns);
  void on_event(int fd, uint32_t events);
  std::span<Completion> report_finished(std::span<Completion> out);
  std::span<Completion> serve_ready(std::span<Completion> out);
  size_t receive_from(int fd, Descriptor& state, std::span<Completion> out);
  size_t accept_from(int fd, Descriptor& state, std::span<Completion> out);

  Fd epoll_;
  BufferPool pool_;
  uint32_t lent_ = 0;
  bool has_pwait2_ = true;
  std::vector<Descriptor> descriptors_;               // by number
  std::unordered_map<uint64_t, int> descriptors_of_;  // of the operations under way, for cancel()
  std::vector<int> ready_;                            // input under way and, as far as known, readable
  std::vector<int> serving_;                          // ready_ as it is gone through
  std::vector<Completion> finished_;                  // to report before anything newer
  std::array<epoll_event, kEventsPerTurn> events_;
  std::string description_;
};

// Bytes sent, or a negated errno value.
int32_t send_now(int fd, std::span<const iovec> parts) {
  msghdr head{};
  head.msg_iov = const_cast<iovec*>(parts.data());
  head.msg_iovlen = parts.size();
  ssize_t sent;
  do {
    sent = ::sendmsg(fd, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : static_cast<int32_t>(std::min<ssize_t>(sent, INT32_MAX));
}

// What came of a connect that was under way: 0, or a negated errno value.
int32_t connected(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? -error : -errno;
}

// --- Operations

EpollEngine::Descriptor& EpollEngine::descriptor(int fd) {
  ENSURE(fd >= 0);
  if (static_cast<size_t>(fd) >= descriptors_.size())
    descriptors_.resize(static_cast<size_t>(fd) * 3 / 2 + 16);
  return descriptors_[static_cast<size_t>(fd)];
}

// Has the kernel report the descriptor's readiness, as it is now and whenever it changes. If it refuses, the
// operation of `token` has failed.
bool EpollEngine::watch(int fd, Descriptor& state, Token token) {
  if (!state.active()) state.readable = state.hung_up = false;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return true;
  if (errno == EEXIST && ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return true;
  finished_.push_back({token, -errno, false, {}});
  return false;
}

void EpollEngine::start(Operation& operation, Token token, int fd) {
  ENSURE(!operation.active);
  operation = {token, true};
  descriptors_of_.emplace(token.bits(), fd);
}

void EpollEngine::end(Operation& operation) {
  operation.active = false;
  descriptors_of_.erase(operation.token.bits());
}

void EpollEngine::start_input(Token token, int fd, Input does) {
  Descriptor& state = descriptor(fd);
  if (!state.active() && !watch(fd, state, token)) return;
  start(state.input, token, fd);
  state.does = does;
  if (state.readable) enqueue(fd, state);
}

void EpollEngine::send(Token token, int fd, std::span<const iovec> parts) {
  ENSURE(!parts.empty() && parts.size() <= kMostParts);
  const int32_t sent = send_now(fd, parts);
  if (sent != -EAGAIN) {
    finished_.push_back({token, sent, false, {}});
    return;
  }
  Descriptor& state = descriptor(fd);
  if (!state.active() && !watch(fd, state, token)) return;
  start(state.output, token, fd);
  state.connects = false;
  state.waiting.assign(parts.begin(), parts.end());
}

void EpollEngine::connect(Token token, int fd, const sockaddr* address, socklen_t size) {
  const int32_t result = ::connect(fd, address, size) == 0 ? 0 : -errno;
  if (result != -EINPROGRESS) {
    finished_.push_back({token, result, false, {}});
    return;
  }
  // Watched from now on, so that the edge is not missed.
  Descriptor& state = descriptor(fd);
  if (!watch(fd, state, token)) return;
  start(state.output, token, fd);
  state.connects = true;
}

void EpollEngine::start_poll(Token token, int fd, uint32_t events) {
  // Always asks anew: what is known of a descriptor may be out of date, as others may have read from it.
  Descriptor& state = descriptor(fd);
  if (!watch(fd, state, token)) return;
  start(state.poll, token, fd);
  state.polled = events;
}

void EpollEngine::cancel(Token target) {
  const auto found = descriptors_of_.find(target.bits());
  if (found == descriptors_of_.end()) return;  // it has completed
  Descriptor& state = descriptor(found->second);
  for (Operation* operation : {&state.input, &state.poll, &state.output}) {
    if (!operation->active || operation->token != target) continue;
    end(*operation);
    finished_.push_back({target, -ECANCELED, false, {}});
    return;
  }
}

void EpollEngine::release(uint32_t buffer) {
  ENSURE(lent_ > 0);
  --lent_;
  pool_.give(buffer);
}

// --- A turn

size_t EpollEngine::wait(std::span<Completion> out, uint64_t deadline_ns) {
  const bool idle = finished_.empty() && ready_.empty();
  const int count = wait_for_events(idle ? deadline_ns : 0);
  if (count < 0 && (errno == EBADF || errno == EINVAL)) descriptor_lost("the epoll instance");
  for (const epoll_event& event : std::span(events_).first(static_cast<size_t>(std::max(count, 0))))
    on_event(event.data.fd, event.events);
  return out.size() - serve_ready(report_finished(out)).size();
}

int EpollEngine::wait_for_events(uint64_t deadline_ns) {
  const int most = static_cast<int>(events_.size());
  if (deadline_ns == 0) return ::epoll_wait(epoll_.get(), events_.data(), most, 0);
  if (deadline_ns == UINT64_MAX) return ::epoll_wait(epoll_.get(), events_.data(), most, -1);
  const uint64_t now = now_ns();
  const uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
  if (has_pwait2_) {
    timespec timeout;
    timeout.tv_sec = static_cast<time_t>(left / 1'000'000'000);
    timeout.tv_nsec = static_cast<long>(left % 1'000'000'000);
    const int count = ::epoll_pwait2(epoll_.get(), events_.data(), most, &timeout, nullptr);
    if (count >= 0 || errno == EINTR || errno == EBADF || errno == EINVAL) return count;
    has_pwait2_ = false;  // older than Linux 5.11, or a sandbox that does not know it
  }
  const uint64_t left_ms = std::min<uint64_t>((left + 999'999) / 1'000'000, INT32_MAX);
  return ::epoll_wait(epoll_.get(), events_.data(), most, static_cast<int>(left_ms));
}

void EpollEngine::on_event(int fd, uint32_t events) {
  Descriptor& state = descriptor(fd);
  if ((events & (EPOLLIN | kEnds)) != 0) {
    state.readable = true;
    if ((events & kEnds) != 0) state.hung_up = true;
    if (state.input.active) enqueue(fd, state);
    if (state.poll.active && (events & state.polled) != 0) {
      end(state.poll);
      finished_.push_back({state.poll.token, static_cast<int32_t>(events), false, {}});
    }
  }
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0 && state.output.active) {
    const int32_t result = state.connects ? connected(fd) : send_now(fd, state.waiting);
    if (result == -EAGAIN) return;
    if (state.waiting.capacity() > kMostWaitingKept) state.waiting = {};
    end(state.output);
    finished_.push_back({state.output.token, result, false, {}});
  }
}

void EpollEngine::enqueue(int fd, Descriptor& state) {
  if (std::exchange(state.queued, true)) return;
  ready_.push_back(fd);
}

// Both return what is left of `out`.
std::span<Completion> EpollEngine::report_finished(std::span<Completion> out) {
  const size_t count = std::min(out.size(), finished_.size());
  const auto end = finished_.begin() + static_cast<ptrdiff_t>(count);
  std::copy(finished_.begin(), end, out.begin());
  finished_.erase(finished_.begin(), end);
  return out.subspan(count);
}

std::span<Completion> EpollEngine::serve_ready(std::span<Completion> out) {
  // Later completions of a descriptor must not overtake those that still wait to be reported.
  if (!finished_.empty()) return out;
  serving_.swap(ready_);
  for (const int fd : serving_) {
    Descriptor& state = descriptor(fd);
    state.queued = false;
    if (!state.input.active || !state.readable) continue;
    if (!out.empty())
      out = out.subspan(state.does == Input::Receives ? receive_from(fd, state, out)
                                                      : accept_from(fd, state, out));
    if (state.input.active && state.readable) enqueue(fd, state);
  }
  serving_.clear();
  return out;
}

// Both return how many completions they wrote to `out`, which is not empty.
size_t EpollEngine::receive_from(int fd, Descriptor& state, std::span<Completion> out) {
  const Token token = state.input.token;
  size_t count = 0;
  for (int i = 0; i < kReceivesPerTurn && count < out.size(); ++i) {
    int32_t result = -ENOBUFS;
    if (!pool_.empty()) {
      const uint32_t id = pool_.take();
      ssize_t size;
      do {
        size = ::recv(fd, pool_.data(id), pool_.size(), MSG_DONTWAIT);
      } while (size < 0 && errno == EINTR);
      if (size > 0) {
        ++lent_;
        const auto bytes = static_cast<uint32_t>(size);
        out[count++] = {token, static_cast<int32_t>(bytes), true, {pool_.data(id), bytes, id}};
        if (bytes == pool_.size() || state.hung_up) continue;
        state.readable = false;  // less than asked for: the next byte makes an edge
        return count;
      }
      result = size < 0 ? -errno : 0;
      pool_.give(id);
    }
    if (result == -EAGAIN) {
      state.readable = false;
      return count;
    }
    end(state.input);
    out[count++] = {token, result, false, {}};
    return count;
  }
  return count;
}

size_t EpollEngine::accept_from(int fd, Descriptor& state, std::span<Completion> out) {
  const Token token = state.input.token;
  size_t count = 0;
  for (int i = 0; i < kAcceptsPerTurn && count < out.size(); ++i) {
    const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      const bool one = state.does == Input::AcceptsOne;
      out[count++] = {token, accepted, !one, {}};
      if (!one) continue;
      end(state.input);
      return count;
    }
    const int reason = errno;
    if (reason == EINTR || reason == ECONNABORTED) continue;  // the next one may be well
    if (reason == EAGAIN) {
      state.readable = false;
      return count;
    }
    end(state.input);
    out[count++] = {token, -reason, false, {}};
    return count;
  }
  return count;
}

}  // namespace

Expected<std::unique_ptr<Engine>> create_epoll_engine(const BufferOptions& options) {
  auto pool = BufferPool::create(options);
  if (!pool) return std::unexpected(pool.error());
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return system_error("epoll_create1");
  return std::make_unique<EpollEngine>(std::move(epoll), std::move(*pool));
}

}  // namespace leat::net
