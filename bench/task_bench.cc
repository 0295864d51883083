// What the plugin interface costs, and what a coroutine handler that waits for nothing costs over a plain
// one: requests through a real session, with neither sockets nor a pipeline. "json" and "direct" give the
// same answer, one through the interface and one by a handler that is part of the program. Prints nanoseconds
// a request, the best of several rounds, since everything else that the machine does only adds.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include "base/value.h"
#include "json/writer.h"
#include "plugin/host.h"
#include "support/direct_service.h"
#include "support/http_harness.h"

namespace {

using namespace leat;

// Many short rounds, in turn: one that nothing disturbs is among them.
constexpr int kRounds = 1000;
constexpr int kRequests = 1000;

double measure(http1::Session& session) {
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRequests; ++i) {
    session.feed(kRequest);
    std::string_view parts[16];
    const size_t count = session.output().gather(parts);
    size_t size = 0;
    for (size_t part = 0; part < count; ++part) size += parts[part].size();
    session.sent(size);
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return took.count() / kRequests;
}

// The plugin's "json", without the interface.
class Direct final : public pipeline::Handler {
 public:
  pipeline::Verdict handle(http::Exchange& exchange) override {
    json::Writer json(exchange.arena());
    json.begin_object();
    json.key("message");
    json.string("Hello, World!");
    json.end_object();
    const auto text = json.finish();
    if (!text) return pipeline::Verdict::Error;
    exchange.response.content_type = "application/json";
    return exchange.send(*text) ? pipeline::Verdict::Done : pipeline::Verdict::Error;
  }
  [[nodiscard]] std::string_view blame() const override { return "the benchmark"; }
};

struct Compared {
  const char* name;
  std::unique_ptr<pipeline::Handler> handler{};
  double best = 1e9;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s PLUGIN\n", argv[0]), 2;
  auto library =
      plugin::PluginLibrary::load(argv[1], {.directories = {}, .daemon_version = "bench", .worker_count = 1});
  if (!library) return std::fprintf(stderr, "%s\n", library.error().message.c_str()), 1;
  auto instance = plugin::PluginInstance::create(**library, "bench", Value());
  if (!instance || !(*instance)->worker_init(0)) return std::fprintf(stderr, "no instance\n"), 1;

  test::DirectService service;
  test::HttpHarness harness(service);
  harness.limits.requests_per_connection = UINT64_MAX;
  http1::Session session(harness.environment, "192.0.2.7", 0);
  Compared all[] = {{"direct"}, {"json"}, {"plain"}, {"task"}, {"nested"}};
  all[0].handler = std::make_unique<Direct>();
  for (Compared& each : all) {
    if (each.handler) continue;
    auto handler =
        plugin::make_handler(**instance, each.name, {.id = each.name, .pattern = "/", .params = {}});
    if (!handler) return std::fprintf(stderr, "%s\n", handler.error().message.c_str()), 1;
    each.handler = std::move(*handler);
  }
  for (int round = 0; round < kRounds; ++round) {
    for (Compared& each : all) {
      service.handler = each.handler.get();
      each.best = std::min(each.best, measure(session));
    }
  }
  session.disconnect();
  for (const Compared& each : all) std::printf("%-8s %6.1f ns a request\n", each.name, each.best);
  (*instance)->worker_fini(0);
}
