// Base64 and base64url (RFC 4648, sections 4 and 5), strictly: what is written otherwise than it would be written here is
// none, so that two texts never stand for the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace leat {

enum class Base64 : uint8_t {
  Padded,  // '+', '/', and '=' up to four characters: of HTTP's Basic scheme
  Bare,    // the same without padding: of hashes of passwords
  Url      // '-', '_' and no padding: of tokens
};

// How many bytes `text` stands for at most.
constexpr size_t most_decoded(std::string_view text) { return text.size() / 4 * 3 + 2; }

namespace base64 {

constexpr std::string_view base64_digits(Base64 kind) {
  return kind == Base64::Url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

// What each character stands for; -1: nothing.
constexpr std::array<int8_t, 256> base64_values(Base64 kind) {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < 64; ++i)
    values[static_cast<unsigned char>(base64_digits(kind)[i])] = static_cast<int8_t>(i);
  return values;
}
inline constexpr std::array kBase64Values = {base64_values(Base64::Padded), base64_values(Base64::Bare),
                                             base64_values(Base64::Url)};

}  // namespace base64

// Decodes into `to`, which has room for most_decoded(text). The bytes; nothing for what is none.
inline std::optional<std::string_view> decode_base64(Base64 kind, std::string_view text, char* to) {
  const auto& values = base64::kBase64Values[static_cast<size_t>(kind)];
  if (kind == Base64::Padded) {
    if (text.size() % 4 != 0) return std::nullopt;
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  char* at = to;
  uint32_t bits = 0;
  int count = 0;  // of bits that were not written
  for (const char c : text) {
    const int8_t value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) *at++ = static_cast<char>(bits >> (count -= 8));
  }
  if ((bits & ((1U << count) - 1)) != 0) return std::nullopt;  // bits that no byte has
  return std::string_view(to, static_cast<size_t>(at - to));
}

// How many characters encode_base64() makes of so many bytes.
constexpr size_t encoded_size(Base64 kind, size_t bytes) {
  return kind == Base64::Padded ? (bytes + 2) / 3 * 4 : bytes / 3 * 4 + (bytes % 3 == 0 ? 0 : bytes % 3 + 1);
}

// Encodes into `to`, which has room for encoded_size(). Returns the end.
inline char* encode_base64(Base64 kind, std::string_view bytes, char* to) {
  const std::string_view digits = base64::base64_digits(kind);
  char* const end = to + encoded_size(kind, bytes.size());
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6;) *to++ = digits[bits >> (count -= 6) & 63];
  }
  if (count > 0) *to++ = digits[bits << (6 - count) & 63];
  while (to != end) *to++ = '=';
  return end;
}

inline std::string encode_base64(Base64 kind, std::string_view bytes) {
  std::string text(encoded_size(kind, bytes.size()), '\0');
  encode_base64(kind, bytes, text.data());
  return text;
}

}  // namespace leat
