#include "support/socket_engine.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "net/listener.h"

namespace leat::test {

namespace {

// What the kernel may keep between two ends that talk, each way; it doubles this for itself.
constexpr int kSocketBuffer = 16 * 1024;
// What is on its way over loopback mostly arrives in the call that sent it. Longer than that takes what the
// kernel leaves to another of its threads ...
constexpr uint64_t kMomentNs = 200'000;
// ... and what is sent again, since a small buffer had no room for it, which the kernel sees after 200 ms.
constexpr uint64_t kPatienceNs = 10'000'000'000;

[[noreturn]] void broken(const char* promise, int fd) {
  std::fprintf(stderr, "socket engine: %s (descriptor %d)\n", promise, fd);
  std::abort();
}

void set_buffer(int fd, int option) {
  ENSURE(::setsockopt(fd, SOL_SOCKET, option, &kSocketBuffer, sizeof kSocketBuffer) == 0);
}

uint16_t port_of(int fd, int (*name)(int, sockaddr*, socklen_t*)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  return name(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 ? address.sin_port : 0;
}

}  // namespace

std::unique_ptr<SocketEngine> SocketEngine::create(net::EngineChoice choice, uint32_t buffers) {
  auto chosen = net::create_engine(choice, {.buffers = {.count = buffers}});
  if (!chosen) return nullptr;
  return std::unique_ptr<SocketEngine>(new SocketEngine(std::move(chosen->engine)));
}

SocketEngine::~SocketEngine() = default;

Fd SocketEngine::listener() {
  auto fd = net::listen_on(*net::Address::parse("127.0.0.1:0"), {});
  ENSURE(fd.has_value());
  set_buffer(fd->get(), SO_SNDBUF);  // which those that it accepts have as well
  newest_listener_ = fd->get();
  return std::move(*fd);
}

FakePeer& SocketEngine::connect(int listener) {
  if (listener == -1) listener = newest_listener_;
  sockaddr_in to{};
  socklen_t size = sizeof to;
  ENSURE(::getsockname(listener, reinterpret_cast<sockaddr*>(&to), &size) == 0);
  FakePeer& peer = *peers_.emplace_back(std::make_unique<FakePeer>());
  peer.far_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  set_buffer(peer.far_.get(), SO_RCVBUF);
  // Smaller than the buffers, as it is on any line but this.
  const int segment = 4096;
  ENSURE(::setsockopt(peer.far_.get(), IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) == 0);
  const int yes = 1;  // or what it sends would wait for an acknowledgement
  ENSURE(::setsockopt(peer.far_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
  ENSURE(::connect(peer.far_.get(), reinterpret_cast<const sockaddr*>(&to), size) == 0);
  if (make_wire_) peer.wire_ = make_wire_();
  arriving_[port_of(peer.far_.get(), ::getsockname)] = &peer;
  return peer;
}

bool SocketEngine::find(Kind kind, int fd) const {
  return std::ranges::any_of(operations_, [&](const auto& each) {
    return each.second.kind == kind && (fd == -1 || each.second.fd == fd);
  });
}

// --- Asking for operations

void SocketEngine::start(Kind kind, net::Token token, int fd) {
  if (operations_.contains(token.bits())) broken("two operations of one kind at once", fd);
  const auto found = accepted_.find(fd);
  FakePeer* const peer = found == accepted_.end() || found->second->closed() ? nullptr : found->second;
  operations_[token.bits()] = {kind, fd, peer};
}

void SocketEngine::accept(net::Token token, int listener) {
  start(Kind::Accept, token, listener);
  engine_->accept(token, listener);
}
void SocketEngine::accept_one(net::Token token, int listener) {
  start(Kind::Accept, token, listener);
  engine_->accept_one(token, listener);
}
void SocketEngine::connect(net::Token token, int fd, const sockaddr* address, socklen_t size) {
  start(Kind::Connect, token, fd);
  engine_->connect(token, fd, address, size);
}
void SocketEngine::receive(net::Token token, int fd) {
  start(Kind::Receive, token, fd);
  engine_->receive(token, fd);
}
void SocketEngine::send(net::Token token, int fd, std::span<const iovec> parts) {
  start(Kind::Send, token, fd);
  engine_->send(token, fd, parts);
}
void SocketEngine::poll(net::Token token, int fd) {
  start(Kind::Poll, token, fd);
  engine_->poll(token, fd);
}
void SocketEngine::poll_end(net::Token token, int fd) {
  start(Kind::PollEnd, token, fd);
  engine_->poll_end(token, fd);
}

void SocketEngine::release(uint32_t buffer) {
  ENSURE(lent_ != 0);
  --lent_;
  engine_->release(buffer);
}

// --- What happens

// The daemon has accepted somebody.
void SocketEngine::meet(int fd) {
  const auto found = arriving_.find(port_of(fd, ::getpeername));
  if (found == arriving_.end()) return;  // gone already
  FakePeer& peer = *found->second;
  peer.fd_ = fd;
  peer.inode_ = inode_of(fd);
  accepted_[fd] = &peer;
  arriving_.erase(found);
}

void SocketEngine::take(const net::Completion& completion) {
  const auto found = operations_.find(completion.token.bits());
  if (found == operations_.end()) broken("a completion of what was not asked for", -1);
  const Operation operation = found->second;
  if (!completion.armed) operations_.erase(found);
  if (operation.peer != nullptr && operation.peer->closed())
    broken("a descriptor closed under an operation", operation.fd);
  if (completion.buffer.id != net::Buffer::kNone) ++lent_;
  if (operation.kind == Kind::Accept && completion.result >= 0) meet(completion.result);
  if (operation.kind == Kind::Send && completion.result >= 0 && operation.peer != nullptr)
    ++operation.peer->sends_completed_;
  queue_.push_back({completion, operation.peer});
}

// True when anything was completed.
bool SocketEngine::gather(uint64_t patience_ns) {
  std::array<net::Completion, 512> completed;
  const size_t count = engine_->wait(completed, patience_ns == 0 ? 0 : engine_->now_ns() + patience_ns);
  for (const net::Completion& each : std::span(completed).first(count)) take(each);
  return count != 0;
}

bool SocketEngine::play() {
  bool played = false;
  for (const auto& peer : peers_) played = play(*peer) || played;
  return played;
}

// Does what the peer's script says and the kernel allows. True when that was anything.
bool SocketEngine::play(FakePeer& peer) {
  if (!peer.far_) return false;
  const int fd = peer.far_.get();
  bool played = false;
  if (peer.reset_) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    peer.far_.reset();
    return true;
  }
  while (!peer.arriving_.empty()) {
    std::string& next = peer.arriving_.front();
    const ssize_t sent = ::send(fd, next.data(), next.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    played = true;
    next.erase(0, sent < 0 ? next.size() : static_cast<size_t>(sent));  // nobody hears it any more
    if (next.empty()) peer.arriving_.pop_front();
  }
  if (peer.ended_ && peer.arriving_.empty() && !std::exchange(peer.said_end_, true)) {
    ::shutdown(fd, SHUT_WR);
    played = true;
  }
  std::array<char, 65536> bytes;
  while (!peer.stalled_ && !peer.heard_end_) {
    const ssize_t got = ::recv(fd, bytes.data(), std::min(bytes.size(), peer.most_), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) break;
    played = true;
    if (got <= 0) {
      peer.heard_end_ = true;
      break;
    }
    const int yes = 1;  // so that it can be told what has not arrived
    ::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
    const std::string heard(bytes.data(), static_cast<size_t>(got));
    peer.received_ += peer.wire_ ? peer.wire_->hears(heard) : heard;
    if (peer.most_ != SIZE_MAX) break;
  }
  return played;
}

// Bytes of the daemon's that the peer is about to read.
bool SocketEngine::under_way(const FakePeer& peer) const {
  if (!peer.far_ || peer.stalled_ || peer.heard_end_ || peer.fd_ == -1 || peer.closed()) return false;
  int unheard = 0;
  return sending(peer) || (::ioctl(peer.fd_, SIOCOUTQ, &unheard) == 0 && unheard > 0);
}

// Nothing has happened: lets what is still on its way arrive. True when there was anything.
bool SocketEngine::await() {
  const uint64_t until = engine_->now_ns() + kPatienceNs;
  do {
    const bool happened = gather(kMomentNs);
    if (play() || happened) return true;
  } while (engine_->now_ns() < until &&
           std::ranges::any_of(peers_, [this](const auto& peer) { return under_way(*peer); }));
  return false;
}

bool SocketEngine::idle() {
  // What a peer does may be followed by what the kernel does, and that by what another one does.
  const bool played = play();
  const bool happened = gather(0);
  if (!happened && (played || await())) return false;
  return std::ranges::all_of(
      queue_, [](const Queued& queued) { return queued.peer != nullptr && queued.peer->held_; });
}

size_t SocketEngine::wait(std::span<net::Completion> out, uint64_t deadline_ns) {
  bool happened = play();
  happened = gather(0) || happened;
  size_t count = 0;
  const auto report = [&] {
    for (auto at = queue_.begin(); at != queue_.end() && count < out.size();) {
      if (at->peer != nullptr && at->peer->held_) {
        ++at;
        continue;
      }
      out[count++] = at->completion;
      at = queue_.erase(at);
    }
  };
  report();
  // Time goes on only when there is nothing to do.
  const bool waits = deadline_ns != UINT64_MAX && deadline_ns > now_ns_;
  if (count == 0 && !happened && waits) {
    happened = await();
    report();
    if (!happened) now_ns_ = deadline_ns;
  }
  return count;
}

}  // namespace leat::test
