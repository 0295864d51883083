// The demo plugin's handlers: the bytes they answer with, and how they behave when the client is slow.
#include <catch2/catch_test_macros.hpp>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

// The demo, bound to its routes.
struct Demo : Site {
  explicit Demo(const Value& options = {}) : Site(DEMO_PLUGIN, options) {
    REQUIRE(route("payload", {"id"}));
    REQUIRE(route("users", {"id"}));
    REQUIRE(route("bytes", {"n"}));
    REQUIRE(route("sleep", {"ms"}));
    REQUIRE(route("note", {"id"}));
  }
  Answer send(std::string_view method, std::string_view target, std::string_view body) {
    return ask(std::string(method) + " " + std::string(target) +
               " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               std::string(body));
  }
};

std::string numbers(int count) {
  std::string text = "[";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + std::to_string(i);
  return text + "]";
}

}  // namespace

TEST_CASE("demo: plain text, JSON, the page, and nothing") {
  Demo demo;
  const Answer plain = demo.get("/plaintext");
  CHECK(plain.body == "Hello, World!");
  CHECK(plain.head.contains("Content-Type: text/plain"));
  CHECK(demo.get("/json").body == R"({"message":"Hello, World!"})");
  const Answer page = demo.get("/welcome");
  CHECK(page.head.contains("Content-Type: text/html"));
  CHECK(page.body.contains("<table>"));
  const Answer nothing = demo.get("/nocontent");
  CHECK(nothing.status == 204);
  CHECK(nothing.body.empty());
  CHECK_FALSE(nothing.head.contains("Content-"));
}

TEST_CASE("demo: payloads are exact") {
  Demo demo;
  const std::string time = R"("timestamp":1748358028.9037342)";
  CHECK(demo.get("/payload/p1").body == R"({"id":1,"message":"test message","data":[1,2,3,4,5]})");
  CHECK(demo.get("/payload/p2").body ==
        R"({"message":"Hello World",)" + time + R"(,"data":)" + numbers(20) +
            R"(,"nested":{"key1":"value1","key2":[1,2,3,4,5],"key3":{"sub":"data"}}})");
  CHECK(demo.get("/payload/p2").body.size() == 183);
  CHECK(demo.get("/payload/p3").body ==
        R"({"message":"Hello World",)" + time + R"(,"numbers":)" + numbers(50) +
            R"(,"nested":{"data":{"key":"value","count":42},"array":[1,2,3,4,5]}})");
  CHECK(demo.get("/payload/p3").body.size() == 273);
  const std::string users = demo.get("/payload/p4").body;
  CHECK(users.size() == 5412);
  CHECK(users.starts_with(R"({"users":[{"id":0,"name":"User 0","active":true,"score":95.5},{"id":1,)"));
  CHECK(users.ends_with(R"({"id":99,"name":"User 99","active":true,"score":95.5}],"total":100,"page":1})"));
  CHECK(demo.get("/payload/p6").body == R"({"id":123,"message":"test response","data":)" + numbers(10) + "}");
  CHECK(demo.get("/payload/p7").body == R"({"message":"cached response","id":123})");
  CHECK(demo.get("/payload/p8").body == R"({"message":"Hello World",)" + time + "}");
  for (const std::string_view other : {"/payload/p5", "/payload/p10", "/payload/P1", "/payload/x"})
    CHECK(demo.get(other).status == 404);
}

TEST_CASE("demo: users echoes its typed parameters") {
  Demo demo;
  CHECK(demo.get("/users/7?limit=20&active=true").body == R"({"id":7,"limit":20,"active":true})");
  CHECK(demo.get("/users/7").body == R"({"id":7,"limit":null,"active":null})");
  CHECK(demo.get("/users/7?limit=lots").body.contains(R"("parameter":"limit")"));
}

TEST_CASE("demo: echo returns a body of any size and framing, with its type") {
  Demo demo;
  const std::string large(1'000'000, 'y');
  const Answer answer = demo.post("/echo", large);
  CHECK((answer.body == large));
  CHECK(demo.post("/echo", "").body.empty());
  const Answer typed = demo.ask(
      "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Type: image/x-test\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  CHECK(typed.head.contains("Content-Type: image/x-test\r\n"));
  CHECK(typed.body == "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
}

TEST_CASE("demo: echo stops taking when its client does not read, and goes on when it does") {
  Demo demo;
  http1::Session session(demo.environment(), "192.0.2.7", 0);
  constexpr size_t kSize = 4'000'000;
  session.feed("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
  const std::string piece(10'000, 'z');
  size_t fed = 0;
  while (session.wants_input() && fed < kSize) {
    session.feed(piece);
    fed += piece.size();
  }
  CHECK(fed < 2 * demo.limits.output_high_bytes);
  std::string out;
  while (fed < kSize) {
    out += take_output(session);
    REQUIRE(session.wants_input());
    session.feed(piece);
    fed += piece.size();
  }
  out += take_output(session);
  CHECK((parse_answer(out).body == std::string(kSize, 'z')));
  session.disconnect();
}

TEST_CASE("demo: bytes writes no more than the client reads") {
  Demo demo;
  CHECK((demo.get("/bytes/70000").body == std::string(70'000, 'x')));
  CHECK(demo.get("/bytes/0").status == 200);
  CHECK(demo.get("/bytes/67108865").status == 400);
  http1::Session session(demo.environment(), "192.0.2.7", 0);
  session.feed("GET /bytes/67108864 HTTP/1.1\r\nHost: test\r\n\r\n");
  CHECK(session.output().size() < 2 * demo.limits.output_high_bytes);
  size_t total = 0;
  while (!session.output().empty()) {
    CHECK(session.output().size() < 2 * demo.limits.output_high_bytes);
    const size_t some = std::min<size_t>(session.output().size(), 60'000);
    session.sent(some);
    total += some;
  }
  CHECK(total > 67'108'864);
  CHECK(demo.handled == demo.ended + 0);
  session.disconnect();
}

TEST_CASE("demo: sleep answers after its time, within a limit") {
  Demo demo;
  CHECK(demo.get("/sleep/30").body == R"({"slept_ms":30})");
  CHECK(demo.worker().delays_ms == std::vector<uint64_t>{30});
  CHECK(demo.get("/sleep/60001").status == 400);
}

TEST_CASE("demo: notes are added, listed, changed and removed") {
  Demo demo;
  CHECK(demo.get("/notes").body == R"({"notes":[]})");
  const Answer made = demo.post("/notes", R"({"text":"one \"quoted\""})");
  CHECK(made.status == 201);
  CHECK(made.head.contains("Location: /notes/1\r\n"));
  CHECK(made.body == R"({"id":1,"text":"one \"quoted\""})");
  CHECK(demo.post("/notes", " { \"text\" : \"tw\\u00f6\" } ").body == "{\"id\":2,\"text\":\"tw\xc3\xb6\"}");
  CHECK(demo.get("/note/1").body == made.body);
  CHECK(demo.send("PUT", "/note/1", R"({"text":"changed"})").body == R"({"id":1,"text":"changed"})");
  CHECK(demo.get("/notes").body ==
        "{\"notes\":[{\"id\":1,\"text\":\"changed\"},{\"id\":2,\"text\":\"tw\xc3\xb6\"}]}");
  CHECK(demo.send("DELETE", "/note/1", "").status == 204);
  CHECK(demo.get("/note/1").status == 404);
  CHECK(demo.send("DELETE", "/note/1", "").status == 404);
  CHECK(demo.send("PUT", "/note/1", R"({"text":"late"})").status == 404);
}

TEST_CASE("demo: a note's body is judged strictly") {
  Demo demo;
  const std::string deep = R"({"text":)" + std::string(100'000, '[');
  for (const std::string& bad :
       {std::string(), std::string("null"), std::string("\"text\""), std::string("[]"), std::string("{}"),
        std::string(R"({"text":1})"), std::string(R"({"text":null})"), std::string(R"({"other":"x"})"),
        std::string(R"({"text":"a","text":"b"})"), std::string(R"({"text":"a","more":"b"})"),
        std::string(R"({"text":{"text":"a"}})"), std::string(R"({"text":"a")"),
        std::string(R"({"text":"a"}x)"), std::string("{\"text\":\"\xff\"}"),
        std::string(R"({"text":"\ud800"})"), std::string(R"({"text":""})"),
        R"({"text":")" + std::string(1025, 'a') + "\"}", deep}) {
    INFO(bad.substr(0, 60));
    CHECK(demo.post("/notes", bad).status == 400);
  }
  CHECK(demo.get("/notes").body == R"({"notes":[]})");
}

TEST_CASE("demo: notes are bounded in number") {
  Demo demo(table({entry("most_notes", int64_t{2}, 1)}));
  CHECK(demo.post("/notes", R"({"text":"a"})").status == 201);
  CHECK(demo.post("/notes", R"({"text":"b"})").status == 201);
  CHECK(demo.post("/notes", R"({"text":"c"})").status == 507);
  CHECK(demo.send("DELETE", "/note/1", "").status == 204);
  CHECK(demo.post("/notes", R"({"text":"c"})").status == 201);
}

}  // namespace leat::plugin::test
