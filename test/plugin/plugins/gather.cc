// Tasks that wait for several others at a time.
#include <leat/plugin.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using leat::Json;
using leat::Reply;
using leat::Result;
using leat::Task;
using std::chrono::milliseconds;
using std::views::iota;

std::atomic<int> running = 0;
std::atomic<int> most_running = 0;

// Runs as long as it lives.
class Running {
 public:
  Running() { most_running = std::max(most_running.load(), ++running); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { --running; }

 private:
  std::string heap_ = "something that leaks unless it is destroyed";
};

// Later items take less time. Item `bad` fails, in the way that `how` says.
Task<std::string> fetch(int item, int of, int bad, std::string_view how) {
  const Running counted;
  if (how != "at once") co_await leat::sleep(milliseconds(of - item));
  if (item == bad && how == "throw") throw std::runtime_error("an item threw");
  if (item == bad && how == "problem") throw leat::Problem{404, "There is no such item."};
  co_return std::to_string(item);
}
Task<Result<std::string>> fetch_result(int item, int of, int bad) {
  const Running counted;
  co_await leat::sleep(milliseconds(of - item));
  if (item == bad) co_return leat::problem(404, "There is no item " + std::to_string(item) + ".");
  co_return std::to_string(item);
}

class Gather : public leat::Plugin<Gather> {
 public:
  using N = leat::Query<int, "n">;
  using Limit = leat::Query<size_t, "limit">;
  using Bad = leat::Query<int, "bad", leat::Default{-1}>;
  using How = leat::Query<std::string_view, "how">;

  ~Gather() {
    for (std::thread& thread : threads_) thread.join();
  }

  Task<Reply> values(N n, Limit limit, Bad bad, How how, Json& json) {
    most_running = 0;
    const auto got = co_await leat::gather_with_limit(iota(0, *n), limit,
                                                      [&](int item) { return fetch(item, n, bad, how); });
    co_return json.object("got", got, "most", most_running.load(), "left", running.load());
  }
  Task<Result<Reply>> results(N n, Limit limit, Bad bad, Json& json) {
    const auto got = co_await leat::gather_with_limit(iota(0, *n), limit,
                                                      [&](int item) { return fetch_result(item, n, bad); });
    if (!got) co_return got.problem();
    co_return json.object("got", *got, "left", running.load());
  }
  Task<Reply> collected(N n, Limit limit, Bad bad, How how, Json& json) {
    std::vector<std::string> texts;
    const auto got = co_await leat::collect_with_limit(iota(0, *n), limit,
                                                       [&](int item) { return fetch(item, n, bad, how); });
    for (const auto& each : got) texts.push_back(each ? *each : each.problem().detail);
    for (const auto& each : co_await leat::collect_with_limit(
             iota(0, *n), limit, [&](int item) { return fetch_result(item, n, bad); }))
      texts.push_back(each ? *each : each.problem().detail);
    co_return json.object("got", texts, "left", running.load());
  }
  // Nothing comes of these; and a range that is a temporary.
  Task<Reply> effects(Json& json) {
    std::vector<std::string> seen;
    co_await leat::gather_with_limit(three(), 2, [&](const std::string& item) -> Task<> {
      co_await leat::sleep(milliseconds(10 - item.size()));
      seen.push_back(item);
    });
    co_return json.object("seen", seen);
  }
  static std::vector<std::string> three() { return {"one", "two", "three"}; }

  // Gatherings in a gathering.
  Task<Reply> nested(Bad bad, Json& json) {
    const auto rows = co_await leat::gather_with_limit(iota(0, 4), 3, [&](int row) {
      return leat::gather_with_limit(
          iota(0, 5), 2, [row, &bad](int item) { return fetch(row * 10 + item, 100, bad, "throw"); });
    });
    co_return json.value(rows);
  }
  Task<Reply> threads(N n, Limit limit, Json& json) {
    co_return json.value(co_await leat::gather_with_limit(iota(0, *n), limit, [&](int item) -> Task<int> {
      leat::Completion<int> completion;
      threads_.emplace_back(
          [item, completer = completion.completer()]() mutable { completer.complete(item); });
      co_return co_await completion;
    }));
  }

  Task<Reply> within(leat::Query<int, "ms"> ms, leat::Query<int, "work"> work, Json& json) {
    // Both in one expression: the first, over its time, must not be woken while the second waits.
    const auto both = [&](std::optional<std::string> first, bool second) {
      return std::pair(std::move(first), second);
    };
    const auto [first, second] = both(co_await leat::within(milliseconds(*ms), fetch(0, *work, -1, "")),
                                      co_await leat::within(milliseconds(*ms * 10), nothing(*work * 5)));
    co_return json.object("first", first, "second", second, "left", running.load());
  }
  static Task<> nothing(int work_ms) { co_await leat::sleep(milliseconds(work_ms)); }
  // The time is for all of them.
  Task<Reply> within_all(leat::Query<int, "ms"> ms, N n, Json& json) {
    const auto got = co_await leat::within(
        milliseconds(*ms),
        leat::gather_with_limit(iota(0, *n), 4, [&](int item) { return fetch(item, n, -1, ""); }));
    if (!got) co_return leat::problem(504, "The items took too long.");
    co_return json.value(*got);
  }

  // Nothing of its own on the heap.
  Task<Reply> numbers(N n, Limit limit, Json& json) {
    co_return json.value(co_await leat::gather_with_limit(iota(0, *n), limit, [&](int item) -> Task<int> {
      co_await leat::sleep(milliseconds(item % 2));
      co_return item* item;
    }));
  }

  static Reply left(Json& json) { return json.object("left", running.load()); }

  static constexpr auto handlers() {
    return leat::list(handler<&Gather::values>("values"), handler<&Gather::results>("results"),
                      handler<&Gather::collected>("collected"), handler<&Gather::effects>("effects"),
                      handler<&Gather::nested>("nested"), handler<&Gather::threads>("threads"),
                      handler<&Gather::within>("within"), handler<&Gather::within_all>("within_all"),
                      handler<&Gather::numbers>("numbers"), handler<&Gather::left>("left"));
  }

 private:
  std::vector<std::thread> threads_;
};

}  // namespace

LEAT_PLUGIN(Gather, "gather", "1.0")
