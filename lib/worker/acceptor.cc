#include "worker/acceptor.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace leat::worker {

namespace {

// Long enough that a worker without descriptors spends nothing on trying, short enough that a client in the
// backlog does not give up.
constexpr uint64_t kPauseMs = 100;
// For connections that were given up to be closed: they need a turn.
constexpr uint64_t kMomentMs = 1;
// Nobody knows how many wait; the next attempt tells whether it was enough.
constexpr size_t kGiveUp = 8;
constexpr int kMostInBacklog = 4096;
// Between the looks after a start.
constexpr uint64_t kLooksMs[] = {10, 50, 200, 1000, 3000};

}  // namespace

Acceptor::Pause::Pause(Acceptor& owner)
    : net::Timer([](net::Timer& timer) { static_cast<Pause&>(timer).acceptor.on_pause(); }),
      acceptor(owner) {}

Acceptor::Acceptor(net::Loop& loop, Connections& connections, Fd listener, uint32_t number, HandOn hand_on,
                   uint32_t listener_number)
    : loop_(loop),
      connections_(connections),
      listener_(std::move(listener)),
      number_(number),
      hand_on_(std::move(hand_on)),
      listener_number_(listener_number),
      pause_(*this),
      look_(*this) {}

Acceptor::Look::Look(Acceptor& owner)
    : net::Timer([](net::Timer& timer) { static_cast<Look&>(timer).acceptor.look(); }), acceptor(owner) {}

Acceptor::~Acceptor() {
  ENSURE(!armed_);
  loop_.timers().stop(pause_);
  loop_.timers().stop(look_);
}

void Acceptor::start() {
  started_ = true;
  arm();
  look();
  if (!connections_.places().restore_reserve()) loop_.timers().start(pause_, loop_.now_ms() + kPauseMs);
}

void Acceptor::arm() {
  if (armed_ || stopping_ || connections_.places().full()) return;
  if (hand_on_) {
    loop_.engine().accept_one(token(), listener_.get());
  } else {
    loop_.engine().accept(token(), listener_.get());
  }
  armed_ = true;
}

void Acceptor::on_pause() {
  if (!connections_.places().restore_reserve()) loop_.timers().start(pause_, loop_.now_ms() + kPauseMs);
  arm();
}

void Acceptor::stop() {
  stopping_ = true;
  loop_.timers().stop(pause_);
  loop_.timers().stop(look_);
  if (armed_ && !cancelling_) loop_.engine().cancel(token());
  cancelling_ = armed_;
  if (!armed_) close_listener();
}

void Acceptor::listen_anew(const net::ListenOptions& options) {
  if (const auto changed = net::listen_anew(listener_.get(), options); !changed)
    log::warn("worker {}: a listening socket stays as it was: {}", connections_.options().worker,
              changed.error().text());
}

void Acceptor::take(Fd socket) {
  ++accepted_;
  if (hand_on_) {
    hand_on_(std::move(socket));
  } else {
    connections_.open(std::move(socket), listener_number_);
  }
}

// As many as a backlog holds: the next ones are new.
void Acceptor::take_waiting() {
  for (int i = 0; i < kMostInBacklog && !connections_.places().full(); ++i) {
    Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      take(std::move(socket));
    } else if (errno != ECONNABORTED && errno != EINTR) {
      break;
    }
  }
}

// With the socket the kernel would reset those in its backlog, who believe that they are connected and may
// have sent a request.
void Acceptor::close_listener() {
  if (!listener_) return;
  take_waiting();
  listener_.reset();
}

void Acceptor::look() {
  if (armed_ && !cancelling_) take_waiting();
  if (looks_ < std::size(kLooksMs)) loop_.timers().start(look_, loop_.now_ms() + kLooksMs[looks_++]);
}

void Acceptor::on_completion(const net::Completion& completion) {
  ENSURE(armed_);
  if (!completion.armed) armed_ = cancelling_ = false;
  const int result = completion.result;
  if (result >= 0) take(Fd(result));
  if (armed_) return;
  if (stopping_) {
    close_listener();
  } else if (result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM) {
    shortage_ = -result;
  } else if (result == -EBADF || result == -ENOTSOCK || result == -EINVAL) {
    descriptor_lost("a listening socket");
  } else if (result == -EAGAIN) {
    loop_.timers().start(pause_, loop_.now_ms() + kMomentMs);  // never in a hot loop
  } else {
    arm();  // the peer was gone before it was accepted, or an engine accepts once at a time
  }
}

void Acceptor::make_room(int reason) {
  const bool descriptors = reason == EMFILE || reason == ENFILE;
  const size_t gave_up = connections_.places().give_up_idle(kGiveUp);
  const bool reserve = gave_up == 0 && descriptors && connections_.places().use_reserve();
  const std::string_view remedy = gave_up != 0 ? "idle ones are closed"
                                  : reserve    ? "new ones are answered 503"
                                               : "new ones wait in the backlog";
  log::limited(log::Level::Warn, {remedy}, "worker {}: cannot accept connections: {} ({} open): {}",
               connections_.options().worker, std::strerror(reason), connections_.count(), remedy);
  loop_.timers().start(pause_, loop_.now_ms() + (gave_up != 0 ? kMomentMs : kPauseMs));
  if (reserve) arm();
}

void Acceptor::on_turn_end() {
  if (shortage_ != 0) make_room(std::exchange(shortage_, 0));
  if (armed_ && !cancelling_ && connections_.places().full()) {
    loop_.engine().cancel(token());
    cancelling_ = true;
  }
  if (!armed_ && !pause_.running()) arm();
}

}  // namespace leat::worker
