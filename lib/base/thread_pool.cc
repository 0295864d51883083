#include "base/thread_pool.h"

#include <pthread.h>

#include <chrono>
#include <exception>
#include <utility>

#include "base/allocator.h"
#include "base/clock.h"
#include "base/log.h"

namespace leat {

namespace {

constinit thread_local uint32_t this_thread = 0;

// Without work for so long a thread will not have any soon. Other threads free what it has allocated, and
// only it can give that back.
constexpr std::chrono::seconds kIdleAfter{1};

}  // namespace

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadPool::submit(Job& job) {
  const std::lock_guard lock(mutex_);
  if (queued_ >= limits_.queue) return false;
  push(job);
  // More wait than threads do: those that were started just now count as busy, with what they will take.
  if (idle_ < queued_ && threads_.size() < limits_.threads && !start_thread() && threads_.empty()) {
    remove(job);
    return false;
  }
  wake_.notify_one();
  return true;
}

bool ThreadPool::withdraw(Job& job) {
  const std::lock_guard lock(mutex_);
  if (!job.waits_) return false;
  remove(job);
  return true;
}

ThreadPool::Load ThreadPool::load() {
  const std::lock_guard lock(mutex_);
  return {threads_.size(), threads_.size() - idle_, queued_};
}

void ThreadPool::push(Job& job) {
  job.waits_ = true;
  job.next_ = nullptr;
  job.previous_ = last_;
  (last_ == nullptr ? first_ : last_->next_) = &job;
  last_ = &job;
  ++queued_;
  job.since_ns_ = monotonic_ns();
  note_first();
}

void ThreadPool::note_first() {
  waiting_since_ns_.store(first_ != nullptr ? first_->since_ns_ : 0, std::memory_order_relaxed);
}

void ThreadPool::remove(Job& job) {
  job.waits_ = false;
  (job.previous_ == nullptr ? first_ : job.previous_->next_) = job.next_;
  (job.next_ == nullptr ? last_ : job.next_->previous_) = job.previous_;
  --queued_;
  note_first();
}

uint32_t ThreadPool::current_thread() { return this_thread; }

bool ThreadPool::start_thread() {
  try {
    threads_.emplace_back([this, number = static_cast<uint32_t>(threads_.size())] { serve(number); });
    return true;
  } catch (const std::exception& error) {
    log::limited(log::Level::Warn, {}, "the pool cannot start thread {}: {}", threads_.size() + 1,
                 error.what());
    return false;
  }
}

void ThreadPool::serve(uint32_t number) {
  this_thread = number;
  ::pthread_setname_np(::pthread_self(), "leat-pool");
  if (limits_.on_start != nullptr) limits_.on_start();
  bool worked = false;  // since it last gave memory back
  std::unique_lock lock(mutex_);
  for (;;) {
    while (first_ == nullptr) {
      if (stopping_) return;
      ++idle_;
      if (!worked) {
        wake_.wait(lock);
      } else if (wake_.wait_for(lock, kIdleAfter) == std::cv_status::timeout) {
        worked = false;
        lock.unlock();
        give_memory_back();
        lock.lock();
      }
      --idle_;
    }
    Job* job = first_;
    remove(*job);
    worked = true;
    lock.unlock();
    const bool again = job->run();
    lock.lock();
    if (again) push(*job);
  }
}

}  // namespace leat
