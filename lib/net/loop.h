// Loop: one worker's turn, over and over.
//
//   wait for completions -> run them -> inbox -> timers -> end of turn (owners flush) -> submit and wait
//
// Everything that happens on a worker happens in one of these steps, on one stack, never recursively. The
// clock is read once a turn. Other threads reach a loop through post() only: an intrusive lock-free list
// and an eventfd that is written only when the loop sleeps.
//
// Thread: the worker's, except post() and stop(), which any thread and any signal handler may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/engine.h"
#include "net/timers.h"

namespace leat::net {

// Work handed to a loop from another thread. The node belongs to the poster until run() is called with it,
// which then owns it. A task posted to a loop that has ended is run by the loop's destructor.
struct Task {
  Task* next = nullptr;
  void (*run)(Task&) = nullptr;
};

// The owner of the operations on a loop: the worker.
class LoopClient {
 public:
  virtual ~LoopClient() = default;
  virtual void on_completion(const Completion& completion) = 0;
  // After all completions, tasks and timers of a turn: write what they produced.
  virtual void on_turn_end() = 0;
};

class Loop {
 public:
  // Both must outlive the loop.
  static Expected<std::unique_ptr<Loop>> create(Engine& engine);
  ~Loop();

  // Turns until stop().
  void run(LoopClient& client);
  // One turn, waiting no longer than `deadline_ns` (0: not at all). For tests.
  void turn(LoopClient& client, uint64_t deadline_ns);

  void post(Task& task);
  void stop();

  [[nodiscard]] Engine& engine() { return engine_; }
  [[nodiscard]] TimerWheel& timers() { return timers_; }
  // CLOCK_MONOTONIC as of the start of this turn.
  [[nodiscard]] uint64_t now_ns() const { return now_ns_; }
  [[nodiscard]] uint64_t now_ms() const { return now_ns_ / 1'000'000; }
  [[nodiscard]] uint64_t turns() const { return turns_; }
};

}  // namespace leat::net
