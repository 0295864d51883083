// Acceptor: one listening socket of a worker.
//
// Accepts for as long as there is room, and survives running out of descriptors: then idle connections are
// given up; where there are none, a few descriptors that are kept for it serve to tell clients so; and where
// those are used up, accepting stops and is tried again after a pause, never in a hot loop, while the kernel
// keeps new clients in its backlog.
//
// A unix socket is one socket for all workers, and no kernel spreads its clients over them. So whoever
// accepts one hands it on to the worker whose turn it is (`hand_on`), and some workers wait for the next one
// together, so that one which does not turn does not keep clients waiting.
//
// A process that was killed may have waited on the same socket. Its ring goes a moment after it, and the kernel
// may still wake that one, and nobody else, for a client. So for some seconds after its start an acceptor also
// looks by itself.
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <functional>

#include "base/fd.h"
#include "net/listener.h"
#include "net/loop.h"
#include "worker/connections.h"

namespace leat::worker {

class Acceptor {
 public:
  // `listener` is a listening socket; other workers may hold duplicates of it. `number` tells this worker's
  // acceptors apart in tokens. `hand_on`: what becomes of an accepted socket; nothing: it is one of
  // `connections`. `listener_number` is the listening socket's among the daemon's, by which its options are
  // found.
  using HandOn = std::function<void(Fd)>;
  Acceptor(net::Loop& loop, Connections& connections, Fd listener, uint32_t number, HandOn hand_on = {},
           uint32_t listener_number = 0);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void start();
  [[nodiscard]] bool started() const { return started_; }
  // Takes those who have connected already, then no more; the socket is closed once the engine has let go of
  // it.
  void stop();
  void on_completion(const net::Completion& completion);
  // Stops accepting where there is no room even to turn clients away, and starts when there is. What makes
  // room for want of descriptors happens here, when all that the turn brought is known.
  void on_turn_end();
  [[nodiscard]] bool stopped() const { return stopping_ && !armed_; }
  // Has the socket listen in another way, see net::listen_anew(). What cannot be changed is said in the log.
  void listen_anew(const net::ListenOptions& options);
  // The listening socket, and its number among the daemon's.
  [[nodiscard]] int descriptor() const { return listener_.get(); }
  [[nodiscard]] uint32_t listener_number() const { return listener_number_; }
  [[nodiscard]] uint64_t accepted() const { return accepted_; }

 private:
  struct Pause : net::Timer {
    explicit Pause(Acceptor& owner);
    Acceptor& acceptor;
  };

  struct Look : net::Timer {
    explicit Look(Acceptor& owner);
    Acceptor& acceptor;
  };

  void arm();
  void on_pause();
  void make_room(int reason);
  void take(Fd socket);
  void take_waiting();
  void look();
  void close_listener();
  [[nodiscard]] net::Token token() const { return {net::Op::Accept, number_, 0}; }

  net::Loop& loop_;
  Connections& connections_;
  Fd listener_;
  uint32_t number_;
  HandOn hand_on_;
  uint32_t listener_number_;
  bool started_ = false;
  bool armed_ = false;
  bool cancelling_ = false;
  bool stopping_ = false;
  int shortage_ = 0;  // why an accept failed in this turn: an errno value
  Pause pause_;
  Look look_;
  size_t looks_ = 0;
  uint64_t accepted_ = 0;
};

}  // namespace leat::worker
