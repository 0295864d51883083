// leat-pool-bench: recycled objects beside what the allocator gives, which is mimalloc as in the daemon.
//
//   request      an Exchange with half a KiB of its arena in use: from the worker's ExchangePool, and new
//   connection   a Connection: in memory that is kept, and new, which is what the daemon does
//   buffer       16 KiB of which the first line is written: from a BlockPool, and from malloc
//   segment      a node of an output queue: from a NodePool, and new
//
// "1" makes one and lets it go, as for requests that are answered at once; "64" has so many at a time, as for
// those that wait.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "base/block_pool.h"
#include "base/node_pool.h"
#include "net/engine_choice.h"
#include "support/direct_service.h"
#include "support/http_harness.h"
#include "worker/connections.h"

namespace leat::bench {
namespace {

constexpr int kMany = 64;

// Makes `at_once` objects by make() and lets all go by drop(object); the time is that of one of them.
template <class Make, class Drop>
void row(const std::string& name, Make make, Drop drop) {
  for (const int at_once : {1, kMany}) {
    benchmark::RegisterBenchmark((name + "/" + std::to_string(at_once)).c_str(),
                                 [make, drop, at_once](benchmark::State& state) {
                                   std::array<decltype(make()), kMany> made;
                                   while (state.KeepRunningBatch(at_once)) {
                                     for (int i = 0; i < at_once; ++i) made[i] = make();
                                     benchmark::ClobberMemory();
                                     for (int i = 0; i < at_once; ++i) drop(made[i]);
                                   }
                                 });
  }
}

http::Exchange* use(http::Exchange* exchange) {
  void* memory = exchange->arena().allocate(512, 16);
  std::memset(memory, 1, 64);
  benchmark::DoNotOptimize(memory);
  return exchange;
}

void request_rows(test::HttpHarness& harness, http1::Session& session) {
  http::ExchangePool& pool = harness.exchanges;
  row(
      "request/pooled", [&] { return use(pool.take(session, harness.environment.service, size_t{1} << 20)); },
      [&](http::Exchange* exchange) { pool.give(*exchange); });
  row(
      "request/direct",
      [&] {
        auto* exchange = new http::Exchange(harness.worker, session);
        exchange->arena().set_limit(size_t{1} << 20);
        return use(exchange);
      },
      [](http::Exchange* exchange) { delete exchange; });
}

// Memory of connections that have ended, for those that come.
class Kept {
 public:
  ~Kept() {
    while (free_ != nullptr) std::free(std::exchange(free_, free_->next));
  }
  void* take() {
    if (free_ == nullptr) return std::malloc(sizeof(worker::Connection));
    return std::exchange(free_, free_->next);
  }
  void give(void* memory) { free_ = new (memory) Free{free_}; }

 private:
  struct Free {
    Free* next;
  };
  Free* free_ = nullptr;
};

void connection_rows(worker::Connections& table, http::ProtocolFactory& sessions) {
  const auto listener = std::make_shared<const worker::Listener>(
      worker::Listener{0, std::make_shared<const worker::ListenerOptions>(), {&sessions}});
  static const HostAddress peer;  // the rows run later
  static Kept kept;
  row(
      "connection/pooled",
      [&table, listener] {
        return new (kept.take()) worker::Connection(table, {}, Fd(), peer, false, false, listener);
      },
      [](worker::Connection* connection) {
        connection->~Connection();
        kept.give(connection);
      });
  row(
      "connection/direct",
      [&table, listener] { return new worker::Connection(table, {}, Fd(), peer, false, false, listener); },
      [](worker::Connection* connection) { delete connection; });
}

void buffer_rows(BlockPool& pool) {
  const auto touch = [](Block* block) {
    block->begin = block->end = 0;
    std::memset(block->bytes(), 1, 32);
    return block;
  };
  row("buffer/pooled", [&, touch] { return touch(pool.take()); }, [&](Block* block) { pool.give(block); });
  row(
      "buffer/direct", [touch] { return touch(new (std::malloc(Block::kSize)) Block); },
      [](Block* block) { std::free(block); });
}

void segment_rows(NodePool<transport::OutputSegment>& pool) {
  row(
      "segment/pooled", [&] { return pool.take(); },
      [&](transport::OutputSegment* segment) { pool.give(segment); });
  row(
      "segment/direct", [] { return new transport::OutputSegment; },
      [](transport::OutputSegment* segment) { delete segment; });
}

}  // namespace
}  // namespace leat::bench

int main(int count, char** arguments) {
  using namespace leat;
  test::DirectService service;
  test::HttpHarness harness(service, true, 2 * bench::kMany);
  http1::Session session(harness.environment, "192.0.2.7", 0);
  auto engine = net::create_engine(net::EngineChoice::Epoll, {});
  auto loop = engine ? net::Loop::create(*engine->engine) : nullptr;
  if (!loop || !*loop) return std::fprintf(stderr, "there is no event loop\n"), 1;
  http1::Sessions sessions(harness.environment);
  http::ProtocolFactory* const protocols[] = {&sessions};
  worker::Connections connections(**loop, protocols, harness.environment.memory, harness.limits, {});
  bench::request_rows(harness, session);
  bench::connection_rows(connections, sessions);
  bench::buffer_rows(harness.worker.blocks());
  bench::segment_rows(harness.segments);
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::ClearRegisteredBenchmarks();
  session.disconnect();
}
