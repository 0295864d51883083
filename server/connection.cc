#include "server/connection.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "net/listener.h"

namespace leat::server {

namespace {

// The bytes of one send. It completes when all of them have gone, and only then is there progress to see:
// what is sent at once is the least that a peer must take in a send timeout. Half as much would cost large
// answers turns, twice as much would take a client on a slow line for one that has gone.
constexpr size_t kMostSend = size_t{256} * 1024;

// When memory is short, a peer that has made no progress for so long is one that lets us wait. Half of it is
// what a line around the world takes for an answer and its acknowledgement; twice it would be time in which
// others are refused.
constexpr uint64_t kGraceMs = 250;
// All connections are looked at to find those, so not in every turn.
constexpr uint64_t kLookEveryMs = 100;
// The same goes for telling all of them that memory fills, where its use goes up and down around that mark.
constexpr uint64_t kSweepEveryMs = 20;
constexpr uint64_t kTellEveryMs = 1'000;

}  // namespace

Connection::Deadline::Deadline(Connection& owner)
    : net::Timer([](net::Timer& timer) { static_cast<Deadline&>(timer).connection.on_timer(); }),
      connection(owner) {}

Connection::Connection(Connections& table, uint32_t slot, uint32_t generation, Fd fd)
    : table_(table),
      slot_(slot),
      generation_(generation),
      fd_(std::move(fd)),
      idle_since_ms_(table.loop_.now_ms()),
      timer_(*this),
      peer_size_(static_cast<uint8_t>(net::peer_text(fd_.get(), peer_))),
      session_(table.http_, {peer_.data(), peer_size_}, slot) {}

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
      polling_ = cancelling_ = dozing_ = false;
      idle_since_ms_ = table_.loop_.now_ms();
      break;
    default:
      break;
  }
}

void Connection::on_received(const net::Completion& completion) {
  if (!completion.armed) receiving_ = cancelling_ = false;
  const int32_t result = completion.result;
  if (result > 0) {
    if (state_ == State::Open) {
      idle_since_ms_ = table_.loop_.now_ms();
      dozing_ = false;  // the receive that it was to give up has come to something
      session_.feed({completion.buffer.data, completion.buffer.size});
    }
  } else if (result == 0) {
    peer_ended_ = true;
    if (state_ == State::Open) session_.feed_end();
    if (state_ == State::Lingering) begin_close(false);
  } else if (result == -ENOBUFS) {
    table_.park(*this);
  } else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
    begin_close(false);
  }
}

void Connection::on_sent(int32_t result) {
  sending_ = false;
  if (result >= 0) {
    if (state_ == State::Open) session_.sent(static_cast<size_t>(result));
  } else if (result != -EINTR && result != -EAGAIN) {
    begin_close(false);
  }
}

void Connection::on_timer() {
  const uint64_t now = table_.loop_.now_ms();
  if (state_ == State::Lingering && now >= linger_until_ms_) {
    begin_close(false);
  } else if (sending_ && now >= send_since_ms_ + table_.options_.send_timeout_ms) {
    begin_close(true);
  } else if (state_ == State::Open) {
    if (now >= session_.deadline_ms()) session_.deadline_passed();
    if (session_.idle() && table_.options_.doze_after_ms != 0 &&
        now >= idle_since_ms_ + table_.options_.doze_after_ms)
      dozing_ = true;
  }
  table_.touch(*this);
}

Connection::Idler Connection::idler() const {
  if (state_ == State::Closing) return {};
  using Holds = Idler::Holds;
  if (sending_) return {Holds::Answer, send_since_ms_, session_.footprint()};
  const uint64_t owed_since_ms = session_.owed_since_ms();
  if (owed_since_ms == UINT64_MAX) return {};
  return {Holds::Request, owed_since_ms, session_.footprint()};
}

void Connection::give_up(Idler::Holds what) {
  if (what == Idler::Holds::Answer) begin_close(true);
  if (what == Idler::Holds::Request) session_.give_up_input();
  table_.touch(*this);
}

bool Connection::settle() {
  if (state_ == State::Open) {
    if (session_.wants_turn()) table_.wait_turn(*this);
    send_output();
    if (session_.finished() && !sending_ && session_.output().empty()) finish();
  }
  if (state_ == State::Closing) return !in_flight();
  steer_receive();
  set_timer();
  return false;
}

void Connection::send_output() {
  if (sending_ || session_.output().empty()) return;
  std::array<std::string_view, net::Engine::kMostParts> pieces;
  std::array<iovec, net::Engine::kMostParts> parts;
  const size_t count = session_.output().gather(pieces);
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

// Starts or stops receiving as the session wants it.
void Connection::steer_receive() {
  if (peer_ended_) return;
  net::Engine& engine = table_.loop_.engine();
  const bool wanted = state_ == State::Lingering || session_.wants_input();
  if (receiving_) {
    if ((!wanted || dozing_) && !cancelling_) {
      engine.cancel(token(net::Op::Receive));
      cancelling_ = true;
    }
  } else if (wanted && !polling_ && !parked) {
    if (dozing_) {
      engine.poll(token(net::Op::Poll), fd_.get());
      polling_ = true;
    } else {
      engine.receive(token(net::Op::Receive), fd_.get());
      receiving_ = true;
    }
  }
}

void Connection::set_timer() {
  uint64_t next = session_.deadline_ms();
  if (state_ == State::Lingering) next = linger_until_ms_;
  if (sending_) next = std::min(next, send_since_ms_ + table_.options_.send_timeout_ms);
  if (!dozing_ && table_.options_.doze_after_ms != 0 && session_.idle())
    next = std::min(next, idle_since_ms_ + table_.options_.doze_after_ms);
  if (next == UINT64_MAX) {
    table_.loop_.timers().stop(timer_);
  } else {
    table_.loop_.timers().start(timer_, next);
  }
}

// The last byte is with the kernel: ends the connection in the way its session asks for.
void Connection::finish() {
  if (session_.cut() || !session_.linger() || peer_ended_) {
    begin_close(session_.cut());
    return;
  }
  ::shutdown(fd_.get(), SHUT_WR);
  state_ = State::Lingering;
  linger_until_ms_ = table_.loop_.now_ms() + table_.options_.linger_timeout_ms;
}

void Connection::drain() {
  session_.drain();
  table_.touch(*this);
}

// From here on nothing is started; settle() waits until the last operation has completed. With `reset` the
// peer gets an RST in place of an orderly end, so that it cannot take a cut answer for a whole one.
void Connection::begin_close(bool reset) {
  if (state_ == State::Closing) return;
  state_ = State::Closing;
  session_.disconnect();
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

Connections::Connections(net::Loop& loop, http::SessionEnvironment& http, const ConnectionOptions& options)
    : loop_(loop), http_(http), options_(options), soon_(*this), look_(*this) {}

Connections::~Connections() {
  ENSURE(count_ == 0);
  loop_.timers().stop(soon_);
  loop_.timers().stop(look_);
}

bool Connections::open(Fd fd) {
  if (full()) return false;
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Slot& entry = slots_[slot];
  entry.connection = std::make_unique<Connection>(*this, slot, entry.generation, std::move(fd));
  ++count_;
  ++opened_;
  if (options_.opened != nullptr) options_.opened->add(1);
  touch(*entry.connection);
  return true;
}

void Connections::on_completion(const net::Completion& completion) {
  const uint32_t slot = completion.token.slot();
  if (slot < slots_.size() && slots_[slot].connection != nullptr &&
      slots_[slot].generation == completion.token.generation()) {
    touch(*slots_[slot].connection);
    slots_[slot].connection->on_completion(completion);
  }
  if (completion.buffer.id != net::Buffer::kNone) loop_.engine().release(completion.buffer.id);
}

void Connections::touch(Connection& connection) {
  if (connection.dirty) return;
  connection.dirty = true;
  dirty_.push_back(connection.session().owner());
}

void Connections::touch(http::Session& session) { touch(*slots_[session.owner()].connection); }

void Connections::on_turn_end() {
  watch_memory();
  settle_dirty();
  if (!parked_.empty()) {
    unpark();
    settle_dirty();
  }
}

// Memory is short where more is used than is good: here, and in Session::wants_input().
void Connections::watch_memory() {
  const BlockPool& memory = http_.memory.blocks;
  if (const bool filling = memory.is_filling(); filling != filling_) [[unlikely]] {
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
  if (!look_.running()) loop_.timers().start(look_, now + kLookEveryMs);
  if (now < relieved_ms_ + kLookEveryMs && relieved_ms_ != 0) return;
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
  const BlockPool& memory = http_.memory.blocks;
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    Connection* const connection = slots_[slot].connection.get();
    if (connection == nullptr) continue;
    if (const size_t bytes = connection->session().waiting_input(); bytes > 0) {
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
      if (const size_t bytes = connection->session().footprint(); bytes != 0) relief.others.add(bytes);
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
  const BlockPool& memory = http_.memory.blocks;
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
      http_.worker.index(), memory.used() / 1024, memory.most() / 1024, holders, refused, given_up);
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
  waiting_turn_.push_back(connection.session().owner());
  loop_.timers().start(soon_, loop_.now_ms());
}

void Connections::give_turns() {
  std::vector<uint32_t> turns;
  turns.swap(waiting_turn_);
  for (const uint32_t slot : turns) {
    Connection* connection = slots_[slot].connection.get();
    if (connection == nullptr || !connection->waiting_turn) continue;
    connection->waiting_turn = false;
    connection->session().take_turn();
    touch(*connection);
  }
}

void Connections::park(Connection& connection) {
  if (connection.parked) return;
  connection.parked = true;
  parked_.push_back(connection.session().owner());
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
  for (Slot& slot : slots_)
    if (slot.connection) slot.connection->drain();
}

void Connections::abandon_all() {
  for (Slot& slot : slots_)
    if (slot.connection) slot.connection->abandon();
}

void Connections::free(uint32_t slot) {
  slots_[slot].connection.reset();
  slots_[slot].generation = (slots_[slot].generation + 1) & 0xffffff;
  free_slots_.push_back(slot);
  if (--count_ == 0) loop_.timers().stop(look_);
  if (options_.closed != nullptr) options_.closed->add(1);
}

}  // namespace leat::server
