// VirtualWorker: a worker without a loop. Time is a number, other threads' calls wait in a list, and whoever
// drives it says what happens next.
//
// Belongs to one thread, which is its worker's; resume_from_any_thread, run_soon and wait_for_posts may be
// called from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/block_pool.h"
#include "http/exchange.h"
#include "http/protocol.h"

namespace leat::testing {

class VirtualWorker final : public http::WorkerContext {
 public:
  // `most_blocks` of memory, `now_ms` to begin with.
  explicit VirtualWorker(size_t most_blocks = 65'536, uint64_t now_ms = 1000)
      : blocks_(most_blocks, 64), now_ms_(now_ms) {}
  // Before anything else. It must live as long as requests may be resumed.
  void set_exchanges(http::ExchangePool& exchanges) { exchanges_ = &exchanges; }
  // For requests that ask other servers.
  void set_fetcher(client::Fetcher& fetcher) { fetcher_ = &fetcher; }

  [[nodiscard]] uint32_t index() const override { return 0; }
  [[nodiscard]] uint64_t now_ns() const override { return now_ms_ * 1'000'000; }
  [[nodiscard]] std::string_view date() const override { return "Mon, 23 Nov 2026 12:00:00 GMT"; }
  [[nodiscard]] BlockPool& blocks() override { return blocks_; }
  [[nodiscard]] bool resume_after(http::Ticket ticket, uint64_t delay_ms, Resume resume,
                                  void* argument) override;
  [[nodiscard]] client::Fetcher* fetcher() override { return fetcher_; }
  void forget_timers(http::Exchange&) override {}  // a stale ticket resumes nothing
  [[nodiscard]] bool resume_from_any_thread(http::Ticket ticket, Resume resume, void* argument) override;
  void run_soon(std::function<void()> work) override;

  // --- Driving it.
  [[nodiscard]] uint64_t now_ms() const { return now_ms_; }
  void set_now_ms(uint64_t now_ms) { now_ms_ = now_ms; }
  // Runs the oldest of what was posted; false when there is nothing.
  bool run_post();
  // Runs what was posted before the call.
  bool run_posts();
  // Waits until something is posted, on the real clock; false when nothing was.
  bool wait_for_posts(std::chrono::milliseconds most);
  // When the next timer is due.
  [[nodiscard]] std::optional<uint64_t> next_timer_ms();
  // Runs the timer that is due first, if that is by now; the older one of two.
  bool run_timer();
  // Moves on to the next timers, and runs those of that time which run by now.
  bool run_next_timers();

  std::vector<uint64_t> delays_ms;  // of the timers so far

 private:
  struct Timer {
    uint64_t due_ms;
    http::Ticket ticket;
    Resume resume;
    void* argument;
  };
  // A resumption where `work` is empty.
  struct Post {
    std::function<void()> work;
    http::Ticket ticket;
    Resume resume;
    void* argument;
  };

  void go_on(const http::Ticket& ticket, Resume resume, void* argument);

  BlockPool blocks_;
  uint64_t now_ms_;
  http::ExchangePool* exchanges_ = nullptr;
  client::Fetcher* fetcher_ = nullptr;
  std::vector<Timer> timers_;  // in the order set
  std::mutex mutex_;           // of all below
  std::condition_variable posted_;
  std::deque<Post> posts_;
};

// Takes at most `most` bytes out of a session's output, as a socket that never blocks would.
std::string take_output(http::Protocol& session, size_t most = SIZE_MAX);

}  // namespace leat::testing
