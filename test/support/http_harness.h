// HttpHarness: everything a session needs, with neither socket nor thread: a worker context with a clock that
// tests set, memory pools, and tables of known heads and lines that can be left out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "http1/session.h"

namespace leat::test {

class TestWorker final : public http::WorkerContext {
 public:
  explicit TestWorker(size_t most_blocks = 4096) : blocks_(most_blocks, 64) {}
  [[nodiscard]] uint32_t index() const override { return 0; }
  [[nodiscard]] uint64_t now_ns() const override { return now_ms * 1'000'000; }
  [[nodiscard]] uint64_t fresh_ns() const override { return now_ns() + turn_ns; }
  [[nodiscard]] std::string_view date() const override { return kDate; }
  [[nodiscard]] BlockPool& blocks() override { return blocks_; }
  [[nodiscard]] unsigned busy_percent() const override { return busy; }
  [[nodiscard]] bool resume_after(http::Ticket ticket, uint64_t delay_ms, Resume resume,
                                  void* argument) override {
    waiting.push_back({ticket, resume, argument, delay_ms});
    return true;
  }
  [[nodiscard]] bool ask_self(std::string_view head, const http::ClientIdentity& identity,
                              std::string_view listener) override {
    if (asks_self) asked.emplace_back(head);
    asked_client = identity.client;
    asked_listener = listener;
    asked_scheme = identity.scheme;
    return asks_self;
  }
  void forget_timers(http::Exchange&) override {}
  [[nodiscard]] bool resume_from_any_thread(http::Ticket ticket, Resume resume, void* argument) override {
    return resume_after(ticket, 0, resume, argument);
  }
  void run_soon(std::function<void()>) override {}
  [[nodiscard]] client::Fetcher* fetcher() override { return asks; }

  static constexpr std::string_view kDate = "Mon, 23 Nov 2026 12:00:00 GMT";
  struct Waiting {
    http::Ticket ticket;
    Resume resume;
    void* argument;
    uint64_t delay_ms;
  };
  std::vector<Waiting> waiting;
  uint64_t now_ms = 1'000'000;
  uint64_t turn_ns = 0;                                    // what the turn has taken so far
  std::vector<std::string> asked;                          // of ask_self()
  std::string asked_client, asked_scheme, asked_listener;  // of the last
  bool asks_self = false;
  client::Fetcher* asks = nullptr;
  unsigned busy = 0;

 private:
  BlockPool blocks_;
};

struct HttpHarness {
  explicit HttpHarness(http::Service& service, bool tables = true, size_t most_exchanges = 64,
                       size_t most_blocks = 4096)
      : worker(most_blocks),
        segments(65'536),
        exchanges(worker, most_exchanges),
        writer("leat"),
        environment{.worker = worker,
                    .service = service,
                    .limits = limits,
                    .memory = {worker.blocks(), segments},
                    .exchanges = exchanges,
                    .writer = writer,
                    .heads = tables ? &heads : nullptr,
                    .lines = tables ? &lines : nullptr} {
    writer.set_date(TestWorker::kDate);
  }

  // Has everything in a session's output sent, and asks nothing of the heap for it.
  static void send_all(http::Protocol& session) {
    while (!session.output().empty()) {
      std::string_view parts[8];
      const size_t count = session.output().gather(parts);
      size_t size = 0;
      for (size_t i = 0; i < count; ++i) size += parts[i].size();
      session.sent(size);
    }
  }
  // Takes everything out of a session's output, as a socket that never blocks would.
  static std::string take(http::Protocol& session) {
    std::string out;
    while (!session.output().empty()) {
      std::string_view parts[8];
      const size_t count = session.output().gather(parts);
      size_t size = 0;
      for (size_t i = 0; i < count; ++i) {
        out.append(parts[i]);
        size += parts[i].size();
      }
      session.sent(size);
    }
    return out;
  }

  // Resumes what asked for it, oldest first; stale tickets are dropped.
  void resume_all() {
    std::vector<TestWorker::Waiting> due;
    due.swap(worker.waiting);
    for (const auto& each : due) resume(each);
  }
  // The same for those that asked for it at once; timers keep waiting.
  void resume_ready() {
    std::vector<TestWorker::Waiting> due;
    due.swap(worker.waiting);
    for (const auto& each : due)
      if (each.delay_ms == 0)
        resume(each);
      else
        worker.waiting.push_back(each);
  }
  void resume(const TestWorker::Waiting& each) {
    if (http::Exchange* exchange = exchanges.find(each.ticket))
      exchange->stream().protocol()->resume(*exchange, each.resume, each.argument);
  }

  http::Limits limits;
  TestWorker worker;
  NodePool<transport::OutputSegment> segments;
  http::ExchangePool exchanges;
  http1::Writer writer;
  http::KnownHeads heads;
  http1::KnownLines lines;
  http1::Environment environment;
};

// A small site for wire scripts, which shows every way of answering. It also checks the contract of Service:
// calls come in order, on_done once an exchange, nothing after it.
class WireService final : public http::Service {
 public:
  BodyMode on_request(http::Exchange& exchange) override;
  void on_body(http::Exchange& exchange, std::string_view piece) override;
  void on_body_end(http::Exchange& exchange) override;
  void on_writable(http::Exchange& exchange) override;
  void on_response(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_done(http::Exchange& exchange) override;

  uint64_t requests = 0;
  uint64_t cancelled = 0;
  uint64_t done = 0;
  uint64_t refused = 0;
};

}  // namespace leat::test
