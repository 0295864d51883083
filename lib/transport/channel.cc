#include "base/check.h"
#include "transport/transport.h"

namespace leat::transport {

void Channel::received(std::string_view wire, PlainSink& sink) {
  transport_->received(wire, sink);
  look();
}

void Channel::take_turn(PlainSink& sink) {
  if (!transport_->wants_turn()) return;
  transport_->take_turn(sink);
  look();
}

void Channel::look() {
  ENSURE(state() >= reached_);
  reached_ = state();
  opened_ = opened_ || (reached_ != State::Handshake && reached_ != State::Failed);
}

Output& Channel::to_send(const Output& plain) {
  if (!wire_.empty()) return wire_;
  ENSURE(sealed_ == 0);
  sealed_ = transport_->seal(plain, wire_);
  ENSURE(sealed_ <= plain.size() && sealed_ <= Transport::kMostSealed);
  ENSURE(sealed_ == 0 || !wire_.empty());
  look();
  return wire_;
}

size_t Channel::sent(size_t size) {
  wire_.consume(size);
  return wire_.empty() ? std::exchange(sealed_, 0) : 0;
}

bool Channel::end() {
  if (ended_ || !opened_ || state() == State::Failed) return false;
  ended_ = true;
  ENSURE(wire_.empty() && sealed_ == 0);
  transport_->close_notify(wire_);
  return !wire_.empty();
}

}  // namespace leat::transport
