// Accept: the table of RFC 9110, section 12.5.1, and what is malformed.
#include "http/accept.h"

#include <catch2/catch_test_macros.hpp>
#include <string_view>

namespace leat::http {
namespace {

TEST_CASE("accept: the range that fits best counts") {
  constexpr std::string_view kTable =
      "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5";
  CHECK(acceptance(kTable, "text/plain") == 700);
  CHECK(acceptance(kTable, "text/html") == 300);
  CHECK(acceptance(kTable, "image/jpeg") == 500);
  constexpr std::string_view kBrowser =
      "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
  CHECK(acceptance(kBrowser, "text/html") == 1000);
  CHECK(acceptance(kBrowser, "application/problem+json") == 800);
  CHECK(acceptance("text/html;q=0, */*", "text/html") == 0);
  CHECK(acceptance("audio/*; q=0.2, audio/basic", "audio/basic") == 1000);
  CHECK(acceptance("TEXT/HTML;Q=0.5", "text/html") == 500);
}

TEST_CASE("accept: who says nothing takes all") {
  CHECK(acceptance({}, "text/html") == 1000);
  CHECK(acceptance("  ", "text/html") == 1000);
  CHECK(acceptance("*/*", "text/html") == 1000);
  CHECK(acceptance("application/json", "text/html") == 0);
}

TEST_CASE("accept: what is malformed fits nothing, and the rest counts") {
  CHECK(acceptance("text/html;q=2, text/*;q=0.1", "text/html") == 100);
  CHECK(acceptance("text/html;q=0.1234", "text/html") == 0);
  CHECK(acceptance("text/html;q=", "text/html") == 0);
  CHECK(acceptance("text/html;q=1.1", "text/html") == 0);
  CHECK(acceptance("text/html;a=\"x,y;q=1\", text/*;q=0.2", "text/html") == 200);
  CHECK(acceptance(",,;;,text/html", "text/html") == 1000);
  CHECK(acceptance("text", "text/html") == 0);
  CHECK(acceptance("text/html;a=\"x, text/plain", "text/plain") == 1000);
  CHECK(acceptance("text/html;;q=0.5;", "text/html") == 500);  // section 5.6.6 has room for none
  CHECK(acceptance("text/html;q=0.05", "text/html") == 50);
}

}  // namespace
}  // namespace leat::http
