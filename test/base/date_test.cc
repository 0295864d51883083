#include "base/date.h"

#include <catch2/catch_test_macros.hpp>
#include <ctime>
#include <random>
#include <string>

namespace leat {

TEST_CASE("date: an HTTP date is the one that RFC 9110 has for an example") {
  CHECK(view(http_date(784'111'777)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(view(http_date(0)) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(view(iso_date(784'111'777)) == "1994-11-06T08:49:37");
}

TEST_CASE("date: both forms are what the C library makes of any moment") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::time_t> moment(-62'135'596'800, 253'402'300'799);  // years 1 to 9999
  for (int i = 0; i < 10'000; ++i) {
    const std::time_t seconds = moment(random);
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    char day[64], time[64];
    std::strftime(day, sizeof day, "%a, %d %b ", &parts);
    std::strftime(time, sizeof time, " %H:%M:%S GMT", &parts);
    const std::string year = std::to_string(10'000 + parts.tm_year + 1900).substr(1);
    REQUIRE(view(http_date(seconds)) == day + year + time);
    std::strftime(day, sizeof day, "-%m-%dT%H:%M:%S", &parts);
    REQUIRE(view(iso_date(seconds)) == year + day);
  }
}

TEST_CASE("date: moments that no four digits can say are the nearest that they can") {
  CHECK(view(http_date(253'402'300'800)) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(view(iso_date(-62'167'219'201)) == "0000-01-01T00:00:00");
}

}  // namespace leat
