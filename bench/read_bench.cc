// leat-read-bench: a body of P1, P2 and P4 into the struct that its handler wants.
//
//   leat                   Decoder, which is what leat::JsonBody<T> reads with
//   peer_simdjson          on-demand; parser and padded text are used again
//   peer_rapidjson_reader  Reader, event by event, into the struct; its stack is used again
//   peer_rapidjson_dom     Document, its memory from a pool that is used again, then each member looked up
//   peer_yyjson            yyjson_read with memory from a pool, then each member looked up
//
// All take members in any order, want each to be there, check that the text is UTF-8, round doubles rightly,
// and copy users' names. Only Leat refuses a member that comes twice, and says where a mistake is; on-demand
// does not look at what follows the last member that it was asked for. What each has read is written again
// and compared with the body. Rows of simdjson are left out where it is not installed.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>

#include "bench/readers.h"

namespace leat::bench {
namespace {

template <class T>
std::string written(const T& value) {
  char room[1 << 16];
  Encoder encoder(room, room + sizeof room, [](void*, char*&, char*&, size_t) { return false; }, nullptr);
  encoder.value(value);
  return {room, encoder.end()};
}

// P4 as it is received: empty until it is read.
struct ReceivedP4 {
  std::vector<User> users;
  int total = 0;
  int page = 0;
};
LEAT_JSON(ReceivedP4, users, total, page);

// --- Rows

template <class Way, class T>
void row(const std::string& payload, const std::string& name, const T& value) {
  std::string text = written(value);
  text.reserve(text.size() + 64);  // simdjson reads past the end
  const auto check = [&] {
    Way way;
    T read{};
    way(text, read);
    if (written(read) == text) return;
    std::fprintf(stderr, "%s: %s reads\n%s\nand not\n%s\n", payload.c_str(), name.c_str(),
                 written(read).c_str(), text.c_str());
    std::exit(1);
  };
  check();
  benchmark::RegisterBenchmark((payload + "/read/" + name).c_str(), [text](benchmark::State& state) {
    std::string body = text;
    body.reserve(body.size() + 64);
    Way way;
    for (auto _ : state) {
      T read{};
      way(body, read);
      benchmark::DoNotOptimize(&read);
      benchmark::ClobberMemory();
    }
    state.counters["bytes"] = static_cast<double>(body.size());
  });
}

template <class T>
void payload_rows(const std::string& payload, const T& value) {
  row<Leat>(payload, "leat", value);
#ifdef LEAT_BENCH_SIMDJSON
  row<Simdjson>(payload, "peer_simdjson", value);
#endif
  row<RapidJsonReader>(payload, "peer_rapidjson_reader", value);
  row<RapidJsonDom>(payload, "peer_rapidjson_dom", value);
  row<Yyjson>(payload, "peer_yyjson", value);
}

}  // namespace
}  // namespace leat::bench

int main(int count, char** arguments) {
  using namespace leat::bench;
  payload_rows("P1", P1{.id = 1});
  payload_rows("P2", P2());
  payload_rows("P4", ReceivedP4{P4().users, 100, 1});
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
