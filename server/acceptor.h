// Acceptor: one listening socket of a worker.
//
// Accepts for as long as there is room, and survives running out of descriptors: accepting then stops and is
// tried again after a pause, never in a hot loop, while the kernel keeps new clients in its backlog.
//
// Thread: its worker's.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "net/loop.h"
#include "server/connection.h"

namespace leat::server {

class Acceptor {
 public:
  // `listener` is a listening socket; other workers may hold duplicates of it. `number` tells this worker's
  // acceptors apart in tokens.
  Acceptor(net::Loop& loop, Connections& connections, Fd listener, uint32_t number);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void start();
  // Accepts no more; the socket is closed once the engine has let go of it.
  void stop();
  void on_completion(const net::Completion& completion);
  // After connections have closed: accepts again if it had stopped for want of room.
  void on_turn_end();
  [[nodiscard]] bool stopped() const { return stopping_ && !armed_; }
  [[nodiscard]] uint64_t accepted() const { return accepted_; }

 private:
  struct Pause : net::Timer {
    explicit Pause(Acceptor& owner);
    Acceptor& acceptor;
  };

  void arm();
  [[nodiscard]] net::Token token() const { return {net::Op::Accept, number_, 0}; }

  net::Loop& loop_;
  Connections& connections_;
  Fd listener_;
  uint32_t number_;
  bool armed_ = false;
  bool cancelling_ = false;
  bool stopping_ = false;
  Pause pause_;
  uint64_t accepted_ = 0;
  uint64_t warned_ms_ = 0;
};

}  // namespace leat::server
