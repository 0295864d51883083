// Connections: all connections of a worker, by slot, and their work lists.
//
// Slots are recycled; a token's generation tells whether a completion is for who is there now. What a turn brings to a
// connection puts it on the list of those that are settled at the turn's end; there newcomers find their places (Places),
// and memory that is short is taken back (MemoryRelief).
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "http/limits.h"
#include "http/protocol.h"
#include "net/loop.h"
#include "net/socket.h"
#include "transport/output.h"
#include "worker/connection.h"
#include "worker/listeners.h"
#include "worker/memory_relief.h"
#include "worker/options.h"
#include "worker/places.h"

namespace leat::worker {

class Connections {
 public:
  // `protocols` are those that the worker has, of which listeners may choose. All must outlive this.
  Connections(net::Loop& loop, std::span<http::ProtocolFactory* const> protocols,
              transport::OutputMemory memory, const http::Limits& limits, const ConnectionOptions& options);
  ~Connections();  // all must have ended
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Takes over a socket that the listening one of this number accepted. Whether it can stay is seen at the
  // turn's end.
  void open(Fd fd, uint32_t number = 0);
  [[nodiscard]] Places& places() { return places_; }

  // What a reload brings: other numbers and times ...
  void take_up(const ConnectionOptions& options);
  [[nodiscard]] const ConnectionOptions& options() const { return options_; }
  // ... other listening sockets ...
  [[nodiscard]] Listeners& listeners() { return listeners_; }
  // ... and one that is no more. Its connections, and those of it that others still hand on, end in order, as with
  // drain_all(), and are closed at `until_ms`.
  void end_listener(uint32_t number, uint64_t idle_until_ms, uint64_t until_ms);

  void on_completion(const net::Completion& completion);
  // Settles every connection that this turn touched; then lets parked ones receive if buffers are free. When
  // memory is short, whoever holds it without need has to go before.
  void on_turn_end();
  // The owner of a protocol (each belongs to a connection of its worker) wants to be settled this turn.
  void touch(const http::Protocol& protocol);
  // Ends all in order; those between two requests stay for the next one up to `idle_until_ms`, of the loop's
  // clock.
  void drain_all(uint64_t idle_until_ms);
  void abandon_all();

  [[nodiscard]] size_t count() const { return sockets_.count(); }
  [[nodiscard]] uint64_t opened() const { return opened_; }

 private:
  friend class Connection;
  // Runs in the next turn, at once: for connections that had more to do than one turn allows.
  struct NextTurnTimer : net::Timer {
    explicit NextTurnTimer(Connections& owner);
    Connections& table;
  };
  // Ends what is left of listening sockets that are no more, when it is time.
  struct EndedTimer : net::Timer {
    explicit EndedTimer(Connections& owner);
    Connections& table;
  };

  void touch(Connection& connection) {
    if (connection.dirty) return;
    connection.dirty = true;
    dirty_.push_back(connection.id().slot);
  }
  void settle_dirty();
  void wait_turn(Connection& connection);
  void give_turns();
  void drain_if_due(Connection& connection);
  void close_ended();
  void free(uint32_t slot);

  net::Loop& loop_;
  transport::OutputMemory memory_;
  const http::Limits& limits_;
  ConnectionOptions options_;
  Listeners listeners_;
  net::SocketTable<Connection> sockets_;
  Places places_;
  MemoryRelief relief_;
  std::vector<uint32_t> dirty_;     // settled at this turn's end
  std::vector<uint32_t> settling_;  // the same, while it is walked
  std::vector<uint32_t> waiting_turn_;
  NextTurnTimer soon_;
  EndedTimer ended_;
  bool some_drain_ = false;  // connections of a listening socket that has ended, or all:
  std::optional<uint64_t> draining_until_ms_;
  uint64_t opened_ = 0;
};

}  // namespace leat::worker
