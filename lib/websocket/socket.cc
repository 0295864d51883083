#include "websocket/socket.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/utf8.h"
#include "websocket/workspace.h"

namespace leat::websocket {

namespace {

// From here on a message for many is sent from where it lies.
constexpr size_t kLeastShared = 512;

// What is held for a socket beside itself: its tunnel, and what its user is.
constexpr size_t kBeside = 512;

constexpr http::Refusal kLeft{499, "The client left without closing its WebSocket."};
constexpr http::Refusal kSilent{499, "The client did not answer a ping in time."};
constexpr http::Refusal kNeverClosed{499, "The client did not answer a Close in time."};
constexpr http::Refusal kStarved{503, "The server has no memory left for this."};

// How it ended, for the log: what the peer did wrong has its code.
http::Refusal failure(uint16_t code) {
  switch (code) {
    case close_code::kProtocol:
      return {400, "The WebSocket was closed with 1002: a frame was malformed."};
    case close_code::kInvalid:
      return {400, "The WebSocket was closed with 1007: a message was malformed."};
    case close_code::kTooBig:
      return {413, "The WebSocket was closed with 1009: a message was too large."};
    case close_code::kTryLater:
      return kStarved;
    default:
      return {500, "The WebSocket was closed for an error of the server."};
  }
}

bool is_text(std::string_view text) {
  Utf8Reader reader;
  return reader.take(text) && reader.whole();
}

}  // namespace

std::unique_ptr<Socket> Socket::make(http::WorkerContext& worker, const Options& options,
                                     const Compression& compression, const Counts& counts,
                                     std::unique_ptr<SocketUser> user) {
  if (!worker.blocks().charge(sizeof(Socket) + kBeside)) return nullptr;
  std::unique_ptr<Socket> made(new (std::nothrow)
                                   Socket(worker, options, compression, counts, std::move(user)));
  if (made == nullptr) worker.blocks().refund(sizeof(Socket) + kBeside);
  return made;
}

Socket::Socket(http::WorkerContext& worker, const Options& options, const Compression& compression,
               const Counts& counts, std::unique_ptr<SocketUser> user)
    : worker_(worker),
      options_(options),
      compression_(compression),
      counts_(counts),
      user_(std::move(user)),
      reader_(worker.blocks(), {.message_bytes = options.message_bytes,
                                .frame_bytes = options.frame_bytes,
                                .compressed = compression.agreed}),
      heard_ms_(now_ms()),
      active_ms_(heard_ms_) {}

Socket::~Socket() { worker_.blocks().refund(sizeof(Socket) + kBeside); }

// --- What its user does --------------------------------------------------------------------------------

Socket::Sent Socket::send(Kind kind, std::string_view message) {
  if (state_ != State::Open || tunnel_ == nullptr) return Sent::Closed;
  if (kind == Kind::Text && !is_text(message)) return Sent::NotText;
  if (!has_room(message.size())) return Sent::Full;
  if (!send_message(kind == Kind::Text ? Opcode::Text : Opcode::Binary, message)) return Sent::Closed;
  return note_sent(message.size());
}

Socket::Sent Socket::send_shared(const Broadcast& message) {
  if (state_ != State::Open || tunnel_ == nullptr) return Sent::Closed;
  const size_t size = message.message().size();
  if (!has_room(size)) return Sent::Full;
  // Packed by the window that nearly all have.
  std::string_view frame;
  if (compression_.agreed && compression_.window_bits == Workspace::kMostWindow &&
      size >= options_.compress_from)
    frame = message.packed_frame();
  if (frame.empty()) frame = message.frame();
  // Short ones are copied: one contiguous send is cheaper than a gathered one.
  const bool copied = frame.size() < kLeastShared;
  const transport::Release held = copied ? transport::Release() : message.hold();
  const bool sent =
      copied || held.run == nullptr ? tunnel_->write(frame) : tunnel_->write_pinned(frame, held);
  return sent ? note_sent(size) : Sent::Closed;
}

// A single message is taken in any case.
bool Socket::has_room(size_t bytes) {
  const size_t before = tunnel_->queued();
  if (before == 0 || before + bytes <= options_.queue_bytes) return true;
  Counts::add(counts_.dropped);
  blocked_ = tunnel_->is_full();
  return false;
}

Socket::Sent Socket::note_sent(size_t bytes) {
  Counts::add(counts_.messages_out);
  Counts::add(counts_.bytes_out, bytes);
  active_ms_ = now_ms();
  if (!tunnel_->is_full()) return Sent::Done;
  blocked_ = true;
  return Sent::Blocked;
}

void Socket::close(uint16_t code, std::string_view reason) {
  if (state_ != State::Open || tunnel_ == nullptr) return;
  send_close(code, reason);
  state_ = State::Closing;
  code_ = code;
  closing_ms_ = now_ms();
  steer();
}

void Socket::set_reading(bool reading) {
  if (reading && !reading_) heard_ms_ = now_ms();  // that nothing was heard was our doing
  reading_ = reading;
  steer();
}

void Socket::set_timer(uint64_t ms) {
  timer_ms_ = ms;
  set_deadline();
}

// --- Frames ----------------------------------------------------------------------------------------------

bool Socket::send_frame(Opcode opcode, std::string_view payload, bool compressed) {
  char head[kMostHead];
  const size_t size = put_head(head, {.opcode = opcode, .compressed = compressed, .size = payload.size()});
  return tunnel_->write({head, size}) && (payload.empty() || tunnel_->write(payload));
}

// Packed, where that was agreed on and makes it smaller.
bool Socket::send_message(Opcode opcode, std::string_view message) {
  if (compression_.agreed && message.size() >= options_.compress_from) {
    coding::RawDeflater* const packer = workspace().packer(compression_.window_bits);
    CountedText large;
    char* to = workspace().other;
    if (message.size() > Workspace::kRoom)
      to = large.reserve(worker_.blocks(), message.size()) ? large.data() : nullptr;
    if (packer != nullptr && to != nullptr) {
      const auto packed = packer->pack(message, {to, message.size()});
      if (packed && *packed < message.size()) return send_frame(opcode, {to, *packed}, true);
    }
  }
  return send_frame(opcode, message, false);
}

void Socket::send_close(uint16_t code, std::string_view reason) {
  char payload[kMostControl];
  size_t size = 0;
  if (code != close_code::kNone) {
    payload[0] = static_cast<char>(code >> 8);
    payload[1] = static_cast<char>(code & 0xff);
    size = 2 + std::min(reason.size(), kMostControl - 2);
    if (!reason.empty()) std::memcpy(payload + 2, reason.data(), size - 2);
  }
  (void)send_frame(Opcode::Close, {payload, size}, false);
}

size_t Socket::on_bytes(std::string_view bytes) {
  heard_ms_ = now_ms();
  pinged_ = false;
  size_t used = 0;
  while (reads()) {
    const MessageReader::Event event = reader_.next(bytes, used);
    if (event == MessageReader::Event::More) break;
    on_event(event);
    reader_.release();
  }
  if (state_ == State::Closed) return bytes.size();
  steer();
  return used;
}

void Socket::on_event(MessageReader::Event event) {
  using Event = MessageReader::Event;
  switch (event) {
    case Event::Text:
    case Event::Binary:
      if (state_ != State::Open) break;
      Counts::add(counts_.messages_in);
      Counts::add(counts_.bytes_in, reader_.payload().size());
      active_ms_ = heard_ms_;
      take_token();
      user_->on_message(*this, event == Event::Text ? Kind::Text : Kind::Binary, reader_.payload());
      break;
    case Event::Ping:
      if (state_ != State::Open) break;
      take_token();
      // Who does not read what is sent gets no more of it.
      if (!tunnel_->is_full()) (void)send_frame(Opcode::Pong, reader_.payload(), false);
      break;
    case Event::Pong:
      take_token();
      break;
    case Event::Close:
      on_peer_close();
      break;
    case Event::Failed:
      fail(reader_.code(), reader_.why());
      break;
    case Event::More:
      break;
  }
}

// Its code is echoed, and then the server is the one to close (RFC 6455, sections 5.5.1 and 7.1.1).
void Socket::on_peer_close() {
  if (state_ == State::Open) send_close(reader_.code(), {});
  finish(reader_.code(), reader_.payload());
}

// --- Ends ------------------------------------------------------------------------------------------------

// What the peer sends makes no sense, or is too much: it is told so, and nothing more is read (section 7.1.7).
void Socket::fail(uint16_t code, std::string_view why) {
  if (state_ == State::Closed) return;
  if (state_ == State::Open) send_close(code, why);
  tunnel_->set_end(failure(code));
  finish(code, why);
}

void Socket::finish(uint16_t code, std::string_view reason) {
  state_ = State::Closed;
  counts_.add_closed(code);
  tunnel_->end();
  user_->on_close(*this, code, reason);
}

// The peer has gone, or might as well have.
void Socket::break_off(const http::Refusal& why) {
  state_ = State::Closed;
  counts_.add_closed(close_code::kAbnormal);
  tunnel_->set_end(why);
  tunnel_->cut();
  user_->on_close(*this, close_code::kAbnormal, {});
}

void Socket::on_peer_end() {
  if (state_ == State::Closed) return;
  tunnel_->set_end(kLeft);
  finish(close_code::kAbnormal, {});
}

void Socket::on_starved() { fail(close_code::kTryLater, kStarved.detail); }

void Socket::on_closed() {
  if (state_ != State::Closed) {
    state_ = State::Closed;
    counts_.add_closed(close_code::kAbnormal);
    tunnel_->set_end(kLeft);
    user_->on_close(*this, close_code::kAbnormal, {});
  }
  tunnel_ = nullptr;
}

// --- Time ------------------------------------------------------------------------------------------------

void Socket::on_open(http::Tunnel&) {
  Counts::add(counts_.opened);
  user_->on_open(*this);
  steer();
}

void Socket::on_writable() {
  if (std::exchange(blocked_, false) && state_ == State::Open) user_->on_writable(*this);
  steer();
}

void Socket::on_drain(uint64_t until_ms) {
  if (state_ == State::Closed || tunnel_ == nullptr) return;
  const uint64_t now = now_ms();
  if (until_ms <= now) {  // it had its time
    if (state_ == State::Open) send_close(close_code::kGoingAway, {});
    return finish(close_code::kGoingAway, {});
  }
  // Not all at once, since they will come back: each at a moment of its own.
  const uint64_t spread = std::min<uint64_t>(options_.drain_spread_ms, until_ms - now);
  const uint64_t chance = (reinterpret_cast<uintptr_t>(this) ^ worker_.now_ns()) * 0x9e37'79b9'7f4a'7c15;
  drain_ms_ = std::min(drain_ms_, now + (spread == 0 ? 0 : (chance >> 32) % spread));
  set_deadline();
}

// A message is paid for by the time that passes, up to a second's beforehand; who owes is not read from until then.
void Socket::take_token() {
  constexpr uint64_t kSecond = 1'000'000'000;
  if (options_.messages_per_second == 0) return;
  const uint64_t now = worker_.now_ns();
  paid_until_ns_ = std::max(paid_until_ns_, now) + kSecond / options_.messages_per_second;
  if (paid_until_ns_ > now + kSecond) tokens_from_ms_ = (paid_until_ns_ - kSecond) / 1'000'000 + 1;
}

void Socket::on_deadline() {
  const uint64_t now = now_ms();
  if (state_ == State::Closing && now >= closing_ms_ + options_.close_timeout_ms)
    return break_off(kNeverClosed);
  if (now >= drain_ms_) {
    drain_ms_ = UINT64_MAX;
    close(close_code::kGoingAway, {});
  }
  if (tokens_from_ms_ != 0 && now >= tokens_from_ms_) {
    tokens_from_ms_ = 0;
    heard_ms_ = now;
  }
  if (state_ == State::Open && now >= timer_ms_) {
    timer_ms_ = UINT64_MAX;
    user_->on_timer(*this);
  }
  if (state_ == State::Open && !look_at_peer(now)) return;
  if (state_ != State::Closed) steer();
}

// Whether it is there. False: it is not.
bool Socket::look_at_peer(uint64_t now) {
  if (options_.idle_timeout_ms != 0 && now >= active_ms_ + options_.idle_timeout_ms) {
    close(close_code::kNormal, "nothing was said for long");
    return true;
  }
  if (options_.ping_interval_ms == 0 || !reads() || now < heard_ms_ + options_.ping_interval_ms) return true;
  if (!std::exchange(pinged_, true)) {
    (void)send_frame(Opcode::Ping, {}, false);
  } else if (now >= heard_ms_ + options_.ping_interval_ms + options_.ping_timeout_ms) {
    break_off(kSilent);
    return false;
  }
  return true;
}

void Socket::set_deadline() {
  if (tunnel_ == nullptr) return;
  uint64_t next = UINT64_MAX;
  if (state_ == State::Closing) {
    next = closing_ms_ + options_.close_timeout_ms;
  } else if (state_ == State::Open) {
    next = std::min(drain_ms_, timer_ms_);
    if (tokens_from_ms_ != 0) next = std::min(next, tokens_from_ms_);
    if (options_.idle_timeout_ms != 0) next = std::min(next, active_ms_ + options_.idle_timeout_ms);
    if (options_.ping_interval_ms != 0 && reads())
      next = std::min(next, heard_ms_ + options_.ping_interval_ms + (pinged_ ? options_.ping_timeout_ms : 0));
  }
  tunnel_->set_deadline(next);
}

// What has changed is to be seen by its tunnel.
void Socket::steer() {
  if (tunnel_ == nullptr) return;
  tunnel_->set_reading(reads());
  set_deadline();
}

size_t Socket::footprint() const { return sizeof(Socket) + reader_.footprint() + user_->footprint(); }

}  // namespace leat::websocket
