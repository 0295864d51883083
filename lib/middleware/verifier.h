// Verifier: passwords are verified on the process's pool, some at a time, while what asks for more waits in a line that has
// an end.
//
// A verification is a job on the heap that its request and the verifier share: the request may leave first, and then nobody
// is told, and what has not begun is taken out of the line. The verifier lives until its last job ends, which may be after
// the site that it was made for.
//
//   submit() worker -> [line] -> verify() pool -> WorkerContext::resume_from_any_thread -> resume() worker
//
// Thread: as each function says.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "crypto/password.h"
#include "http/exchange.h"

namespace leat::middleware {

class Verification {
 public:
  // `hash` outlives it. Made on the worker of the suspended request that `ticket` names, which goes on with `resume`.
  Verification(std::shared_ptr<const crypto::PasswordHash> hash, std::string password,
               http::WorkerContext& worker, http::Ticket ticket, http::WorkerContext::Resume resume,
               void* argument)
      : hash_(std::move(hash)),
        password_(std::move(password)),
        worker_(worker),
        ticket_(ticket),
        resume_(resume),
        argument_(argument) {}
  ~Verification() { crypto::forget(password_); }
  Verification(const Verification&) = delete;
  Verification& operator=(const Verification&) = delete;

  // Once resumed.
  [[nodiscard]] crypto::PasswordHash::Outcome outcome() const { return outcome_; }
  [[nodiscard]] const std::string& password() const { return password_; }

 private:
  friend class Verifier;
  void run();    // on a thread of the pool
  void leave();  // its request has ended: nobody is told. Worker's thread

  const std::shared_ptr<const crypto::PasswordHash> hash_;
  std::string password_;
  http::WorkerContext& worker_;  // good until leave()
  const http::Ticket ticket_;
  const http::WorkerContext::Resume resume_;
  void* const argument_;
  crypto::PasswordHash::Outcome outcome_ = crypto::PasswordHash::Outcome::Failed;
  std::mutex mutex_;
  bool left_ = false;  // behind the mutex, so that no worker ends while it is told
};

class Verifier : public std::enable_shared_from_this<Verifier> {
 public:
  // `pool` outlives it. At most `lanes` are verified at a time, and `queue` wait.
  Verifier(ThreadPool& pool, size_t lanes, size_t queue);

  // False, and nobody will be told: too many wait, or the pool takes none. Worker's thread.
  [[nodiscard]] bool submit(std::shared_ptr<Verification> verification);
  // Worker's thread.
  void withdraw(Verification& verification);

 private:
  struct Lane final : ThreadPool::Job {
    bool run() override;
    std::shared_ptr<Verifier> owner;  // while it runs
    bool starts = false;              // the pool has it, and it has not run yet; behind the mutex
  };
  // The next that waits; null where none does, and then `lane` is idle.
  std::shared_ptr<Verification> take(Lane& lane);

  ThreadPool& pool_;
  const size_t queue_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::mutex mutex_;  // of all below
  std::vector<Lane*> idle_;
  size_t starting_ = 0;  // lanes that start
  std::deque<std::shared_ptr<Verification>> waiting_;
};

}  // namespace leat::middleware
