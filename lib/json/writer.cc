#include "json/writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "json/utf8.h"

namespace leat::json {

namespace {

// Most answers fit; doubling from here reaches a block's size in five steps.
constexpr size_t kFirstRoom = 512;

constexpr char kHex[] = "0123456789abcdef";

// The letter after the backslash; 'u' for those without a short form; 0 for characters written as they are.
constexpr std::array<char, 128> kEscapes = [] {
  std::array<char, 128> table{};
  for (size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['"'] = '"';
  table['\\'] = '\\';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  return table;
}();

constexpr std::array<char, 200> kTwoDigits = [] {
  std::array<char, 200> table{};
  for (size_t i = 0; i < 100; ++i) {
    table[2 * i] = static_cast<char>('0' + i / 10);
    table[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return table;
}();

// How many bytes from `at` on are ASCII that needs no escape.
size_t plain_run(const char* at, size_t size) {
  size_t i = 0;
#if defined(__SSE2__)
  for (; i + 16 <= size; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i));
    // Signed: everything below 0x20, and everything from 0x80 on, which is negative.
    const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const int special = _mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash)));
    if (special != 0) return i + static_cast<size_t>(__builtin_ctz(static_cast<unsigned>(special)));
  }
#endif
  for (; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(at[i]);
    if (byte >= 0x80 || kEscapes[byte] != 0) break;
  }
  return i;
}

}  // namespace

std::optional<std::string_view> Writer::finish() {
  if (error_ == nullptr && expect_ != Expect::Nothing) fail("text that is not complete");
  if (error_ != nullptr) return std::nullopt;
  return std::string_view(begin_, static_cast<size_t>(at_ - begin_));
}

void Writer::fail(const char* why) {
  if (error_ == nullptr) error_ = why;
  expect_ = Expect::Nothing;
  depth_ = 0;
}

bool Writer::grow(size_t size) {
  if (error_ != nullptr) return false;
  const auto used = static_cast<size_t>(at_ - begin_);
  const auto have = static_cast<size_t>(end_ - begin_);
  size_t wanted = std::max({kFirstRoom, have * 2, used + size});
  // A block's whole room before memory of its own.
  if (wanted > Block::capacity() && used + size <= Block::capacity()) wanted = Block::capacity();
  void* grown = arena_.grow(begin_, have, wanted, 1);
  if (grown == nullptr) {
    fail("no memory left for this request");
    return false;
  }
  begin_ = static_cast<char*>(grown);
  at_ = begin_ + used;
  end_ = begin_ + wanted;
  return true;
}

void Writer::quote(std::string_view text) {
  if (!room(text.size() + 2)) return;
  *at_++ = '"';
  while (true) {
    const size_t plain = plain_run(text.data(), text.size());
    std::memcpy(at_, text.data(), plain);
    at_ += plain;
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto byte = static_cast<unsigned char>(text.front());
    if (byte >= 0x80) {
      const size_t sequence = utf8_sequence(text);
      if (sequence == 0) return fail("text that is not UTF-8");
      std::memcpy(at_, text.data(), sequence);
      at_ += sequence;
      text.remove_prefix(sequence);
      continue;
    }
    text.remove_prefix(1);
    if (!room(6 + text.size() + 1)) return;
    *at_++ = '\\';
    *at_++ = kEscapes[byte];
    if (kEscapes[byte] == 'u') {
      const char code[] = {'0', '0', kHex[byte >> 4], kHex[byte & 15]};
      std::memcpy(at_, code, sizeof code);
      at_ += sizeof code;
    }
  }
  *at_++ = '"';
}

void Writer::put_digits(uint64_t number) {
  char digits[20];
  char* first = digits + sizeof digits;
  while (number >= 100) {
    first -= 2;
    std::memcpy(first, &kTwoDigits[(number % 100) * 2], 2);
    number /= 100;
  }
  if (number >= 10) {
    first -= 2;
    std::memcpy(first, &kTwoDigits[number * 2], 2);
  } else {
    *--first = static_cast<char>('0' + number);
  }
  const auto size = static_cast<size_t>(digits + sizeof digits - first);
  std::memcpy(at_, first, size);
  at_ += size;
}

void Writer::real(double number) {
  if (!std::isfinite(number)) return fail("a number that is not finite");
  constexpr size_t kLongest = 32;
  if (!begin_value() || !room(kLongest)) return;
  // "-d.ddde-xxx": the digits and the exponent, which are then laid out as Python does.
  char text[kLongest];
  char* const text_end = std::to_chars(text, text + sizeof text, number, std::chars_format::scientific).ptr;
  const char* digit = text;
  if (*digit == '-') *at_++ = *digit++;
  const char* mark = std::find(digit, static_cast<const char*>(text_end), 'e');
  int exponent = 0;
  std::from_chars(mark[1] == '+' ? mark + 2 : mark + 1, text_end, exponent);
  char digits[20];
  int count = 0;
  for (; digit != mark; ++digit)
    if (*digit != '.') digits[count++] = *digit;
  const auto put_run = [&](int from, int to) {
    for (int i = from; i < to; ++i) *at_++ = i < count ? digits[i] : '0';
  };
  if (exponent < -4 || exponent >= 16) {
    put_run(0, 1);
    if (count > 1) {
      *at_++ = '.';
      put_run(1, count);
    }
    std::memcpy(at_, mark, static_cast<size_t>(text_end - mark));  // at least two digits, as Python writes them
    at_ += text_end - mark;
  } else if (exponent < 0) {
    *at_++ = '0';
    *at_++ = '.';
    for (int i = exponent + 1; i < 0; ++i) *at_++ = '0';
    put_run(0, count);
  } else {
    put_run(0, exponent + 1);
    *at_++ = '.';
    put_run(exponent + 1, std::max(count, exponent + 2));
  }
}

}  // namespace leat::json
