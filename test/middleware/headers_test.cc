// headers: what is done to requests and answers, and what can never be.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "json/allocations.h"
#include "middleware/headers.h"
#include "middleware/identified.h"
#include "middleware/kinds.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

using List = std::vector<std::string>;

// All fields of a request as its handler finds them, a line each.
Verdict show_fields(http::Exchange& exchange) {
  std::string text;
  const http::Head& head = exchange.request.head();
  for (const http::HeaderSlot& slot : head.headers()) {
    text += std::string(head.view(slot.name)) + ": " + std::string(head.view(slot.value)) + "\n";
    CHECK(slot.id == http::find_header(head.view(slot.name)));
  }
  exchange.send(text);
  return Verdict::Done;
}

// What the handler finds, of a request with those fields.
std::string shown(Value::Table options, std::string_view fields, std::string_view start = "GET / HTTP/1.1") {
  Stage stage(kinds());
  stage.middleware("request_id", {entry("trust", true)});
  stage.middleware("headers", std::move(options));
  stage.route("/", {"GET", "POST"}).on_handle = show_fields;
  const std::string answer =
      stage.feed(std::string(start) + "\r\nHost: a.example:80\r\n" + std::string(fields) + "\r\n");
  return body_of(answer);
}

// An answer to GET / with those fields and status.
struct Answers {
  Value::Table options;
  uint16_t status = 200;
  std::vector<std::pair<const char*, const char*>> fields = {};
  std::string request_fields = {};
  std::string method = "GET";

  std::string ask() {
    Stage stage(kinds());
    stage.middleware("headers", std::move(options));
    stage.route("/", {"GET", "POST"}).on_handle = [&](http::Exchange& exchange) {
      exchange.response.status = status;
      for (const auto& [name, value] : fields) CHECK(exchange.response.add(name, value));
      exchange.send("hello");
      return Verdict::Done;
    };
    return stage.feed(method + " / HTTP/1.1\r\nHost: a\r\n" + request_fields + "\r\n");
  }
};

std::string one_mistake(Value::Table options) {
  const Diagnostics found = mistakes("headers", std::move(options));
  REQUIRE(found.size() == 1);
  return found[0].message;
}

}  // namespace

TEST_CASE("headers: a request's fields are set, added and removed, the rest goes on as it came") {
  const std::string sent = "X-One: 1\r\nx-one: 2\r\nX-Two: 3\r\nX-Three: 4\r\n";
  CHECK(shown({texts("request_set", {"X-One: new"}), texts("request_add", {"X-Two: more", "X-Four: 5"}),
               texts("request_remove", {"x-THREE", "X-Absent"})},
              sent) == "Host: a.example:80\nX-Two: 3\nX-One: new\nX-Two: more\nX-Four: 5\n");
  CHECK(shown({texts("request_remove", {"X-One", "X-Two", "X-Three"})}, sent) == "Host: a.example:80\n");
  CHECK(shown({texts("request_set", {"User-Agent: mine"})}, "User-Agent: theirs\r\n") ==
        "Host: a.example:80\nUser-Agent: mine\n");
  CHECK(shown({}, "X-One: 1\r\n") == "Host: a.example:80\nX-One: 1\n");
}

TEST_CASE("headers: a head that comes again is changed for each request anew") {
  Stage stage(kinds());
  stage.middleware("request_id");
  stage.middleware("headers", {texts("request_set", {"X-Id: {request_id}"})});
  stage.route("/").on_handle = show_fields;
  std::string last;
  for (int i = 0; i < 5; ++i) {
    const std::string answer = stage.get("/", "X-Id: forged\r\n");
    CHECK(answer.ends_with("Host: a\nX-Id: " + field(answer, "X-Request-Id") + "\n"));
    CHECK(field(answer, "X-Request-Id") != last);
    last = field(answer, "X-Request-Id");
  }
}

TEST_CASE("headers: what variables stand for") {
  const auto value = [](std::string_view text, std::string_view fields = "") {
    const std::string all = shown({texts("request_set", {"X-V: " + std::string(text)})}, fields);
    const size_t at = all.find("X-V: ");
    return at == std::string::npos ? "(none)" : all.substr(at + 5, all.find('\n', at) - at - 5);
  };
  CHECK(value("{client}") == "192.0.2.1");
  CHECK(value("{peer}") == "192.0.2.1");
  CHECK(value("{scheme}") == "http");
  CHECK(value("{host}") == "a.example:80");
  CHECK(value("{method}") == "GET");
  CHECK(value("{path}") == "/");
  CHECK(value("{route}") == "GET,POST /");
  CHECK(value("{request_id}", "X-Request-Id: abc\r\n") == "abc");
  CHECK(value("{scheme}://{host}{path}") == "http://a.example:80/");
  CHECK(value("{header:x-in}!", "X-In: given\r\n") == "given!");
  CHECK(value("{{client}} {client}}}") == "{client} 192.0.2.1}");
  CHECK(value("a\tb") == "a\tb");
}

TEST_CASE("headers: what TLS knows of who is connected is passed on, and nobody says it himself") {
  Stage stage(test::identified_kinds());
  stage.middleware("identified");
  stage.middleware(
      "headers",
      {texts("request_set", {"Client-Cn: {certificate_cn}", "Client-Subject: {certificate_subject}",
                             "Client-Names: {certificate_names}", "Client-Sha256: {certificate_sha256}",
                             "Client-Tls: {tls_version} {tls_cipher}"})});
  std::string seen;
  stage.route("/").on_handle = [&](http::Exchange& exchange) {
    for (const char* const name :
         {"Client-Cn", "Client-Subject", "Client-Names", "Client-Sha256", "Client-Tls"})
      seen += std::string(exchange.request.header(name)) + "|";
    exchange.send({});
    return Verdict::Done;
  };
  const std::string forged = "Client-Cn: root\r\nClient-Subject: CN=root\r\nClient-Tls: x\r\n";
  stage.get("/", forged + "X-Subject: CN=a\r\nX-Cn: a\r\nX-Names: dns:a.example\r\nX-Sha256: 00\r\n");
  CHECK(seen == "a|CN=a|dns:a.example|00|TLSv1.3 TLS_AES_128_GCM_SHA256|");
  seen.clear();
  stage.get("/", forged);
  CHECK(seen == "|||||");
}

TEST_CASE("headers: a value whose variables are all empty is left out, and so is what a client sent for it") {
  const std::string forged = "X-Trace: forged\r\n";
  CHECK(shown({texts("request_set", {"X-Trace: {trace_id}"})}, forged) == "Host: a.example:80\n");
  CHECK(shown({texts("request_set", {"X-Trace: t={trace_id}"})}, forged) == "Host: a.example:80\n");
  CHECK(shown({texts("request_set", {"X-Trace: t={trace_id} {client}"})}, forged) ==
        "Host: a.example:80\nX-Trace: t= 192.0.2.1\n");
}

TEST_CASE("headers: a value that is longer than allowed is left out, and one that fits is not") {
  const auto with = [](size_t size) {
    const std::string sent = "X-In: " + std::string(size, 'x') + "\r\n";
    return shown({texts("request_set", {"X-V: {header:x-in}", "X-W: {header:x-in}y"}),
                  entry("value", std::string("100B"))},
                 sent);
  };
  CHECK(with(99).contains("X-V: "));
  CHECK(with(99).contains("X-W: "));
  CHECK(with(100).contains("X-V: "));
  CHECK_FALSE(with(100).contains("X-W: "));
  CHECK_FALSE(with(101).contains("X-V: "));
}

TEST_CASE("headers: without memory for it no request goes on unchanged") {
  for (const bool changes : {false, true}) {
    Stage stage(kinds());
    if (changes) stage.middleware("headers", {texts("request_set", {"X-Client: {client}"})});
    stage.route("/");
    stage.harness().limits.request_memory_bytes = Block::kSize;
    calls.clear();
    // One head of that size has room there, two have not.
    const std::string answer =
        stage.get("/", "X-Client: forged\r\nX-Long: " + std::string(9000, 'x') + "\r\n");
    CHECK(status_of(answer) == (changes ? 503 : 200));
    CHECK(calls.empty() == changes);
  }
}

TEST_CASE("headers: an answer's fields are set, added and removed") {
  const std::string answer = Answers{
      .options = {texts("answer_set", {"X-One: new", "Content-Type: text/css"}),
                  texts("answer_add", {"Link: <b>"}), texts("answer_remove", {"x-powered-by"})},
      .fields = {{"X-One", "1"},
                 {"x-ONE", "2"},
                 {"Link", "<a>"},
                 {"X-Powered-By", "z"},
                 {"Content-Type",
                  "text/plain"}}}.ask();
  CHECK(field(answer, "X-One") == "new");
  CHECK_FALSE(answer.contains("x-ONE"));
  CHECK(answer.contains("\r\nLink: <a>\r\n"));
  CHECK(answer.contains("\r\nLink: <b>\r\n"));
  CHECK_FALSE(answer.contains("X-Powered-By"));
  CHECK(field(answer, "Content-Type") == "text/css");
  CHECK(answer.find("Content-Type") == answer.rfind("Content-Type"));
  CHECK(answer.ends_with("\r\n\r\nhello"));
}

TEST_CASE("headers: conditions have to hold, all of them") {
  const auto is_set = [](Value::Table conditions, uint16_t status = 200, std::string fields = "",
                         std::string method = "GET") {
    conditions.push_back(texts("answer_set", {"X-Set: yes"}));
    const std::string answer = Answers{.options = std::move(conditions),
                                       .status = status,
                                       .request_fields = std::move(fields),
                                       .method = std::move(method)}
                                   .ask();
    return field(answer, "X-Set") == "yes";
  };
  CHECK(is_set({}));
  CHECK(is_set({texts("if_status", {"404", "5xx"})}, 404));
  CHECK(is_set({texts("if_status", {"404", "5xx"})}, 503));
  CHECK_FALSE(is_set({texts("if_status", {"404", "5xx"})}, 200));
  CHECK_FALSE(is_set({texts("if_status", {"404", "5xx"})}, 403));
  CHECK(is_set({texts("if_method", {"POST", "PUT"})}, 200, "", "POST"));
  CHECK_FALSE(is_set({texts("if_method", {"POST", "PUT"})}));
  CHECK(is_set({texts("if_header", {"x-flag"})}, 200, "X-Flag: whatever\r\n"));
  CHECK(is_set({texts("if_header", {"x-flag"})}, 200, "X-Flag:\r\n"));
  CHECK_FALSE(is_set({texts("if_header", {"x-flag"})}));
  CHECK(is_set({texts("if_header", {"X-Flag: 1"})}, 200, "X-Flag: 0\r\nx-flag:  1 \r\n"));
  CHECK_FALSE(is_set({texts("if_header", {"X-Flag: 1"})}, 200, "X-Flag: 11\r\n"));
  CHECK_FALSE(is_set({texts("if_header", {"X-Flag: a"})}, 200, "X-Flag: A\r\n"));
  CHECK(is_set({texts("if_header", {"A", "B: 2"})}, 200, "A: 1\r\nB: 2\r\n"));
  CHECK_FALSE(is_set({texts("if_header", {"A", "B: 2"})}, 200, "B: 2\r\n"));
  CHECK_FALSE(is_set({texts("if_header", {"A"}), texts("if_status", {"2xx"})}, 404, "A: 1\r\n"));
}

TEST_CASE("headers: a condition means the request as it came, for its answer too") {
  const auto ask = [](std::string fields) {
    return Answers{.options = {texts("if_header", {"X-Secret: 1"}), texts("request_remove", {"X-Secret"}),
                               texts("answer_set", {"X-Seen: yes"})},
                   .request_fields = std::move(fields)}
        .ask();
  };
  CHECK(field(ask("X-Secret: 1\r\n"), "X-Seen") == "yes");
  CHECK(field(ask("X-Secret: 2\r\n"), "X-Seen") == "(none)");
  CHECK(field(ask(""), "X-Seen") == "(none)");
}

TEST_CASE("headers: what a client sends is never a line of its own") {
  // What a head cannot have is refused with it; what is left is shown as it is.
  const std::string answer = Answers{.options = {texts("answer_set", {"X-V: <{header:x-in}>"})},
                                     .request_fields = "X-In: a\x80\xff b\r\n"}
                                 .ask();
  CHECK(field(answer, "X-V") == "<a\x80\xff b>");
  for (const char* bad :
       {"X-In: a\rX-Evil: 1\r\n", "X-In: a\nX-Evil: 1\r\n", "X-In: a\x01\r\n", "X-In: a\x7f\r\n"}) {
    INFO(bad);
    const std::string other =
        Answers{.options = {texts("answer_set", {"X-V: {header:x-in}"})}, .request_fields = bad}.ask();
    CHECK_FALSE(other.contains("\nX-Evil:"));
    CHECK((field(other, "X-V") == "(none)" || !other.starts_with("HTTP/1.1 400")));
    CHECK_FALSE(field(other, "X-V").contains('\x01'));
    CHECK_FALSE(field(other, "X-V").contains('\x7f'));
  }
}

TEST_CASE("headers: an answer without room is a 500, which has them unless they are for others") {
  for (const bool always : {true, false}) {
    LogText log;
    Stage stage(kinds());
    Value::Table options = {texts("answer_set", {"X-Set: yes", "X-More: 1"})};
    if (!always) options.push_back(texts("if_status", {"200"}));
    stage.middleware("headers", std::move(options));
    stage.route("/").on_handle = [](http::Exchange& exchange) {
      while (exchange.response.add("X-Many", "1")) {
      }
      exchange.send("hello");
      return Verdict::Done;
    };
    const std::string answer = stage.get("/");
    CHECK(status_of(answer) == 500);
    CHECK(field(answer, "X-Set") == (always ? "yes" : "(none)"));
    CHECK(log.take().contains("headers needs 2 fields of an answer that has 64 of 64 already"));
  }
}

TEST_CASE("headers: fields about framing, the connection and the server are refused") {
  for (const char* name : {"Connection", "content-length", "Transfer-Encoding", "Keep-Alive", "TE", "Trailer",
                           "Upgrade", "Host", "Proxy-Connection", "HTTP2-Settings", "Expect"})
    for (const char* option :
         {"request_set", "request_add", "request_remove", "answer_set", "answer_add", "answer_remove"}) {
      INFO(name << " " << option);
      const bool removes = std::string_view(option).ends_with("remove");
      const std::string said = one_mistake({texts(option, {std::string(name) + (removes ? "" : ": x")})});
      CHECK(said.contains("not for middleware to change"));
    }
  CHECK(one_mistake({texts("answer_set", {"Date: x"})}).contains("the server's own"));
  CHECK(one_mistake({texts("answer_set", {"server: x"})}).contains("server.name"));
  CHECK(one_mistake({texts("answer_remove", {"Server"})}).contains("server.name"));
}

TEST_CASE("headers: options that are wrong") {
  CHECK(one_mistake({texts("answer_set", {"X-A"})}).contains("written `Name: value`"));
  CHECK(one_mistake({texts("answer_set", {"X-A:"})}).contains("has no value"));
  CHECK(one_mistake({texts("answer_set", {"X A: 1"})}).contains("names no header field"));
  CHECK(one_mistake({texts("answer_set", {": 1"})}).contains("names no header field"));
  CHECK(one_mistake({texts("answer_set", {"X-A : 1"})}).contains("names no header field"));
  CHECK(one_mistake({texts("answer_set", {"X-A: 1\r\nX-B: 2"})}).contains("control character"));
  CHECK(one_mistake({texts("answer_set", {std::string("X-A: 1\0", 7)})}).contains("control character"));
  CHECK(one_mistake({texts("answer_set", {"X-A: {clinet}"})}).contains("did you mean `client`?"));
  CHECK(one_mistake({texts("answer_set", {"X-A: {client"})}).contains("stands alone"));
  CHECK(one_mistake({texts("answer_set", {"X-A: client}"})}).contains("stands alone"));
  CHECK(one_mistake({texts("answer_set", {"X-A: {header:a b}"})}).contains("names no header field"));
  CHECK(one_mistake({texts("answer_remove", {"X-A: 1"})}).contains("names no header field"));
  CHECK(one_mistake({texts("answer_add", {"content-type: text/css"})}).contains("one Content-Type"));
  CHECK(
      one_mistake({texts("answer_set", {"X-A: 1"}), texts("if_status", {"600-5"})}).contains("is no status"));
  CHECK(one_mistake({texts("answer_set", {"X-A: 1"}), texts("if_method", {"FETCH"})})
            .contains("unknown method"));
  CHECK(one_mistake({texts("answer_set", {"X-A: 1"}), texts("if_header", {"a b: c"})})
            .contains("is no header field"));
  CHECK(
      one_mistake({texts("request_set", {"X-A: 1"}), texts("if_status", {"404"})}).contains("no status yet"));
  // One mistake is not told as two.
  CHECK(one_mistake({texts("answer_set", {"Host: 1"}), texts("if_status", {"404"})})
            .contains("not for middleware"));
  CHECK(one_mistake({texts("if_method", {"GET"})}).contains("a condition of nothing"));
  CHECK(one_mistake({texts("answer_add", List(33, "X-A: 1"))}).contains("32 fields at most"));
  CHECK(one_mistake({entry("value", std::string("9KiB"))}).contains("value"));
}

TEST_CASE("headers: requests and answers that are changed ask nothing of the heap") {
  Stage stage(kinds());
  stage.middleware("headers",
                   {texts("request_set", {"X-Client: {client} {scheme}"}), texts("request_remove", {"X-One"}),
                    texts("answer_set", {"X-Host: {host}!", "X-Constant: 1"})});
  stage.route("/");
  const auto serve = [&] { stage.serve("GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n\r\n"); };
  CHECK(leat::test::allocations_of(1000, serve) == 0);
}

}  // namespace leat::middleware
