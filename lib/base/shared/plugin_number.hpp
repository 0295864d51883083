// Numbers as JSON text, into memory whose room the caller has seen to.
//
// Doubles are written with the fewest digits that read back the same; of those, the nearest. The digits are
// found as in Raffaello Giulietti, "The Schubfach way to render doubles" (2020): the number and the two ends
// of what rounds to it are multiplied by a power of ten that makes them integers of 16 or 17 digits with a
// fraction, of which only "none" or "some" matters; a handful of comparisons picks the answer. No loop, no
// big integers.
//
// The paper has a table of the 617 powers, 10 KiB in each plugin. Here they are made when they are needed,
// from every 27th of them and a power of five: less than 1 KiB, and three multiplications more for very large
// and very small numbers only. test/json compares all of it with the standard library's digits.
//
// Numbers are read by the standard library, but for those that are nearer to zero than any that a double can
// hold.
//
// Decimal digits are made eight at a time in one 64-bit word, the first in its lowest byte.
//
// Part of plugin_text.hpp; needs nothing but the standard library and a compiler that has unsigned __int128,
// as gcc and clang do for every 64-bit machine.
#ifndef LEAT_PLUGIN_NUMBER_HPP
#define LEAT_PLUGIN_NUMBER_HPP

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {
namespace encoding {

// "-9223372036854775808" and "18446744073709551615".
inline constexpr size_t kLongestInteger = 20;
// "-2.2250738585072014e-308" is 24 bytes; what is written on the way there may be more.
inline constexpr size_t kLongestReal = 32;

namespace detail {

__extension__ using Wide = unsigned __int128;

inline constexpr uint64_t kAsciiZeros = 0x3030303030303030;
inline constexpr uint64_t kTenTo8 = 100'000'000;
inline constexpr uint64_t kTenTo16 = kTenTo8 * kTenTo8;

// The eight digits of a number below 10^8, as values, not as characters. It is halved three times, each time
// all parts at once; the multiplications are divisions, exact for numbers of that size.
inline uint64_t eight_digits(uint64_t number) {
  const uint64_t fours = number / 10000 | (number % 10000) << 32;
  const uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007f0000007f;  // by 100, below 10^4
  const uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
  const uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000f;  // by 10, below 100
  return tens | (twos - tens * 10) << 8;
}
inline void store(char* at, uint64_t digits) {
  if constexpr (std::endian::native == std::endian::big) digits = __builtin_bswap64(digits);
  std::memcpy(at, &digits, sizeof digits);
}

// The numbers below 100 with a comma after them, and the length of that.
inline constexpr std::array<std::array<char, 4>, 100> kSmall = [] {
  std::array<std::array<char, 4>, 100> table{};
  for (size_t number = 0; number < table.size(); ++number) {
    const auto tens = static_cast<char>('0' + number / 10), ones = static_cast<char>('0' + number % 10);
    if (number < 10)
      table[number] = {ones, ',', 0, 2};
    else
      table[number] = {tens, ones, ',', 3};
  }
  return table;
}();

inline char* write_digits(char* at, uint64_t number) {
  if (number < 10) {
    *at = static_cast<char>('0' + number);
    return at + 1;
  }
  if (number < 100) {
    std::memcpy(at, kSmall[number].data(), 2);
    return at + 2;
  }
  if (number < 10000) {
    // Two digits after one or two.
    const uint64_t first = number / 100, last = number % 100;
    if (first >= 10) *at++ = static_cast<char>('0' + first / 10);
    at[0] = static_cast<char>('0' + first % 10);
    at[1] = static_cast<char>('0' + last / 10);
    at[2] = static_cast<char>('0' + last % 10);
    return at + 3;
  }
  if (number < kTenTo8) {
    const uint64_t digits = eight_digits(number);
    const int zeros = std::countr_zero(digits) / 8;
    store(at, (digits | kAsciiZeros) >> 8 * zeros);
    return at + 8 - zeros;
  }
  at = write_digits(at, number / kTenTo8);
  store(at, eight_digits(number % kTenTo8) | kAsciiZeros);
  return at + 8;
}

// Four of them, without the zeros at their end, but one at least.
inline char* write_decimals(char* at, uint64_t decimals) {
  do {
    *at++ = static_cast<char>('0' + decimals / 1000);
    decimals = decimals % 1000 * 10;
  } while (decimals != 0);
  return at;
}

// So many quarters of one.
inline char* write_quarters(char* at, uint64_t quarters) {
  constexpr char kDecimals[][4] = {{'.', '0'}, {'.', '2', '5'}, {'.', '5'}, {'.', '7', '5'}};
  at = write_digits(at, quarters / 4);
  std::memcpy(at, kDecimals[quarters % 4], 4);
  return at + 2 + quarters % 2;
}

// --- Powers of ten

// The first 192 bits of 10^-297, 10^-270, and so on up to 10^324.
inline constexpr int kFirstPower = -297, kPowerStep = 27;
inline constexpr uint64_t kPowers[][3] = {
    {0xa76c582338ed2621, 0xaf2af2b80af6f24e, 0x657c8f4d43323a36},  // 1e-297
    {0x873e4f75e2224e68, 0x5a7744a6e804a291, 0xcc35eddfcf0996d7},  // 1e-270
    {0xda7f5bf590966848, 0xaf39a475506a899e, 0xa30294cc2934e662},  // 1e-243
    {0xb080392cc4349dec, 0xbd8d794d96aacfb3, 0xfe13a5c86af64418},  // 1e-216
    {0x8e938662882af53e, 0x547eb47b7282ee9c, 0x41b0230e1421487d},  // 1e-189
    {0xe65829b3046b0afa, 0x0cb4a5a3112a5112, 0xa3b561b1cb208396},  // 1e-162
    {0xba121a4650e4ddeb, 0x92f34d62616ce413, 0x21a0183e10583cd3},  // 1e-135
    {0x964e858c91ba2655, 0x3a6a07f8d510f86f, 0xe9082f25e9c5e9ec},  // 1e-108
    {0xf2d56790ab41c2a2, 0xfae27299423fb9c3, 0x3695dad7e8858901},  // 1e-81
    {0xc428d05aa4751e4c, 0xaa97e14c3c26b886, 0x96842dc95323f5a8},  // 1e-54
    {0x9e74d1b791e07e48, 0x775ea264cf55347d, 0xca49f1c05120c9c7},  // 1e-27
    {0x8000000000000000, 0x0000000000000000, 0x0000000000000000},  // 1e0
    {0xcecb8f27f4200f3a, 0x0000000000000000, 0x0000000000000000},  // 1e27
    {0xa70c3c40a64e6c51, 0x999090b65f67d924, 0x0000000000000000},  // 1e54
    {0x86f0ac99b4e8dafd, 0x69a028bb3ded71a3, 0xdf9f915627c04e28},  // 1e81
    {0xda01ee641a708de9, 0xe80e6f4820cc9495, 0xd74baad03bc1d8d3},  // 1e108
    {0xb01ae745b101e9e4, 0x5ec05dcff72e7f8f, 0xc04c79ffe324301f},  // 1e135
    {0x8e41ade9fbebc27d, 0x14588f13be847307, 0x23bd6a2059c002f5},  // 1e162
    {0xe5d3ef282a242e81, 0x8f1668c8a86da5fa, 0xf0b5ccf5176ecc7c},  // 1e189
    {0xb9a74a0637ce2ee1, 0x6d953e2bd7173692, 0x88efb0037ac08bde},  // 1e216
    {0x95f83d0a1fb69cd9, 0x4abdaf101564f98e, 0x0d5a4af7b3a98e47},  // 1e243
    {0xf24a01a73cf2dccf, 0xbc633b39673c8cec, 0x3d9c44cd2f36917c},  // 1e270
    {0xc3b8358109e84f07, 0x0a862f80ec4700c8, 0x02606ea01029dc37},  // 1e297
    {0x9e19db92b4e31ba9, 0x6c07a2c26a8346d1, 0x4944d9f52cd0dec2},  // 1e324
};
// 5^0 to 5^26, each moved up until its highest bit is set.
inline constexpr std::array<uint64_t, kPowerStep> kFives = [] {
  std::array<uint64_t, kPowerStep> table{};
  uint64_t power = 1;
  for (uint64_t& each : table) {
    each = power << std::countl_zero(power);
    power *= 5;
  }
  return table;
}();

// The first 128 bits of 10^power, and 1: above the true value by no more than a unit of the last bit.
inline Wide power_of_ten(int power) {
  const auto above = static_cast<unsigned>(power - kFirstPower);
  const uint64_t five = kFives[above % kPowerStep];
  const uint64_t* const base = kPowers[above / kPowerStep];
  // 10^0 to 10^26, whose first bits are those of 5^power.
  if (power >= 0 && power < kPowerStep) return Wide{five} << 64 | 1;
  const Wide low = Wide{base[1]} * five + static_cast<uint64_t>(Wide{base[2]} * five >> 64);
  const Wide high = Wide{base[0]} * five + static_cast<uint64_t>(low >> 64);
  const bool short_by_one = (high >> 127) == 0;
  return (short_by_one ? high << 1 | (static_cast<uint64_t>(low) >> 63) : high) + 1;
}

// The integer part of `power` * `number` / 2^128, with its lowest bit set if there is a fraction.
inline uint64_t round_to_odd(Wide power, uint64_t number) {
  const auto low = static_cast<uint64_t>(Wide{static_cast<uint64_t>(power)} * number >> 64);
  const Wide product = Wide{static_cast<uint64_t>(power >> 64)} * number + low;
  // 1 is what the power's last bit, which is too much, can make of none.
  return static_cast<uint64_t>(product >> 64) | uint64_t{static_cast<uint64_t>(product) > 1};
}

// --- Shortest digits

// digits * 10^exponent.
struct Decimal {
  uint64_t digits;
  int exponent;
};

// Of a number above zero. Names are the paper's where it has one: c * 2^q is the number, k the exponent of
// its digits.
inline Decimal shortest(double number) {
  constexpr int kFractionBits = 52, kBias = 1075;
  constexpr uint64_t kHidden = uint64_t{1} << kFractionBits;
  const auto bits = std::bit_cast<uint64_t>(number);
  const uint64_t fraction = bits & (kHidden - 1);
  const int biased = static_cast<int>(bits >> kFractionBits);
  const uint64_t c = biased != 0 ? fraction | kHidden : fraction;
  const int q = (biased != 0 ? biased : 1) - kBias;
  // The number below a power of two is nearer than the one above it.
  const bool uneven = fraction == 0 && biased > 1;

  // floor(log10(2^q)), or of 3/4 of that; then floor(log2(10^-k)).
  const int k = (q * 1262611 - (uneven ? 524031 : 0)) >> 22;
  const int h = q + (-k * 1741647 >> 19) + 1;
  const Wide power = power_of_ten(-k);
  // Four times the number and the ends of what rounds to it. Those belong to it where c is even.
  const uint64_t value = round_to_odd(power, 4 * c << h);
  const uint64_t lower = round_to_odd(power, (4 * c - (uneven ? 1 : 2)) << h) + (c & 1);
  const uint64_t upper = round_to_odd(power, (4 * c + 2) << h) - (c & 1);

  const uint64_t whole = value / 4;
  if (whole >= 10) {
    // One digit less, if one of the two next to the number is good.
    const uint64_t tens = whole / 10;
    const bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
    if (below != above) return {tens + (above ? 1 : 0), k + 1};
  }
  const bool below = lower <= 4 * whole, above = 4 * whole + 4 <= upper;
  if (below != above) return {whole + (above ? 1 : 0), k};
  // Both or none: the nearer one; the even one from the middle.
  const uint64_t middle = 4 * whole + 2;
  return {whole + (value > middle || (value == middle && (whole & 1) != 0) ? 1 : 0), k};
}

// The last part of a number in scientific form, from -324 to 308, with two digits at least.
inline char* write_exponent(char* at, int exponent) {
  *at++ = 'e';
  *at++ = exponent < 0 ? '-' : '+';
  const auto size = static_cast<unsigned>(exponent < 0 ? -exponent : exponent);
  if (size < 10) *at++ = '0';
  return write_digits(at, size);
}

// A number above zero whose digits have to be searched for. Out of line, so that the usual ones need few
// registers.
[[gnu::noinline]] inline char* write_shortest(char* at, double number) {
  const Decimal found = shortest(number);
  uint64_t digits = found.digits;
  int exponent = found.exponent;
  // Seventeen digits; only the smallest numbers lack more than one.
  for (; digits < kTenTo16; digits *= 10) --exponent;
  const uint64_t rest = digits % kTenTo16;
  const uint64_t high = eight_digits(rest / kTenTo8), low = eight_digits(rest % kTenTo8);
  const int count = low != 0    ? 17 - std::countl_zero(low) / 8
                    : high != 0 ? 9 - std::countl_zero(high) / 8
                                : 1;
  const auto put = [&](char* to) {
    *to = static_cast<char>('0' + digits / kTenTo16);
    store(to + 1, high | kAsciiZeros);
    store(to + 9, low | kAsciiZeros);
  };
  const int point = exponent + 17;  // so many digits stand before it
  if (point > 0 && point <= 16) {
    put(at);
    store(at + 17, kAsciiZeros);  // are moved, too, though not counted
    uint64_t after = 0, later = 0;
    std::memcpy(&after, at + point, 8);
    if (point <= 8) {
      std::memcpy(&later, at + point + 8, 8);
      std::memcpy(at + point + 9, &later, 8);
    }
    std::memcpy(at + point + 1, &after, 8);
    at[point] = '.';
    return at + (count > point ? count + 1 : point + 2);
  }
  if (point <= 0 && point > -4) {
    std::memcpy(at, "0.000", 5);
    put(at + 2 - point);
    return at + 2 - point + count;
  }
  put(at + 1);
  at[0] = at[1];
  at[1] = '.';
  return write_exponent(at + (count == 1 ? 1 : count + 1), point - 1);
}

}  // namespace detail

// The number in decimal, with room for kLongestInteger.
template <std::integral T>
char* write_integer(char* at, T number) {
  auto magnitude = static_cast<uint64_t>(number);
  if constexpr (std::is_signed_v<T>)
    if (number < 0) {
      *at++ = '-';
      magnitude = 0 - magnitude;
    }
  return detail::write_digits(at, magnitude);
}

// The same and a comma, with room for one byte more.
template <std::integral T>
char* write_element(char* at, T number) {
  // Counts and small ids, as most numbers in arrays are. A negative one is above all of these.
  if (const auto small = static_cast<uint64_t>(number); small < detail::kSmall.size()) {
    std::memcpy(at, detail::kSmall[small].data(), 4);
    return at + detail::kSmall[small][3];
  }
  at = write_integer(at, number);
  *at = ',';
  return at + 1;
}

// A finite number, with room for kLongestReal. The fewest digits that read back the same, with a point or an
// exponent always; an exponent below 1e-4 and from 1e16 on, where Python's json has one too.
inline char* write_real(char* at, double number) {
  // Prices, percentages and the like have four decimals at most. If a decimal of 15 digits or fewer is this
  // number's, it is the only such one, and without its zeros at the end the shortest: no search is needed.
  constexpr double kScale = 1e4;
  constexpr uint64_t kWholeScale = 10000;
  constexpr double kMostScaled = 1e11;
  const double magnitude = std::fabs(number);
  if (std::signbit(number)) *at++ = '-';
  if (magnitude < kMostScaled) {
    // Whole numbers, halves and quarters need no division to be found.
    const double fourfold = magnitude * 4;
    const auto quarters = static_cast<int64_t>(fourfold);
    if (static_cast<double>(quarters) == fourfold)
      return detail::write_quarters(at, static_cast<uint64_t>(quarters));
    // Signed, as CPUs convert.
    const auto rounded = static_cast<int64_t>(magnitude * kScale + 0.5);
    if (static_cast<double>(rounded) / kScale == magnitude) {
      const auto scaled = static_cast<uint64_t>(rounded);
      at = detail::write_digits(at, scaled / kWholeScale);
      *at++ = '.';
      return detail::write_decimals(at, scaled % kWholeScale);
    }
  }
  return detail::write_shortest(at, magnitude);
}

namespace detail {

// Whether a number that is out of range is too near to zero, and not too far from it: by the power of ten of
// its first digit that counts.
inline bool is_tiny(std::string_view number) {
  constexpr int64_t kMostExponent = int64_t{1} << 48;  // more than a text has room for digits to make up for
  int64_t power = 0, exponent = 0;
  bool counts = false, after_point = false;
  size_t at = 0;
  for (; at < number.size() && number[at] != 'e' && number[at] != 'E'; ++at) {
    if (number[at] == '.') {
      after_point = true;
    } else if (number[at] >= '0' && number[at] <= '9') {
      counts = counts || number[at] != '0';
      if (counts != after_point) power += counts ? 1 : -1;
    }
  }
  const bool negative = at + 1 < number.size() && number[at + 1] == '-';
  for (; at < number.size(); ++at)
    if (number[at] >= '0' && number[at] <= '9' && exponent < kMostExponent)
      exponent = exponent * 10 + (number[at] - '0');
  return power + (negative ? -exponent : exponent) < 0;
}

}  // namespace detail

// The number that `text` begins with, as std::from_chars reads it; but one nearer to zero than all others is
// zero, as everybody else reads it.
template <std::floating_point T>
std::from_chars_result read_real(std::string_view text, T& value) {
  std::from_chars_result result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc::result_out_of_range) return result;
  const std::string_view number = text.substr(0, static_cast<size_t>(result.ptr - text.data()));
  if (!detail::is_tiny(number)) return result;
  value = number.front() == '-' ? -T{0} : T{0};
  result.ec = {};
  return result;
}

}  // namespace encoding
}  // namespace v1
}  // namespace leat

#endif
