// Numbers against the standard library's: the same digits for every exponent, at the borders of each, where
// two decimals are equally near, and for millions at random.
#include "base/shared/plugin_number.hpp"

#include <bit>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <string_view>

namespace leat {
namespace {

// What the format says, from the shortest digits of std::to_chars.
std::string expected(double number) {
  const double magnitude = std::fabs(number);
  if (magnitude == 0) return std::signbit(number) ? "-0.0" : "0.0";
  const bool plain = magnitude >= 1e-4 && magnitude < 1e16;
  char text[64];
  char* end = std::to_chars(text, text + sizeof text, number,
                            plain ? std::chars_format::fixed : std::chars_format::scientific)
                  .ptr;
  std::string result(text, end);
  if (plain && magnitude == std::trunc(magnitude)) result += ".0";
  return result;
}

// Writes it into just the room that is asked for; a byte past it, or a number that differs, is told once.
void check(double number) {
  char room[encoding::kLongestReal + 1];
  room[encoding::kLongestReal] = '#';
  char* const end = encoding::write_real(room, number);
  const std::string_view written(room, end);
  if (written == expected(number) && room[encoding::kLongestReal] == '#') return;
  INFO(std::bit_cast<uint64_t>(number));
  REQUIRE(room[encoding::kLongestReal] == '#');
  REQUIRE(written == expected(number));
}
void check_bits(uint64_t bits) {
  const auto number = std::bit_cast<double>(bits);
  if (!std::isfinite(number)) return;
  check(number);
  check(-number);
}
// And its neighbours.
void check_near(double number) {
  const auto bits = std::bit_cast<uint64_t>(number);
  check_bits(bits - 1);
  check_bits(bits);
  check_bits(bits + 1);
}

template <class T>
void check_integer(T number) {
  char room[encoding::kLongestInteger + 1], other[encoding::kLongestInteger];
  const std::string_view wanted(other, std::to_chars(other, other + sizeof other, number).ptr);
  const std::string_view written(room, encoding::write_integer(room, number));
  if (written != wanted) REQUIRE(written == wanted);
  const std::string_view element(room, encoding::write_element(room, number));
  if (element != std::string(wanted) + ",") REQUIRE(element == std::string(wanted) + ",");
}

}  // namespace

TEST_CASE("numbers: doubles of every exponent have the standard library's digits") {
  INFO("seed " << Catch::getSeed());
  std::mt19937_64 random(Catch::getSeed());
  constexpr int kFraction = 52;
  constexpr uint64_t kAll = (uint64_t{1} << kFraction) - 1;
  for (uint64_t exponent = 0; exponent < 2047; ++exponent) {
    const uint64_t base = exponent << kFraction;
    for (uint64_t i = 0; i < 20; ++i) {
      check_bits(base | i);
      check_bits(base | (kAll - i));
    }
    for (int bit = 0; bit < kFraction; ++bit) {
      check_bits(base | uint64_t{1} << bit);
      check_bits(base | (kAll ^ uint64_t{1} << bit));
      check_bits(base | (kAll << bit & kAll));
      check_bits(base | ((uint64_t{1} << bit) - 1));
    }
    for (int i = 0; i < 200; ++i) check_bits(base | random() >> 12);
  }
}

TEST_CASE("numbers: doubles at and beside short decimals have the standard library's digits") {
  for (int exponent = -330; exponent <= 308; ++exponent)
    for (int digits = 1; digits < 1000; digits += digits < 100 ? 1 : 37) {
      const std::string text = std::to_string(digits) + "e" + std::to_string(exponent);
      double number = 0;
      std::from_chars(text.data(), text.data() + text.size(), number);
      if (number != 0) check_near(number);
    }
  // Halves of the last place: two decimals of the same length are equally near.
  for (const double number :
       {5.6843418860808015e-14, 9007199254740993.0, 4503599627370497.5, 1e22, 1e23, 2e23, 9.5367431640625e-07,
        1.7976931348623157e308, 2.2250738585072014e-308, 5e-324})
    check_near(number);
  for (int power = -1074; power < 1024; ++power) check_near(std::ldexp(1.0, power));
}

TEST_CASE("numbers: whole, scaled and random doubles have the standard library's digits") {
  INFO("seed " << Catch::getSeed());
  std::mt19937_64 random(Catch::getSeed());
  for (int number = 0; number < 200'000; ++number) {
    check(number);
    check(number / 4.0);
    check(-number / 100.0);
  }
  for (const double number : {1e11, 1e11 - 0.25, 1e11 - 1, 25e9, 2.5e10 + 0.25, 9007199254740993.0 / 4})
    check_near(number);
  for (int i = 0; i < 1'000'000; ++i) {
    check_bits(random());
    check(static_cast<double>(random() >> random() % 64));
    check(static_cast<double>(random() % 100'000'000) / 1e4);
    check(static_cast<double>(random() % 100'000'000'000) / static_cast<double>(1 + random() % 1'000'000));
    check(1.7e9 + static_cast<double>(random() % 1'000'000'000'000) / 1e4);
  }
}

TEST_CASE("numbers: integers have the standard library's digits") {
  INFO("seed " << Catch::getSeed());
  std::mt19937_64 random(Catch::getSeed());
  for (int64_t number = -110'000; number < 110'000; ++number) check_integer(number);
  for (uint64_t power = 1; power <= 10'000'000'000'000'000'000U / 10; power *= 10)
    for (const uint64_t number : {power * 10 - 1, power * 10, power * 10 + 1}) {
      check_integer(number);
      check_integer(static_cast<int64_t>(number));
      check_integer(static_cast<int64_t>(0 - number));
    }
  for (int i = 0; i < 300'000; ++i) {
    check_integer(random() >> random() % 64);
    check_integer(static_cast<int64_t>(random()) >> random() % 64);
    check_integer(static_cast<int32_t>(random()));
    check_integer(static_cast<uint16_t>(random()));
    check_integer(static_cast<int8_t>(random()));
  }
  check_integer(std::numeric_limits<int64_t>::min());
  check_integer(std::numeric_limits<uint64_t>::max());
}

TEST_CASE(
    "numbers: one that is nearer to zero than a double can be is read as zero, one too large is not read") {
  const auto read = [](std::string_view text) {
    double value = 42;
    const auto [end, error] = encoding::read_real(text, value);
    CHECK(end == text.data() + text.size());
    return error == std::errc{} ? value : std::numeric_limits<double>::infinity();
  };
  const std::string zeros(400, '0');
  for (const std::string& tiny :
       {std::string("1e-400"), std::string("0.1e-399"), std::string("123456789e-350"), "0." + zeros + "1",
        std::string("1e-99999999999999999999999"), "1" + zeros + "e-900", "0." + zeros + "1e10",
        std::string("2e-324"), std::string("0.5E-400")}) {
    INFO(tiny);
    CHECK(read(tiny) == 0.0);
    CHECK_FALSE(std::signbit(read(tiny)));
    CHECK(std::signbit(read("-" + tiny)));
    float small = 1;
    CHECK(encoding::read_real("1e-60", small).ec == std::errc{});
    CHECK(small == 0.0F);
  }
  for (const std::string& large : {std::string("1e400"), "1" + zeros, std::string("0.001e+400"),
                                   std::string("1e99999999999999999999999"), "0." + zeros + "1e+900",
                                   "1" + zeros + "e-10", std::string("-1e309")}) {
    INFO(large);
    CHECK(std::isinf(read(large)));
  }
  CHECK(read("5e-324") == 5e-324);
  CHECK(read("3e-324") == 5e-324);
  CHECK(read("0e-999") == 0.0);
  CHECK(read("0e999") == 0.0);
  CHECK(read("1.5") == 1.5);
}

}  // namespace leat
