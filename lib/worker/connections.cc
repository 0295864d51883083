#include "worker/connections.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/units.h"

namespace leat::worker {

Connections::NextTurnTimer::NextTurnTimer(Connections& owner)
    : net::Timer([](net::Timer& timer) { static_cast<NextTurnTimer&>(timer).table.give_turns(); }),
      table(owner) {}

Connections::EndedTimer::EndedTimer(Connections& owner)
    : net::Timer([](net::Timer& timer) { static_cast<EndedTimer&>(timer).table.close_ended(); }),
      table(owner) {}

Connections::Connections(net::Loop& loop, std::span<http::ProtocolFactory* const> protocols,
                         transport::OutputMemory memory, const http::Limits& limits,
                         const ConnectionOptions& options)
    : loop_(loop),
      memory_(memory),
      limits_(limits),
      options_(options),
      listeners_(protocols, [&loop] { return loop.now_ns(); }),
      places_(loop, sockets_, options_),
      relief_(loop, memory.blocks, sockets_, options.worker),
      soon_(*this),
      ended_(*this) {
  for (ListenerOptions& each : options_.listeners)
    listeners_.set(listeners_.count(), std::make_shared<ListenerOptions>(std::move(each)));
  options_.listeners.clear();
  if (listeners_.count() == 0) listeners_.set(0, std::make_shared<ListenerOptions>());
}

Connections::~Connections() {
  loop_.timers().stop(soon_);
  loop_.timers().stop(ended_);
}

void Connections::take_up(const ConnectionOptions& options) {
  options_.most = options.most;
  options_.most_turned_away = options.most_turned_away;
  options_.send_timeout_ms = options.send_timeout_ms;
  options_.linger_timeout_ms = options.linger_timeout_ms;
  options_.doze_after_ms = options.doze_after_ms;
}

void Connections::end_listener(uint32_t number, uint64_t idle_until_ms, uint64_t until_ms) {
  Listeners::Known* const known = listeners_.find(number);
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
  const Listeners::Known* const known = listeners_.find(connection.listener());
  if (known != nullptr && known->ended) connection.drain(known->idle_until_ms);
}

void Connections::close_ended() {
  const uint64_t next_ms = listeners_.forget_ended(loop_.now_ms(), [this](const Listener& gone) {
    size_t left = 0;
    sockets_.for_each([&](Connection& connection) {
      if (connection.listener() != gone.number) return;
      connection.abandon();
      ++left;
    });
    if (left != 0)
      log::warn(
          "worker {}: {} that came by {}, which is listened on no more, {} closed at the end of "
          "server.drain_timeout",
          options_.worker, counted(left, "connection"), gone.options->name, left == 1 ? "is" : "are");
  });
  const bool others = next_ms != UINT64_MAX;
  some_drain_ = others || draining_until_ms_.has_value();
  if (others) loop_.timers().start(ended_, next_ms);
}

void Connections::open(Fd fd, uint32_t number) {
  const Listeners::Known* const known = listeners_.find(number);
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
  const bool has_place = places_.take(trusted ? 0 : peer.group(), places_.crowded());
  Connection& connection = sockets_.open([&](net::SocketId id) {
    return std::make_unique<Connection>(*this, id, std::move(fd), peer, trusted, has_place, known->listener);
  });
  ++opened_;
  if (listener.counts != nullptr) listener.counts->opened->add(1);
  touch(connection);
  places_.add(connection);
  if (some_drain_) [[unlikely]]
    drain_if_due(connection);
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
  if (relief_.on_turn_end()) [[unlikely]]
    sockets_.for_each([this](Connection& connection) { touch(connection); });
  places_.on_turn_end();
  settle_dirty();
  if (sockets_.has_parked()) {
    sockets_.unpark(loop_.engine().free_buffers(), [this](Connection& connection) { touch(connection); });
    settle_dirty();
  }
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
  places_.forget(ended);
  if (const auto& counts = ended.listener_counts()) counts->closed->add(1);
  sockets_.free(slot);
  if (sockets_.count() == 0) relief_.rest();
}

}  // namespace leat::worker
