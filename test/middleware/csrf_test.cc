// Whose page may ask for a change, behind a real session.
#include "middleware/csrf.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "middleware/support.h"
#include "pipeline/codes.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

int asked(Value::Table options, const std::string& fields, const std::string& method = "POST",
          const std::string& host = "example.com") {
  Stage stage(kinds());
  stage.middleware("csrf", std::move(options));
  stage.route("/", {"GET", "POST", "PUT", "PATCH", "DELETE"});
  return status_of(
      stage.feed(method + " / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0\r\n" + fields + "\r\n"));
}

}  // namespace

TEST_CASE("csrf: by Sec-Fetch-Site, where there is one") {
  struct Case {
    std::string_view site;
    int status;
  };
  for (const auto& [site, status] : {Case{"same-origin", 200}, Case{"none", 200}, Case{"cross-site", 403},
                                     Case{"same-site", 403}, Case{"Same-Origin", 403}, Case{"", 403}}) {
    INFO(site);
    const std::string fields = "Sec-Fetch-Site: " + std::string(site) + "\r\n";
    for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) CHECK(asked({}, fields, method) == status);
    // Whatever Origin says beside it.
    CHECK(asked({}, fields + "Origin: https://example.com\r\n") == status);
    CHECK(asked({}, fields + "Origin: https://evil.example\r\n") == status);
    for (const char* method : {"GET", "HEAD"}) CHECK(asked({}, fields, method) == 200);
    CHECK(asked({}, fields, "OPTIONS") == 204);
  }
}

TEST_CASE("csrf: by Origin, where a browser is too old to say more") {
  const auto of = [](const std::string& origin, const std::string& host = "example.com") {
    return asked({}, "Origin: " + origin + "\r\n", "POST", host);
  };
  CHECK(of("https://example.com") == 200);
  CHECK(of("http://example.com") == 200);
  CHECK(of("https://EXAMPLE.com") == 200);
  CHECK(of("https://example.com:8443", "example.com:8443") == 200);
  CHECK(of("https://[::1]:80", "[::1]:80") == 200);
  for (const char* other :
       {"https://evil.example", "https://example.com.evil.example", "https://a.example.com",
        "https://example.com:8443", "https://example.com/", "null", "", "example.com", "://"}) {
    INFO(other);
    CHECK(of(other) == 403);
  }
  CHECK(of("null", "null") == 403);
}

TEST_CASE("csrf: who is no browser says neither, and passes") {
  CHECK(asked({}, "") == 200);
  CHECK(asked({}, "Referer: https://evil.example/\r\n") == 200);
}

TEST_CASE("csrf: what is there twice is refused") {
  CHECK(asked({}, "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: same-origin\r\n") == 403);
  CHECK(asked({}, "Origin: https://example.com\r\nOrigin: https://example.com\r\n") == 403);
  CHECK(asked({}, "Sec-Fetch-Site: same-origin\r\nOrigin: https://example.com\r\nOrigin: null\r\n") == 403);
}

TEST_CASE("csrf: origins that are let in, and hosts of the same site") {
  const auto trusted = [] {
    return Value::Table{texts("origins", {"https://app.example", "https://*.preview.example"})};
  };
  for (const char* origin :
       {"https://app.example", "https://a.preview.example", "https://a.b.preview.example"}) {
    const std::string field = "Origin: " + std::string(origin) + "\r\n";
    CHECK(asked(trusted(), field) == 200);
    CHECK(asked(trusted(), field + "Sec-Fetch-Site: cross-site\r\n") == 200);
  }
  for (const char* origin : {"http://app.example", "https://preview.example", "https://app.example:1",
                             "https://a/.preview.example", "null"})
    CHECK(asked(trusted(), "Origin: " + std::string(origin) + "\r\nSec-Fetch-Site: cross-site\r\n") == 403);
  CHECK(asked({entry("same_site", true)}, "Sec-Fetch-Site: same-site\r\n") == 200);
  CHECK(asked({entry("same_site", true)}, "Sec-Fetch-Site: cross-site\r\n") == 403);
}

TEST_CASE("csrf: a refused request comes to no handler, is a problem and is counted") {
  metrics::Registry registry;
  Stage stage(kinds(), {.workers = 1, .metrics = &registry});
  stage.middleware("csrf");
  stage.route("/", {"GET", "POST"});
  (void)stage.session();
  const std::string begin = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n";
  const std::string answer = stage.feed(begin + "Sec-Fetch-Site: cross-site\r\n\r\n");
  CHECK(status_of(answer) == 403);
  CHECK(field(answer, "Content-Type") == "application/problem+json");
  CHECK(calls.empty());
  (void)stage.feed(begin + "\r\n");
  (void)stage.get("/", "Sec-Fetch-Site: cross-site\r\n");
  CHECK(registry.text().contains("leat_csrf_requests_total{instance=\"csrf\",result=\"refused\"} 1\n"));
  CHECK(registry.text().contains("leat_csrf_requests_total{instance=\"csrf\",result=\"passed\"} 1\n"));
}

TEST_CASE("csrf: an origin that is none is a mistake") {
  for (const char* origin : {"*", "null", "app.example", "https://app.example/", "https://*"})
    CHECK(mistakes("csrf", {texts("origins", {origin})}).size() == 1);
  CHECK(mistakes("csrf", {texts("origins", {"https://app.example"})}).empty());
}

}  // namespace leat::middleware
