#include "worker/connection.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
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
#include "worker/address_counts.h"

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

}  // namespace

Connection::Deadline::Deadline(Connection& owner)
    : net::Timer([](net::Timer& timer) { static_cast<Deadline&>(timer).connection.on_timer(); }),
      connection(owner) {}

Connection::Connection(Connections& table, uint32_t slot, uint32_t generation, Fd fd,
                       const net::PeerAddress& peer, bool has_place)
    : table_(table),
      slot_(slot),
      generation_(generation),
      fd_(std::move(fd)),
      has_place_(has_place),
      idle_since_ms_(table.loop_.now_ms()),
      timer_(*this),
      peer_(peer),
      protocol_(table.protocols_.make({.address = peer_.text(), .owner = slot})) {}

Connection::~Connection() {
  ENSURE(!in_flight());
  table_.loop_.timers().stop(timer_);
}

void Connection::on_completion(const net::Completion& completion) {
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
  if (!completion.armed) receiving_ = cancelling_ = false;
  const int32_t result = completion.result;
  if (result > 0) {
    if (state_ == State::TurnedAway) {
      state_ = State::Open;
      protocol_->turn_away();
    } else if (state_ == State::Open) {
      idle_since_ms_ = table_.loop_.now_ms();
      dozing_ = false;  // the receive that it was to give up has come to something
      protocol_->feed({completion.buffer.data, completion.buffer.size});
    }
  } else if (result == 0) {
    peer_ended_ = true;
    if (state_ == State::Open) protocol_->feed_end();
    if (state_ == State::Lingering || state_ == State::TurnedAway) begin_close(false);
  } else if (result == -ENOBUFS) {
    table_.park(*this);
  } else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
    begin_close(false);
  }
}

void Connection::on_sent(int32_t result) {
  sending_ = false;
  if (result >= 0) {
    if (state_ != State::Open) return;
    protocol_->sent(static_cast<size_t>(result));
    if (protocol_->idle()) idle_since_ms_ = table_.loop_.now_ms();
  } else if (result != -EINTR && result != -EAGAIN) {
    begin_close(false);
  }
}

void Connection::on_polled(int32_t events) {
  polling_ = cancelling_ = false;
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
  } else if (sending_ && now >= send_since_ms_ + table_.options_.send_timeout_ms) {
    begin_close(true);
  } else if (state_ == State::Open) {
    if (now >= protocol_->deadline_ms()) protocol_->deadline_passed();
    if (protocol_->idle() && table_.options_.doze_after_ms != 0 &&
        now >= idle_since_ms_ + table_.options_.doze_after_ms)
      dozing_ = true;
  }
  table_.touch(*this);
}

Connection::Idler Connection::idler() const {
  if (state_ == State::Closing) return {};
  using Holds = Idler::Holds;
  if (sending_) return {Holds::Answer, send_since_ms_, protocol_->footprint()};
  const uint64_t owed_since_ms = protocol_->owed_since_ms();
  if (owed_since_ms == UINT64_MAX) return {};
  return {Holds::Request, owed_since_ms, protocol_->footprint()};
}

void Connection::give_up(Idler::Holds what) {
  if (what == Idler::Holds::Answer) begin_close(true);
  if (what == Idler::Holds::Request) protocol_->give_up_input();
  table_.touch(*this);
}

bool Connection::settle() {
  if (state_ == State::Open) {
    if (protocol_->wants_turn()) table_.wait_turn(*this);
    send_output();
    if (protocol_->finished() && !sending_ && protocol_->output().empty()) finish();
  }
  if (state_ == State::Closing) return !in_flight();
  steer_receive();
  set_timer();
  return false;
}

void Connection::send_output() {
  if (sending_ || protocol_->output().empty()) return;
  std::array<std::string_view, net::Engine::kMostParts> pieces;
  std::array<iovec, net::Engine::kMostParts> parts;
  const size_t count = protocol_->output().gather(pieces);
  size_t used = 0;
  size_t left = kMostSend;
  for (; used < count && left > 0; ++used) {
    const size_t size = std::min(pieces[used].size(), left);
    parts[used] = {const_cast<char*>(pieces[used].data()), size};
    left -= size;
  }
  table_.loop_.engine().send(token(net::Op::Send), fd_.get(), std::span(parts).first(used));
  sending_ = true;
  send_since_ms_ = table_.loop_.now_ms();
}

// Starts or stops receiving as the protocol wants it.
void Connection::steer_receive() {
  if (peer_ended_) return;
  net::Engine& engine = table_.loop_.engine();
  const bool wanted = state_ == State::Lingering || protocol_->wants_input();
  if (receiving_) {
    if ((!wanted || dozing_) && !cancelling_) {
      engine.cancel(token(net::Op::Receive));
      cancelling_ = true;
    }
  } else if (polling_) {
    if (watching_ && wanted && !cancelling_) {
      engine.cancel(token(net::Op::Poll));
      cancelling_ = true;
    }
  } else if (!wanted) {
    watch_end();
  } else {
    unread_since_ms_ = 0;
    if (parked) return;
    if (dozing_) {
      engine.poll(token(net::Op::Poll), fd_.get());
      polling_ = true;
    } else {
      engine.receive(token(net::Op::Receive), fd_.get());
      receiving_ = true;
    }
  }
}

// A peer may leave behind bytes that it was not received from for: a poll tells of that, once it has been so
// for long enough.
void Connection::watch_end() {
  const uint64_t now = table_.loop_.now_ms();
  if (unread_since_ms_ == 0) unread_since_ms_ = now;
  if (now < watch_end_ms()) return;
  table_.loop_.engine().poll_end(token(net::Op::Poll), fd_.get());
  polling_ = watching_ = true;
}

// When to. Not during a send, which fails where the peer has gone, and not once its end is known.
uint64_t Connection::watch_end_ms() const {
  const bool watch = unread_since_ms_ != 0 && !in_flight() && !protocol_->half_closed();
  return watch ? unread_since_ms_ + kWatchEndAfterMs : UINT64_MAX;
}

void Connection::set_timer() {
  uint64_t next = protocol_->deadline_ms();
  if (state_ == State::Lingering || state_ == State::TurnedAway) next = linger_until_ms_;
  if (sending_) next = std::min(next, send_since_ms_ + table_.options_.send_timeout_ms);
  if (state_ == State::Open && !dozing_ && table_.options_.doze_after_ms != 0 && protocol_->idle())
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
  if (protocol_->cut() || !protocol_->linger() || peer_ended_) {
    begin_close(protocol_->cut());
    return;
  }
  ::shutdown(fd_.get(), SHUT_WR);
  state_ = State::Lingering;
  linger_until_ms_ = table_.loop_.now_ms() + table_.options_.linger_timeout_ms;
}

void Connection::drain() {
  if (state_ == State::TurnedAway) return;  // it is about to end
  protocol_->drain();
  table_.touch(*this);
}

void Connection::turn_away() {
  if (state_ != State::Open || protocol_->finished()) return;
  state_ = State::TurnedAway;
  linger_until_ms_ = table_.loop_.now_ms() + kTurnAwayMs;
  give_place();
  table_.touch(*this);
}

uint64_t Connection::idle_since_ms() const {
  if (state_ != State::Open || sending_ || peer_ended_ || !protocol_->idle()) return UINT64_MAX;
  const bool fresh = protocol_->requests() == 0 && table_.loop_.now_ms() < idle_since_ms_ + kFreshMs;
  return fresh ? UINT64_MAX : idle_since_ms_;
}

bool Connection::silent() const {
  int unread = 0;
  return ::ioctl(fd_.get(), FIONREAD, &unread) == 0 && unread == 0;
}

bool Connection::take_place() {
  if (state_ != State::Open) return false;
  // In the place of another of its address, so it does not matter whether few are left.
  has_place_ = table_.options_.addresses->enter(peer_.group);
  if (has_place_) ++table_.places_;
  return has_place_;
}

// It counts no longer.
void Connection::give_place() {
  if (!std::exchange(has_place_, false)) return;
  --table_.places_;
  if (table_.options_.addresses != nullptr) table_.options_.addresses->leave(peer_.group);
}

// From here on nothing is started; settle() waits until the last operation has completed. With `reset` the
// peer gets an RST in place of an orderly end, so that it cannot take a cut answer for a whole one.
void Connection::begin_close(bool reset) {
  if (state_ == State::Closing) return;
  state_ = State::Closing;
  give_place();
  protocol_->disconnect();
  table_.loop_.timers().stop(timer_);
  table_.touch(*this);
  if (reset) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  if (!in_flight()) return;
  // The ring holds a reference to the socket while an operation is in flight, so that closing the descriptor
  // would tell the peer nothing. A shutdown does, and it ends the operations; it is no way to a reset,
  // though.
  if (!reset && ::shutdown(fd_.get(), SHUT_RDWR) == 0) return;
  net::Engine& engine = table_.loop_.engine();
  if (receiving_) engine.cancel(token(net::Op::Receive));
  if (polling_) engine.cancel(token(net::Op::Poll));
  if (sending_) engine.cancel(token(net::Op::Send));
}

Connections::Soon::Soon(Connections& owner)
    : net::Timer([](net::Timer& timer) { static_cast<Soon&>(timer).table.give_turns(); }), table(owner) {}

Connections::Look::Look(Connections&) : net::Timer([](net::Timer&) {}) {}

Connections::Connections(net::Loop& loop, http::ProtocolFactory& protocols, BlockPool& memory,
                         const ConnectionOptions& options)
    : loop_(loop), protocols_(protocols), memory_(memory), options_(options), soon_(*this), look_(*this) {
  turning_all_away_ = !restore_reserve();
}

Connections::~Connections() {
  ENSURE(count_ == 0);
  loop_.timers().stop(soon_);
  loop_.timers().stop(look_);
}

void Connections::open(Fd fd) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Slot& entry = slots_[slot];
  const net::PeerAddress peer = net::peer_of(fd.get());
  const bool may_enter = options_.addresses == nullptr || options_.addresses->enter(peer.group, crowded());
  entry.connection =
      std::make_unique<Connection>(*this, slot, entry.generation, std::move(fd), peer, may_enter);
  Connection& connection = *entry.connection;
  ++count_;
  ++opened_;
  if (options_.opened != nullptr) options_.opened->add(1);
  touch(connection);
  if (may_enter) ++places_;
  if (!may_enter || places_ > options_.most || turning_all_away_) newcomers_.push_back(slot);
}

// Finds places for those that came when there was none, at the end of a turn, when everything that has come
// is known.
void Connections::make_room() {
  size_t gave_up = 0;
  for (const uint32_t slot : newcomers_) {
    Connection& newcomer = *slots_[slot].connection;
    if (newcomer.has_place()) continue;
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
    Connection& latest = *slots_[newcomers_.back()].connection;
    if (!latest.has_place()) continue;
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
  const uint64_t group = connection.peer().group;
  if (idle_of_one_.group != group) idle_of_one_ = {.group = group, .look_ms = idle_of_one_.look_ms};
  if (give_up_one(idle_of_one_) && connection.take_place()) {
    log::limited(
        log::Level::Warn, {},
        "worker {}: {} has as many connections as one address may (limits.connections_per_address): an "
        "idle one was closed",
        worker(), connection.peer().text());
    return;
  }
  log::limited(
      log::Level::Warn, {},
      "worker {}: {} has as many connections as one address may (limits.connections_per_address) and none "
      "is idle: a new one is answered 503",
      worker(), connection.peer().text());
  turn_away(connection);
}

void Connections::turn_away(Connection& connection) {
  if (options_.turned_away != nullptr) options_.turned_away->add(1);
  // One address, which has enough, must not keep others from being told.
  if (!connection.has_place() && turned_away_ >= options_.most_turned_away / 2) {
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
      const Slot& slot = slots_[candidate.slot];
      // Not if it has been of use since it was found, or if it is about to be.
      if (slot.connection == nullptr || slot.generation != candidate.generation ||
          slot.connection->idle_since_ms() != candidate.since_ms || !slot.connection->silent())
        continue;
      if (options_.given_up != nullptr) options_.given_up->add(1);
      slot.connection->abandon();
      return true;
    }
    if (look == 0) find_idle(list);
  }
  list.look_ms = loop_.now_ms() + kLookForIdleEveryMs;
  return false;
}

void Connections::find_idle(IdleList& list) {
  if (loop_.now_ms() < list.look_ms) return;
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    const Connection* const connection = slots_[slot].connection.get();
    if (connection == nullptr || (list.group != 0 && connection->peer().group != list.group)) continue;
    const uint64_t since_ms = connection->idle_since_ms();
    if (since_ms != UINT64_MAX) list.found.push_back({since_ms, slot, slots_[slot].generation});
  }
  const size_t some = std::min(list.found.size(), std::max(kLeastIdle, list.found.size() / kIdleShare));
  std::ranges::partial_sort(list.found, list.found.begin() + static_cast<std::ptrdiff_t>(some), {},
                            [](const Idle& each) { return std::pair(each.since_ms, each.slot); });
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
  const uint32_t slot = completion.token.slot();
  if (slot < slots_.size() && slots_[slot].connection != nullptr &&
      slots_[slot].generation == completion.token.generation()) {
    Connection& connection = *slots_[slot].connection;
    touch(connection);
    connection.on_completion(completion);
    if (draining_) connection.drain();  // it may have been accepted since
  }
  if (completion.buffer.id != net::Buffer::kNone) loop_.engine().release(completion.buffer.id);
}

void Connections::touch(Connection& connection) {
  if (connection.dirty) return;
  connection.dirty = true;
  dirty_.push_back(connection.protocol().owner());
}

void Connections::touch(const http::Protocol& protocol) { touch(*slots_[protocol.owner()].connection); }

void Connections::on_turn_end() {
  watch_memory();
  if (!newcomers_.empty()) [[unlikely]]
    make_room();
  settle_dirty();
  if (!parked_.empty()) {
    unpark();
    settle_dirty();
  }
}

// Memory is short where more is used than is good: here, and in Protocol::wants_input().
void Connections::watch_memory() {
  const BlockPool& memory = memory_;
  // It takes less to begin than to end, or all would be looked at whenever it goes up and down a little.
  const bool filling = memory.is_filling() || (filling_ && memory.used() > memory.most() / 8 * 3);
  if (filling != filling_) [[unlikely]] {
    const uint64_t now = loop_.now_ms();
    if (now >= swept_ms_ + kSweepEveryMs) {
      // Who receives only to notice that its peer leaves is to stop, or may go on.
      filling_ = filling;
      swept_ms_ = now;
      for (const Slot& slot : slots_)
        if (slot.connection != nullptr) touch(*slot.connection);
    } else if (!look_.running()) {
      loop_.timers().start(look_, swept_ms_ + kSweepEveryMs);
    }
  }
  if (memory.refusals() != refusals_told_ || memory.is_short()) [[unlikely]]
    relieve();
}

// Who holds memory.
struct Relief {
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

  using Holds = Connection::Idler::Holds;
  struct Candidate {
    uint64_t weight;
    uint32_t slot;
    Holds holds;
    size_t bytes;
  };
  std::vector<Candidate> candidates;
  Relief relief;
  const BlockPool& memory = memory_;
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    Connection* const connection = slots_[slot].connection.get();
    if (connection == nullptr) continue;
    if (const size_t bytes = connection->protocol().waiting_input(); bytes > 0) {
      relief.waiting.add(bytes);
      // More than one block of it is nobody's need.
      if (memory.is_short() && bytes > Block::kSize) {
        connection->give_up(Holds::Request);
        ++given_up_;
        continue;
      }
    }
    const Connection::Idler idler = connection->idler();
    if (idler.holds == Holds::Nothing || now < idler.since_ms + kGraceMs) {
      if (const size_t bytes = connection->protocol().footprint(); bytes != 0) relief.others.add(bytes);
      continue;
    }
    (idler.holds == Holds::Answer ? relief.answers : relief.requests).add(idler.bytes);
    if (memory.is_short() && idler.bytes != 0)
      candidates.push_back({(now - idler.since_ms) * idler.bytes, slot, idler.holds, idler.bytes});
  }
  std::ranges::sort(candidates, std::greater(), &Candidate::weight);
  // What is taken back here comes back when its sends have ended.
  const size_t enough = memory.most() / 2;
  size_t left = memory.used();
  for (const Candidate& candidate : candidates) {
    if (left <= enough) break;
    left -= std::min(left, candidate.bytes);
    slots_[candidate.slot].connection->give_up(candidate.holds);
    ++given_up_;
  }
  tell_of_memory(relief);
}

void Connections::tell_of_memory(const Relief& relief) {
  const uint64_t now = loop_.now_ms();
  const BlockPool& memory = memory_;
  const size_t refused = memory.refusals() - refusals_told_;
  if ((refused == 0 && given_up_ == 0) || (now < told_ms_ + kTellEveryMs && told_ms_ != 0)) return;
  told_ms_ = now;
  refusals_told_ = memory.refusals();
  const size_t given_up = std::exchange(given_up_, 0);
  std::string holders;
  const auto tell = [&holders](const Relief::Sum& sum, std::string_view what) {
    if (sum.bytes != 0)
      holders += fmt::format("{}{} connections {} hold {} KiB", holders.empty() ? "" : ", ", sum.connections,
                             what, sum.bytes / 1024);
  };
  tell(relief.answers, "that do not read their answers");
  tell(relief.requests, "that do not send the rest of their requests");
  tell(relief.waiting, "that send ahead of their turn");
  tell(relief.others, "whose requests are under way");
  if (holders.empty()) holders = "no connection holds any now";
  log::warn(
      "memory is out: worker {} uses {} of {} KiB of limits.memory; {}; refused {} times, took back from {}",
      worker(), memory.used() / 1024, memory.most() / 1024, holders, refused, given_up);
}

void Connections::settle_dirty() {
  // Settling may touch others (a service may answer one exchange from another's end), so the list is walked
  // in rounds until nothing is left.
  while (!dirty_.empty()) {
    settling_.swap(dirty_);
    for (const uint32_t slot : settling_) {
      Connection* connection = slots_[slot].connection.get();
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
    Connection* connection = slots_[slot].connection.get();
    if (connection == nullptr || !connection->waiting_turn) continue;
    connection->waiting_turn = false;
    connection->protocol().take_turn();
    touch(*connection);
  }
}

void Connections::park(Connection& connection) {
  if (connection.parked) return;
  connection.parked = true;
  parked_.push_back(connection.protocol().owner());
}

// Lets as many parked connections receive as there are buffers: more would only fail again at once.
void Connections::unpark() {
  const size_t count = std::min<size_t>(parked_.size(), loop_.engine().free_buffers());
  for (size_t i = 0; i < count; ++i) {
    Connection* connection = slots_[parked_[i]].connection.get();
    if (connection == nullptr || !connection->parked) continue;
    connection->parked = false;
    touch(*connection);
  }
  parked_.erase(parked_.begin(), parked_.begin() + static_cast<std::ptrdiff_t>(count));
}

void Connections::drain_all() {
  draining_ = true;
  for (Slot& slot : slots_)
    if (slot.connection) slot.connection->drain();
}

void Connections::abandon_all() {
  for (Slot& slot : slots_)
    if (slot.connection) slot.connection->abandon();
}

void Connections::free(uint32_t slot) {
  if (slots_[slot].connection->turned_away) --turned_away_;
  slots_[slot].connection.reset();
  slots_[slot].generation = (slots_[slot].generation + 1) & 0xffffff;
  free_slots_.push_back(slot);
  if (--count_ == 0) loop_.timers().stop(look_);
  if (options_.closed != nullptr) options_.closed->add(1);
}

}  // namespace leat::worker
