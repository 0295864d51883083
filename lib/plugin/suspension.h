// SuspensionTable: the requests that wait for a completion, by ticket, for one plugin instance on one worker.
//
// A completion comes from any thread, at any time, any number of times, also long after its request has
// ended. So a ticket is an index and a generation into slots that are never unmapped, and one
// compare-and-swap decides who owns a suspension:
//
//   Free -> Waiting            suspend()                     worker
//   Waiting -> Claimed         a completion takes it         any thread, then writes what it brought
//   Claimed -> Ready           ... and publishes it          that thread
//   Waiting | Ready -> Free    resumed, or the request ended worker
//   Claimed -> Orphaned        the request ended just now    worker; the completing thread then frees
//
// What is Ready is delivered exactly once: by the resumption, or with no request when the request ended
// first. A mutex would do as well, but would let a completing thread that is descheduled hold up the loop.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "http/worker_context.h"
#include "plugin/sdk/plugin.h"

namespace leat::plugin {

class Work;

// What a completion brings.
struct Completion {
  leat_resume resume = nullptr;
  void* argument = nullptr;
};

class SuspensionTable {
 public:
  struct Slot {
    std::atomic<uint64_t> word{0};  // generation << 3 | state
    uint32_t index = 0;
    http::Ticket ticket;                    // of the exchange
    http::WorkerContext* worker = nullptr;  // that it belongs to
    Completion completion;
    Work* work = nullptr;  // on the pool, that is to complete it
    Slot* next = nullptr;  // of the free ones, or of those of the same request
  };

  // Generations begin at `first_generation`, so that the tickets of two tables differ.
  explicit SuspensionTable(uint64_t first_generation) : first_generation_(first_generation) {}
  ~SuspensionTable();
  SuspensionTable(const SuspensionTable&) = delete;
  SuspensionTable& operator=(const SuspensionTable&) = delete;

  // A Waiting slot, or nullptr when memory is out. Worker's thread.
  [[nodiscard]] Slot* suspend(http::WorkerContext& worker, http::Ticket ticket);
  // The generation to put into the ticket that the plugin gets.
  [[nodiscard]] static uint64_t generation(const Slot& slot);

  // Takes a suspension for `completion` and has the worker call `resume(exchange, slot)`. False when it is
  // stale, taken already or can't be posted, and nothing will be called. Any thread.
  [[nodiscard]] bool complete(uint32_t index, uint64_t generation, Completion completion,
                              http::WorkerContext::Resume resume);

  // Whether the suspension waits for its completion still. Any thread.
  [[nodiscard]] bool waits(uint32_t index, uint64_t generation);

  // Ends a suspension. True if a completion was Ready: it is in `*completion`, and its delivery is now the
  // caller's. Worker's thread.
  bool release(Slot& slot, Completion* completion);

 private:
  // Chunk k holds 64 << k slots; 20 of them are more requests than a worker has.
  static constexpr unsigned kChunks = 20;
  static constexpr uint32_t kFirstChunk = 64;

  Slot* find(uint32_t index);
  bool grow();
  void free_by_worker(Slot& slot);
  void free_by_any_thread(Slot& slot);

  uint64_t first_generation_;
  std::array<std::atomic<Slot*>, kChunks> chunks_{};
  unsigned chunk_count_ = 0;
  Slot* free_ = nullptr;                         // worker's thread
  std::atomic<Slot*> freed_elsewhere_{nullptr};  // a stack that the worker takes whole
};

}  // namespace leat::plugin
