// Each route of the demo plugin, asked over a real socket of the daemon as it ships.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <numeric>
#include <string>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

// [first..last] as a JSON array.
std::string numbers(int first, int last) {
  std::string text = "[";
  for (int number = first; number <= last; ++number)
    text += fmt::format("{}{}", number > first ? "," : "", number);
  return text + "]";
}

std::string hundred_users() {
  std::string users;
  for (int i = 0; i < 100; ++i) {
    users +=
        fmt::format(R"({}{{"id":{},"name":"User {}","active":true,"score":95.5}})", i > 0 ? "," : "", i, i);
  }
  return fmt::format(R"({{"users":[{}],"total":100,"page":1}})", users);
}

constexpr std::string_view kTime = "1748358028.9037342";

std::string mixed_payload() {
  return fmt::format(
      R"({{"message":"Hello World","timestamp":{},"data":{},"nested":{{"key1":"value1","key2":[1,2,3,4,5],"key3":{{"sub":"data"}}}}}})",
      kTime, numbers(0, 19));
}

std::string numbers_payload() {
  return fmt::format(
      R"({{"message":"Hello World","timestamp":{},"numbers":{},"nested":{{"data":{{"key":"value","count":42}},"array":[1,2,3,4,5]}}}})",
      kTime, numbers(0, 49));
}

}  // namespace

TEST_CASE("routes: the welcome page lists every route") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  const Response page = client.ask(get("/"));
  CHECK(page.status == 200);
  for (const std::string_view route : {"/plaintext", "/json", "/payload/", "/echo", "/users/", "/bytes/",
                                       "/nocontent", "/sleep/", "/notes"}) {
    CHECK(page.body.contains(route));
  }
}

TEST_CASE("routes: plain text and JSON are framed, typed and dated") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  const Response text = client.ask(get("/plaintext"));
  CHECK(text.status == 200);
  CHECK(text.version == "HTTP/1.1");
  CHECK(text.reason == "OK");
  CHECK(text.body == "Hello, World!");
  CHECK(text.field("content-type").value_or("").starts_with("text/plain"));
  CHECK(text.field("content-length") == "13");
  const std::string date = text.field("date").value_or("");
  CHECK((date.size() == 29 && date[3] == ',' && date.ends_with(" GMT")));
  const Response json = client.ask(get("/json"));
  CHECK(json.body == R"({"message":"Hello, World!"})");
  CHECK(json.field("content-type") == "application/json");
  CHECK(json.field("content-length") == "27");
}

TEST_CASE("routes: payloads have the bytes that were agreed on") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  const auto payload = [&](std::string_view id) {
    const Response response = client.ask(get(fmt::format("/payload/{}", id)));
    CHECK(response.status == 200);
    CHECK(response.field("content-type") == "application/json");
    return response.body;
  };
  CHECK(payload("p1") == R"({"id":1,"message":"test message","data":[1,2,3,4,5]})");
  CHECK(payload("p2") == mixed_payload());
  CHECK(payload("p2").size() == 183);
  CHECK(payload("p3") == numbers_payload());
  CHECK(payload("p3").size() == 273);
  CHECK(payload("p4") == hundred_users());
  CHECK(payload("p4").size() == 5412);
  CHECK(payload("p6") == fmt::format(R"({{"id":123,"message":"test response","data":{}}})", numbers(0, 9)));
  CHECK(payload("p7") == R"({"message":"cached response","id":123})");
  CHECK(payload("p8") == fmt::format(R"({{"message":"Hello World","timestamp":{}}})", kTime));
  CHECK(client.ask(get("/payload/p5")).is_problem(404));
  CHECK(client.ask(get("/payload/p10")).is_problem(404));
}

TEST_CASE("routes: echo returns the body with its type") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{16 * 1024}, size_t{1} << 20}) {
    std::string body(size, '\0');
    std::iota(body.begin(), body.end(), '\0');
    const Response response =
        client.ask(with_body("POST", "/echo", body, "Content-Type: application/x-test\r\n"));
    CHECK(response.status == 200);
    CHECK(response.field("content-type") == "application/x-test");
    CHECK((response.body == body));
  }
}

TEST_CASE("routes: users have typed parameters and a bad one is named") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  const Response full = client.ask(get("/users/42?limit=10&active=true"));
  CHECK(full.status == 200);
  CHECK(full.body.contains("\"id\":42"));
  CHECK(full.body.contains("\"limit\":10"));
  CHECK(full.body.contains("\"active\":true"));
  CHECK(client.ask(get("/users/42")).status == 200);
  CHECK(client.ask(get("/users/42?active=false")).body.contains("\"active\":false"));
  const std::vector<std::pair<std::string, std::string>> bad = {{"/users/forty", "id"},
                                                                {"/users/-1", "id"},
                                                                {"/users/99999999999999999999999", "id"},
                                                                {"/users/42?limit=many", "limit"},
                                                                {"/users/42?limit=", "limit"},
                                                                {"/users/42?active=perhaps", "active"}};
  for (const auto& [target, parameter] : bad) {
    INFO(target);
    const Response response = client.ask(get(target));
    CHECK(response.is_problem(400));
    CHECK(response.body.contains(fmt::format("\"{}\"", parameter)));
  }
}

TEST_CASE("routes: bytes come in the number asked for") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{65'537}, size_t{3} << 20}) {
    const Response response = client.ask(get(fmt::format("/bytes/{}", size)));
    CHECK(response.status == 200);
    CHECK((response.body == std::string(size, 'x')));
  }
  for (const std::string_view bad : {"67108865", "-1", "many", "99999999999999999999999"}) {
    INFO(bad);
    CHECK(client.ask(get(fmt::format("/bytes/{}", bad))).is_problem(400));
  }
}

TEST_CASE("routes: no content means no body and no framing") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  const Response response = client.ask(get("/nocontent"));
  CHECK(response.status == 204);
  CHECK_FALSE(response.field("content-length"));
  CHECK_FALSE(response.field("transfer-encoding"));
  CHECK(client.ask(get("/json")).status == 200);
}

TEST_CASE("routes: a sleeping request keeps nobody else waiting") {
  Daemon daemon(demo_configuration());
  Client sleeper(daemon.address());
  Client other(daemon.address());
  sleeper.send(get("/sleep/600"));
  for (int i = 0; i < 20; ++i) CHECK(other.ask(get("/json")).status == 200);
  CHECK(sleeper.read_some(0).empty());
  CHECK(sleeper.read_response().status == 200);
  CHECK(sleeper.ask(get("/sleep/0")).status == 200);
  CHECK(sleeper.ask(get("/sleep/soon")).is_problem(400));
}

TEST_CASE("routes: a note is made, listed, changed and deleted") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  constexpr std::string_view kJson = "Content-Type: application/json\r\n";
  const Response made = client.ask(with_body("POST", "/notes", R"({"text":"buy millet"})", kJson));
  REQUIRE(made.status == 201);
  const std::string location = made.field("location").value_or("");
  REQUIRE(location.starts_with("/notes/"));
  CHECK(client.ask(get(location)).body.contains("buy millet"));
  CHECK(client.ask(get("/notes")).body.contains("buy millet"));
  CHECK(client.ask(with_body("PUT", location, R"({"text":"buy barley"})", kJson)).status == 200);
  CHECK(client.ask(get(location)).body.contains("buy barley"));
  CHECK(client.ask(with_body("DELETE", location, "")).status == 204);
  CHECK(client.ask(get(location)).is_problem(404));
  CHECK(client.ask(with_body("PUT", location, R"({"text":"late"})", kJson)).is_problem(404));
  CHECK(client.ask(with_body("DELETE", location, "")).is_problem(404));
  CHECK(client.ask(with_body("POST", "/notes", "{\"text\":", kJson)).is_problem(400));
  CHECK_FALSE(client.ask(get("/notes")).body.contains("barley"));
}

TEST_CASE("routes: what is not there is 404, what may not be done is 405 with Allow") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  CHECK(client.ask(get("/nowhere")).is_problem(404));
  CHECK(client.ask(get("/json/more")).is_problem(404));
  CHECK(client.ask(get("/users/")).status == 404);
  const Response refused = client.ask(with_body("POST", "/json", "{}"));
  CHECK(refused.is_problem(405));
  CHECK(refused.field("allow").value_or("").contains("GET"));
  const std::string allowed = client.ask(with_body("PATCH", "/notes", "{}")).field("allow").value_or("");
  CHECK((allowed.contains("GET") && allowed.contains("POST") && !allowed.contains("PUT")));
}

TEST_CASE("routes: HEAD is GET without the body") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  client.send("HEAD /json HTTP/1.1\r\nHost: test\r\n\r\n");
  const Response head = client.read_response(true);
  CHECK(head.status == 200);
  CHECK(head.field("content-length") == "27");
  client.send("HEAD /bytes/1048576 HTTP/1.1\r\nHost: test\r\n\r\n" + get("/json"));
  CHECK(client.read_response(true).status == 200);
  CHECK(client.read_response().body == R"({"message":"Hello, World!"})");
}

TEST_CASE("routes: every writer of JSON that is built gives the same answers") {
  const std::string version = run_leat({"version", "--json"}).output;
  const auto answers = [](const std::string& backend) {
    const Daemon daemon(demo_configuration({.more = "[json]\nbackend = \"" + backend + "\"\n"}));
    Client client(daemon.address());
    std::string bodies;
    for (const char* target : {"/json", "/payload/p1", "/payload/p2", "/payload/p4", "/users/7", "/nowhere"})
      bodies += client.ask(get(target)).body + "\n";
    return bodies;
  };
  const std::string expected = answers("auto");
  CHECK(expected.contains("\"timestamp\":1748358028.9037342"));
  size_t built = 0;
  for (const std::string backend : {"direct", "rapidjson", "yyjson"}) {
    INFO(backend);
    if (!version.contains('"' + backend + '"')) {
      TempFolder folder;
      const std::string file =
          folder.write("leat.toml", demo_configuration({.more = "[json]\nbackend = \"" + backend + "\"\n"}));
      const Outcome outcome = run_leat({"check", "-c", file});
      CHECK(outcome.status == 78);
      CHECK(outcome.errors.contains("built without the JSON writer"));
      continue;
    }
    ++built;
    CHECK(answers(backend) == expected);
  }
  CHECK(built >= 1);
}

TEST_CASE("routes: a great many of them are each found, whichever file they stand in") {
  constexpr int kFiles = 4, kRoutes = 5000;
  std::string more;
  for (int i = 0; i < kRoutes; ++i)
    more += fmt::format("[[route]]\npath = \"/many/0/{}\"\nhandler = \"demo:plaintext\"\n", i);
  const TempFolder folder;
  for (int file = 1; file < kFiles; ++file) {
    std::string text;
    for (int i = 0; i < kRoutes; ++i)
      text += fmt::format("[[route]]\npath = \"/many/{}/{}\"\nhandler = \"demo:plaintext\"\n", file, i);
    folder.write(fmt::format("{}.part", file), text);
  }
  Daemon daemon(fmt::format("include = \"{}\"\n", folder.path("*.part")) +
                demo_configuration({.more = more}));
  CHECK(daemon.log().contains(fmt::format("{} routes", kFiles * kRoutes + 11)));
  Client client(daemon.address());
  for (int file = 0; file < kFiles; ++file)
    for (const int i : {0, 1, 2499, kRoutes - 1}) {
      INFO(file << " " << i);
      CHECK(client.ask(get(fmt::format("/many/{}/{}", file, i))).status == 200);
    }
  CHECK(client.ask(get(fmt::format("/many/0/{}", kRoutes))).status == 404);
}

}  // namespace leat::e2e
