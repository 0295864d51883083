#include "worker/connection.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/units.h"
#include "transport/proxy_protocol.h"
#include "worker/address_counts.h"
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
// When memory is short, a peer that has made no progress for so long is one that lets us wait. Half of it is
// what a line around the world takes for an answer and its acknowledgement; twice it would be time in which
// others are refused.
constexpr uint64_t kGraceMs = 250;
// All connections are looked at to find those, so not in every turn.
constexpr uint64_t kRelieveEveryMs = 100;
// The same goes for telling all of them that memory fills, where its use goes up and down around that mark.
constexpr uint64_t kSweepEveryMs = 20;
constexpr uint64_t kTellEveryMs = 1'000;
// How long a client that is turned away has for its first byte. One that has connected to ask sends it within
// a round trip or two; longer would keep others from their answer.
constexpr uint64_t kTurnAwayMs = 2'000;
// A connection that has not asked for anything yet is idle after so long. Its client may be on a slow line
// and about to ask, and would get no answer at all.
constexpr uint64_t kFreshMs = 1'000;
// To find those that are idle for the longest all are looked at, so some are found at a time: one in so many,
// and some at least. Where none is idle the next look is a moment later.
constexpr size_t kIdleShare = 64;
constexpr size_t kLeastIdle = 16;
constexpr uint64_t kLookForIdleEveryMs = 20;
// Descriptors that are kept to tell clients that there are none: as many as are told at a time.
constexpr size_t kReserve = 8;

std::shared_ptr<const Listener> make_listener(uint32_t number, std::shared_ptr<const ListenerOptions> options,
                                              std::span<http::ProtocolFactory* const> all) {
  auto listener = std::make_shared<Listener>(number, std::move(options));
  for (const std::string& name : listener->options->protocols) {
    const auto found = std::ranges::find(all, name, &http::ProtocolFactory::name);
    ENSURE(found != all.end());  // the configuration names none that there is not
    listener->protocols.push_back(*found);
  }
  if (listener->protocols.empty()) listener->protocols.assign(all.begin(), all.end());
  if (const auto& counts = listener->options->counts) {
    listener->received = counts->received->own_cell();
    listener->sent = counts->sent->own_cell();
  }
  return listener;
}

// "192.0.2.1:443", "[2001:db8::1]:443"; empty for what has no port.
std::string text_of(const HostAddress& address, uint16_t port) {
  if (!address.is_ip()) return {};
  const bool six = address.kind() == HostAddress::Kind::Ipv6;
  return fmt::format("{}{}{}:{}", six ? "[" : "", address.text().view(), six ? "]" : "", port);
}

std::string_view or_somebody(std::string_view peer) { return peer.empty() ? "somebody who has left" : peer; }

void count(std::atomic<uint64_t>* bytes, int32_t more) {
  if (bytes != nullptr)
    bytes->store(bytes->load(std::memory_order_relaxed) + static_cast<uint64_t>(more),
                 std::memory_order_relaxed);
}

}  // namespace

// What a transport makes of wire bytes is the protocol's input.
class Connection::Sink final : public transport::PlainSink {
 public:
  explicit Sink(Connection& connection) : connection_(connection) {}
  void plain(std::string_view bytes) override { connection_.on_plain(bytes); }

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
  else if (listener_->options->transport)
    channel_ = std::make_unique<transport::Channel>(listener_->options->transport(), table.memory_);
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
  if (!had_place || enter(table_.crowded())) return;
  table_.seek_place(*this);
  if (state_ != State::TurnedAway || !asks) return;
  state_ = State::Open;
  protocol_->turn_away();
}

std::unique_ptr<http::Protocol> Connection::first_protocol() {
  const bool known = listener_->protocols.size() == 1 && !listener_->options->transport &&
                     !listener_->options->proxy_protocol;
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
  counted_ = table_.options_.addresses == nullptr || table_.options_.addresses->enter(group_, crowded);
  if (counted_) ++table_.places_;
  return counted_;
}

// It counts no longer.
void Connection::leave() {
  if (!std::exchange(counted_, false)) return;
  ENSURE(table_.places_ != 0);
  --table_.places_;
  if (table_.options_.addresses != nullptr) table_.options_.addresses->leave(group_);
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

Connections::NextTurnTimer::NextTurnTimer(Connections& owner)
    : net::Timer([](net::Timer& timer) { static_cast<NextTurnTimer&>(timer).table.give_turns(); }),
      table(owner) {}

Connections::EndedTimer::EndedTimer(Connections& owner)
    : net::Timer([](net::Timer& timer) { static_cast<EndedTimer&>(timer).table.close_ended(); }),
      table(owner) {}

Connections::MemoryCheckTimer::MemoryCheckTimer(Connections&) : net::Timer([](net::Timer&) {}) {}

Connections::Connections(net::Loop& loop, std::span<http::ProtocolFactory* const> protocols,
                         transport::OutputMemory memory, const http::Limits& limits,
                         const ConnectionOptions& options)
    : loop_(loop),
      memory_(memory),
      limits_(limits),
      options_(options),
      protocols_(protocols),
      soon_(*this),
      look_(*this),
      ended_(*this) {
  for (ListenerOptions& each : options_.listeners)
    set_listener(static_cast<uint32_t>(listeners_.size()),
                 std::make_shared<ListenerOptions>(std::move(each)));
  options_.listeners.clear();
  if (listeners_.empty()) set_listener(0, std::make_shared<ListenerOptions>());
  turning_all_away_ = !restore_reserve();
}

Connections::~Connections() {
  loop_.timers().stop(soon_);
  loop_.timers().stop(look_);
  loop_.timers().stop(ended_);
}

void Connections::take_up(const ConnectionOptions& options) {
  options_.most = options.most;
  options_.most_turned_away = options.most_turned_away;
  options_.send_timeout_ms = options.send_timeout_ms;
  options_.linger_timeout_ms = options.linger_timeout_ms;
  options_.doze_after_ms = options.doze_after_ms;
}

Connections::Known* Connections::find_listener(uint32_t number) {
  const auto found =
      std::ranges::find(listeners_, number, [](const Known& each) { return each.listener->number; });
  return found == listeners_.end() ? nullptr : &*found;
}

void Connections::set_listener(uint32_t number, std::shared_ptr<const ListenerOptions> options) {
  auto listener = make_listener(number, std::move(options), protocols_);
  if (Known* const known = find_listener(number)) {
    *known = {.listener = std::move(listener)};
  } else {
    listeners_.push_back({.listener = std::move(listener)});
    heard_of_ = std::max(heard_of_, number + 1);
  }
}

void Connections::hear_of(uint32_t number, std::shared_ptr<const ListenerOptions> options) {
  if (number >= heard_of_ && options != nullptr) set_listener(number, std::move(options));
}

std::shared_ptr<const ListenerOptions> Connections::listener_options(uint32_t number) {
  const Known* const known = find_listener(number);
  return known == nullptr ? nullptr : known->listener->options;
}

void Connections::end_listener(uint32_t number, uint64_t idle_until_ms, uint64_t until_ms) {
  Known* const known = find_listener(number);
  if (known == nullptr) return;
  known->ended = some_drain_ = true;
  known->idle_until_ms = idle_until_ms;
  known->until_ms = until_ms;
  sockets_.for_each([this](Connection& connection) { drain_if_due(connection); });
  if (!ended_.running() || until_ms < ended_.deadline_ms()) loop_.timers().start(ended_, until_ms);
}

// Also when it has received something: it may have another protocol by now, which was not told of it.
void Connections::drain_if_due(Connection& connection) {
  if (draining_until_ms_) return connection.drain(*draining_until_ms_);
  const Known* const known = find_listener(connection.listener());
  if (known != nullptr && known->ended) connection.drain(known->idle_until_ms);
}

void Connections::close_ended() {
  const uint64_t now = loop_.now_ms();
  uint64_t next = UINT64_MAX;
  some_drain_ = draining_until_ms_.has_value();
  std::erase_if(listeners_, [&](const Known& known) {
    if (!known.ended) return false;
    if (now < known.until_ms) {
      next = std::min(next, known.until_ms);
      some_drain_ = true;
      return false;
    }
    size_t left = 0;
    sockets_.for_each([&](Connection& connection) {
      if (connection.listener() != known.listener->number) return;
      connection.abandon();
      ++left;
    });
    if (left != 0)
      log::warn(
          "worker {}: {} that came by {}, which is listened on no more, {} closed at the end of "
          "server.drain_timeout",
          worker(), counted(left, "connection"), known.listener->options->name, left == 1 ? "is" : "are");
    return true;
  });
  if (next != UINT64_MAX) loop_.timers().start(ended_, next);
}

void Connections::open(Fd fd, uint32_t number) {
  const Known* const known = find_listener(number);
  if (known == nullptr) return;  // it ended, and so has the time that its connections had
  const HostAddress peer = net::peer_of(fd.get());
  const ListenerOptions& listener = *known->listener->options;
  const bool trusted = listener.trust != nullptr && listener.trust->trusts(peer);
  if (listener.proxy_protocol && !trusted) {
    log::limited(
        log::Level::Warn, {},
        "{}: a connection from {} is closed: it is not one of trusted_proxies, and only these may say by the "
        "PROXY protocol whose bytes they pass on",
        listener.name, or_somebody(peer.text().view()));
    return;
  }
  const uint64_t group = trusted ? 0 : peer.group();
  const bool may_enter = options_.addresses == nullptr || options_.addresses->enter(group, crowded());
  Connection& connection = sockets_.open([&](net::SocketId id) {
    return std::make_unique<Connection>(*this, id, std::move(fd), peer, trusted, may_enter, known->listener);
  });
  ++opened_;
  if (listener.counts != nullptr) listener.counts->opened->add(1);
  touch(connection);
  if (may_enter) ++places_;
  if (!may_enter || places_ > options_.most || turning_all_away_) newcomers_.push_back(connection.id().slot);
  if (some_drain_) [[unlikely]]
    drain_if_due(connection);
}

// Finds places for those that came when there was none, at the end of a turn, when everything that has come
// is known.
void Connections::make_room() {
  size_t gave_up = 0;
  for (const uint32_t slot : newcomers_) {
    Connection& newcomer = *sockets_.at(slot);
    if (newcomer.counted() || newcomer.turned_away) continue;
    if (turning_all_away_) {
      turn_away(newcomer);
    } else {
      seek_place(newcomer);
    }
  }
  while (!turning_all_away_ && places_ > options_.most && give_up_one(idle_)) ++gave_up;
  if (gave_up != 0)
    log::limited(log::Level::Warn, {},
                 "worker {}: limits.connections ({}) is reached: {} idle connection{} closed", worker(),
                 options_.most, gave_up, gave_up == 1 ? " was" : "s were");
  for (; places_ > options_.most || turning_all_away_; newcomers_.pop_back()) {
    if (newcomers_.empty()) break;
    Connection& latest = *sockets_.at(newcomers_.back());
    if (!latest.counted()) continue;
    if (!turning_all_away_)
      log::limited(
          log::Level::Warn, {},
          "worker {}: limits.connections ({}) is reached and none is idle: a new one is answered 503",
          worker(), options_.most);
    turn_away(latest);
  }
  newcomers_.clear();
}

// Its address has as many connections as it may: one that is idle goes, or this one.
void Connections::seek_place(Connection& connection) {
  const uint64_t group = connection.group();
  if (idle_of_one_.group != group) idle_of_one_ = {.group = group, .look_ms = idle_of_one_.look_ms};
  // In the place of another of its address, so it does not matter whether few are left.
  if (give_up_one(idle_of_one_) && connection.enter()) {
    log::limited(
        log::Level::Warn, {},
        "worker {}: {} has as many connections as one address may have (limits.connections_per_address): an "
        "idle one was closed",
        worker(), connection.client());
    return;
  }
  log::limited(log::Level::Warn, {},
               "worker {}: {} has as many connections as one address may have "
               "(limits.connections_per_address) and none "
               "is idle: a new one is answered 503",
               worker(), connection.client());
  turn_away(connection);
}

void Connections::turn_away(Connection& connection) {
  if (options_.turned_away != nullptr) options_.turned_away->add(1);
  // One address, which has enough, must not keep others from being told.
  if (!connection.counted() && turned_away_ >= options_.most_turned_away / 2) {
    connection.abandon();
    return;
  }
  connection.turned_away = true;
  ++turned_away_;
  connection.turn_away();
}

size_t Connections::give_up_idle(size_t count) {
  size_t gave_up = 0;
  while (gave_up < count && give_up_one(idle_)) ++gave_up;
  return gave_up;
}

// Closes the connection that has been idle for the longest. False when none is.
bool Connections::give_up_one(IdleList& list) {
  for (int look = 0; look < 2; ++look) {
    while (!list.found.empty()) {
      const Idle candidate = list.found.back();
      list.found.pop_back();
      Connection* const connection = sockets_.find(candidate.id);
      // Not if it has been of use since it was found, or if it is about to be.
      if (connection == nullptr || connection->idle_since_ms() != candidate.since_ms || !connection->silent())
        continue;
      if (options_.given_up != nullptr) options_.given_up->add(1);
      connection->abandon();
      return true;
    }
    if (look == 0) find_idle(list);
  }
  list.look_ms = loop_.now_ms() + kLookForIdleEveryMs;
  return false;
}

void Connections::find_idle(IdleList& list) {
  if (loop_.now_ms() < list.look_ms) return;
  sockets_.for_each([&](const Connection& connection) {
    if (list.group != 0 && connection.group() != list.group) return;
    const uint64_t since_ms = connection.idle_since_ms();
    if (since_ms != UINT64_MAX) list.found.push_back({since_ms, connection.id()});
  });
  const size_t some = std::min(list.found.size(), std::max(kLeastIdle, list.found.size() / kIdleShare));
  std::ranges::partial_sort(list.found, list.found.begin() + static_cast<std::ptrdiff_t>(some), {},
                            [](const Idle& each) { return std::pair(each.since_ms, each.id.slot); });
  list.found.resize(some);
  std::ranges::reverse(list.found);
  // Of one address's that are found, those of another may take the place before they are used up.
  if (list.group != 0) list.look_ms = loop_.now_ms() + kLookForIdleEveryMs;
}

bool Connections::use_reserve() {
  if (turning_all_away_) return false;
  reserve_.clear();
  turning_all_away_ = true;
  return true;
}

// All or none: what there is serves to turn clients away until then.
bool Connections::restore_reserve() {
  while (reserve_.size() < kReserve) {
    Fd kept(::eventfd(0, EFD_CLOEXEC));
    if (!kept) {
      reserve_.clear();
      return false;
    }
    reserve_.push_back(std::move(kept));
  }
  turning_all_away_ = false;
  return true;
}

void Connections::on_completion(const net::Completion& completion) {
  if (Connection* const connection = sockets_.find(completion.token)) {
    touch(*connection);
    connection->on_completion(completion);
    if (some_drain_) [[unlikely]]
      drain_if_due(*connection);
  }
  if (completion.buffer.id != net::Buffer::kNone) loop_.engine().release(completion.buffer.id);
}

void Connections::touch(const http::Protocol& protocol) { touch(*sockets_.at(protocol.owner())); }

void Connections::on_turn_end() {
  watch_memory();
  if (!newcomers_.empty()) [[unlikely]]
    make_room();
  settle_dirty();
  if (sockets_.has_parked()) {
    sockets_.unpark(loop_.engine().free_buffers(), [this](Connection& connection) { touch(connection); });
    settle_dirty();
  }
}

// Memory is short where more is used than is good: here, and in Protocol::wants_input().
void Connections::watch_memory() {
  const BlockPool& memory = memory_.blocks;
  const bool begins = memory.is_filling();
  if (!begins && !filling_ && memory.refusals() == refusals_told_) [[likely]]
    return;
  // It takes less to begin than to end, or all would be looked at whenever it goes up and down a little.
  const bool filling = begins || (filling_ && memory.used() > memory.most() / 8 * 3);
  if (filling != filling_) [[unlikely]] {
    const uint64_t now = loop_.now_ms();
    if (now >= swept_ms_ + kSweepEveryMs) {
      // Who receives only to notice that its peer leaves is to stop, or may go on.
      filling_ = filling;
      swept_ms_ = now;
      sockets_.for_each([this](Connection& connection) { touch(connection); });
    } else if (!look_.running()) {
      loop_.timers().start(look_, swept_ms_ + kSweepEveryMs);
    }
  }
  if (memory.refusals() != refusals_told_ || memory.is_short()) [[unlikely]]
    relieve();
}

// Who holds memory.
struct MemoryHolders {
  struct Sum {
    size_t connections = 0, bytes = 0;
    void add(size_t more) {
      ++connections;
      bytes += more;
    }
  };
  Sum answers;   // that are not read
  Sum requests;  // of which the rest does not come
  Sum waiting;   // input that came before its turn
  Sum others;    // that are being answered
};

// Takes memory back from those who let us wait, beginning with who has held the most for the longest, until
// a good part is free.
void Connections::relieve() {
  const uint64_t now = loop_.now_ms();
  if (!look_.running()) loop_.timers().start(look_, now + kRelieveEveryMs);
  if (now < relieved_ms_ + kRelieveEveryMs && relieved_ms_ != 0) return;
  relieved_ms_ = now;

  using Holds = Connection::HeldMemory::Holds;
  struct Candidate {
    uint64_t weight;
    Connection* connection;
    Holds holds;
    size_t bytes;
  };
  std::vector<Candidate> candidates;
  MemoryHolders relief;
  const BlockPool& memory = memory_.blocks;
  sockets_.for_each([&](Connection& connection) {
    if (const size_t bytes = connection.protocol().waiting_input(); bytes > 0) {
      relief.waiting.add(bytes);
      // More than one block of it is nobody's need.
      if (memory.is_short() && bytes > Block::kSize) {
        connection.give_up(Holds::Request);
        ++given_up_;
        return;
      }
    }
    const Connection::HeldMemory held_memory = connection.held_memory();
    if (held_memory.holds == Holds::Nothing || now < held_memory.since_ms + kGraceMs) {
      if (const size_t bytes = connection.protocol().footprint(); bytes != 0) relief.others.add(bytes);
      return;
    }
    (held_memory.holds == Holds::Answer ? relief.answers : relief.requests).add(held_memory.bytes);
    if (memory.is_short() && held_memory.bytes != 0)
      candidates.push_back({(now - held_memory.since_ms) * held_memory.bytes, &connection, held_memory.holds,
                            held_memory.bytes});
  });
  std::ranges::sort(candidates, std::greater(), &Candidate::weight);
  // What is taken back here comes back when its sends have ended.
  const size_t enough = memory.most() / 2;
  size_t left = memory.used();
  for (const Candidate& candidate : candidates) {
    if (left <= enough) break;
    left -= std::min(left, candidate.bytes);
    candidate.connection->give_up(candidate.holds);
    ++given_up_;
  }
  tell_of_memory(relief);
}

void Connections::tell_of_memory(const MemoryHolders& relief) {
  const uint64_t now = loop_.now_ms();
  const BlockPool& memory = memory_.blocks;
  const size_t refused = memory.refusals() - refusals_told_;
  if ((refused == 0 && given_up_ == 0) || (now < told_ms_ + kTellEveryMs && told_ms_ != 0)) return;
  told_ms_ = now;
  refusals_told_ = memory.refusals();
  const size_t given_up = std::exchange(given_up_, 0);
  std::string holders;
  const auto tell = [&holders](const MemoryHolders::Sum& sum, std::string_view what) {
    if (sum.bytes != 0)
      holders += fmt::format("{}{} {}: {} KiB", holders.empty() ? "" : ", ",
                             counted(sum.connections, "connection"), what, sum.bytes / 1024);
  };
  tell(relief.answers, "with answers that are not read");
  tell(relief.requests, "with requests whose rest does not come");
  tell(relief.waiting, "with requests ahead of their turn");
  tell(relief.others, "with requests under way");
  if (holders.empty()) holders = "no connection holds any now";
  log::warn(
      "out of memory: worker {} uses {} of {} KiB of limits.memory; {}; refused {} times, took back from {}",
      worker(), memory.used() / 1024, memory.most() / 1024, holders, refused, given_up);
}

void Connections::settle_dirty() {
  // Settling may touch others (a service may answer one exchange from another's end), so the list is walked
  // in rounds until nothing is left.
  while (!dirty_.empty()) {
    settling_.swap(dirty_);
    for (const uint32_t slot : settling_) {
      Connection* connection = sockets_.at(slot);
      if (connection == nullptr) continue;  // it ended in an earlier round
      connection->dirty = false;
      if (connection->settle()) free(slot);
    }
    settling_.clear();
  }
}

void Connections::wait_turn(Connection& connection) {
  if (connection.waiting_turn) return;
  connection.waiting_turn = true;
  waiting_turn_.push_back(connection.protocol().owner());
  loop_.timers().start(soon_, loop_.now_ms());
}

void Connections::give_turns() {
  std::vector<uint32_t> turns;
  turns.swap(waiting_turn_);
  for (const uint32_t slot : turns) {
    Connection* connection = sockets_.at(slot);
    if (connection == nullptr || !connection->waiting_turn) continue;
    connection->waiting_turn = false;
    connection->take_turn();
    touch(*connection);
  }
}

void Connections::drain_all(uint64_t idle_until_ms) {
  draining_until_ms_ = idle_until_ms;
  some_drain_ = true;
  sockets_.for_each([idle_until_ms](Connection& connection) { connection.drain(idle_until_ms); });
}

void Connections::abandon_all() {
  sockets_.for_each([](Connection& connection) { connection.abandon(); });
}

void Connections::free(uint32_t slot) {
  const Connection& ended = *sockets_.at(slot);
  ENSURE(!ended.counted());
  if (ended.turned_away) --turned_away_;
  if (const auto& counts = ended.listener_counts()) counts->closed->add(1);
  sockets_.free(slot);
  if (sockets_.count() == 0) loop_.timers().stop(look_);
}

}  // namespace leat::worker
