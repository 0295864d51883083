// Connection: where bytes meet HTTP. One accepted socket, its session, and the operations in flight for it.
//
//   engine completions -> Connection -> Session::feed / sent
//   Session::output    -> Connection -> engine send        (once a turn, in settle())
//
// It is in one of four states and only moves forward:
//   Open       serving
//   Lingering  all is sent, our side is shut down; what the peer still sends is read and dropped
//   Closing    no new operation; waits for those in flight to complete (close is a join)
//   Free       the slot may be used again; its generation has moved on, so late completions are recognised
//
// At most one receive (or, while idle, one poll in its place) and one send are in flight. Everything that
// happens to a connection in a turn is acted on once, at the turn's end, by settle(): one gathered send, the
// receive started or stopped, the next deadline.
//
// Thread: its worker's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/metrics.h"
#include "http/session.h"
#include "net/loop.h"

namespace leat::server {

struct ConnectionOptions {
  uint32_t most = 65'536;              // connections of one worker
  uint32_t send_timeout_ms = 30'000;   // without progress of a send
  uint32_t linger_timeout_ms = 2'000;  // in Lingering
  // After so long without a request an armed receive (864 bytes of kernel memory) becomes a poll (256).
  uint32_t doze_after_ms = 10'000;
  // Counters, which must outlive the connections; null where nobody counts.
  metrics::Metric* opened = nullptr;
  metrics::Metric* closed = nullptr;
};

class Connections;
struct Relief;

class Connection {
 public:
  Connection(Connections& table, uint32_t slot, uint32_t generation, Fd fd);
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

  [[nodiscard]] http::Session& session() { return session_; }
  [[nodiscard]] uint32_t generation() const { return generation_; }
  bool dirty = false;         // in the table's list for this turn's end
  bool parked = false;        // in the table's list of those that wait for receive buffers
  bool waiting_turn = false;  // in the table's list for the next turn

 private:
  enum class State : uint8_t { Open, Lingering, Closing };
  struct Deadline : net::Timer {
    explicit Deadline(Connection& owner);
    Connection& connection;
  };

  void on_received(const net::Completion& completion);
  void on_sent(int32_t result);
  void on_timer();
  void begin_close(bool reset);
  void finish();
  void send_output();
  void steer_receive();
  void set_timer();
  [[nodiscard]] bool in_flight() const { return receiving_ || polling_ || sending_; }
  [[nodiscard]] net::Token token(net::Op op) const { return {op, slot_, generation_}; }

  Connections& table_;
  uint32_t slot_;
  uint32_t generation_;
  Fd fd_;
  State state_ = State::Open;
  bool receiving_ = false;
  bool polling_ = false;
  bool sending_ = false;
  bool cancelling_ = false;  // the receive or poll was asked to end
  bool dozing_ = false;      // idle for long: a poll instead of a receive
  bool peer_ended_ = false;  // end of file was received
  uint64_t send_since_ms_ = 0;
  uint64_t idle_since_ms_ = 0;
  uint64_t linger_until_ms_ = 0;
  Deadline timer_;
  std::array<char, 46> peer_{};
  uint8_t peer_size_;  // initialised by filling peer_, which comes before it
  http::Session session_;
};

// All connections of a worker, by slot, and their work lists. Slots are recycled; a token's generation tells
// whether a completion is for who is there now.
class Connections {
 public:
  Connections(net::Loop& loop, http::SessionEnvironment& http, const ConnectionOptions& options);
  ~Connections();  // all must have ended
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Takes over an accepted socket. False when the table is full; the socket is closed then.
  bool open(Fd fd);
  void on_completion(const net::Completion& completion);
  // Settles every connection that this turn touched; then lets parked ones receive if buffers are free. When
  // memory is short, whoever holds it without need has to go before.
  void on_turn_end();
  void drain_all();
  void abandon_all();
  // The owner of a session (each belongs to a connection of its worker) wants to be settled this turn.
  void touch(http::Session& session);

  [[nodiscard]] size_t count() const { return count_; }
  [[nodiscard]] bool full() const { return count_ >= options_.most; }
  [[nodiscard]] uint64_t opened() const { return opened_; }

 private:
  friend class Connection;
  struct Slot {
    std::unique_ptr<Connection> connection;
    uint32_t generation = 0;
  };

  void touch(Connection& connection);
  void settle_dirty();
  void park(Connection& connection);
  void unpark();
  void give_turns();
  void wait_turn(Connection& connection);
  void watch_memory();
  void relieve();
  void tell_of_memory(const Relief& relief);
  void free(uint32_t slot);

  net::Loop& loop_;
  http::SessionEnvironment& http_;
  ConnectionOptions options_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  std::vector<uint32_t> dirty_;     // settled at this turn's end
  std::vector<uint32_t> settling_;  // the same, while it is walked
  std::vector<uint32_t> parked_;    // oldest first
  size_t count_ = 0;
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
  bool filling_ = false;
  uint64_t swept_ms_ = 0;
  uint64_t relieved_ms_ = 0;
  uint64_t told_ms_ = 0;
  size_t refusals_told_ = 0;
  size_t given_up_ = 0;  // since it was told of the last time
};

}  // namespace leat::server
