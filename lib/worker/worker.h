// Worker: one thread with its own loop, connections, arenas and tables. Nothing of it is shared while it
// serves; what all workers read (the site) is frozen. Its options are its own, and what a reload changes of them
// comes as a task on its loop.
//
// run() is called on the worker's own thread and builds everything there: a ring belongs to the thread that
// made it, and memory is first touched where it is used.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/block_pool.h"
#include "base/date.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/quick_clock.h"
#include "client/client.h"
#include "http/exchange.h"
#include "http/known_heads.h"
#include "http/service.h"
#include "http1/known_lines.h"
#include "http1/session.h"
#include "http1/writer.h"
#include "http2/session.h"
#include "http2/writer.h"
#include "net/loop.h"
#include "transport/output.h"
#include "worker/acceptor.h"
#include "worker/connections.h"
#include "worker/exchange_timers.h"
#include "worker/memory_watch.h"
#include "worker/options.h"
#include "worker/self_requests.h"
#include "worker/stall.h"

namespace leat::worker {

class Worker final : public net::LoopClient, public http::WorkerContext, public ExchangeResumer {
 public:
  // Called on the worker's thread: first of all, before the first request, and after the last one.
  struct Hooks {
    std::function<void(uint32_t index)> thread;
    std::function<bool(uint32_t index)> start;  // false: this worker cannot serve
    std::function<void(uint32_t index)> stop;
  };

  // `service` and `fleet` (all workers, by index) must outlive the worker.
  Worker(WorkerOptions options, std::vector<AcceptingSocket> listeners, http::Service& service,
         const std::vector<std::unique_ptr<Worker>>& fleet, Hooks hooks);
  ~Worker() override;

  // False when one of its descriptors has been closed by somebody else. Any thread.
  [[nodiscard]] bool is_whole() const;

  // Builds and serves until stopped. `ready` is called once, with an error when it cannot serve.
  void run(const std::function<void(Expected<std::string>)>& ready);

  // Any thread, once the worker is ready: finish what was begun, then leave run().
  void drain();
  // The same, but leave at once.
  void stop();
  // Any thread, once the worker is ready and until it was told to drain or stop: runs `work` on the worker's
  // thread, soon.
  void run_soon(std::function<void()> work) override;

  // Any thread, once the worker is ready.
  [[nodiscard]] const net::Loop& loop() const { return *loop_; }
  [[nodiscard]] StallMeter& stalls() { return stalls_; }

  // Worker's thread: serves by other options from now on, requests under way too, as far as they have not come to
  // where they matter. After drain() or stop() nothing of it is of use, and nothing happens.
  void take_up(WorkerChange change);
  // Worker's thread: what it serves by.
  [[nodiscard]] WorkerOptions in_force() const;

  using Choice = std::function<bool(http::Exchange&)>;
  // Worker's thread: how many of the exchanges under way are chosen.
  [[nodiscard]] uint64_t count(const Choice& chosen);
  // Worker's thread: ends those, with a 503 where nothing was answered yet, and with a cut answer elsewhere.
  void give_up_on(const Choice& chosen);
  // Worker's thread: has the requests that the pipeline held asked about again.
  void release_held();

  // --- http::WorkerContext
  [[nodiscard]] uint32_t index() const override { return options_.index; }
  [[nodiscard]] uint64_t now_ns() const override { return loop_->now_ns(); }
  [[nodiscard]] uint64_t fresh_ns() const override { return quick_ns(); }
  [[nodiscard]] std::string_view date() const override { return view(date_); }
  [[nodiscard]] BlockPool& blocks() override { return blocks_; }
  [[nodiscard]] unsigned busy_percent() const override { return loop_->busy_percent(); }
  [[nodiscard]] bool resume_after(http::Ticket ticket, uint64_t delay_ms, Resume resume,
                                  void* argument) override;
  [[nodiscard]] client::Fetcher* fetcher() override { return client_.get(); }
  [[nodiscard]] bool ask_self(std::string_view head, const http::ClientIdentity& identity,
                              std::string_view listener) override;
  void forget_timers(http::Exchange& exchange) override { timers_->forget(exchange); }
  [[nodiscard]] bool resume_from_any_thread(http::Ticket ticket, Resume resume, void* argument) override;
  void touch(http::Protocol& protocol) override;

  // --- ExchangeResumer
  void resume(http::Exchange& exchange, Resume call, void* argument) override;

  // --- net::LoopClient
  void on_completion(const net::Completion& completion) override;
  void on_turn_end() override;

 private:
  struct RemoteResume;
  struct HandedOn;
  struct SoonTask;
  struct DrainDeadline : net::Timer {
    explicit DrainDeadline(Worker& owner);
    Worker& owner;
  };

  // For clients that another worker has handed on before it knew that this one drains.
  struct LastLook : net::Timer {
    explicit LastLook(Worker& owner);
    Worker& owner;
  };

  // Looks once a second, as long as there is anything to give back after a busy time.
  struct TidyTimer : net::Timer {
    explicit TidyTimer(Worker& owner);
    Worker& owner;
  };

  Expected<std::string> build();
  void resume_chosen(const Choice& chosen, Resume call);
  void watch_memory();
  void tidy();
  void add_acceptor(AcceptingSocket socket);
  void stop_accepting(const WorkerChange::Ended& listener);
  void hand_on(Fd fd, uint32_t listener);
  [[nodiscard]] bool takes_connections() const;
  void give_back();
  void begin_drain();
  void update_date();

  WorkerOptions options_;
  std::vector<AcceptingSocket> listeners_;
  http::Service& service_;
  const std::vector<std::unique_ptr<Worker>>& fleet_;
  Hooks hooks_;
  StallMeter stalls_;

  std::unique_ptr<net::Engine> engine_;
  std::unique_ptr<net::Loop> loop_;
  BlockPool blocks_;
  NodePool<transport::OutputSegment> segments_;
  http::ExchangePool exchanges_;
  http1::Writer writer_;
  http::KnownHeads heads_;
  http1::KnownLines lines_;
  http1::Environment http1_;
  http1::Sessions sessions_;
  http2::Writer http2_writer_;
  http::KnownHeads http2_heads_{1};
  http2::Environment http2_;
  http2::Sessions http2_sessions_;
  // What clients may speak; where both would do, the first.
  const std::array<http::ProtocolFactory*, 2> protocols_{&http2_sessions_, &sessions_};
  std::unique_ptr<ExchangeTimers> timers_;
  std::unique_ptr<Connections> connections_;
  std::unique_ptr<client::Client> client_;
  std::unique_ptr<SelfRequests> self_requests_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;  // by the slots of their tokens; null: free
  std::unique_ptr<DrainDeadline> drain_deadline_;
  LastLook last_look_;
  TidyTimer tidy_;
  size_t returned_ = 0;    // of blocks_, when it was looked at last
  size_t given_back_ = 0;  // ... and when the allocator was asked last
  uint64_t given_back_ms_ = 0;
  std::array<char, kHttpDateSize> date_{};
  uint64_t next_date_ns_ = 0;
  bool draining_ = false;
  bool ending_ = false;  // takes nothing any more
  mutable std::mutex accepting_mutex_;
  std::vector<int> accepting_on_;        // listening sockets, which are its own ...
  std::atomic<bool> accepting_ = false;  // ... as long as this holds

  // For other workers: whether this one is there, and, of the first worker, whose turn it is to get a client.
  alignas(64) std::atomic<bool> serving_ = false;
  std::atomic<uint32_t> next_ = 0;
};

}  // namespace leat::worker
