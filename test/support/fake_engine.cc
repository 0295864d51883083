#include "support/fake_engine.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace leat::test {

namespace {

// A broken promise of the code under test. It ends the test program: what follows would only confuse.
[[noreturn]] void broken(const char* promise, int fd) {
  std::fprintf(stderr, "fake engine: %s (descriptor %d)\n", promise, fd);
  std::abort();
}

short hang_ups(int fd) {
  pollfd query{fd, POLLRDHUP, 0};
  ENSURE(::poll(&query, 1, 0) >= 0);
  return query.revents;
}

// What shutdown(2) was asked for on the near end of a pair, seen from the far end.
bool shut_for_sending(int far) { return (hang_ups(far) & (POLLHUP | POLLRDHUP)) != 0; }
bool shut_for_both(int far) { return (hang_ups(far) & POLLHUP) != 0; }

}  // namespace

FakeEngine::~FakeEngine() = default;

Fd FakeEngine::listener() { return Fd(::eventfd(0, EFD_CLOEXEC)); }

FakePeer& FakeEngine::connect(int listener) {
  int pair[2];
  ENSURE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
  FakePeer& peer = *peers_.emplace_back(std::make_unique<FakePeer>());
  peer.near_.reset(pair[0]);
  peer.far_.reset(pair[1]);
  peer.fd_ = pair[0];
  peer.inode_ = inode_of(pair[0]);
  if (make_wire_) peer.wire_ = make_wire_();
  backlog_.emplace_back(listener, &peer);
  return peer;
}

FakePeer* FakeEngine::peer_of(int fd) const {
  const auto found = accepted_.find(fd);
  return found == accepted_.end() ? nullptr : found->second;
}

const FakeEngine::Operation* FakeEngine::find(Kind kind, int fd) const {
  for (const Operation& operation : operations_)
    if (operation.kind == kind && (fd == -1 || operation.fd == fd)) return &operation;
  return nullptr;
}

// --- Asking for operations

void FakeEngine::start(Kind kind, net::Token token, int fd, std::span<const iovec> parts) {
  FakePeer* peer = peer_of(fd);
  if (peer != nullptr && peer->closed()) {
    if (::fcntl(fd, F_GETFD) == -1) broken("an operation on a closed descriptor", fd);
    peer = nullptr;  // the number is used again, for something else
    accepted_.erase(fd);
  }
  if (const Operation* other = find(kind, fd); other != nullptr && !other->cancelled)
    broken("two operations of one kind at once", fd);
  operations_.push_back({kind, token, fd, peer, {parts.begin(), parts.end()}});
}

void FakeEngine::accept(net::Token token, int listener) { start(Kind::Accept, token, listener); }
void FakeEngine::accept_one(net::Token token, int listener) {
  start(Kind::Accept, token, listener);
  operations_.back().once = true;
}
void FakeEngine::connect(net::Token token, int fd, const sockaddr*, socklen_t) {
  queue_.push_back({{token, -ECONNREFUSED, false, {}}, fd, Kind::Send, nullptr});
}

void FakeEngine::receive(net::Token token, int fd) { start(Kind::Receive, token, fd); }
void FakeEngine::poll(net::Token token, int fd) { start(Kind::Poll, token, fd); }
void FakeEngine::poll_end(net::Token token, int fd) { start(Kind::PollEnd, token, fd); }

void FakeEngine::send(net::Token token, int fd, std::span<const iovec> parts) {
  if (parts.empty() || parts.size() > kMostParts) broken("a send of no parts or of too many", fd);
  start(Kind::Send, token, fd, parts);
}

void FakeEngine::cancel(net::Token target) {
  for (Operation& operation : operations_)
    if (operation.token == target) operation.cancelled = true;
}

void FakeEngine::release(uint32_t buffer) {
  if (lent_.erase(buffer) == 0) broken("a buffer given back that was not lent", -1);
}

// --- What happens

void FakeEngine::report(Operation& operation, int32_t result, bool armed, net::Buffer buffer) {
  queue_.push_back({{operation.token, result, armed, buffer}, operation.fd, operation.kind, operation.peer});
  operation.finished = !armed;
}

void FakeEngine::progress() {
  const size_t from = queue_.size();
  // A poll sees what a receive is about to take.
  for (Operation& operation : operations_)
    if (is_poll(operation.kind)) progress(operation);
  for (Operation& operation : operations_)
    if (!is_poll(operation.kind)) progress(operation);
  operations_.remove_if([](const Operation& operation) { return operation.finished; });
  if (random_) change_places(from);
}

void FakeEngine::progress(Operation& operation) {
  const FakePeer* peer = operation.peer;
  if (peer != nullptr && peer->closed()) broken("a descriptor closed under an operation", operation.fd);
  if (operation.cancelled) return report(operation, -ECANCELED);
  switch (operation.kind) {
    case Kind::Accept:
      return progress_accept(operation);
    case Kind::Receive:
      return progress_receive(operation);
    case Kind::Send:
      return progress_send(operation);
    case Kind::Poll:
      if (peer == nullptr) return;  // the loop's wake-up: posting never needs it here
      if (shut_for_both(peer->far_.get())) return report(operation, POLLIN | POLLHUP);
      if (!peer->arriving_.empty() || peer->ended_ || peer->reset_ || peer->failure_ != 0)
        report(operation, POLLIN);
      return;
    case Kind::PollEnd:
      if (peer == nullptr) return report(operation, -EBADF);
      if (shut_for_both(peer->far_.get())) return report(operation, POLLIN | POLLRDHUP | POLLHUP);
      if (peer->reset_ || peer->failure_ != 0)
        return report(operation, POLLIN | POLLRDHUP | POLLHUP | POLLERR);
      if (peer->ended_) report(operation, POLLIN | POLLRDHUP);
  }
}

void FakeEngine::progress_accept(Operation& operation) {
  if (accept_failure_ != 0) return report(operation, -std::exchange(accept_failure_, 0));
  for (auto at = backlog_.begin(); at != backlog_.end() && !operation.finished;) {
    auto [listener, peer] = *at;
    if (listener != -1 && listener != operation.fd) {
      ++at;
      continue;
    }
    at = backlog_.erase(at);
    accepted_[peer->fd_] = peer;
    report(operation, peer->near_.release(), !operation.once && !unkind(8));
  }
}

void FakeEngine::progress_receive(Operation& operation) {
  FakePeer* peer = operation.peer;
  if (peer == nullptr) return report(operation, -EBADF);
  if (peer->reset_) return report(operation, -ECONNRESET);
  if (shut_for_both(peer->far_.get())) return report(operation, 0);
  while (!operation.finished && !peer->arriving_.empty()) {
    if (free_buffers() == 0 || unkind(16)) return report(operation, -ENOBUFS);
    std::string& arrived = peer->arriving_.front();
    const net::Buffer buffer = lend(arrived);
    if (arrived.empty()) peer->arriving_.pop_front();
    report(operation, static_cast<int32_t>(buffer.size), !unkind(8), buffer);
    if (unkind(2)) return;  // the rest comes with a later turn
  }
  if (operation.finished || !peer->arriving_.empty()) return;
  if (peer->failure_ != 0) return report(operation, -peer->failure_);
  if (peer->ended_) report(operation, 0);
}

void FakeEngine::progress_send(Operation& operation) {
  FakePeer* peer = operation.peer;
  if (peer == nullptr) return report(operation, -EBADF);
  if (peer->reset_ || shut_for_sending(peer->far_.get())) return report(operation, -EPIPE);
  if (peer->stalled_) return;
  size_t left = peer->most_;
  if (unkind(2)) left = std::min<size_t>(left, 1 + (*random_)() % 100);
  std::string sent;
  for (const iovec& part : operation.parts) {
    const size_t size = std::min(part.iov_len, left);
    sent.append(static_cast<const char*>(part.iov_base), size);
    left -= size;
  }
  ++peer->sends_completed_;
  peer->received_ += peer->wire_ ? peer->wire_->hears(sent) : sent;
  report(operation, static_cast<int32_t>(sent.size()));
}

// Moves the first bytes of `arrived` into a buffer: as many as fit, or fewer.
net::Buffer FakeEngine::lend(std::string& arrived) {
  size_t size = std::min<size_t>(arrived.size(), buffer_size_);
  if (unkind(2)) size = 1 + (*random_)() % size;
  auto memory = std::make_unique<char[]>(size);
  std::memcpy(memory.get(), arrived.data(), size);
  arrived.erase(0, size);
  const net::Buffer buffer{memory.get(), static_cast<uint32_t>(size), next_buffer_++};
  lent_.emplace(buffer.id, std::move(memory));
  return buffer;
}

// Of one descriptor and direction, completions keep their order; all others may change places.
void FakeEngine::change_places(size_t from) {
  const size_t count = queue_.size() - from;
  if (count < 2) return;
  for (size_t i = 0; i < 4 * count; ++i) {
    const size_t at = from + (*random_)() % (count - 1);
    Queued& one = queue_[at];
    Queued& next = queue_[at + 1];
    if (one.fd != next.fd || one.kind != next.kind) std::swap(one, next);
  }
}

bool FakeEngine::idle() {
  progress();
  return std::ranges::all_of(
      queue_, [](const Queued& queued) { return queued.peer != nullptr && queued.peer->held_; });
}

size_t FakeEngine::wait(std::span<net::Completion> out, uint64_t deadline_ns) {
  progress();
  size_t count = 0;
  for (auto at = queue_.begin(); at != queue_.end() && count < out.size();) {
    if (at->peer != nullptr && at->peer->held_) {
      ++at;
      continue;
    }
    if (at->peer != nullptr && at->peer->closed())
      broken("a descriptor closed before its last completion", at->fd);
    out[count++] = at->completion;
    at = queue_.erase(at);
  }
  if (count == 0 && deadline_ns != UINT64_MAX) now_ns_ = std::max(now_ns_, deadline_ns);
  return count;
}

}  // namespace leat::test
