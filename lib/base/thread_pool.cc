#include "base/thread_pool.h"

#include <pthread.h>

#include <system_error>
#include <utility>

#include "base/log.h"

namespace leat {

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
    pop();  // this one: without threads nothing else waits
    return false;
  }
  wake_.notify_one();
  return true;
}

ThreadPool::Load ThreadPool::load() {
  const std::lock_guard lock(mutex_);
  return {threads_.size(), threads_.size() - idle_, queued_};
}

void ThreadPool::push(Job& job) {
  job.next_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_) = &job;
  last_ = &job;
  ++queued_;
}

ThreadPool::Job* ThreadPool::pop() {
  Job* job = first_;
  first_ = job->next_;
  if (first_ == nullptr) last_ = nullptr;
  --queued_;
  return job;
}

bool ThreadPool::start_thread() {
  try {
    threads_.emplace_back([this] { serve(); });
    return true;
  } catch (const std::system_error& error) {
    log::warn("the pool cannot start thread {}: {}", threads_.size() + 1, error.what());
    return false;
  }
}

void ThreadPool::serve() {
  ::pthread_setname_np(::pthread_self(), "leat-pool");
  std::unique_lock lock(mutex_);
  for (;;) {
    while (first_ == nullptr) {
      if (stopping_) return;
      ++idle_;
      wake_.wait(lock);
      --idle_;
    }
    Job* job = pop();
    lock.unlock();
    const bool again = job->run();
    lock.lock();
    if (again) push(*job);
  }
}

}  // namespace leat
