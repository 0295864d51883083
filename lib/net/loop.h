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

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

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
  // Every completion but those of Op::Wake, which are the loop's own. Telling stale tokens from live ones is
  // the client's part.
  virtual void on_completion(const Completion& completion) = 0;
  // After all completions, tasks and timers of a turn: write what they produced.
  virtual void on_turn_end() = 0;
};

class Loop {
 public:
  // The engine must outlive the loop; both belong to the thread that runs it.
  static Expected<std::unique_ptr<Loop>> create(Engine& engine);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Turns until stop(), which may have been called before.
  void run(LoopClient& client);
  // One turn, waiting until `deadline_ns` at most (0: not at all). For tests.
  void turn(LoopClient& client, uint64_t deadline_ns);

  // Runs `task` on the loop's thread, in the order of posting for one poster, in this turn or the next.
  void post(Task& task);
  // Lets the turn under way be the last one.
  void stop();
  // After run(): turn() waits again, for who has some left.
  void forget_stop() { stopping_.store(false); }

  [[nodiscard]] Engine& engine() { return engine_; }
  [[nodiscard]] TimerWheel& timers() { return timers_; }
  // The engine's clock (CLOCK_MONOTONIC) as of the start of this turn.
  [[nodiscard]] uint64_t now_ns() const { return now_ns_; }
  [[nodiscard]] uint64_t now_ms() const { return now_ms_; }

  // For other threads, as of some moment ago.
  [[nodiscard]] uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }
  // When the turn under way began; 0 while the loop waits.
  [[nodiscard]] uint64_t busy_since_ns() const { return busy_since_ns_.load(std::memory_order_acquire); }

 private:
  // One wait takes this many completions at most: 16 KiB that stay in the first-level cache. A burst beyond
  // it is served in the next turn, after what the first part produced has been sent.
  static constexpr size_t kMostCompletions = 512;

  Loop(Engine& engine, Fd wake_fd);
  void on_wake(const Completion& completion);
  void wake();
  void run_inbox();

  Engine& engine_;
  Fd wake_fd_;  // readable when another thread wants this one awake
  uint64_t now_ns_;
  uint64_t now_ms_;
  std::atomic<uint64_t> turns_ = 0;  // written by the loop's thread alone, like the next one
  std::atomic<uint64_t> busy_since_ns_ = 0;
  TimerWheel timers_;
  std::array<Completion, kMostCompletions> completions_;

  // Written by other threads: on a line of its own, so that they do not disturb the loop's.
  alignas(64) std::atomic<Task*> inbox_ = nullptr;  // newest first
  std::atomic<bool> sleeping_ = false;              // the loop waits, or is about to: post() must wake it
  std::atomic<bool> stopping_ = false;
};

}  // namespace leat::net
