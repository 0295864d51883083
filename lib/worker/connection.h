// Connection: where bytes meet HTTP. One accepted socket, its protocol, and the operations in flight for it.
//
//   engine completions -> Connection -> Protocol::feed / sent
//   Protocol::output   -> Connection -> engine send        (once a turn, in settle())
//
// It is in one of these states and only moves forward, but for one that was turned away, which is
// Open again once it has asked:
//   TurnedAway there was no room for it: what it asks for will be answered with a 503
//   Open       serving
//   Lingering  all is sent, our side is shut down; what the peer still sends is read and dropped
//   Closing    no new operation; waits for those in flight to complete (close is a join)
//   Free       the slot may be used again; its generation has moved on, so late completions are recognised
//
// At most one receive and one send are in flight. A poll takes the receive's place while the connection is
// idle; and another kind of it, which looks for the peer's end alone, while bytes wait that cannot be used
// yet, so that a peer which leaves them behind is noticed. Everything that happens to a connection in a turn
// is acted on once, at the turn's end, by settle(): one gathered send, the receive started or stopped, the
// next deadline.
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/metrics.h"
#include "http/protocol.h"
#include "net/listener.h"
#include "net/loop.h"

namespace leat::worker {

class AddressCounts;

struct ConnectionOptions {
  uint32_t most = 65'536;  // connections of one worker, without those that are turned away
  // Connections that are being turned away. They are gone within moments, or a few seconds where the client
  // takes its time; 256 are 128 a second at the worst.
  uint32_t most_turned_away = 256;
  uint32_t send_timeout_ms = 30'000;   // without progress of a send
  uint32_t linger_timeout_ms = 2'000;  // in Lingering
  // After so long without a request an armed receive (864 bytes of kernel memory) becomes a poll (256).
  uint32_t doze_after_ms = 10'000;
  uint32_t worker = 0;  // its number, for the log
  // Of all workers; null: a client may have all connections.
  AddressCounts* addresses = nullptr;
  // Counters, which must outlive the connections; null where nobody counts.
  metrics::Metric* opened = nullptr;
  metrics::Metric* closed = nullptr;
  metrics::Metric* given_up = nullptr;
  metrics::Metric* turned_away = nullptr;
};

class Connections;
struct Relief;

class Connection {
 public:
  Connection(Connections& table, uint32_t slot, uint32_t generation, Fd fd, const net::PeerAddress& peer,
             bool has_place);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void on_completion(const net::Completion& completion);
  // The turn's end: acts on what the turn brought. True when the connection has ended and can be freed.
  [[nodiscard]] bool settle();
  // Finishes what was begun, then closes.
  void drain();
  // Closes now, whatever is under way.
  void abandon() { begin_close(false); }
  // Before it has received anything: what it asks for is answered with a 503, and it gives its place to
  // others.
  void turn_away();
  // Since when it could be given up for another, in the loop's milliseconds; UINT64_MAX: it could not.
  [[nodiscard]] uint64_t idle_since_ms() const;
  // Whether nothing has come that is not received yet.
  [[nodiscard]] bool silent() const;

  // Memory that is held for a peer who lets us wait: an answer that is not read, or a request of which the
  // rest does not come.
  struct Idler {
    enum class Holds : uint8_t { Nothing, Answer, Request } holds = Holds::Nothing;
    uint64_t since_ms = 0;  // without progress
    size_t bytes = 0;
  };
  [[nodiscard]] Idler idler() const;
  // Takes that memory back: the answer is cut, or the request refused.
  void give_up(Idler::Holds what);

  // Counts against the limits.
  [[nodiscard]] bool has_place() const { return has_place_; }
  // Tries to, where its address had too many connections. False: it still has.
  bool take_place();
  [[nodiscard]] const net::PeerAddress& peer() const { return peer_; }
  [[nodiscard]] http::Protocol& protocol() { return *protocol_; }
  [[nodiscard]] uint32_t generation() const { return generation_; }
  bool dirty = false;         // in the table's list for this turn's end
  bool parked = false;        // in the table's list of those that wait for receive buffers
  bool waiting_turn = false;  // in the table's list for the next turn
  bool turned_away = false;   // one of those that the table counts as such

 private:
  enum class State : uint8_t { TurnedAway, Open, Lingering, Closing };
  struct Deadline : net::Timer {
    explicit Deadline(Connection& owner);
    Connection& connection;
  };

  void on_received(const net::Completion& completion);
  void on_sent(int32_t result);
  void on_polled(int32_t events);
  void on_timer();
  void begin_close(bool reset);
  void give_place();
  void finish();
  void send_output();
  void steer_receive();
  void watch_end();
  [[nodiscard]] uint64_t watch_end_ms() const;
  void set_timer();
  [[nodiscard]] bool in_flight() const { return receiving_ || polling_ || sending_; }
  [[nodiscard]] net::Token token(net::Op op) const { return {op, slot_, generation_}; }

  Connections& table_;
  uint32_t slot_;
  uint32_t generation_;
  Fd fd_;
  State state_ = State::Open;
  bool has_place_;
  bool receiving_ = false;
  bool polling_ = false;
  bool watching_ = false;  // ... for the peer's end alone
  bool sending_ = false;
  bool cancelling_ = false;  // the receive or poll was asked to end
  bool dozing_ = false;      // idle for long: a poll instead of a receive
  bool peer_ended_ = false;  // end of file was received
  uint64_t send_since_ms_ = 0;
  uint64_t idle_since_ms_ = 0;
  uint64_t linger_until_ms_ = 0;
  uint64_t unread_since_ms_ = 0;  // no receive is wanted; 0: one is
  Deadline timer_;
  const net::PeerAddress peer_;
  const std::unique_ptr<http::Protocol> protocol_;
};

// All connections of a worker, by slot, and their work lists. Slots are recycled; a token's generation tells
// whether a completion is for who is there now.
//
// Places are limited, and what a client gets that comes when all are taken is: the place of the connection
// that has been idle for the longest; where none is idle, a 503 with Retry-After, for which it is let in,
// without a place; and where there are too many of those, a wait in the kernel's backlog. That is what helps
// it most. The client of an idle connection opens another when it needs one, as it must after any idle
// timeout. A 503 says at once what a wait would never say, and a proxy asks elsewhere. It is sent when the
// client has said something, since not all understand an answer that comes before, and the connection
// lingers, so that no reset overtakes it.
class Connections {
 public:
  Connections(net::Loop& loop, http::ProtocolFactory& protocols, BlockPool& memory,
              const ConnectionOptions& options);
  ~Connections();  // all must have ended
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Takes over an accepted socket. Whether it can stay is seen at the turn's end.
  void open(Fd fd);
  // Gives up `count` idle connections at most, for want of descriptors; returns how many.
  size_t give_up_idle(size_t count);
  // Lets go of the descriptors that are kept for this, so that some clients can be taken to be turned away,
  // as all are from now on. False where that is so already.
  bool use_reserve();
  // Takes them back; false as long as that fails, and everyone is turned away.
  bool restore_reserve();
  void on_completion(const net::Completion& completion);
  // Settles every connection that this turn touched; then lets parked ones receive if buffers are free. When
  // memory is short, whoever holds it without need has to go before.
  void on_turn_end();
  void drain_all();
  void abandon_all();
  // The owner of a protocol (each belongs to a connection of its worker) wants to be settled this turn.
  void touch(const http::Protocol& protocol);

  [[nodiscard]] size_t count() const { return count_; }
  // No more can be taken, not even to turn them away.
  [[nodiscard]] bool full() const {
    return turned_away_ >= options_.most_turned_away && places_ >= options_.most;
  }
  // The last quarter of places is for clients that have few.
  [[nodiscard]] bool crowded() const { return places_ >= options_.most - options_.most / 4; }
  [[nodiscard]] size_t turned_away() const { return turned_away_; }
  [[nodiscard]] uint32_t worker() const { return options_.worker; }
  [[nodiscard]] uint64_t opened() const { return opened_; }

 private:
  friend class Connection;
  struct Slot {
    std::unique_ptr<Connection> connection;
    uint32_t generation = 0;
  };
  struct Idle {
    uint64_t since_ms;
    uint32_t slot;
    uint32_t generation;
  };
  // Some of those that are idle for the longest: of all, or of one client address.
  struct IdleList {
    std::vector<Idle> found;  // the longest last
    uint64_t group = 0;       // of net::PeerAddress; 0: all
    uint64_t look_ms = 0;     // when to look for more
  };

  void touch(Connection& connection);
  void settle_dirty();
  void make_room();
  void seek_place(Connection& connection);
  bool give_up_one(IdleList& list);
  void find_idle(IdleList& list);
  void turn_away(Connection& connection);
  void park(Connection& connection);
  void unpark();
  void give_turns();
  void wait_turn(Connection& connection);
  void watch_memory();
  void relieve();
  void tell_of_memory(const Relief& relief);
  void free(uint32_t slot);

  net::Loop& loop_;
  http::ProtocolFactory& protocols_;
  BlockPool& memory_;
  ConnectionOptions options_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  std::vector<uint32_t> dirty_;     // settled at this turn's end
  std::vector<uint32_t> settling_;  // the same, while it is walked
  std::vector<uint32_t> parked_;    // oldest first
  size_t count_ = 0;
  size_t places_ = 0;       // taken
  size_t turned_away_ = 0;  // those that were, and have not ended
  bool turning_all_away_ = false;
  std::vector<Fd> reserve_;
  std::vector<uint32_t> newcomers_;  // of this turn, for whom there was no place
  IdleList idle_;
  IdleList idle_of_one_;
  uint64_t opened_ = 0;
  // Runs in the next turn, at once: for connections that had more to do than one turn allows.
  struct Soon : net::Timer {
    explicit Soon(Connections& owner);
    Connections& table;
  } soon_;
  std::vector<uint32_t> waiting_turn_;
  // While memory is filling: looks again, though nothing happens.
  struct Look : net::Timer {
    explicit Look(Connections& owner);
  } look_;
  bool draining_ = false;
  bool filling_ = false;
  uint64_t swept_ms_ = 0;
  uint64_t relieved_ms_ = 0;
  uint64_t told_ms_ = 0;
  size_t refusals_told_ = 0;
  size_t given_up_ = 0;  // since it was told of the last time
};

}  // namespace leat::worker
