#include "cache/policy.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "cache/cache_control.h"
#include "cache/conditions.h"

namespace leat::cache {

namespace {

using Kind = Judgement::Kind;
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr int64_t kNow = 1'700'000'000;  // Tue, 14 Nov 2023 22:13:20 GMT

Policy policy() {
  Policy policy;
  policy.ttl_ms = 60'000;
  policy.jitter = 0;
  return policy;
}

Judgement judged(uint16_t status, const Fields& fields, const Policy& by = policy(),
                 const Wishes& wishes = {}, bool authorized = false, uint32_t chance = 0) {
  http::Response response;
  response.status = status;
  for (const auto& [name, value] : fields) REQUIRE(response.add(name, value));
  return judge(by, response, wishes, authorized, chance, kNow);
}

uint64_t fresh(const Fields& fields, const Policy& by = policy(), const Wishes& wishes = {}) {
  const Judgement judgement = judged(200, fields, by, wishes);
  return judgement.kind == Kind::Store ? judgement.fresh_ms : 0;
}

}  // namespace

TEST_CASE("policy: s-maxage goes before max-age, that before Expires, and that before the route's ttl") {
  CHECK(fresh({}) == 60'000);
  CHECK(fresh({{"Cache-Control", "max-age=5"}}) == 5000);
  CHECK(fresh({{"Cache-Control", "max-age=5, s-maxage=7"}}) == 7000);
  CHECK(fresh({{"Expires", "Tue, 14 Nov 2023 22:13:50 GMT"}}) == 30'000);
  CHECK(fresh({{"Expires", "Tue, 14 Nov 2023 22:13:50 GMT"}, {"Cache-Control", "max-age=5"}}) == 5000);
  CHECK(fresh({{"Cache-Control", "MAX-AGE=\"5\""}}) == 5000);
  CHECK(fresh({{"Cache-Control", "public"}, {"Cache-Control", "max-age=9"}}) == 9000);
  CHECK(fresh({{"Cache-Control", "max-age=5"}}, policy(), {.ttl_ms = 1234}) == 1234);
  CHECK(fresh({}, policy(), {.ttl_ms = UINT64_MAX / 2}) == uint64_t{1000} << 31);
}

TEST_CASE("policy: what says nothing clear about its time is stale") {
  CHECK(fresh({{"Cache-Control", "max-age=x"}}) == 0);
  CHECK(fresh({{"Cache-Control", "max-age=-1"}}) == 0);
  CHECK(fresh({{"Cache-Control", "max-age"}}) == 0);
  CHECK(fresh({{"Cache-Control", "max-age=60, max-age=2"}}) == 2000);
  CHECK(fresh({{"Cache-Control", "max-age=60"}, {"Cache-Control", "public, max-age=2"}}) == 2000);
  CHECK(fresh({{"Expires", "0"}}) == 0);
  CHECK(fresh({{"Expires", "Tue, 14 Nov 2023 22:13:50 GMT"}, {"Expires", "0"}}) == 0);
  CHECK(fresh({{"Expires", "Tue, 14 Nov 2023 22:13:10 GMT"}}) == 0);
  CHECK(fresh({{"Cache-Control", "max-age=+60"}}) == 0);
  CHECK(fresh({{"Cache-Control", "max-age=1.5"}}) == 0);
  for (const char* much : {"2147483648", "4294967297", "18446744073709551617", "99999999999999999999"})
    CHECK(fresh({{"Cache-Control", "max-age=" + std::string(much)}}) == uint64_t{1000} << 31);
}

TEST_CASE("policy: the time that a response has been on its way counts") {
  CHECK(fresh({{"Cache-Control", "max-age=60"}, {"Age", "20"}}) == 40'000);
  CHECK(fresh({{"Cache-Control", "max-age=60"}, {"Age", "60"}}) == 0);
  CHECK(judged(200, {{"Cache-Control", "max-age=60"}, {"Age", "20"}}).age_s == 20);
  const auto left = [](const Fields& ages) {
    Fields fields = {{"Cache-Control", "max-age=60"}};
    fields.insert(fields.end(), ages.begin(), ages.end());
    return fresh(fields);
  };
  for (const char* much : {"2147483647", "2147483648", "4294967296", "99999999999", "99999999999999999999"}) {
    INFO(much);
    CHECK(left({{"Age", much}}) == 0);
  }
  // Of a list the first counts, in one field or in several.
  CHECK(left({{"Age", "3600, 0"}}) == 0);
  CHECK(left({{"Age", "0, 3600"}}) == 60'000);
  CHECK(left({{"Age", " , 15 ,0"}}) == 45'000);
  CHECK(left({{"Age", "3600"}, {"Age", "0"}}) == 0);
  CHECK(left({{"Age", ""}, {"Age", "15"}}) == 45'000);
  // What is no age says nothing.
  for (const char* none : {"", "-1", "x", "1.5", "0x10"}) CHECK(left({{"Age", none}}) == 60'000);
}

TEST_CASE("policy: Expires is a date in any of its forms") {
  CHECK(fresh({{"Expires", "Tuesday, 14-Nov-23 22:13:50 GMT"}}) == 30'000);
  CHECK(fresh({{"Expires", "Tue Nov 14 22:13:50 2023"}}) == 30'000);
  CHECK(fresh({{"Expires", "Tuesday, 14-Nov-99 22:13:50 GMT"}}) == 0);
  CHECK(fresh({{"Expires", "Fri, 31 Dec 9999 23:59:59 GMT"}}) == uint64_t{1000} << 31);
}

TEST_CASE("policy: what is for one client is stored for none") {
  for (const char* directive : {"no-store", "private", "no-cache", "no-cache=\"x\"",
                                "private=\"set-cookie, x\"", "public, no-store", "max-age=60, private"}) {
    INFO(directive);
    CHECK(judged(200, {{"Cache-Control", directive}}).kind == Kind::Pass);
  }
  CHECK(judged(200, {{"Set-Cookie", "a=b"}, {"Cache-Control", "public, max-age=60"}}).kind == Kind::Pass);
  CHECK(judged(200, {{"Vary", "Accept, *"}}).kind == Kind::Pass);
  CHECK(judged(206, {{"Cache-Control", "max-age=60"}}).kind == Kind::Pass);
  CHECK(judged(200, {{"Cache-Control", "max-age=60"}}, policy(), {.no_store = true}).kind == Kind::Pass);
  // On a second line, and behind a quote that nothing closes.
  CHECK(judged(200, {{"Cache-Control", "max-age=60"}, {"Cache-Control", "private"}}).kind == Kind::Pass);
  CHECK(judged(200, {{"Cache-Control", "max-age=60, x=\"y, private"}}).kind == Kind::Pass);
  CHECK(judged(200, {{"Vary", "Accept"}, {"Vary", "*"}}).kind == Kind::Pass);
  CHECK(judged(200, {{"Vary", "Accept Accept-Language"}}).kind == Kind::Pass);
}

TEST_CASE(
    "policy: must-understand has only statuses stored that are understood, and those in spite of no-store") {
  const auto kind = [](uint16_t status, const char* directives) {
    return judged(status, {{"Cache-Control", directives}}).kind;
  };
  CHECK(kind(200, "no-store, must-understand, max-age=60") == Kind::Store);
  CHECK(kind(404, "must-understand, max-age=60, no-store") == Kind::Store);
  for (const uint16_t status : std::initializer_list<uint16_t>{206, 226, 299, 306, 399, 418, 499, 599}) {
    INFO(status);
    CHECK(kind(status, "no-store, must-understand, max-age=60") == Kind::Pass);
    CHECK(kind(status, "must-understand, max-age=60") == Kind::Pass);
  }
  CHECK(kind(299, "max-age=60") == Kind::Store);
}

TEST_CASE("policy: with credentials only what is expressly for all is stored") {
  const auto with = [](const Fields& fields) { return judged(200, fields, policy(), {}, true).kind; };
  CHECK(with({}) == Kind::Pass);
  CHECK(with({{"Cache-Control", "max-age=60"}}) == Kind::Pass);
  CHECK(with({{"Cache-Control", "max-age=60, public"}}) == Kind::Store);
  CHECK(with({{"Cache-Control", "s-maxage=60"}}) == Kind::Store);
  CHECK(with({{"Cache-Control", "max-age=60, must-revalidate"}}) == Kind::Store);
  CHECK(with({{"Cache-Control", "max-age=60, proxy-revalidate"}}) == Kind::Pass);
}

TEST_CASE("policy: a time is assumed for the statuses where one may be") {
  Policy by = policy();
  for (const uint16_t status : std::initializer_list<uint16_t>{200, 203, 204, 300, 301, 308})
    CHECK(judged(status, {}, by).fresh_ms == 60'000);
  for (const uint16_t status : std::initializer_list<uint16_t>{302, 307, 400, 401, 403, 404, 410, 429})
    CHECK(judged(status, {}, by).kind == Kind::Pass);
  by.negative_ttl_ms = 3000;
  for (const uint16_t status : std::initializer_list<uint16_t>{404, 405, 410, 414, 501})
    CHECK(judged(status, {}, by).fresh_ms == 3000);
  CHECK(judged(302, {{"Cache-Control", "max-age=1"}}, by).fresh_ms == 1000);
  for (const uint16_t status : std::initializer_list<uint16_t>{500, 502, 503, 504})
    CHECK(judged(status, {{"Cache-Control", "max-age=60"}}, by).kind == Kind::Failure);
  CHECK(judged(304, {}, by).kind == Kind::Neutral);
}

TEST_CASE("policy: how long a stale response may serve") {
  Policy by = policy();
  by.stale_while_revalidate_ms = 1000;
  by.stale_if_error_ms = 2000;
  const auto stale = [&](const Fields& fields, const Wishes& wishes = {}) {
    const Judgement judgement = judged(200, fields, by, wishes);
    return std::pair(judgement.stale_ms, judgement.error_ms);
  };
  CHECK(stale({}) == std::pair<uint64_t, uint64_t>(1000, 2000));
  CHECK(stale({{"Cache-Control", "max-age=1, stale-while-revalidate=5, stale-if-error=6"}}) ==
        std::pair<uint64_t, uint64_t>(5000, 6000));
  CHECK(stale({}, {.stale_while_revalidate_ms = 7, .stale_if_error_ms = 8}) ==
        std::pair<uint64_t, uint64_t>(7, 8));
  // Never, whatever the route, the plugin or another directive says.
  for (const char* directive : {"must-revalidate", "proxy-revalidate", "s-maxage=60", "s-maxage=x"}) {
    INFO(directive);
    const std::string with_times = std::string(directive) + ", stale-while-revalidate=5, stale-if-error=6";
    CHECK(stale({{"Cache-Control", directive}}) == std::pair<uint64_t, uint64_t>(0, 0));
    CHECK(stale({{"Cache-Control", with_times}}) == std::pair<uint64_t, uint64_t>(0, 0));
    CHECK(stale({{"Cache-Control", directive}}, {.stale_while_revalidate_ms = 7, .stale_if_error_ms = 8}) ==
          std::pair<uint64_t, uint64_t>(0, 0));
  }
}

TEST_CASE("policy: jitter takes off at most its part, and nothing is added") {
  Policy by = policy();
  by.jitter = 10;
  uint64_t least = UINT64_MAX, most = 0;
  for (uint32_t chance = 0; chance < 1000; ++chance) {
    const uint64_t ms = judged(200, {}, by, {}, false, chance).fresh_ms;
    least = std::min(least, ms);
    most = std::max(most, ms);
  }
  CHECK(least == 54'000);
  CHECK(most == 60'000);
}

TEST_CASE("conditions: tags and lists") {
  CHECK(names_etag("\"a\"", "\"a\""));
  CHECK(names_etag("W/\"a\"", "\"a\""));
  CHECK(names_etag("\"b\", \"a\"", "W/\"a\""));
  CHECK(names_etag("\"x,y\" , \"a\"", "\"a\""));
  CHECK(names_etag("\"a\\\", \"b\"", "\"b\""));  // in a tag a backslash is a character like others
  CHECK(names_etag(" * ", ""));
  CHECK_FALSE(names_etag("\"b\"", "\"a\""));
  CHECK_FALSE(names_etag("a", "\"a\""));
  CHECK_FALSE(names_etag("\"a\"", ""));
  CHECK(make_etag("x") == make_etag("x"));
  CHECK(make_etag("x") != make_etag("y"));
  CHECK(make_etag("").size() == 34);
}

TEST_CASE("cache control: what requests say") {
  RequestControl control;
  control.add("no-cache, max-age=5, min-fresh=3");
  control.add("max-stale, only-if-cached, foo=\"no-store\"");
  CHECK(control.no_cache);
  CHECK_FALSE(control.no_store);
  CHECK(control.only_if_cached);
  CHECK(control.max_age == 5);
  CHECK(control.min_fresh == 3);
  CHECK(control.max_stale == kMostSeconds);
}

}  // namespace leat::cache
