// ExchangeTimers: the timers that handlers set for requests of one worker.
//
// A timer belongs to an exchange and goes with it: when the client leaves, forget() drops what is still
// running, so that a million abandoned requests to a slow route hold no timers. Nodes are recycled and
// bounded.
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "http/exchange.h"
#include "http/worker_context.h"
#include "net/timers.h"

namespace leat::worker {

// Who goes on with an exchange when its time has come.
class ExchangeResumer {
 public:
  virtual ~ExchangeResumer() = default;
  virtual void resume(http::Exchange& exchange, http::WorkerContext::Resume call, void* argument) = 0;
};

class ExchangeTimers {
 public:
  ExchangeTimers(net::TimerWheel& wheel, ExchangeResumer& resumer, size_t most);
  ~ExchangeTimers();

  // False when `most` timers run already.
  [[nodiscard]] bool start(http::Exchange& exchange, uint64_t deadline_ms, http::WorkerContext::Resume call,
                           void* argument);
  void forget(http::Exchange& exchange);

 private:
  struct Node : net::Timer {
    explicit Node(ExchangeTimers& owner);
    ExchangeTimers& timers;
    http::Exchange* exchange = nullptr;
    http::WorkerContext::Resume call = nullptr;
    void* argument = nullptr;
    Node* next = nullptr;  // of the same exchange, or in the free list
  };

  void expire(Node& node);
  void give(Node& node);

  net::TimerWheel& wheel_;
  ExchangeResumer& resumer_;
  std::vector<std::unique_ptr<Node>> nodes_;
  Node* free_ = nullptr;
  size_t most_;
};

}  // namespace leat::worker
