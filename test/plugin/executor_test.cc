// executor = "pool": handlers that block, on threads of the pool, answer as others do, and nothing of them is
// lost when clients leave or more come than there are threads for.
#include <catch2/catch_test_macros.hpp>
#include <list>
#include <string>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

class Pooled : public Site {
 public:
  explicit Pooled(ThreadPool::Limits pool = {.threads = 2, .queue = 16}) : Site("blocking") {
    shared().pool.set_limits(pool);
    for (const char* name : {"open", "close", "counts"}) REQUIRE(route(name));  // on the worker
    executor = Executor::Pool;
  }
  // What the handlers count is the library's, and so goes on from test to test.
  int count(std::string_view name) {
    const std::string body = ask_at_once(*this, "/counts").body;
    const size_t at = body.find("\"" + std::string(name) + "\":") + name.size() + 3;
    return std::stoi(body.substr(at));
  }
};

std::string letters(int pieces, size_t size) {
  std::string text;
  for (int i = 0; i < pieces; ++i) text.append(size, static_cast<char>('a' + i % 26));
  return text;
}

// The payload of a chunked body.
std::string dechunk(std::string_view body) {
  std::string text;
  for (;;) {
    const size_t end = body.find("\r\n");
    REQUIRE(end != std::string_view::npos);
    const size_t size = std::stoul(std::string(body.substr(0, end)), nullptr, 16);
    if (size == 0) return text + std::string(body.substr(end + 2));
    text += body.substr(end + 2, size);
    body.remove_prefix(end + 2 + size + 2);
  }
}

}  // namespace

TEST_CASE("executor: a handler on the pool sees all of its request, and its answer is sent as it is") {
  Pooled site;
  REQUIRE(site.route("show", {"id"}));
  const Answer answer = site.ask(
      "POST /show/seven?page=3 HTTP/1.1\r\nHost: example.org\r\nX-Echo: back\r\nCookie: "
      "a=b\r\nContent-Length: 4\r\n\r\n"
      "body");
  CHECK(answer.status == 201);
  CHECK(answer.body == R"({"id":"seven","page":3,"method":"POST","path":"/show/seven","host":"example.org",)"
                       R"("peer":"192.0.2.7","echo":"back","cookie":"b","body":"body"})");
  CHECK(answer.head.contains("X-Made: here\r\n"));
  CHECK(answer.head.contains("Content-Type: application/json\r\n"));
  CHECK(site.get("/show/seven?page=x").status == 400);
  CHECK(site.handled == 2);
  CHECK(site.ended == 2);
}

TEST_CASE("executor: what a handler on the pool does wrong is what it is elsewhere") {
  Pooled site;
  LogText log;
  CHECK(site.get("/throws").status == 500);
  CHECK(site.get("/missing").status == 404);
  CHECK(site.get("/refused").body.contains("Not now."));
  CHECK(site.get("/later").status == 500);
  const std::string text = log.take();
  CHECK(text.contains("on purpose"));
  CHECK(text.contains("leat.timer/1 resume_after: the handler runs on the pool"));
}

TEST_CASE("executor: a body may come at once or in pieces, and be larger than what is kept ahead") {
  Pooled site;
  CHECK(site.get("/large?size=0").body.empty());
  CHECK(site.get("/large?size=300000").body == std::string(300'000, 'l'));
  const Answer with_length = site.get("/pieces?pieces=300&size=5000&length=true&cut=false");
  CHECK(with_length.body == letters(300, 5000));
  CHECK(with_length.head.contains("Content-Length: 1500000\r\n"));
  const Answer chunked = site.get("/pieces?pieces=7&size=100000&length=false&cut=false", "TE: trailers\r\n");
  CHECK(dechunk(chunked.body) == letters(7, 100'000) + "X-Pieces: 7\r\n\r\n");
  const Answer head =
      site.ask("HEAD /pieces?pieces=300&size=5000&length=true&cut=false HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(head.status == 200);
  CHECK(head.head.contains("Content-Length: 1500000\r\n"));
  CHECK(head.body.empty());
  CHECK(site.get("/nothing").status == 204);
}

TEST_CASE("executor: a body comes whole, however it was framed") {
  Pooled site;
  REQUIRE(site.route("show", {"id"}));
  const std::string large(200'000, 'b');
  CHECK(site.post("/show/1", large).body.contains("\"body\":\"" + large + "\""));
  CHECK(
      site.ask("POST /show/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
               "0\r\nX-Trailer: t\r\n\r\n")
          .body.contains(R"("body":"abcde")"));
}

TEST_CASE("executor: what a handler in C keeps for a request it lets go of on the same thread") {
  Pooled site;
  const int ended = site.count("raw_ended");
  CHECK(site.get("/raw").status == 200);
  CHECK(site.count("raw_ended") == ended + 1);
}

TEST_CASE("executor: an answer that has begun has begun for its client") {
  Pooled site;
  REQUIRE(ask_at_once(site, "/close").status == 204);
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed(request_for("/slow_begin"));
  std::string out;
  CHECK(turn_until(site, [&] { return (out += take_output(session)).contains("\r\n\r\n"); }));
  CHECK(out.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(ask_at_once(site, "/open").status == 204);
  CHECK(turn_until(site, [&] { return (out += take_output(session)).ends_with("0\r\n\r\n"); }));
  CHECK(dechunk(parse_answer(out).body).starts_with("at last"));
  session.disconnect();
}

TEST_CASE("executor: a request that takes too long is answered, and its thread learns it") {
  Pooled site;
  REQUIRE(ask_at_once(site, "/close").status == 204);
  const int begun = site.count("begun"), seen = site.count("cancels_seen");
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed(request_for("/wait"));
  REQUIRE(turn_until(site, [&] { return site.count("begun") == begun + 1; }));
  site.worker().set_now_ms(session.deadline_ms());
  session.deadline_passed();
  CHECK(parse_answer(take_output(session)).status == 504);
  CHECK(turn_until(site, [&] { return site.count("cancels_seen") == seen + 1; }));
  session.disconnect();
}

TEST_CASE("executor: a client that reads too slowly does not keep its thread") {
  Pooled site;
  site.shared().client_wait_ms = 100;
  const int failed = site.count("failed_writes");
  http1::Session slow(site.environment(), "192.0.2.7", 0);
  slow.feed(request_for("/pieces?pieces=200&size=10000&length=true&cut=false"));
  CHECK(turn_until(site, [&] { return slow.cut(); }));
  CHECK(site.count("failed_writes") == failed + 1);
  slow.disconnect();
}

TEST_CASE("executor: an answer that is given up half-way is cut for the client, too") {
  Pooled site;
  const Answer answer = site.get("/pieces?pieces=3&size=10&length=false&cut=true");
  CHECK(answer.cut);
  const Answer none = site.get("/gives_up");
  CHECK(none.cut);
  CHECK(none.status == 0);
}

TEST_CASE("executor: a thread waits for a client that does not read, and goes on when it does") {
  Pooled site;
  http1::Session slow(site.environment(), "192.0.2.7", 0);
  slow.feed(request_for("/pieces?pieces=200&size=10000&length=true&cut=false"));
  const auto stands = [&] {
    const size_t before = slow.output().size();
    for (int i = 0; i < 100; ++i) {
      site.resume_all();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return before != 0 && slow.output().size() == before;
  };
  REQUIRE(turn_until(site, stands));
  CHECK(slow.output().size() < site.limits.output_high_bytes + 128 * 1024);
  CHECK(site.shared().pool.load().busy == 1);
  std::string out;
  CHECK(turn_until(site, [&] {
    out += take_output(slow, 50'000);
    return slow.idle();
  }));
  CHECK(parse_answer(out).body == letters(200, 10'000));
  slow.disconnect();
}

TEST_CASE("executor: what a handler on the pool has is its worker's memory, and there is none beyond that") {
  Pooled site;
  BlockPool& memory = site.worker().blocks();
  const auto target = [](int pieces) {
    return "/pieces?pieces=" + std::to_string(pieces) + "&size=10000&length=true&cut=false";
  };
  CHECK(ask_at_once(site, "/counts").status == 200);
  const size_t idle = memory.used();
  {
    // While it is under way: its exchange, its copy of the request, and what is ahead of the client.
    http1::Session slow(site.environment(), "192.0.2.7", 0);
    slow.feed(request_for(target(200)));
    CHECK(turn_until(site, [&] { return memory.used() > idle + 64 * 1024 + Block::kSize; }));
    slow.disconnect();
  }
  CHECK(turn_until(site, [&] { return memory.used() <= idle + sizeof(http::Exchange); }));
}

TEST_CASE("executor: a thread that waits for its client is free when that leaves") {
  Pooled site;
  const int failed = site.count("failed_writes");
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed(request_for("/pieces?pieces=200&size=10000&length=true&cut=false"));
  REQUIRE(turn_until(site, [&] { return session.output().size() >= site.limits.output_high_bytes; }));
  session.disconnect();
  CHECK(turn_until(site, [&] { return site.count("failed_writes") == failed + 1; }));
  CHECK(turn_until(site, [&] { return site.shared().pool.load().busy == 0; }));
  CHECK(site.get("/large?size=3").body == "lll");
}

TEST_CASE("executor: when the queue is full clients are told to come again, and who leaves makes room") {
  Pooled site({.threads = 1, .queue = 3});
  REQUIRE(ask_at_once(site, "/close").status == 204);
  const int begun = site.count("begun"), ended = site.count("ended"), seen = site.count("cancels_seen");
  std::list<http1::Session> waiting;
  const auto ask = [&](std::string_view target) -> http1::Session& {
    http1::Session& session = waiting.emplace_back(site.environment(), "192.0.2.7", 0);
    session.feed(request_for(target));
    return session;
  };
  ask("/wait");
  REQUIRE(turn_until(site, [&] { return site.count("begun") == begun + 1; }));
  for (int i = 0; i < 3; ++i) ask("/wait");
  CHECK(site.shared().pool.load().queued == 3);
  const Answer refused = ask_at_once(site, "/wait");
  CHECK(refused.status == 503);
  CHECK(refused.head.contains("Retry-After: 1\r\n"));

  // Two of those that wait leave: they are not run, and there is room.
  std::next(waiting.begin(), 1)->disconnect();
  std::next(waiting.begin(), 2)->disconnect();
  CHECK(site.shared().pool.load().queued == 1);
  http1::Session& late = ask("/large?size=4");
  CHECK(site.shared().pool.load().queued == 2);
  // The one that runs leaves, and learns it.
  waiting.front().disconnect();
  CHECK(turn_until(site, [&] { return site.count("cancels_seen") == seen + 1; }));
  // The one behind waits for the gate.
  CHECK(turn_until(site, [&] { return site.count("begun") == begun + 2; }));
  CHECK(ask_at_once(site, "/open").status == 204);
  std::string out;
  CHECK(turn_until(site, [&] { return !(out += take_output(late)).empty(); }));
  CHECK(parse_answer(out).body == "llll");
  CHECK(site.count("ended") == ended + 2);
  for (http1::Session& session : waiting) session.disconnect();
}

TEST_CASE("executor: a handler that needs its worker is not bound to a route of the pool") {
  Pooled site;
  for (const char* name : {"task", "per_worker", "stream"}) {
    INFO(name);
    const auto bound = site.route(name);
    REQUIRE_FALSE(bound);
    CHECK(bound.error().message.contains("cannot run on the pool"));
    CHECK_FALSE(bound.error().hint.empty());
  }
  site.executor = Executor::Worker;
  CHECK(site.get("/per_worker").body == "same");

  Site other("misuse");
  other.executor = Executor::Pool;
  const auto bound = other.route("streams_and_never_answers");
  REQUIRE_FALSE(bound);
  CHECK(bound.error().hint.contains("its body in pieces"));
}

}  // namespace leat::plugin::test
