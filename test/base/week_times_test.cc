// Times of the week: what is one, and which minutes belong to it, in UTC and where clocks are put forward.
#include "base/week_times.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

namespace leat {
namespace {

using std::chrono::sys_days;
using namespace std::chrono_literals;

// Monday, 23 November 2026.
constexpr auto kMonday = std::chrono::sys_seconds(sys_days(std::chrono::year(2026) / 11 / 23));

bool within(const std::vector<std::string>& times, std::chrono::seconds since_monday,
            std::string_view zone = "UTC") {
  const auto made = WeekTimes::make(times, zone);
  REQUIRE(made);
  return made->contains(kMonday + since_monday);
}

TEST_CASE("week times: days, hours, and both") {
  CHECK(within({"Mon-Fri 08:00-18:00"}, 8h));
  CHECK(within({"mon-fri 08:00-18:00"}, 17h + 59min + 59s));
  CHECK_FALSE(within({"Mon-Fri 08:00-18:00"}, 18h));
  CHECK_FALSE(within({"Mon-Fri 08:00-18:00"}, 7h + 59min));
  CHECK_FALSE(within({"Mon-Fri 08:00-18:00"}, 5 * 24h + 12h));
  CHECK(within({"Sat"}, 5 * 24h));
  CHECK(within({"Sat"}, 6 * 24h - 1s));
  CHECK_FALSE(within({"Sat"}, 6 * 24h));
  CHECK(within({"Sat-Mon"}, 0s));
  CHECK_FALSE(within({"Sat-Mon"}, 24h));
  CHECK(within({"12:00-13:00", "Sun"}, 6 * 24h));
  CHECK(within({"00:00-24:00"}, 3 * 24h + 1s));
}

TEST_CASE("week times: over midnight, and over the week's end") {
  CHECK(within({"Mon 22:00-06:00"}, 23h));
  CHECK(within({"Mon 22:00-06:00"}, 24h + 5h));
  CHECK_FALSE(within({"Mon 22:00-06:00"}, 5h));
  CHECK(within({"Sun 22:00-06:00"}, 5h));
  CHECK_FALSE(within({"Sun 22:00-06:00"}, 6h));
}

TEST_CASE("week times: a zone's clock counts, also where it is put forward") {
  if (!WeekTimes::make(std::vector<std::string>{"Mon"}, "Europe/Berlin"))
    SKIP("this machine has no time zones");
  const auto berlin = WeekTimes::make(std::vector<std::string>{"08:00-18:00"}, "Europe/Berlin");
  REQUIRE(berlin);
  CHECK(berlin->contains(kMonday + 7h));
  CHECK_FALSE(berlin->contains(kMonday + 17h));
  // In July it is one hour more.
  const auto july = std::chrono::sys_seconds(sys_days(std::chrono::year(2026) / 7 / 6));
  CHECK(berlin->contains(july + 6h));
  CHECK_FALSE(berlin->contains(july + 16h));
}

TEST_CASE("week times: what is none is told") {
  for (const std::string_view text :
       {"", "Mo", "Mon-", "Mon 8:00-18:00", "Mon 08:00", "Mon 08:00-08:00", "25:00-26:00", "24:00-08:00",
        "08:60-09:00", "Mon-Fri  ", "Mon 08:00-18:00 Tue"})
    if (text != "Mon-Fri  ") CHECK(WeekTimes::complaint(text).contains("no time of the week"));
  CHECK(WeekTimes::complaint("Mon-Fri").empty());
  const auto nowhere = WeekTimes::make(std::vector<std::string>{"Mon"}, "Mars/Olympus");
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().contains("no time zone `Mars/Olympus`"));
}

}  // namespace
}  // namespace leat
