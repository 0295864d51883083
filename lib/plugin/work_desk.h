// WorkDesk: what a worker of an instance has lent to the pool, and what has come back.
//
// It knows what is out, so that neither the instance nor the worker goes before what they lent to other
// threads has come back: it is put back under the desk's mutex, and close() waits under it.
//
// Private to the plugin host.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "http/worker_context.h"

namespace leat::plugin {

class WorkDesk : public std::enable_shared_from_this<WorkDesk> {
 public:
  class Loan {
   public:
    // Its request has ended: the worker tells its owner all the same.
    virtual void deliver_without_request() = 0;

   protected:
    ~Loan() = default;
  };

  // --- All on the worker's thread.

  // No work is out.
  [[nodiscard]] bool idle() const { return undelivered_ == 0; }
  // Whether no work is out; otherwise `then` is called, once, when the last was delivered.
  bool when_idle(std::function<void()> then);
  // Waits for what is out, and delivers what was left without its request.
  void close();
  // One goes out.
  void lend();
  // It did not, after all.
  void unlend();
  // It was delivered. What waits for the last one may destroy the instance.
  void delivered();

  // --- Any thread.

  // How a loan can come back: its worker knows of it, nobody waits for it, or its worker could not be told
  // for want of memory.
  enum class Return : uint8_t { Told, Orphaned, NotYet };
  // One comes back to `worker`, by `hand_over`, which is called until it does. The loan may be gone as soon as
  // its worker was told.
  template <class HandOver>
  void put_back(Loan& loan, http::WorkerContext& worker, HandOver hand_over) {
    const std::shared_ptr<WorkDesk> stays = shared_from_this();
    while (!try_to_put_back(loan, worker, hand_over))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  template <class HandOver>
  bool try_to_put_back(Loan& loan, http::WorkerContext& worker, HandOver& hand_over) {
    const std::lock_guard lock(mutex_);
    const Return returned = hand_over();
    if (returned == Return::NotYet) return false;
    if (returned == Return::Orphaned) {
      orphans_.push_back(&loan);
      worker.run_soon([desk = shared_from_this()] { desk->deliver_orphans(); });
    }
    if (--out_ == 0) returned_.notify_all();
    return true;
  }
  void deliver_orphans();

  std::function<void()> on_idle_;
  uint32_t undelivered_ = 0;
  std::mutex mutex_;  // of all below
  std::condition_variable returned_;
  uint32_t out_ = 0;  // not yet put back
  std::vector<Loan*> orphans_;
};

}  // namespace leat::plugin
