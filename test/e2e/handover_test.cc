// What plugins hand over in a reload, while clients go on writing: nothing that was acknowledged is lost.
#include <signal.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <charconv>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/daemon.h"
#include "e2e/reload_site.h"

namespace leat::e2e {

namespace {

std::string note(const std::string& text) { return R"({"text":")" + text + "\"}"; }

// What several writers were told: the notes with their texts, as of the last answer.
struct Told {
  std::mutex mutex;
  std::map<uint64_t, std::string> notes;
  std::set<uint64_t> given;
  uint64_t twice = 0;
  std::atomic<uint64_t> writes = 0, failed = 0;
};

// Adds and changes notes over one connection until told to stop.
void write_notes(Client client, int number, const std::atomic<bool>& done, Told& told) {
  const auto ask = [&](const std::string& request) {
    std::string body = client.try_send(request) ? client.try_read_body() : "";
    if (!body.starts_with("{\"id\":")) ++told.failed;
    return body;
  };
  constexpr int kMost = 1500;  // of notes; there is room for 10,000
  uint64_t id = 0;
  for (int i = 0; !done && told.failed == 0; ++i) {
    std::string text = std::to_string(number) + "-" + std::to_string(i);
    if (i < kMost) {
      const std::string added = ask(with_body("POST", "/notes", note(text)));
      if (!added.starts_with("{\"id\":")) return;
      std::from_chars(added.data() + 6, added.data() + added.size(), id);
      ++told.writes;
      const std::lock_guard lock(told.mutex);
      if (!told.given.insert(id).second) ++told.twice;
      told.notes[id] = text;
    }
    text += "-changed";
    if (ask(with_body("PUT", "/notes/" + std::to_string(id), note(text))).empty()) return;
    ++told.writes;
    const std::lock_guard lock(told.mutex);
    told.notes[id] = text;
  }
}

bool reload(Daemon& daemon, int generation) {
  daemon.signal(SIGHUP);
  return daemon.logs("generation " + std::to_string(generation) + " serves");
}

}  // namespace

TEST_CASE("handover: reloads under writers lose no write that was acknowledged, and give no number twice") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  constexpr int kReloads = 20;
  constexpr int kWriters = 6;
  Daemon daemon(
      "[server]\nlisten = \"127.0.0.1:0\"\nhandover_timeout = \"60s\"\n"
      "[[plugin]]\nname = \"demo\"\nfile = \"" DEMO_PLUGIN
      "\"\n[plugin.config]\nmost_notes = 10000\n"
      "[[route]]\npath = \"/notes\"\nmethods = [\"GET\", \"POST\"]\nhandler = \"demo:notes\"\n"
      "[[route]]\npath = \"/notes/{id}\"\nmethods = [\"PUT\"]\nhandler = \"demo:note\"\n",
      {.arguments = {"--workers", "3", "--engine", engine}});
  Told told;
  std::atomic<bool> done = false;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i)
    writers.emplace_back([&, i, client = Client(daemon.address())]() mutable {
      write_notes(std::move(client), i, done, told);
    });
  bool served = true;
  for (int i = 2; i < 2 + kReloads && served; ++i) {
    const uint64_t before = told.writes;
    served = reload(daemon, i);
    while (told.writes < before + kWriters && told.failed == 0) std::this_thread::yield();
  }
  done = true;
  for (std::thread& writer : writers) writer.join();
  CHECK(served);
  CHECK(told.failed == 0);
  CHECK(told.twice == 0);
  std::string expected;
  for (const auto& [id, text] : told.notes)
    expected +=
        (expected.empty() ? "" : ",") + (R"({"id":)" + std::to_string(id) + R"(,"text":")" + text + "\"}");
  CHECK(Client(daemon.address()).ask(get("/notes")).body == "{\"notes\":[" + expected + "]}");
}

TEST_CASE("handover: what is still under way when its time is up is told, and goes on") {
  Site site("handover_timeout = \"200ms\"\n");
  Client slow(site.daemon().address());
  slow.send(get("/slow/1500"));
  CHECK(site.ask("/") == "1");
  site.install("2");
  const Outcome outcome = site.reload();
  CHECK(outcome.status == 0);
  CHECK(outcome.output.contains("1 request was still under way when the state of g was handed over"));
  CHECK(site.ask("/") == "2");
  CHECK(slow.read_response().body == "1");
}

TEST_CASE("handover: a request under way that ends in time is waited for") {
  Site site("handover_timeout = \"60s\"\n");
  Client slow(site.daemon().address());
  slow.send(get("/slow/300"));
  CHECK(site.ask("/") == "1");
  site.install("2");
  const Outcome outcome = site.reload();
  CHECK(outcome.status == 0);
  CHECK(!outcome.output.contains("under way"));
  CHECK(slow.read_response().body == "1");
}

TEST_CASE("handover: a request whose body is still to come is refused, not done where nobody looks") {
  Site site("handover_timeout = \"200ms\"\n", {});
  site.configure(
      site.configuration("[[route]]\npath = \"/\"\nmethods = [\"POST\"]\nhandler = \"g:count\"\n"));
  REQUIRE(site.reload().status == 0);
  Client sending(site.daemon().address());
  sending.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
  CHECK(site.ask("/") == "1");
  REQUIRE(site.reload().status == 0);
  CHECK(sending.read_response().is_problem(503));
  sending.send("def");
  CHECK(sending.ask(get("/count")).body == "{\"count\":1}");
}

TEST_CASE("handover: one that takes too long is given up, and the old plugin answers what had to wait") {
  Site site("handover_timeout = \"300ms\"\n");
  CHECK(site.ask("/count") == "{\"count\":1}");
  site.install("SLOW_IMPORT");
  std::atomic<bool> over = false;
  // Each of them waits at most as long as that.
  int last = 1;
  bool in_order = true;
  std::thread asking([&, client = Client(site.daemon().address())]() mutable {
    while (!over && in_order) {
      in_order = client.try_send(get("/count"));
      in_order = client.try_read_body() == "{\"count\":" + std::to_string(++last) + "}" && in_order;
    }
  });
  const Outcome outcome = site.reload();
  over = true;
  asking.join();
  CHECK(in_order);
  CHECK(outcome.status == 1);
  CHECK(outcome.errors.contains("took longer than server.handover_timeout, 300 ms"));
  CHECK(site.ask("/count") == "{\"count\":" + std::to_string(last + 1) + "}");
  CHECK(site.plugins().starts_with("generation 1, serving"));
}

TEST_CASE("handover: a daemon that is told to stop meanwhile answers what had to wait") {
  Site site("handover_timeout = \"60s\"\n");
  Client slow(site.daemon().address()), waiting(site.daemon().address());
  slow.send(get("/slow/1000"));
  CHECK(site.ask("/") == "1");
  site.daemon().signal(SIGHUP);
  REQUIRE(site.daemon().logs("reloading"));
  do waiting.send(get("/"));
  while (!waiting.read_some(50).empty());  // until one has to wait
  site.daemon().signal(SIGTERM);
  CHECK(waiting.read_response().body == "1");
  CHECK(slow.read_response().body == "1");
  CHECK(site.daemon().wait() == 0);
}

}  // namespace leat::e2e
