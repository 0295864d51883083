// ThreadPool: threads for work that blocks, so that no loop does. A bound on the threads, a bound on what
// waits.
//
// Owned by whoever owns the process's parts, one for all. Threads are started as work comes, never more than
// the limit, and end with the pool, which runs what was accepted first. Jobs are the caller's objects, linked
// into the queue, so that accepting one allocates nothing. One queue and one mutex: a job that is worth a
// thread takes microseconds at least, and queues for each thread would have to be balanced.
//
// No lock is held while a job runs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace leat {

class ThreadPool {
 public:
  struct Limits {
    uint32_t threads = 4;
    size_t queue = 1024;  // jobs that wait; as many again as 1024 tell a client sooner that it is too much
    void (*on_start)() = nullptr;  // called by each thread before its first job
  };

  class Job {
   public:
    Job() = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    virtual ~Job() = default;
    // On a thread of the pool; must not throw. True: there is more, run it again after those that wait by
    // now, which the limit of the queue does not hinder. After false the pool does not touch it any more.
    virtual bool run() = 0;

   private:
    friend class ThreadPool;
    Job* next_ = nullptr;
    Job* previous_ = nullptr;
    uint64_t since_ns_ = 0;  // when it was queued
    bool waits_ = false;     // in the queue
  };

  ThreadPool() = default;
  explicit ThreadPool(Limits limits) : limits_(limits) {}
  // Runs what was accepted, then ends the threads.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Before the first submit().
  void set_limits(Limits limits) { limits_ = limits; }
  // How many jobs may wait from now on. Any thread.
  void set_queue(size_t queue) {
    const std::lock_guard lock(mutex_);
    limits_.queue = queue;
  }
  [[nodiscard]] const Limits& limits() const { return limits_; }

  // Has `job` run, once. False, and it will not run, when the queue is full or no thread can be had. Any
  // thread.
  [[nodiscard]] bool submit(Job& job);
  // Takes back what was submitted and still waits: true, and it will not run (again). Any thread, as long as
  // `job` lives.
  [[nodiscard]] bool withdraw(Job& job);

  // The number of this thread, 0 to Limits::threads - 1; only on a thread of a pool.
  [[nodiscard]] static uint32_t current_thread();

  struct Load {
    size_t threads;  // started
    size_t busy;     // that run a job
    size_t queued;   // jobs that wait
  };
  [[nodiscard]] Load load();
  // Since when the job waits that will run next, CLOCK_MONOTONIC; 0: none waits. Any thread, without a lock.
  [[nodiscard]] uint64_t waiting_since_ns() const {
    return waiting_since_ns_.load(std::memory_order_relaxed);
  }

 private:
  void push(Job& job);
  void remove(Job& job);
  void note_first();
  bool start_thread();
  void serve(uint32_t number);

  Limits limits_;
  std::mutex mutex_;  // of all below
  std::condition_variable wake_;
  Job* first_ = nullptr;
  Job* last_ = nullptr;
  size_t queued_ = 0;
  std::atomic<uint64_t> waiting_since_ns_ = 0;
  size_t idle_ = 0;  // threads that wait for a job
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace leat
