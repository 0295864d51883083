// What texts may have to be.
#include "pipeline/text_formats.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "pipeline/text_pattern.h"

namespace leat::pipeline::test {

TEST_CASE("text_formats: UUIDs of any version, in either case") {
  for (const std::string_view good :
       {"00000000-0000-0000-0000-000000000000", "01234567-89AB-CDEF-0123-456789abcdef"})
    CHECK(is_uuid(good));
  for (const std::string_view bad :
       {"", "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdeg",
        "01234567-89ab-cdef-0123-456789abcde", "01234567-89ab-cdef-0123-456789abcdef0",
        "{01234567-89ab-cdef-0123-456789abcdef}", "0123456-789ab-cdef-0123-456789abcdef"})
    CHECK_FALSE(is_uuid(bad));
}

TEST_CASE("text_formats: moments of RFC 3339") {
  for (const std::string_view good :
       {"1985-04-12T23:20:50.52Z", "1996-12-19T16:39:57-08:00", "1990-12-31T23:59:60Z",
        "1990-12-31T15:59:60-08:00", "1937-01-01T12:00:27.87+00:20", "2000-02-29t00:00:00z",
        "2026-02-28T12:00:00-00:00", "0000-01-01T00:00:00Z"}) {
    INFO(good);
    CHECK(is_date_time(good));
  }
  for (const std::string_view bad : {"",
                                     "2026-02-28",
                                     "2026-02-28T12:00:00",
                                     "2026-02-29T12:00:00Z",
                                     "1900-02-29T12:00:00Z",
                                     "2026-13-01T12:00:00Z",
                                     "2026-00-01T12:00:00Z",
                                     "2026-04-31T12:00:00Z",
                                     "2026-01-00T12:00:00Z",
                                     "2026-01-01T24:00:00Z",
                                     "2026-01-01T12:60:00Z",
                                     "2026-01-01T12:00:60Z",
                                     "2026-01-01T12:00:61Z",
                                     "2026-01-01T12:00:00.Z",
                                     "2026-01-01T12:00:00+24:00",
                                     "2026-01-01T12:00:00+01",
                                     "2026-01-01 12:00:00Z",
                                     "2026-1-1T12:00:00Z",
                                     "2026-01-01T12:00:00ZZ",
                                     "+2026-01-01T12:00:00Z",
                                     "2026-01-01T12:00Z"}) {
    INFO(bad);
    CHECK_FALSE(is_date_time(bad));
  }
}

TEST_CASE("text_formats: addresses as browsers have them") {
  for (const std::string_view good :
       {"a@b", "ann.b+tag@mail.example.test", "o'hara_1@xn--x.test", ".a.@b-c.test"})
    CHECK(is_email(good));
  const std::string label(63, 'a');
  CHECK(is_email("a@" + label + ".test"));
  CHECK_FALSE(is_email("a@a" + label + ".test"));
  CHECK_FALSE(is_email(std::string(250, 'a') + "@b.test"));
  for (const std::string_view bad : {"", "a", "@b", "a@", "a@b@c", "a b@c", "a@-b", "a@b-", "a@b..c", "a@.b",
                                     "a@b.", "\"a\"@b", "a@[127.0.0.1]", "\xc3\xa4@b", "a@b_c"}) {
    INFO(bad);
    CHECK_FALSE(is_email(bad));
  }
}

TEST_CASE("text_formats: URIs with their scheme") {
  for (const std::string_view good :
       {"http://example.test", "ftp://ftp.example.test/a%20b;type=a", "mailto:a@b.test", "urn:isbn:0-1",
        "a+1.-b:c", "ldap://[2001:db8::7]/c=GB?objectClass?one", "http://a/b?c#d"}) {
    INFO(good);
    CHECK(is_uri(good));
  }
  for (const std::string_view bad :
       {"", "a", "/a", "//a/b", ":a", "1a:b", "http://a b", "http://a%2", "http://a%zz", "http://\xc3\xa4",
        "http://a#b#c", "http:", "ht tp://a", "http://a\\b", "a:<b>"}) {
    INFO(bad);
    CHECK_FALSE(is_uri(bad));
  }
}

TEST_CASE("text_pattern: expressions are found anywhere, in time that grows with the text alone") {
  const auto pattern = TextPattern::make("b+$");
  REQUIRE(pattern);
  CHECK(pattern->is_in("abb"));
  CHECK_FALSE(pattern->is_in("abba"));
  const auto dot = TextPattern::make("^.$");
  REQUIRE(dot);
  CHECK(dot->is_in("\xc3\xa4"));
  // Those that let others backtrack for longer than anybody waits.
  const auto evil = TextPattern::make("^(a|aa)+(a|aa)+$");
  REQUIRE(evil);
  CHECK_FALSE(evil->is_in(std::string(100'000, 'a') + "b"));
  for (const std::string_view bad : {"[a-", "(", "a{1001}", "(?<=a)b", "\\1"}) {
    INFO(bad);
    CHECK_FALSE(TextPattern::make(bad));
  }
  // One that would take too much memory.
  const auto large = TextPattern::make("((a{100}){100}){100}");
  REQUIRE_FALSE(large);
  CHECK_FALSE(large.error().empty());
}

}  // namespace leat::pipeline::test
