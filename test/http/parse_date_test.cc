// The three forms of a date that HTTP knows, and what is none.
#include "http/date.h"

#include <catch2/catch_test_macros.hpp>

namespace leat::http {

namespace {

constexpr int64_t kNow = 1'700'000'000;  // Tue, 14 Nov 2023 22:13:20 GMT
constexpr int64_t kThen = 784'111'777;   // 1994-11-06T08:49:37

std::optional<int64_t> read(std::string_view text) { return parse_date(text, kNow); }

}  // namespace

TEST_CASE("date: each of the three forms is the same moment") {
  CHECK(read("Sun, 06 Nov 1994 08:49:37 GMT") == kThen);
  CHECK(read("Sunday, 06-Nov-94 08:49:37 GMT") == kThen);
  CHECK(read("Sun Nov  6 08:49:37 1994") == kThen);
  CHECK(read("sun, 06 nov 1994 08:49:37 gmt") == kThen);
  CHECK(read("SUNDAY, 06-NOV-94 08:49:37 UTC") == kThen);
  CHECK(read("Tue Nov 14 22:13:20 2023") == kNow);
  CHECK(read("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
  CHECK(read("Wed, 31 Dec 1969 23:59:59 GMT") == -1);
  CHECK(read("Thu, 29 Feb 2024 00:00:00 GMT") == 1'709'164'800);
  CHECK(read("Fri, 31 Dec 9999 23:59:59 GMT") == 253'402'300'799);
  // A leap second, and a day of the week that is another one.
  CHECK(read("Sat, 31 Dec 2016 23:59:60 GMT") == 1'483'228'800);
  CHECK(read("Mon, 06 Nov 1994 08:49:37 GMT") == kThen);
}

TEST_CASE("date: a year of two digits is no more than 50 years ahead") {
  CHECK(read("Tuesday, 14-Nov-73 22:13:20 GMT") == read("Tue, 14 Nov 2073 22:13:20 GMT"));
  CHECK(read("Tuesday, 14-Nov-73 22:13:21 GMT") == read("Wed, 14 Nov 1973 22:13:21 GMT"));
  CHECK(read("Friday, 01-Jan-99 00:00:00 GMT") == read("Fri, 01 Jan 1999 00:00:00 GMT"));
  CHECK(read("Saturday, 01-Jan-00 00:00:00 GMT") == read("Sat, 01 Jan 2000 00:00:00 GMT"));
  // At the turn of a century, too.
  const int64_t in_2099 = *parse_date("Thu, 01 Jan 2099 00:00:00 GMT", 0);
  CHECK(parse_date("Friday, 01-Jan-10 00:00:00 GMT", in_2099) ==
        parse_date("Wed, 01 Jan 2110 00:00:00 GMT", 0));
  CHECK_FALSE(read("Sunday, 29-Feb-99 00:00:00 GMT"));
}

TEST_CASE("date: what is none") {
  for (const char* bad : {"",
                          "0",
                          "-1",
                          "tomorrow",
                          ",",
                          ", ",
                          "Sun,",
                          "Sun, 06 Nov 1994 08:49:37",
                          "06 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 08:49:37 GMT ",
                          " Sun, 06 Nov 1994 08:49:37 GMT",
                          "Sun, 6 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 94 08:49:37 GMT",
                          "Sun, 06-Nov-1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 8:49:37 GMT",
                          "Sun, 06 Nov 1994 08:49 GMT",
                          "Sun, 06 Nov 1994 08:49:37 PST",
                          "Sun, 06 Nov 1994 08:49:37 +0000",
                          "Sun, 06 Nov 1994 08:49:37 GMT, Mon, 07 Nov 1994 08:49:37 GMT",
                          "Xun, 06 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nob 1994 08:49:37 GMT",
                          "Sun, 31 Nov 1994 08:49:37 GMT",
                          "Sun, 00 Nov 1994 08:49:37 GMT",
                          "Sun, 29 Feb 2023 00:00:00 GMT",
                          "Sun, 06 Nov 1994 24:00:00 GMT",
                          "Sun, 06 Nov 1994 08:60:37 GMT",
                          "Sun, 06 Nov 1994 08:49:61 GMT",
                          "Sun, -6 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov +994 08:49:37 GMT",
                          "Sunday, 06-Nov-94 08:49:37",
                          "Sunday, 6-Nov-94 08:49:37 GMT",
                          "Sun Nov 6 08:49:37 1994",
                          "Sun Nov  6 08:49:37 94",
                          "Sun Nov  6 08:49:37 1994 GMT",
                          "Sun Nov   6 08:49:37 1994"}) {
    INFO(bad);
    CHECK_FALSE(read(bad));
  }
}

}  // namespace leat::http
