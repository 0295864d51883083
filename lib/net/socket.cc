#include "net/socket.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

namespace leat::net {

void Socket::receive() {
  ENSURE(may_receive());
  receiving_ = true;
  engine_.receive(token(Op::Receive), fd_.get());
}

void Socket::poll() {
  ENSURE(may_receive());
  polling_ = true;
  engine_.poll(token(Op::Poll), fd_.get());
}

void Socket::poll_end() {
  ENSURE(may_receive());
  polling_ = true;
  engine_.poll_end(token(Op::Poll), fd_.get());
}

void Socket::send(std::span<const iovec> parts) {
  ENSURE(!sending_ && !connecting_ && !closing_);
  ENSURE(!parts.empty() && parts.size() <= Engine::kMostParts);
  sending_ = true;
  engine_.send(token(Op::Send), fd_.get(), parts);
}

void Socket::connect(const sockaddr* address, socklen_t size) {
  ENSURE(!in_flight() && !closing_);
  connecting_ = true;
  engine_.connect(token(Op::Connect), fd_.get(), address, size);
}

void Socket::stop_receiving() {
  if (stopping_ || (!receiving_ && !polling_)) return;
  engine_.cancel(token(receiving_ ? Op::Receive : Op::Poll));
  stopping_ = true;
}

void Socket::close(bool reset) {
  if (closing_) return;
  closing_ = true;
  if (reset) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  if (!in_flight()) return;
  // The ring holds a reference to the socket while an operation is in flight, so that closing the descriptor
  // would tell the peer nothing. A shutdown does, and it ends the operations; it is no way to a reset,
  // though, nor out of a connect.
  if (!reset && !connecting_ && ::shutdown(fd_.get(), SHUT_RDWR) == 0) return;
  if (connecting_) engine_.cancel(token(Op::Connect));
  if (receiving_) engine_.cancel(token(Op::Receive));
  if (polling_) engine_.cancel(token(Op::Poll));
  if (sending_) engine_.cancel(token(Op::Send));
}

void Socket::shut_down_sending() {
  ENSURE(!sending_ && !closing_);
  ::shutdown(fd_.get(), SHUT_WR);
}

bool Socket::silent() const {
  int unread = 0;
  return ::ioctl(fd_.get(), FIONREAD, &unread) == 0 && unread == 0;
}

}  // namespace leat::net
