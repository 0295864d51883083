// The tokens of sessions that csrf asks for, behind a real session of HTTP.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "http/user_session.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;
using http::UserSession;

// A page, and what changes something.
class Pages {
 public:
  explicit Pages(Value::Table csrf = {}) : stage(kinds()) {
    stage.middleware("sessions", {texts("keys", {std::string(kOneSessionKey)})});
    csrf.push_back(entry("token", true));
    stage.middleware("csrf", std::move(csrf));
    stage.route("/page").on_handle = [](http::Exchange& exchange) {
      exchange.response.content_type = "text/html; charset=utf-8";
      if (exchange.request.header(http::HeaderId::IfNoneMatch).data() != nullptr) {
        exchange.response.status = 304;
        exchange.response.content_type = {};
        exchange.send({});
        return Verdict::Done;
      }
      exchange.send("<p>");
      return Verdict::Done;
    };
    stage.route("/data").on_handle = [](http::Exchange& exchange) {
      exchange.response.content_type = "application/json";
      exchange.send("1");
      return Verdict::Done;
    };
    stage.route("/renew").on_handle = [](http::Exchange& exchange) {
      CHECK(exchange.states.find<UserSession>()->renew() == UserSession::Change::Done);
      exchange.send("");
      return Verdict::Done;
    };
    stage.route("/change", {"POST"}).on_handle = [](http::Exchange& exchange) {
      exchange.send("changed");
      return Verdict::Done;
    };
  }
  int post(const std::string& fields, const std::string& body = {}) {
    return status_of(stage.feed("POST /change HTTP/1.1\r\nHost: a\r\nContent-Length: " +
                                std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body));
  }

  Stage stage;
};

// Both cookies that a page gives, as a browser sends them.
struct Given {
  std::string session, token;
  explicit Given(const std::string& answer) {
    for (size_t at = 0; (at = answer.find("Set-Cookie: ", at)) != std::string::npos;) {
      at += 12;
      const std::string cookie = answer.substr(at, answer.find(';', at) - at);
      if (cookie.starts_with("__Host-session=")) session = cookie;
      if (cookie.starts_with("__Host-csrf=")) token = cookie.substr(12);
    }
  }
  [[nodiscard]] std::string cookies() const {
    return "Cookie: " + session + "; __Host-csrf=" + token + "\r\n";
  }
};

constexpr std::string_view kForm = "Content-Type: application/x-www-form-urlencoded\r\n";

}  // namespace

TEST_CASE("csrf: a page begins a session and has its token, once") {
  Pages pages;
  const std::string page = pages.stage.get("/page");
  const Given given(page);
  REQUIRE_FALSE(given.session.empty());
  REQUIRE(given.token.size() == 43);
  CHECK(page.contains("__Host-csrf=" + given.token + "; Path=/; SameSite=Lax; Secure\r\n"));
  CHECK_FALSE(pages.stage.get("/page", given.cookies()).contains("Set-Cookie"));
  // With a session, and another token or none, it is given with anything; without, only with pages.
  CHECK(Given(pages.stage.get("/data", "Cookie: " + given.session + "\r\n")).token == given.token);
  CHECK_FALSE(pages.stage.get("/data").contains("Set-Cookie"));
  CHECK(Given(pages.stage.get("/page")).token != given.token);
}

TEST_CASE("csrf: a client that has a page and no token gets one with the 304") {
  Pages pages;
  const Given given(pages.stage.get("/page", "If-None-Match: \"x\"\r\n"));
  CHECK(given.token.size() == 43);
  CHECK_FALSE(given.session.empty());
}

TEST_CASE("csrf: what changes something needs the token of its own session") {
  Pages pages;
  const Given given(pages.stage.get("/page")), other(pages.stage.get("/page"));
  const std::string token = "X-CSRF-Token: " + given.token + "\r\n";
  CHECK(pages.post(given.cookies() + token) == 200);
  CHECK(pages.post("Cookie: " + given.session + "\r\n" + "x-csrf-token: " + given.token + "\r\n") == 200);
  CHECK(pages.post(given.cookies()) == 403);
  CHECK(pages.post(token) == 403);
  CHECK(pages.post("") == 403);
  CHECK(pages.post(given.cookies() + token + token) == 403);
  CHECK(pages.post(given.cookies() + "X-CSRF-Token: " + other.token + "\r\n") == 403);
  CHECK(pages.post(other.cookies() + token) == 403);
  CHECK(pages.post(given.cookies() + "X-CSRF-Token: \r\n") == 403);
  CHECK(pages.post(given.cookies() + "X-CSRF-Token: " + given.token.substr(1) + "\r\n") == 403);
  // Both cookies of somebody else's making, as another host of the site might set them.
  CHECK(pages.post("Cookie: __Host-csrf=a\r\nX-CSRF-Token: a\r\n") == 403);
  // What the other checks refuse a token does not let in.
  CHECK(pages.post(given.cookies() + token + "Sec-Fetch-Site: cross-site\r\n") == 403);
  CHECK(pages.post(given.cookies() + token + "Sec-Fetch-Site: same-origin\r\n") == 200);
}

TEST_CASE("csrf: a renewed session has another token, which the same answer gives") {
  Pages pages;
  const Given before(pages.stage.get("/page"));
  const Given after(pages.stage.get("/renew", before.cookies()));
  REQUIRE(after.token.size() == 43);
  CHECK(after.token != before.token);
  CHECK(pages.post(after.cookies() + "X-CSRF-Token: " + after.token + "\r\n") == 200);
  CHECK(pages.post(after.cookies() + "X-CSRF-Token: " + before.token + "\r\n") == 403);
}

TEST_CASE("csrf: a form may have the token in a field") {
  Pages pages;
  const Given given(pages.stage.get("/page"));
  const std::string form = given.cookies() + std::string(kForm);
  CHECK(pages.post(form, "a=b&csrf_token=" + given.token + "&c=d") == 200);
  CHECK(pages.post(form, "a=b&csrf%5Ftoken=" + given.token) == 200);
  CHECK(pages.post(form, "a=b") == 403);
  CHECK(pages.post(form, "") == 403);
  CHECK(pages.post(form, "csrf_token=") == 403);
  CHECK(pages.post(form, "csrf_token=%zz") == 403);
  CHECK(pages.post(form, "csrf_token=a&csrf_token=" + given.token) == 403);
  CHECK(pages.post(std::string(kForm), "csrf_token=" + given.token) == 403);
  // A field of the request says more than one of the form.
  CHECK(pages.post(form + "X-CSRF-Token: a\r\n", "csrf_token=" + given.token) == 403);
  CHECK(pages.post(form + "Content-Encoding: gzip\r\n", "csrf_token=" + given.token) == 403);
  CHECK(pages.post(given.cookies() + "Content-Type: text/plain\r\n", "csrf_token=" + given.token) == 403);
  // In chunks, and none at all in them.
  const auto chunked = [&](const std::string& chunks) {
    return status_of(pages.stage.feed("POST /change HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" +
                                      form + "\r\n" + chunks + "0\r\n\r\n"));
  };
  CHECK(chunked("5\r\ncsrf_\r\n31\r\ntoken=" + given.token + "\r\n") == 200);
  CHECK(chunked("") == 403);
  CHECK(status_of(pages.stage.feed("POST /change HTTP/1.1\r\nHost: a\r\n" + form + "\r\n")) == 403);
  Pages without({entry("token_field", std::string())});
  CHECK(without.post(form, "csrf_token=" + given.token) == 403);
}

TEST_CASE("csrf: options of a token") {
  CHECK(mistakes("csrf", {entry("token_field", std::string("t"))}).size() == 1);
  CHECK(mistakes("csrf", {entry("token", true), entry("token_header", std::string())}).size() == 1);
  CHECK(mistakes("csrf", {entry("token", true), entry("token_cookie", std::string())}).size() == 1);
}

}  // namespace leat::middleware
