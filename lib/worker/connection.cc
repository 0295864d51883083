#include "worker/connection.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "transport/proxy_protocol.h"
#include "worker/connections.h"
#include "worker/undecided.h"

namespace leat::worker {

namespace {

// The bytes of one send. It completes when all of them have gone, and only then is there progress to see:
// what is sent at once is the least that a peer must take in a send timeout. Half as much would cost large
// answers turns, twice as much would take a client on a slow line for one that has gone.
constexpr size_t kMostSend = size_t{256} * 1024;

// How long a connection is not received from before a poll looks for its peer's end. Requests that wait
// longer are few, and pay for it with an operation more; others pay nothing. Ten times as long would let a
// crowd that leaves stay for that long, a tenth would make many pay.
constexpr uint64_t kWatchEndAfterMs = 100;
// How long a client that is turned away has for its first byte. One that has connected to ask sends it within
// a round trip or two; longer would keep others from their answer.
constexpr uint64_t kTurnAwayMs = 2'000;
// A connection that has not asked for anything yet is idle after so long. Its client may be on a slow line
// and about to ask, and would get no answer at all.
constexpr uint64_t kFreshMs = 1'000;

// "192.0.2.1:443", "[2001:db8::1]:443"; empty for what has no port.
std::string text_of(const HostAddress& address, uint16_t port) {
  if (!address.is_ip()) return {};
  const bool six = address.kind() == HostAddress::Kind::Ipv6;
  return fmt::format("{}{}{}:{}", six ? "[" : "", address.text().view(), six ? "]" : "", port);
}

void count(std::atomic<uint64_t>* bytes, int32_t more) {
  if (bytes != nullptr)
    bytes->store(bytes->load(std::memory_order_relaxed) + static_cast<uint64_t>(more),
                 std::memory_order_relaxed);
}

}  // namespace

// What a transport makes of wire bytes is the protocol's input, or that of the transport behind a header.
class Connection::Sink final : public transport::PlainSink {
 public:
  explicit Sink(Connection& connection) : connection_(connection) {}
  void plain(std::string_view bytes) override {
    if (connection_.in_header()) {
      behind_header = bytes;
    } else {
      connection_.on_plain(bytes);
    }
  }
  std::string_view behind_header;

 private:
  Connection& connection_;
};

Connection::Deadline::Deadline(Connection& owner)
    : net::Timer([](net::Timer& timer) { static_cast<Deadline&>(timer).connection.on_timer(); }),
      connection(owner) {}

Connection::Connection(Connections& table, net::SocketId id, Fd fd, const HostAddress& peer, bool trusted,
                       bool counted, std::shared_ptr<const Listener> listener)
    : table_(table),
      socket_(table.loop_.engine(), id, std::move(fd)),
      counted_(counted),
      idle_since_ms_(table.loop_.now_ms()),
      opened_ms_(idle_since_ms_),
      timer_(*this),
      peer_(peer.text()),
      group_(trusted ? 0 : peer.group()),
      trusted_(trusted),
      listener_(std::move(listener)),
      protocol_(first_protocol()),
      direct_(undecided_ == nullptr) {
  if (listener_->options->proxy_protocol)
    channel_ =
        std::make_unique<transport::Channel>(std::make_unique<transport::ProxyProtocol>(), table.memory_);
  else if (listener_->transport)
    channel_ = std::make_unique<transport::Channel>(listener_->transport(), table.memory_);
}

Connection::~Connection() { table_.loop_.timers().stop(timer_); }

void Connection::on_completion(const net::Completion& completion) {
  socket_.on_completion(completion);
  switch (completion.token.op()) {
    case net::Op::Receive:
      on_received(completion);
      break;
    case net::Op::Send:
      on_sent(completion.result);
      break;
    case net::Op::Poll:
      on_polled(completion.result);
      break;
    default:
      break;
  }
}

void Connection::on_received(const net::Completion& completion) {
  const int32_t result = completion.result;
  if (result > 0) {
    count(listener_->received, result);
    on_bytes({completion.buffer.data, completion.buffer.size});
  } else if (result == 0) {
    peer_ended_ = true;
    if (state_ == State::Open) on_plain_end();
    if (state_ != State::Open || in_handshake()) begin_close(false);
  } else if (result == -ENOBUFS) {
    table_.sockets_.park(socket_.slot());
  } else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
    begin_close(false);
  }
}

void Connection::on_bytes(std::string_view bytes) {
  if (state_ == State::TurnedAway) {
    state_ = State::Open;
    protocol_->turn_away();
    if (direct_) return;
  }
  if (state_ != State::Open) return;
  idle_since_ms_ = table_.loop_.now_ms();
  dozing_ = false;  // the receive that it was to give up has come to something
  if (direct_) [[likely]] {
    protocol_->feed(bytes);
  } else if (channel_ == nullptr) {
    decide(bytes, false);
  } else {
    unseal(bytes);
  }
}

void Connection::unseal(std::string_view wire) {
  Sink sink(*this);
  channel_->received(wire, sink);
  if (in_header() && channel_->transport().spent()) {
    learn_client(false);
    channel_ = std::make_unique<transport::Channel>(listener_->transport(), table_.memory_);
    if (!sink.behind_header.empty()) unseal(sink.behind_header);
    return;
  }
  look_at_channel();
  if (state_ != State::Open || !channel_->transport().spent()) return;
  ENSURE(channel_->empty());
  channel_.reset();
  direct_ = undecided_ == nullptr;
}

void Connection::on_plain(std::string_view bytes) {
  if (undecided_ == nullptr) {
    protocol_->feed(bytes);
  } else {
    decide(bytes, false);
  }
}

// The peer will send no more.
void Connection::on_plain_end() {
  if (undecided_ != nullptr && !undecided_->first().empty()) decide({}, true);
  protocol_->feed_end();
}

http::ProtocolPeer Connection::peer_of_protocol() const {
  http::ProtocolPeer peer{.identity = {.peer = peer_.view(), .client = client()},
                          .trust = trusted_ ? listener_->options->trust.get() : nullptr,
                          .listener = listener_->options->name,
                          .owner = socket_.slot()};
  if (channel_ != nullptr && channel_->transport().secure()) {
    peer.identity.scheme = "https";
    peer.identity.tls = channel_->transport().tls();
    peer.transport = &channel_->transport();
  }
  if (behind_ != nullptr) {
    peer.identity.destination = behind_->destination;
    if (behind_->tls) peer.identity.scheme = "https";
  }
  return peer;
}

// Takes what a proxy has said of who is behind it: for whom requests are, and whose share of the connections this is
// one of. It may be one too many; `asks`: what has come with it is a request.
void Connection::learn_client(bool asks) {
  const transport::ProxyHeader* const said =
      channel_ != nullptr ? channel_->transport().proxy_header() : nullptr;
  if (said == nullptr || behind_ != nullptr) return;
  auto behind = std::make_unique<Behind>(peer_, std::string(), false);
  if (said->has_client) {
    *behind = {said->client.text(), text_of(said->destination, said->destination_port), said->tls};
    // That one may be a proxy, too, for which the nearest has passed bytes on.
    trusted_ = said->client.is_ip() && listener_->options->trust->trusts(said->client);
  } else {
    trusted_ = false;  // bytes of nobody knows whom
  }
  behind_ = std::move(behind);
  if (!said->has_client || trusted_) return;
  const bool had_place = counted_;
  leave();
  group_ = said->client.group();
  if (!had_place || enter(table_.places_.crowded())) return;
  table_.places_.seek(*this);
  if (state_ != State::TurnedAway || !asks) return;
  state_ = State::Open;
  protocol_->turn_away();
}

std::unique_ptr<http::Protocol> Connection::first_protocol() {
  const bool known =
      listener_->protocols.size() == 1 && !listener_->transport && !listener_->options->proxy_protocol;
  if (known) [[likely]]
    return listener_->protocols.front()->make(peer_of_protocol());
  auto undecided =
      std::make_unique<Undecided>(table_.loop_, table_.limits_, peer_of_protocol(), table_.memory_);
  undecided_ = undecided.get();
  return undecided;
}

// Makes the protocol if it is known by now. `bytes` have just come, and `last`: nothing will come any more.
void Connection::decide(std::string_view bytes, bool last) {
  learn_client(!bytes.empty());
  if (undecided_->finished()) return;
  std::string joined;  // with the few that came before
  std::string_view first = bytes;
  if (!undecided_->first().empty()) first = joined.append(undecided_->first()).append(bytes);
  const std::string_view agreed = channel_ != nullptr ? channel_->transport().alpn() : std::string_view();
  const auto [factory, needs_more] = http::choose_protocol(listener_->protocols, agreed, first, last);
  if (needs_more) return undecided_->feed(bytes);
  if (factory == nullptr) return undecided_->feed_end();  // it speaks nothing that is spoken here
  const auto before = std::exchange(protocol_, factory->make(peer_of_protocol()));
  const bool turn_away = std::exchange(undecided_, nullptr)->turned_away();
  ENSURE(before->output().empty());
  direct_ = channel_ == nullptr;
  if (turn_away) return protocol_->turn_away();
  if (!first.empty()) protocol_->feed(first);
}

// It may be open, which may tell the protocol. It may have ended, or failed: then nobody can be answered any
// more.
void Connection::look_at_channel() {
  if (undecided_ != nullptr && channel_->state() == transport::Transport::State::Open) decide({}, false);
  if (channel_->state() == transport::Transport::State::Ended) on_plain_end();
  if (channel_->state() == transport::Transport::State::Failed &&
      !(protocol_->finished() && protocol_->cut())) {
    if (const std::string_view why = channel_->transport().failure(); !why.empty())
      log::limited(log::Level::Warn, {why}, "{}: a connection from {} is refused: {}",
                   listener_->options->name, or_somebody(peer_.view()), why);
    protocol_->disconnect();
  }
}

void Connection::take_turn() {
  if (state_ == State::Open && channel_ != nullptr) {
    Sink sink(*this);
    channel_->take_turn(sink);
    look_at_channel();
  }
  if (protocol_->wants_turn()) protocol_->take_turn();
}

void Connection::on_sent(int32_t result) {
  if (result >= 0) {
    count(listener_->sent, result);
    if (state_ != State::Open) return;
    size_t size = static_cast<size_t>(result);
    if (channel_ != nullptr) size = channel_->sent(size);
    // A transport's own words, and a part of what was sealed, are nothing to the protocol.
    if (channel_ == nullptr || size != 0) protocol_->sent(size);
    if (idle()) idle_since_ms_ = table_.loop_.now_ms();
  } else if (result != -EINTR && result != -EAGAIN) {
    begin_close(false);
  }
}

void Connection::on_polled(int32_t events) {
  if (std::exchange(watching_, false)) {
    if (state_ != State::Open) return;
    if (events < 0) {
      unread_since_ms_ = table_.loop_.now_ms();  // cancelled, or to be tried again
    } else if ((events & (POLLHUP | POLLERR)) != 0) {
      begin_close(false);
    } else {
      protocol_->peer_ended();
    }
  } else {
    dozing_ = false;
    idle_since_ms_ = table_.loop_.now_ms();
  }
}

void Connection::on_timer() {
  const uint64_t now = table_.loop_.now_ms();
  if ((state_ == State::Lingering || state_ == State::TurnedAway) && now >= linger_until_ms_) {
    begin_close(false);
  } else if (socket_.sending() && now >= send_since_ms_ + table_.options_.send_timeout_ms) {
    begin_close(true);
  } else if (state_ == State::Open) {
    if (channel_ != nullptr && now >= deadline_ms() && now < protocol_->deadline_ms()) {
      // Its handshake takes too long.
      if (in_handshake())
        log::limited(log::Level::Warn, {},
                     "{}: a connection from {} is closed: it was not ready after {} ms "
                     "(limits.handshake_timeout)",
                     listener_->options->name, or_somebody(peer_.view()),
                     listener_->options->handshake_timeout_ms);
      begin_close(false);
      return;
    }
    if (now >= protocol_->deadline_ms()) protocol_->deadline_passed();
    if (idle() && table_.options_.doze_after_ms != 0 && now >= idle_since_ms_ + table_.options_.doze_after_ms)
      dozing_ = true;
  }
  table_.touch(*this);
}

Connection::HeldMemory Connection::held_memory() const {
  if (state_ == State::Closing) return {};
  using Holds = HeldMemory::Holds;
  if (socket_.sending()) return {Holds::Answer, send_since_ms_, footprint()};
  const uint64_t owed_since_ms = protocol_->owed_since_ms();
  if (owed_since_ms == UINT64_MAX) return {};
  return {Holds::Request, owed_since_ms, footprint()};
}

void Connection::give_up(HeldMemory::Holds what) {
  if (what == HeldMemory::Holds::Answer) begin_close(true);
  if (what == HeldMemory::Holds::Request) protocol_->give_up_input();
  table_.touch(*this);
}

bool Connection::settle() {
  if (state_ == State::Open) {
    if (protocol_->wants_turn() || (channel_ != nullptr && channel_->transport().wants_turn()))
      table_.wait_turn(*this);
    send_output();
    if (protocol_->finished() && !socket_.sending() && all_sent()) finish();
  }
  if (state_ == State::Closing) return !socket_.in_flight();
  steer_receive();
  set_timer();
  return false;
}

void Connection::send_output() {
  if (socket_.sending()) return;
  const transport::Output* output = &protocol_->output();
  if (channel_ != nullptr) {
    output = &channel_->to_send(*output);
    look_at_channel();
    // The last of it was sealed and sent: the peer is told that nobody cut it.
    if (output->empty() && protocol_->finished() && !protocol_->cut() && all_sent() && !channel_->end())
      return;
  }
  if (output->empty()) return;
  ENSURE(state_ == State::Open);
  std::array<iovec, net::Engine::kMostParts> parts;
  size_t used = 0;
  size_t left = kMostSend;
  output->for_each_piece([&](std::string_view piece) {
    const size_t size = std::min(piece.size(), left);
    parts[used++] = {const_cast<char*>(piece.data()), size};
    left -= size;
    return left > 0 && used < parts.size();
  });
  socket_.send(std::span(parts).first(used));
  send_since_ms_ = table_.loop_.now_ms();
}

// Starts or stops receiving as the protocol wants it.
void Connection::steer_receive() {
  if (peer_ended_) return;
  const bool wanted = state_ == State::Lingering || protocol_->wants_input() || in_handshake();
  if (socket_.receiving()) {
    if (!wanted || dozing_) socket_.stop_receiving();
  } else if (socket_.polling()) {
    if (watching_ && wanted) socket_.stop_receiving();
  } else if (!wanted) {
    watch_end();
  } else {
    unread_since_ms_ = 0;
    if (table_.sockets_.is_parked(socket_.slot())) return;
    if (dozing_) {
      socket_.poll();
    } else {
      socket_.receive();
    }
  }
}

// A peer may leave behind bytes that it was not received from for: a poll tells of that, once it has been so
// for long enough.
void Connection::watch_end() {
  const uint64_t now = table_.loop_.now_ms();
  if (unread_since_ms_ == 0) unread_since_ms_ = now;
  if (now < watch_end_ms()) return;
  socket_.poll_end();
  watching_ = true;
}

// When to. Not during a send, which fails where the peer has gone, and not once its end is known.
uint64_t Connection::watch_end_ms() const {
  const bool watch = unread_since_ms_ != 0 && !socket_.in_flight() && !protocol_->half_closed();
  return watch ? unread_since_ms_ + kWatchEndAfterMs : UINT64_MAX;
}

// All that is owed has left, or never will.
bool Connection::all_sent() {
  if (channel_ == nullptr) return protocol_->output().empty();
  const bool failed = channel_->state() == transport::Transport::State::Failed;
  return channel_->empty() && (failed || protocol_->output().empty());
}

uint64_t Connection::deadline_ms() const {
  if (!in_handshake()) return protocol_->deadline_ms();
  return std::min(protocol_->deadline_ms(), opened_ms_ + listener_->options->handshake_timeout_ms);
}

void Connection::set_timer() {
  uint64_t next = deadline_ms();
  if (state_ == State::Lingering || state_ == State::TurnedAway) next = linger_until_ms_;
  if (socket_.sending()) next = std::min(next, send_since_ms_ + table_.options_.send_timeout_ms);
  if (state_ == State::Open && !dozing_ && table_.options_.doze_after_ms != 0 && idle())
    next = std::min(next, idle_since_ms_ + table_.options_.doze_after_ms);
  if (unread_since_ms_ != 0) next = std::min(next, watch_end_ms());
  if (next == UINT64_MAX) {
    table_.loop_.timers().stop(timer_);
  } else {
    table_.loop_.timers().start(timer_, next);
  }
}

// The last byte is with the kernel: ends the connection in the way its protocol asks for.
void Connection::finish() {
  ENSURE(state_ == State::Open && protocol_->finished() && !socket_.sending());
  // A failed handshake cut nothing, and why it failed is to arrive.
  const bool refused = channel_ != nullptr && !channel_->was_open() && !peer_ended_ &&
                       channel_->state() == transport::Transport::State::Failed;
  if (!refused && (protocol_->cut() || !protocol_->linger() || peer_ended_)) {
    begin_close(protocol_->cut());
    return;
  }
  socket_.shut_down_sending();
  state_ = State::Lingering;
  linger_until_ms_ = table_.loop_.now_ms() + table_.options_.linger_timeout_ms;
}

void Connection::drain(uint64_t idle_until_ms) {
  if (state_ == State::TurnedAway) return;  // it is about to end
  protocol_->drain(idle_until_ms);
  table_.touch(*this);
}

void Connection::turn_away() {
  if (state_ != State::Open || protocol_->finished()) return;
  state_ = State::TurnedAway;
  linger_until_ms_ = table_.loop_.now_ms() + kTurnAwayMs;
  leave();
  table_.touch(*this);
}

uint64_t Connection::idle_since_ms() const {
  if (state_ != State::Open || socket_.sending() || peer_ended_ || !idle()) return UINT64_MAX;
  const bool fresh = protocol_->requests() == 0 && table_.loop_.now_ms() < idle_since_ms_ + kFreshMs;
  return fresh ? UINT64_MAX : idle_since_ms_;
}

bool Connection::enter(bool crowded) {
  if (state_ != State::Open) return false;
  counted_ = table_.places_.take(group_, crowded);
  return counted_;
}

// It counts no longer.
void Connection::leave() {
  if (std::exchange(counted_, false)) table_.places_.give_back(group_);
}

// From here on nothing is started; settle() waits until the last operation has completed. With `reset` the
// peer gets an RST in place of an orderly end, so that it cannot take a cut answer for a whole one.
void Connection::begin_close(bool reset) {
  if (state_ == State::Closing) return;
  state_ = State::Closing;
  leave();
  protocol_->disconnect();
  table_.loop_.timers().stop(timer_);
  table_.touch(*this);
  socket_.close(reset);
}

}  // namespace leat::worker
