#include "server/acceptor.h"

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/log.h"

namespace leat::server {

namespace {

// Long enough that a worker without descriptors spends nothing on trying, short enough that a client in the
// backlog does not give up.
constexpr uint64_t kPauseMs = 100;
constexpr uint64_t kWarnEveryMs = 10'000;

}  // namespace

Acceptor::Pause::Pause(Acceptor& owner)
    : net::Timer([](net::Timer& timer) { static_cast<Pause&>(timer).acceptor.arm(); }), acceptor(owner) {}

Acceptor::Acceptor(net::Loop& loop, Connections& connections, Fd listener, uint32_t number)
    : loop_(loop),
      connections_(connections),
      listener_(std::move(listener)),
      number_(number),
      pause_(*this) {}

Acceptor::~Acceptor() { loop_.timers().stop(pause_); }

void Acceptor::start() { arm(); }

void Acceptor::arm() {
  if (armed_ || stopping_ || connections_.full()) return;
  loop_.engine().accept(token(), listener_.get());
  armed_ = true;
}

void Acceptor::stop() {
  stopping_ = true;
  loop_.timers().stop(pause_);
  if (armed_ && !cancelling_) loop_.engine().cancel(token());
  cancelling_ = armed_;
  if (!armed_) listener_.reset();
}

void Acceptor::on_completion(const net::Completion& completion) {
  if (!completion.armed) armed_ = cancelling_ = false;
  const int result = completion.result;
  if (result >= 0) {
    ++accepted_;
    connections_.open(Fd(result));
    if (connections_.full() && armed_ && !cancelling_) {
      loop_.engine().cancel(token());
      cancelling_ = true;
    }
  }
  if (armed_) return;
  if (stopping_) {
    listener_.reset();
  } else if (result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM) {
    const uint64_t now = loop_.now_ms();
    if (warned_ms_ == 0 || now >= warned_ms_ + kWarnEveryMs) {
      warned_ms_ = now;
      log::warn("cannot accept connections: {} ({} open); new clients wait in the backlog",
                std::strerror(-result), connections_.count());
    }
    loop_.timers().start(pause_, now + kPauseMs);
  } else if (result == -EBADF || result == -ENOTSOCK || result == -EINVAL) {
    descriptor_lost("a listening socket");
  } else {
    arm();  // the peer was gone before it was accepted, or an engine accepts once at a time
  }
}

void Acceptor::on_turn_end() {
  if (!armed_ && !pause_.running()) arm();
}

}  // namespace leat::server
