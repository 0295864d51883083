// Pages for errors, and who is told to come again later, behind a real session.
#include "middleware/error_pages.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>
#include <vector>

#include "middleware/identified.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

struct PageSpec {
  std::vector<std::string> status;
  std::string type;
  std::string body;
};
Value::Table with_pages(std::vector<PageSpec> specs, bool handlers = false) {
  Value::Array pages;
  for (PageSpec& spec : specs) {
    Value::Table entries = {entry("body", std::move(spec.body))};
    if (!spec.status.empty()) entries.emplace_back("status", list_of(std::move(spec.status)));
    if (!spec.type.empty()) entries.push_back(entry("type", std::move(spec.type)));
    pages.push_back(table(std::move(entries)));
  }
  Value::Table options;
  options.emplace_back("pages", Value(std::move(pages), line(1), line(1)));
  if (handlers) options.push_back(entry("handlers", true));
  return options;
}

constexpr std::string_view kHtml = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

}  // namespace

TEST_CASE("error pages: people get a page, and programs the problem") {
  Stage stage(identified_kinds());
  stage.middleware("error_pages");
  stage.route("/");
  const std::string page = stage.get("/nowhere", kHtml);
  CHECK(status_of(page) == 404);
  CHECK(field(page, "Content-Type") == "text/html; charset=utf-8");
  CHECK(field(page, "Vary") == "Accept");
  CHECK(body_of(page).contains("<h1>404 Not Found</h1>\n<p>No route leads here.</p>"));
  for (const std::string_view accept :
       {"", "Accept: */*\r\n", "Accept: application/json\r\n",
        "Accept: application/problem+json, text/html\r\n", "Accept: image/png\r\n"}) {
    INFO(accept);
    const std::string problem = stage.get("/nowhere", accept);
    CHECK(field(problem, "Content-Type") == "application/problem+json");
    CHECK(field(problem, "Vary") == "Accept");
    CHECK(member(body_of(problem), "status") == "404");
  }
  const std::string text = stage.get("/nowhere", "Accept: text/plain\r\n");
  CHECK(field(text, "Content-Type") == "text/plain; charset=utf-8");
  CHECK(body_of(text) == "404 Not Found\nNo route leads here.\n");
  CHECK(field(stage.get("/", kHtml), "Vary") == "(none)");
}

TEST_CASE("error pages: several Accept fields are one list") {
  Stage stage(identified_kinds());
  stage.middleware("error_pages");
  stage.route("/");
  constexpr std::string_view kJson = "Accept: application/json;q=0.5\r\n";
  CHECK(stage.get("/nowhere", std::string(kJson) + "Accept: text/html\r\n")
            .contains("Content-Type: text/html"));
  CHECK(stage.get("/nowhere", kJson).contains("Content-Type: application/problem+json"));
  CHECK(stage.get("/nowhere", "Accept: text/html;q=0.1\r\nAccept: application/json\r\n")
            .contains("Content-Type: application/problem+json"));
}

TEST_CASE("error pages: HEAD has the page's fields, and 405 keeps Allow") {
  Stage stage(identified_kinds());
  stage.middleware("error_pages");
  stage.route("/", {"POST"});
  const std::string page = stage.get("/", kHtml);
  CHECK(status_of(page) == 405);
  CHECK(field(page, "Allow") == "POST, OPTIONS");
  const std::string head = stage.feed("HEAD / HTTP/1.1\r\nHost: a\r\n" + std::string(kHtml) + "\r\n");
  CHECK(field(head, "Content-Length") == field(page, "Content-Length"));
  CHECK(body_of(head).empty());
}

TEST_CASE("error pages: the site's own come before those that are made here") {
  Stage stage(identified_kinds());
  stage.middleware("error_pages", with_pages({{{"404"}, "", "<p>{host} {status} {reason} {css} {detail}"},
                                              {{"4xx", "500-599"}, "", "other {request_id}"},
                                              {{"404"}, "text/plain", "text"}}));
  stage.route("/", {"POST"});
  CHECK(body_of(stage.get("/nowhere", kHtml)) == "<p>a 404 Not Found {css} No route leads here.");
  CHECK(body_of(stage.get("/", kHtml)) == "other ");
  CHECK(body_of(stage.get("/nowhere", "Accept: text/plain, text/html;q=0.5\r\n")) == "text");
}

TEST_CASE("error pages: nothing that a client says becomes HTML") {
  Stage stage(identified_kinds());
  stage.middleware("error_pages", with_pages({{{}, "", "<p>{request_id}|{detail}"}}, true));
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    exchange.request.set_id("<a&b>");
    exchange.send_problem(400, "no <script>alert(\"1\")</script> & 'such'", {}, http::Origin::Handler);
    return Verdict::Done;
  };
  CHECK(body_of(stage.get("/", kHtml)) ==
        "<p>&lt;a&amp;b&gt;|no &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;such&#39;");
}

TEST_CASE("error pages: handlers' own errors are left alone unless that is asked for") {
  for (const bool handlers : {false, true}) {
    Stage stage(identified_kinds());
    stage.middleware("error_pages", with_pages({{{}, "", "page"}}, handlers));
    stage.route("/problem").on_handle = [](http::Exchange& exchange) {
      exchange.send_problem(409, "mine", {}, http::Origin::Handler);
      return Verdict::Done;
    };
    stage.route("/plain").on_handle = [](http::Exchange& exchange) {
      exchange.response.status = 404;
      CHECK(exchange.response.add("ETag", "\"x\""));
      CHECK(exchange.response.add("Content-Digest", "sha-256=:AAAA:"));
      CHECK(exchange.response.add("Content-Disposition", "attachment"));
      exchange.response.content_type = "text/html";
      exchange.send("mine");
      return Verdict::Done;
    };
    stage.route("/pieces").on_handle = [](http::Exchange& exchange) {
      exchange.response.status = 503;
      exchange.begin(std::nullopt);
      exchange.write("mi");
      exchange.write("ne");
      exchange.end();
      return Verdict::Done;
    };
    stage.route("/fails").on_handle = [](http::Exchange&) { return Verdict::Error; };
    CHECK(body_of(stage.get("/problem", kHtml)).contains("mine") != handlers);
    const std::string plain = stage.get("/plain", kHtml);
    CHECK(body_of(plain) == (handlers ? "page" : "mine"));
    CHECK(field(plain, "ETag") == (handlers ? "(none)" : "\"x\""));
    for (const char* about : {"Content-Digest", "Content-Disposition"})
      CHECK((field(plain, about) == "(none)") == handlers);
    CHECK(body_of(stage.get("/pieces", kHtml)).contains(handlers ? "page" : "mi"));
    // One that fails is the server's to tell.
    CHECK(body_of(stage.get("/fails", kHtml)) == "page");
  }
}

TEST_CASE("error pages: refusals of middleware get one, with what protects it") {
  Stage stage(identified_kinds());
  stage.middleware("security_headers");
  stage.middleware("error_pages");
  stage.middleware("maintenance",
                   {entry("retry_after", std::string("90s")), entry("detail", std::string("Back <soon>."))});
  stage.route("/");
  const std::string answer = stage.get("/", kHtml);
  CHECK(status_of(answer) == 503);
  CHECK(field(answer, "Retry-After") == "90");
  CHECK(field(answer, "X-Content-Type-Options") == "nosniff");
  CHECK(body_of(answer).contains("Back &lt;soon&gt;."));
}

TEST_CASE("error pages: where there is no room to say on what it depends the problem stays") {
  Stage stage(identified_kinds());
  stage.middleware("error_pages");
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    for (size_t i = 0; i < http::Response::kMostFields; ++i) CHECK(exchange.response.add("X-Field", "1"));
    return Verdict::Error;
  };
  CHECK(field(stage.get("/", kHtml), "Content-Type") == "application/problem+json");
}

TEST_CASE("maintenance: those who do the work are served, and all when it is off") {
  const auto asked = [](Value::Table options, const std::string& client) {
    Stage stage(identified_kinds());
    stage.middleware("identified");
    stage.middleware("maintenance", std::move(options));
    stage.route("/");
    return status_of(stage.get("/", "X-Client: " + client + "\r\n"));
  };
  const auto allow = [] {
    Value::Table options;
    options.emplace_back("allow", list_of({"192.0.2.0/24", "2001:db8::/32"}));
    return options;
  };
  CHECK(asked({}, "192.0.2.7") == 503);
  CHECK(asked(allow(), "192.0.2.7") == 200);
  CHECK(asked(allow(), "::ffff:192.0.2.7") == 200);
  CHECK(asked(allow(), "198.51.100.1") == 503);
  CHECK(asked(allow(), "unknown") == 503);
  CHECK(asked({entry("on", false)}, "198.51.100.1") == 200);
}

}  // namespace leat::middleware
