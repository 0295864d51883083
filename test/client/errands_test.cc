// Errands: what a client asks for of its own accord, while it serves and when it comes to its end.
#include "client/errands.h"

#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/rig.h"

namespace leat::client {
namespace {

using test::answer;
using test::Peer;
using test::Rig;
using Plan = Errand::Plan;

// Asks for what it was given, one after the other, and waits in between until it is woken.
struct Script final : Errand {
  struct Heard {
    FetchStatus status;
    uint16_t code;
    std::string body, message;
  };
  explicit Script(std::shared_ptr<const Upstream> asked) : upstream(std::move(asked)) {}
  ~Script() override {
    if (gone != nullptr) *gone = true;
  }
  Plan plan(uint64_t, bool ending) override {
    ++plans;
    told_of_end = told_of_end || ending;
    if (!bodies.empty())
      return {.next = Plan::Next::Ask,
              .upstream = &upstream,
              .request = {.method = "POST", .target = "/take", .body = bodies.front()}};
    if (waits && !ending) return {.next = Plan::Next::Wait, .wait_ms = wait_ms};
    return {};
  }
  void on_fetched(const Fetch& fetch, uint64_t) override {
    heard.push_back({fetch.status, fetch.code, std::string(fetch.body), std::string(fetch.message)});
    bodies.erase(bodies.begin());
  }

  std::shared_ptr<const Upstream> upstream;
  std::vector<std::string> bodies;
  std::vector<Heard> heard;
  bool waits = false;
  uint64_t wait_ms = 1'000'000;
  int plans = 0;
  bool told_of_end = false;
  bool* gone = nullptr;
};

std::string post(const Rig& rig, std::string_view body) {
  return fmt::format("POST /take HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{}",
                     rig.upstream->authority(), body.size(), body);
}

}  // namespace

TEST_CASE("errands: one asks for one thing after the other, and goes when nothing is left") {
  Rig rig;
  bool gone = false;
  auto script = std::make_shared<Script>(rig.upstream);
  script->gone = &gone;
  script->bodies = {"first", std::string(100'000, 's') + "!"};
  REQUIRE(rig.client->begin(script));
  CHECK(script->plans == 0);  // not from within
  Peer& peer = *rig.accept();
  CHECK(rig.take(peer, "first") == post(rig, "first"));
  rig.reply(peer, answer("one"));
  CHECK(rig.take(peer, "s!").size() > 100'000);
  CHECK(rig.client->errands() == 1);
  rig.reply(peer, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
  CHECK(rig.until([&] { return rig.client->errands() == 0; }));
  REQUIRE(script->heard.size() == 2);
  CHECK(script->heard[0].status == FetchStatus::Answered);
  CHECK(script->heard[0].code == 200);
  CHECK(script->heard[0].body == "one");
  CHECK(script->heard[1].code == 503);
  CHECK(script->plans == 3);
  CHECK_FALSE(gone);
  script.reset();
  CHECK(gone);
  CHECK(rig.worker.blocks().used() < 10'000);
}

TEST_CASE("errands: one that waits is asked again when it is woken, and lives as long as it has to do") {
  Rig rig;
  bool gone = false;
  auto script = std::make_shared<Script>(rig.upstream);
  Script& seen = *script;
  seen.gone = &gone;
  seen.waits = true;
  REQUIRE(rig.client->begin(std::move(script)));
  CHECK(rig.until([&] { return seen.plans == 1; }));
  CHECK(rig.nobody_waits());
  CHECK(seen.plans == 1);
  seen.bodies = {"late"};
  rig.client->wake(seen);
  Peer& peer = *rig.accept();
  CHECK(rig.take(peer, "late") == post(rig, "late"));
  rig.client->wake(seen);  // which changes nothing while it asks
  rig.reply(peer, answer("it"));
  CHECK(rig.until([&] { return seen.heard.size() == 1 && seen.plans == 3; }));
  CHECK_FALSE(gone);
  seen.waits = false;
  rig.client->wake(seen);
  CHECK(rig.until([&] { return rig.client->errands() == 0; }));
  CHECK(gone);
}

TEST_CASE(
    "errands: at the client's end each is told, says what is left, and what takes too long is given up") {
  Rig rig;
  auto quick = std::make_shared<Script>(rig.upstream);
  auto idle = std::make_shared<Script>(rig.upstream);
  quick->waits = idle->waits = true;
  REQUIRE(rig.client->begin(quick));
  REQUIRE(rig.client->begin(idle));
  CHECK(rig.until([&] { return quick->plans == 1 && idle->plans == 1; }));
  quick->bodies = {"rest", "never"};
  rig.client->end_errands();
  Peer& peer = *rig.accept();
  CHECK(rig.take(peer, "rest") == post(rig, "rest"));
  CHECK(quick->told_of_end);
  CHECK(rig.until([&] { return rig.client->errands() == 1; }));
  CHECK(idle->told_of_end);
  rig.reply(peer, answer(""));
  CHECK(rig.take(peer, "never") == post(rig, "never"));
  rig.client->close_all();
  CHECK(rig.client->errands() == 0);
  CHECK(quick->heard.size() == 1);
  CHECK(rig.hung_up(peer));
  CHECK_FALSE(rig.client->begin(quick));
}

TEST_CASE("errands: one hears why there is no answer, and too many are refused") {
  SECTION("none in time, and one that is too large") {
    Rig rig({.timeout_ms = 20, .body_bytes = 100});
    auto script = std::make_shared<Script>(rig.upstream);
    script->bodies = {"a", "b"};
    REQUIRE(rig.client->begin(script));
    Peer& late = *rig.accept();
    CHECK(rig.until([&] { return script->heard.size() == 1; }));
    CHECK(script->heard[0].status == FetchStatus::Timeout);
    CHECK(script->heard[0].message.contains("no answer within 20 ms"));
    CHECK(rig.hung_up(late));
    Peer& large = *rig.accept();
    rig.reply(large, answer(std::string(101, 'x')));
    CHECK(rig.until([&] { return rig.client->errands() == 0; }));
    CHECK(script->heard[1].status == FetchStatus::TooLarge);
  }
  SECTION("nobody may wait for a connection") {
    Rig rig({.connections = 1, .waiting = 0});
    auto script = std::make_shared<Script>(rig.upstream);
    auto other = std::make_shared<Script>(rig.upstream);
    script->bodies = {"a"};
    other->bodies = {"b"};
    REQUIRE(rig.client->begin(script));
    Peer& peer = *rig.accept();
    REQUIRE(rig.client->begin(other));
    CHECK(rig.until([&] { return other->heard.size() == 1; }));
    CHECK(other->heard[0].message == "all connections to it are in use");
    CHECK(rig.take(peer, "a") == post(rig, "a"));
    rig.reply(peer, answer(""));
    CHECK(rig.until([&] { return rig.client->errands() == 0; }));
  }
  SECTION("more than there may be") {
    Rig rig;
    std::vector<std::shared_ptr<Script>> all;
    for (size_t i = 0; i <= Errands::kMost; ++i) {
      all.push_back(std::make_shared<Script>(rig.upstream));
      CHECK(rig.client->begin(all.back()) == (i < Errands::kMost));
    }
    CHECK(rig.until([&] { return rig.client->errands() == 0; }));
  }
}

}  // namespace leat::client
