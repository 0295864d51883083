// Queries, cookies and typed values.
#include "pipeline/parameters.h"

#include <catch2/catch_test_macros.hpp>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace leat::pipeline {
namespace {

struct Memory {
  BlockPool pool{16, 16};
  Arena arena{pool, size_t{64} << 10};
};

}  // namespace

TEST_CASE("parameters: the first value of a name is found and decoded") {
  Memory memory;
  struct Row {
    std::string_view query, name, value;
  };
  const Row rows[] = {
      {"limit=10", "limit", "10"},
      {"a=1&limit=10&limit=20", "limit", "10"},
      {"a=", "a", ""},
      {"a", "a", ""},
      {"=x", "", "x"},
      {"&&a=1&", "a", "1"},
      {"a=b=c", "a", "b=c"},
      {"a=%41%2f%C3%a9", "a", "A/\xC3\xA9"},
      {"a=x+y%2Bz", "a", "x y+z"},
      {"%61b=1", "ab", "1"},
      {"a+b=1", "a b", "1"},
      {"a=1;b=2", "a", "1;b=2"},
      {"user_id=123&name=john&active=true&score=95.5&tags=python,web,async", "tags", "python,web,async"}};
  for (const Row& row : rows) {
    INFO(row.query);
    const std::string_view value = find_query(memory.arena, row.query, row.name);
    CHECK(value.data() != nullptr);
    CHECK(value == row.value);
  }
}

TEST_CASE("parameters: a name that is not in the query has no value") {
  Memory memory;
  for (const std::string_view query :
       {"", "&", "limits=1", "limi=1", "Limit=1", "x=limit", "%6=1", "%6cimi=1"}) {
    INFO(query);
    CHECK(find_query(memory.arena, query, "limit").data() == nullptr);
  }
  CHECK(find_query(memory.arena, "&&", "").data() == nullptr);
}

TEST_CASE("parameters: what needs no decoding is not copied") {
  Memory memory;
  const std::string query = "name=plain&other=%20";
  const std::string_view value = find_query(memory.arena, query, "name");
  CHECK(value.data() == query.data() + 5);
  CHECK(memory.arena.footprint() == 0);
}

TEST_CASE("parameters: a malformed escape is an error of its value, and no name") {
  Memory memory;
  for (const std::string_view text : {"%", "%4", "%zz", "a%", "%%41", "%4g", "50%+off"}) {
    INFO(text);
    const std::string query = "z=%&a=" + std::string(text);
    CHECK(first_query(memory.arena, query, "a").error() == ParameterError::BadEscape);
    CHECK(find_query(memory.arena, query, "a").data() == nullptr);
    CHECK(first_query(memory.arena, query + "&b=1", "b") == "1");
    CHECK(first_query(memory.arena, std::string(text) + "=1", text).error() == ParameterError::Missing);
    CHECK(parse_query(memory.arena, query).error() == ParameterError::BadEscape);
    CHECK(parse_query(memory.arena, std::string(text) + "=1").error() == ParameterError::BadEscape);
  }
}

TEST_CASE("parameters: a conversion follows a look-up and keeps its error") {
  Memory memory;
  const auto limit = [&](std::string_view query) {
    return first_query(memory.arena, query, "limit").and_then(to_integer);
  };
  CHECK(limit("limit=%31%30") == 10);
  CHECK(limit("other=1").error() == ParameterError::Missing);
  CHECK(limit("limit=%").error() == ParameterError::BadEscape);
  CHECK(limit("limit=ten").error() == ParameterError::NotANumber);
  CHECK(limit("limit=").error() == ParameterError::NotANumber);
  CHECK(limit("limit=99999999999999999999").error() == ParameterError::OutOfRange);
  CHECK(to_integer({}).error() == ParameterError::Missing);
  CHECK(to_unsigned_integer({}).error() == ParameterError::Missing);
  CHECK(to_real({}).error() == ParameterError::Missing);
  CHECK(to_boolean({}).error() == ParameterError::Missing);
}

// Any bytes, encoded in one of the ways there are for each.
std::string encode(std::string_view text, std::mt19937_64& random) {
  std::string encoded;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    if (letter && random() % 4 != 0) {
      encoded += c;
    } else if (c == ' ' && random() % 2 == 0) {
      encoded += '+';
    } else {
      const std::string_view digits = random() % 2 == 0 ? "0123456789abcdef" : "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      encoded += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return encoded;
}

std::string random_text(std::mt19937_64& random) {
  std::string text;
  for (uint64_t size = random() % 12; size > 0; --size)
    text += random() % 3 == 0 ? static_cast<char>(random()) : static_cast<char>('a' + random() % 26);
  return text;
}

TEST_CASE("parameters: random pairs come back as they were encoded") {
  const uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  Memory memory;
  for (int i = 0; i < 5000; ++i) {
    std::vector<std::pair<std::string, std::string>> pairs;
    std::string query;
    for (uint64_t count = random() % 8; count > 0; --count) {
      pairs.emplace_back(random_text(random), random_text(random));
      query += encode(pairs.back().first, random) + "=" + encode(pairs.back().second, random) + "&";
    }
    if (!query.empty()) query.pop_back();
    const auto parsed = parse_query(memory.arena, query);
    REQUIRE(parsed);
    REQUIRE(parsed->pairs().size() == pairs.size());
    for (size_t k = 0; k < pairs.size(); ++k) {
      REQUIRE(parsed->pairs()[k].name == pairs[k].first);
      REQUIRE(parsed->pairs()[k].value == pairs[k].second);
      const auto first = first_query(memory.arena, query, pairs[k].first);
      REQUIRE(first == parsed->first(pairs[k].first));
    }
    memory.arena.reset();
  }
}

TEST_CASE("parameters: random bytes are read within their bounds") {
  const uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  Memory memory;
  constexpr std::string_view kAlphabet = "a1%+&=; \"\x80";
  for (int i = 0; i < 20000; ++i) {
    // At the end of its memory, so that a sanitizer sees a read past it.
    const size_t size = random() % 20;
    const auto bytes = std::make_unique<char[]>(size);
    for (size_t k = 0; k < size; ++k) bytes[k] = kAlphabet[random() % kAlphabet.size()];
    const std::string_view text(bytes.get(), size);
    const auto parsed = parse_query(memory.arena, text);
    // What the whole query has, the look-up finds too.
    if (parsed)
      for (const Pair& pair : parsed->pairs())
        REQUIRE(first_query(memory.arena, text, pair.name) == parsed->first(pair.name));
    const std::string_view cookie = find_cookie(text, "a");
    if (cookie.data() != nullptr && !cookie.empty()) REQUIRE(text.contains(cookie));
    memory.arena.reset();
  }
}

TEST_CASE("parameters: a query is taken apart in its order") {
  Memory memory;
  const auto query = parse_query(memory.arena, "b=2&a=1&&b=%33&c&b=");
  REQUIRE(query);
  REQUIRE(query->pairs().size() == 5);
  CHECK(query->first("a") == "1");
  CHECK(query->first("b") == "2");
  CHECK((query->first("c").empty() && query->first("c").data() != nullptr));
  CHECK(query->first("d").data() == nullptr);
  std::vector<std::string> all;
  query->each("b", [&](std::string_view value) { all.emplace_back(value); });
  CHECK(all == std::vector<std::string>{"2", "3", ""});
  CHECK(parse_query(memory.arena, "")->pairs().empty());
  CHECK(parse_query(memory.arena, "&&&")->pairs().empty());
}

TEST_CASE("parameters: too many pairs are refused, and so is a full arena") {
  Memory memory;
  std::string query;
  for (int i = 0; i < 4; ++i) query += "a=1&";
  CHECK(parse_query(memory.arena, query, 4)->pairs().size() == 4);
  CHECK(parse_query(memory.arena, query + "a", 4).error() == ParameterError::TooMany);
  CHECK(parse_query(memory.arena, query, 0).error() == ParameterError::TooMany);
  Arena full(memory.pool, 0);
  CHECK(parse_query(full, "a=1").error() == ParameterError::NoMemory);
  CHECK(first_query(full, "a=%41", "a").error() == ParameterError::NoMemory);
  CHECK(find_query(full, "a=%41", "a").data() == nullptr);
  CHECK(find_query(full, "a=1", "a") == "1");
}

TEST_CASE("parameters: cookies in several fields are cookies of one") {
  const std::string_view bytes = "Cookie: a=1; b=2\r\nX: c=5\r\nCookie: c=3; a=4\r\n";
  const http::HeaderSlot slots[] = {
      {.name = {0, 6}, .value = {8, 8}, .id = http::HeaderId::Cookie},
      {.name = {18, 1}, .value = {21, 3}},
      {.name = {26, 6}, .value = {34, 8}, .id = http::HeaderId::Cookie},
  };
  const http::Head head{.bytes = bytes.data(), .slot_count = 3, .slots = slots};
  http::Request request;
  request.show_head(head);
  CHECK(find_cookie(request, "a") == "1");
  CHECK(find_cookie(request, "b") == "2");
  CHECK(find_cookie(request, "c") == "3");
  CHECK(find_cookie(request, "d").data() == nullptr);
}

TEST_CASE("parameters: cookies are found by their whole name") {
  CHECK(find_cookie("session=abc; theme=dark", "session") == "abc");
  CHECK(find_cookie("session=abc; theme=dark", "theme") == "dark");
  CHECK(find_cookie("a=1;b=2", "b") == "2");
  CHECK(find_cookie(" a = 1 ; b=x=y ", "b") == "x=y");
  CHECK(find_cookie("a=1; a=2", "a") == "1");
  CHECK(find_cookie("a=\"quoted\"", "a") == "quoted");
  CHECK((find_cookie("a=\"\"", "a").empty() && find_cookie("a=\"\"", "a").data() != nullptr));
  CHECK(find_cookie("a=\"", "a") == "\"");
  CHECK(find_cookie("a=x\"", "a") == "x\"");
  CHECK(find_cookie("a=", "a").data() != nullptr);
  for (const std::string_view field : {"", ";", "xsession=1", "Session=1", "session", "a=session", "; ;"}) {
    INFO(field);
    CHECK(find_cookie(field, "session").data() == nullptr);
  }
}

TEST_CASE("parameters: whole numbers are taken whole and in range") {
  CHECK(to_integer("0") == 0);
  CHECK(to_integer("-42") == -42);
  CHECK(to_integer("9223372036854775807") == std::numeric_limits<int64_t>::max());
  CHECK(to_integer("-9223372036854775808") == std::numeric_limits<int64_t>::min());
  CHECK(to_unsigned_integer("18446744073709551615") == std::numeric_limits<uint64_t>::max());
  CHECK(to_integer("9223372036854775808").error() == ParameterError::OutOfRange);
  CHECK(to_unsigned_integer("18446744073709551616").error() == ParameterError::OutOfRange);
  CHECK(to_unsigned_integer("-1").error() == ParameterError::OutOfRange);
  for (const std::string_view text :
       {"", " 1", "1 ", "+1", "0x10", "1.0", "1e3", "--1", "-", "99999999999999999999x"}) {
    INFO(text);
    CHECK(to_integer(text).error() == ParameterError::NotANumber);
    CHECK(to_unsigned_integer(text).error() == ParameterError::NotANumber);
  }
}

TEST_CASE("parameters: reals are finite") {
  CHECK(to_real("95.5") == 95.5);
  CHECK(to_real("-1e3") == -1000.0);
  CHECK(to_real("7") == 7.0);
  CHECK(to_real("1e999").error() == ParameterError::OutOfRange);
  CHECK(to_real("1e-999") == 0.0);
  for (const std::string_view text : {"", "inf", "-inf", "nan", "infinity", "1.5 ", "0x1p3", "1,5", "."}) {
    INFO(text);
    CHECK(to_real(text).error() == ParameterError::NotANumber);
  }
}

TEST_CASE("parameters: booleans have eight words") {
  for (const std::string_view text : {"true", "TRUE", "1", "yes", "Yes", "on"})
    CHECK(to_boolean(text) == true);
  for (const std::string_view text : {"false", "False", "0", "no", "off", "OFF"})
    CHECK(to_boolean(text) == false);
  for (const std::string_view text : {"", "t", "2", "perhaps", "true ", "truely"})
    CHECK(to_boolean(text).error() == ParameterError::NotABoolean);
}

TEST_CASE("parameters: every error has a text") {
  for (const ParameterError error :
       {ParameterError::Missing, ParameterError::BadEscape, ParameterError::TooMany, ParameterError::NoMemory,
        ParameterError::NotANumber, ParameterError::OutOfRange, ParameterError::NotABoolean})
    CHECK_FALSE(error_text(error).empty());
}

}  // namespace leat::pipeline
