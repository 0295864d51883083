// Those who ask for the same at the same time: one has the handler run, the others wait.
#include "cache/site.h"

namespace leat::cache {

namespace {

// Handlers that answer when they are told to.
struct Held {
  explicit Held(Site& on) : site(on) {
    site.script->answer = [this](http::Exchange& exchange) {
      tickets.push_back(exchange.suspend());
      return Verdict::Pending;
    };
  }
  // Has the handler's run of that number (from 0) answer.
  void answer(size_t run, uint16_t status = 200, std::string_view field = "") {
    http::Exchange* exchange = site.harness->exchanges.find(tickets.at(run));
    REQUIRE(exchange != nullptr);
    struct What {
      Script* script;
      std::string body, field;
      uint16_t status;
    } what{site.script, fmt::format("answer {}", run), std::string(field), status};
    exchange->stream().protocol()->resume(
        *exchange,
        [](http::Exchange& resumed, void* argument) {
          What& said = *static_cast<What*>(argument);
          if (!said.field.empty()) REQUIRE(resumed.response.add("Cache-Control", said.field));
          (void)said.script->say(resumed, said.body, said.status);
        },
        &what);
    site.harness->resume_ready();
  }
  // The deadlines of those that wait pass, oldest first.
  void deadline() {
    std::vector<test::TestWorker::Waiting> due;
    due.swap(site.harness->worker.waiting);
    for (const auto& each : due) site.harness->resume(each);
  }
  Site& site;
  std::vector<http::Ticket> tickets;
};

}  // namespace

TEST_CASE("response cache: those who ask at the same time wait for one run of the handler") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site), other(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  other.ask("/b");
  CHECK(site.script->runs == 2);
  CHECK(second.take().status == 0);
  held.answer(0);
  CHECK(first.take().body == "answer 0");
  const Answer waited = second.take();
  CHECK(waited.body == "answer 0");
  CHECK(waited.field("Cache-Status") == "leat; hit; ttl=60");
  CHECK(third.take().body == "answer 0");
  CHECK(other.take().status == 0);
  held.deadline();  // of those who have been answered: nothing happens
  held.answer(1);
  CHECK(other.take().body == "answer 1");
  CHECK(site.script->runs == 2);
  CHECK(site.script->ended == 2);
}

TEST_CASE(
    "response cache: what is not stored is answered by a run for each who waited, and then nobody waits") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site), later(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  held.answer(0, 200, "private");
  CHECK(site.script->runs == 3);
  later.ask("/a");
  CHECK(site.script->runs == 4);
  for (const size_t run : {1, 2, 3}) held.answer(run, 200, "private");
  CHECK(second.take().body == "answer 1");
  CHECK(third.take().body == "answer 2");
  CHECK(later.take().body == "answer 3");
}

TEST_CASE("response cache: when the client whose request leads goes away, the next one leads") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  first.leave();
  site.harness->resume_ready();
  CHECK(site.script->runs == 2);
  held.answer(1);
  CHECK(second.take().body == "answer 1");
  CHECK(third.take().body == "answer 1");
}

TEST_CASE(
    "response cache: after a failure one retry leads; when that fails the others are told to come again") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  held.answer(0, 500);
  CHECK(first.take().status == 500);
  CHECK(site.script->runs == 2);
  CHECK(third.take().status == 0);
  SECTION("it succeeds") {
    held.answer(1);
    CHECK(second.take().body == "answer 1");
    CHECK(third.take().body == "answer 1");
  }
  SECTION("it fails") {
    held.answer(1, 502);
    CHECK(second.take().status == 502);
    const Answer told = third.take();
    CHECK(told.status == 503);
    CHECK(told.field("Retry-After") == "1");
    CHECK(site.script->runs == 2);
  }
}

TEST_CASE("response cache: who waited for too long tries itself, once; the others get a 504") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site), fourth(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  held.deadline();
  CHECK(site.script->runs == 2);
  CHECK(third.take().status == 504);
  fourth.ask("/a");
  CHECK(site.script->runs == 2);
  SECTION("the first is done after all") {
    held.answer(0);
    CHECK(fourth.take().body == "answer 0");
    held.answer(1);
    CHECK(second.take().body == "answer 1");
  }
  SECTION("the retry is done first") {
    held.answer(1);
    CHECK(second.take().body == "answer 1");
    CHECK(fourth.take().body == "answer 1");
    CHECK(first.take().status == 0);
    held.answer(0);
    CHECK(first.take().body == "answer 0");
  }
}

TEST_CASE("response cache: those who wait get what is stale when the handler they wait for fails") {
  Policy policy = minute();
  policy.stale_if_error_ms = 30'000;
  Site site(policy);
  CHECK(site.body("/a") == "run 1");
  site.pass(60'000);
  Held held(site);
  Site::Client first(site), second(site), third(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  held.answer(0, 500);
  CHECK(first.take().body == "run 1");
  held.answer(1, 500);
  CHECK(second.take().body == "run 1");
  CHECK(third.take().body == "run 1");
}

}  // namespace leat::cache
