// leat-request-bench: what a request costs without sockets: session, parser, routes, middleware, plugin, cache.
//
//   application   /json as it is asked for again and again, and with heads of which no two are equal
//   chain         the same handler behind so many middleware instances that do nothing
//   parameters    P11, typed and answered as JSON, beside a handler that takes none
//   cache         P7 and P4: made, found, and made and stored because they were not found; all heads differ
//   store         the table below the cache alone: values of P4's size
//   p5            a hundred P5: one request after another, as many requests that wait for each other, and as
//                 tasks of one request
//   gather        gather_with_limit over 1,000 tasks, 100 at a time, that wait for nothing or for a timer
//
// One thread. Every row's answer is looked at before it is measured.
#include <benchmark/benchmark.h>

#include <functional>
#include <ranges>

#include "base/arena.h"
#include "bench/application.h"
#include "cache/store.h"

namespace leat::bench {
namespace {

constexpr std::string_view kJson = R"({"message":"Hello, World!"})";
constexpr size_t kPool = 8192;  // of heads that differ: more than the daemon remembers

std::string get(std::string_view target, std::string_view field = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: bench\r\n" + std::string(field) + "\r\n";
}

// Heads of one length, each with another field.
std::vector<std::string> distinct(std::string_view target) {
  std::vector<std::string> heads;
  for (size_t i = 0; i < kPool; ++i)
    heads.push_back(get(target, "X-Request-Id: " + std::to_string(100'000 + i) + "\r\n"));
  return heads;
}

// A row that asks for these in turn.
void row(const std::string& name, Client& client, std::vector<std::string> requests) {
  benchmark::RegisterBenchmark(name.c_str(), [&client, requests = std::move(requests)](auto& state) {
    size_t turn = 0;
    for (auto _ : state) {
      benchmark::DoNotOptimize(client.ask(requests[turn]));
      if (++turn == requests.size()) turn = 0;
    }
  });
}

// --- Middleware that does nothing

class Passing final : public pipeline::Middleware {
 public:
  [[nodiscard]] uint8_t hooks() const override { return kRequest | kAnswer; }
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange&) override { return pipeline::Verdict::Next; }
  Wants on_answer(http::Exchange&, http::AnswerBody&) override { return Wants::Nothing; }
};

constexpr pipeline::MiddlewareKind kPassing[] = {
    {"passing", pipeline::Phase::Transform, "Does nothing.", {}, [](const pipeline::BuildContext&) {
       return std::unique_ptr<pipeline::Middleware>(std::make_unique<Passing>());
     }}};

std::unique_ptr<pipeline::Site> site_with_chain(const Application& application, int length) {
  pipeline::SiteBuilder builder(kPassing);
  // Options that differ, or they would be one.
  for (int64_t i = 0; i < length; ++i)
    builder.add_middleware({.kind = "passing", .options = Value(Value::Table{{"number", Value(i, {})}}, {})});
  builder.add_route({.path = "/json", .methods = {"GET"}, .handler = application.handler("demo", "json")});
  Diagnostics diagnostics;
  auto site = builder.build(diagnostics);
  if (!site || site->routes()[0]->chain->on_request.size() != static_cast<size_t>(length))
    fail("the chain is not what it should be");
  return site;
}

struct Chain {
  Chain(const Application& application, int length)
      : site(site_with_chain(application, length)), client(*site) {
    client.expect(get("/json"), kJson);
    row("chain/" + std::to_string(length), client, {get("/json")});
  }
  std::unique_ptr<pipeline::Site> site;
  Client client;
};

// --- Rows

void parameter_rows(Client& client) {
  const std::string p11 = get("/search?user_id=123&name=john&active=true&score=95.5&tags=python,web,async");
  client.expect(
      p11, R"({"user_id":123,"name":"john","active":true,"score":95.5,"tags":["python","web","async"]})");
  client.expect(get("/search?user_id=123&name=john&active=perhaps&score=95.5&tags=x"),
                R"("in":"query","parameter":"active"}]})", "400 Bad Request");
  client.expect(get("/plaintext"), "Hello, World!");
  row("parameters/none", client, {get("/plaintext")});
  row("parameters/P11", client, {p11});
}

void cache_rows(Client& client, const std::string& payload, const std::string& id, std::string_view ending) {
  const std::string made = "/payload/" + id, cached = "/cached/payload/" + id;
  client.expect(get(made), ending);
  client.expect(get(cached), ending);
  client.expect(get(cached), ending);
  row("cache/" + payload + "/handler", client, distinct(made));
  row("cache/" + payload + "/hit", client, distinct(cached));
  benchmark::RegisterBenchmark(("cache/" + payload + "/miss").c_str(), [&client, cached](auto& state) {
    static int number = 1'000'000'000;
    std::string request = get(cached + "?n=" + std::to_string(number), "X-Request-Id: 100000\r\n");
    const size_t at = request.find("?n=") + 3;
    for (auto _ : state) {
      ++number;
      std::to_chars(request.data() + at, request.data() + at + 10, number);
      benchmark::DoNotOptimize(client.ask(request));
    }
  });
}

void store_rows() {
  constexpr size_t kEntries = 1024, kValue = 5412;
  static cache::Store store;
  static std::vector<std::string> keys;
  static const std::string value(kValue, 'v');
  store.configure({.bytes = 2 * kEntries * (kValue + 256)}, 1);
  for (size_t i = 0; i < kEntries; ++i) {
    keys.push_back("GET bench /payload/" + std::to_string(100'000 + i));
    if (store.put(keys.back(), value, 0, UINT64_MAX) != cache::Store::Result::Stored)
      fail("nothing is stored");
  }
  benchmark::RegisterBenchmark("store/hit", [](benchmark::State& state) {
    size_t turn = 0;
    for (auto _ : state) {
      const cache::Pin pin = store.find(0, keys[turn++ % kEntries], 0);
      if (!pin) return state.SkipWithError("an entry has gone");
      benchmark::DoNotOptimize(pin.value().data());
    }
  });
  benchmark::RegisterBenchmark("store/miss", [](benchmark::State& state) {
    for (auto _ : state) {
      const cache::Pin pin = store.find(0, "GET bench /payload/nothing", 0);
      if (pin) return state.SkipWithError("there is an entry");
    }
  });
  benchmark::RegisterBenchmark("store/put", [](benchmark::State& state) {
    size_t turn = 0;
    for (auto _ : state) benchmark::DoNotOptimize(store.put(keys[turn++ % kEntries], value, 0, UINT64_MAX));
  });
}

void p5_rows(Client& one, Client& hundred) {
  std::vector<std::string> at_once, late;
  for (int id = 0; id < 100; ++id) {
    at_once.push_back(get("/item/" + std::to_string(id)));
    late.push_back(get("/late_item/" + std::to_string(id)));
  }
  constexpr std::string_view kSeventh = R"({"id":7,"message":"Message 7","data":[0,1,2,3,4,5,6]})";
  one.expect(at_once[7], kSeventh);
  one.expect(late[7], kSeventh);
  one.expect(get("/items"), R"({"id":99,"message":"Message 99","data":[0,1,2,3,4,5,6,7,8]}])");
  benchmark::RegisterBenchmark("p5/sequential", [&one, at_once](benchmark::State& state) {
    for (auto _ : state)
      for (const std::string& request : at_once) benchmark::DoNotOptimize(one.ask(request));
  });
  benchmark::RegisterBenchmark("p5/concurrent", [&hundred, late](benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(hundred.ask_all(late));
  });
  row("p5/gathered", one, {get("/items")});
}

void gather_rows(Client& client) {
  for (const auto& [name, ms] : {std::pair("instant", "0"), std::pair("waiting", "1")}) {
    const std::string request = get(std::string("/gather?count=1000&limit=100&ms=") + ms);
    client.expect(request, R"({"sum":499500})");
    row(std::string("gather/") + name, client, {request});
  }
}

}  // namespace
}  // namespace leat::bench

int main(int count, char** arguments) {
  using namespace leat::bench;
  const Application application(LEAT_BENCH_CONFIGURATION, {LEAT_DEMO_FOLDER, LEAT_BENCH_FOLDER});
  Client client(application.site()), hundred(application.site(), 100);
  client.expect(get("/json"), kJson);
  row("application/json", client, {get("/json")});
  row("application/distinct", client, distinct("/json"));
  const Chain chains[] = {{application, 0}, {application, 3}, {application, 10}};
  parameter_rows(client);
  cache_rows(client, "P7", "p7", R"({"message":"cached response","id":123})");
  cache_rows(client, "P4", "p4", R"("total":100,"page":1})");
  store_rows();
  p5_rows(client, hundred);
  gather_rows(client);
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::ClearRegisteredBenchmarks();
}
