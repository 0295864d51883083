// Handlers that only the benchmarks ask for: payloads as structs of LEAT_JSON, parameters, many tasks at
// once.
#include <leat/plugin.hpp>

#include <chrono>
#include <cstdint>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "bench/payloads.h"

namespace leat::bench {
namespace {

// Of a document as an API has it.
struct Record {
  int id;
  std::string name, email;
  bool active;
  double score;
  std::string created;
};
LEAT_JSON(Record, id, name, email, active, score, created);

// WebSockets: what is said is said back, or to all.
struct Echo {
  void on_message(WebSocket& socket, Message message) { socket.send(message); }
};
struct Room {
  void on_open(WebSocket& socket) { socket.subscribe("room"); }
  void on_message(WebSocket& socket, Message message, class Bench& bench);
};

class Bench : public Plugin<Bench> {
 public:
  explicit Bench(Setup& setup) : host(setup.host()) {
    for (int i = 0; i < kRecords; ++i) {
      const int other = i * 7919 % 100'003;  // so that no two records are alike
      document_.push_back({.id = i,
                           .name = "user " + std::to_string(other),
                           .email = "user" + std::to_string(other) + "@example.com",
                           .active = other % 3 != 0,
                           .score = other / 64.0,
                           .created = "2026-11-" + std::to_string(10 + other % 19) + "T12:00:00Z"});
    }
  }

  Reply payload(Path<std::string_view, "id"> id, Json& json) {
    if (*id == "p1") return json.value(P1{.id = 1});
    if (*id == "p2") return json.value(P2());
    if (*id == "p3") return json.value(P3());
    if (*id == "p4") return json.value(ListedP4());
    if (*id == "p7") return json.value(P7());
    if (*id == "document") return json.value(document_);
    return problem(404, "There is no such payload.");
  }

  // The routes with parameters of P12.
  Reply user(Path<int, "user"> user, Json& json) { return json.object("user", user); }
  Reply post(Path<int, "user"> user, Path<int, "post"> post, Json& json) {
    return json.object("user", user, "post", post);
  }

  // P11: typed, and its list split.
  Reply search(Query<int, "user_id"> user, Query<std::string_view, "name"> name, Query<bool, "active"> active,
               Query<double, "score"> score, Query<std::string_view, "tags"> tags, Json& json) {
    const auto list = [&](Json& out) {
      out.begin_array();
      for (const auto tag : std::views::split(*tags, ','))
        out.value(std::string_view(tag.begin(), tag.end()));
      out.end_array();
    };
    return json.object("user_id", user, "name", name, "active", active, "score", score, "tags", list);
  }

  // P5, at once or when all others are under way as well.
  Reply item(Path<int, "id", Range{0, 99}> id, Json& json) { return json.value(P5{*id}); }
  Task<Reply> late_item(Path<int, "id", Range{0, 99}> id, Json& json) {
    co_await sleep(std::chrono::milliseconds(1));
    co_return json.value(P5{*id});
  }
  // A hundred P5 by as many tasks of one request.
  Task<Reply> items(Json& json) {
    json.begin_array();
    co_await gather_with_limit(std::views::iota(0, 100), 100, [&](int id) -> Task<> {
      json.value(P5{id});
      co_return;
    });
    co_return json.end_array();
  }

  // Adds up what so many tasks come to, each after so long; 0: it does not wait.
  Task<Reply> gather(Query<int, "count", Range{1, 10'000}> count, Query<int, "limit", Range{1, 10'000}> limit,
                     Query<int, "ms", Range{0, 1000}> ms, Json& json) {
    const auto values = co_await gather_with_limit(std::views::iota(0, *count), static_cast<size_t>(*limit),
                                                   [&](int number) -> Task<int64_t> {
                                                     if (*ms > 0)
                                                       co_await sleep(std::chrono::milliseconds(*ms));
                                                     co_return number;
                                                   });
    int64_t sum = 0;
    for (const int64_t value : values) sum += value;
    co_return json.object("sum", sum);
  }

  // 100 KB of it.
  static constexpr int kRecords = 780;
  std::vector<Record> document_;

  static constexpr auto handlers() {
    return list(handler<&Bench::payload>("payload"), handler<&Bench::user>("user"),
                handler<&Bench::post>("post"), handler<&Bench::search>("search"),
                handler<&Bench::item>("item"), handler<&Bench::late_item>("late_item"),
                handler<&Bench::items>("items"), handler<&Bench::gather>("gather"), websocket<Echo>("echo"),
                websocket<Room>("room"));
  }

  const leat_host* const host;
};

void Room::on_message(WebSocket&, Message message, Bench& bench) { publish(bench.host, "room", message); }

}  // namespace
}  // namespace leat::bench

LEAT_PLUGIN(leat::bench::Bench, "bench", "1.0")
