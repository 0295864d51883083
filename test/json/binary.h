// What tests of CBOR and MessagePack share: bytes as hexadecimal digits, and both ways between them and JSON.
#pragma once

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <charconv>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "json/binary_reader.h"
#include "json/support.h"
#include "json/writer.h"

namespace leat::test {

inline std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (; hex.size() >= 2; hex.remove_prefix(2)) {
    uint8_t byte = 0;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + 2, byte, 16);
    REQUIRE((error == std::errc{} && end == hex.data() + 2));
    bytes += static_cast<char>(byte);
  }
  REQUIRE(hex.empty());
  return bytes;
}
inline std::string hex_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

// The JSON that `bytes` are; or "3 /a/0 must be UTF-8", where and what is wrong. In memory of their own, so that a byte read
// past the end is seen; and, as long as it is short, with no more room at a time than was asked for.
inline std::string read_binary(json::Backend backend, std::string_view bytes, size_t most = SIZE_MAX) {
  const std::vector<char> copy(bytes.begin(), bytes.end());
  struct Text {
    std::vector<char> bytes;
    size_t most;
  } text{.bytes = {}, .most = most};
  json::GrowingText out{.grow =
                            [](void* owner, char*& at, char*& end, size_t size) {
                              auto& all = *static_cast<Text*>(owner);
                              const size_t used =
                                  all.bytes.empty() ? 0 : static_cast<size_t>(at - all.bytes.data());
                              if (used + size > all.most) return false;
                              std::vector<char> grown(used + size + (used < 8192 ? 0 : used));
                              std::copy_n(all.bytes.begin(), used, grown.begin());
                              all.bytes.swap(grown);
                              at = all.bytes.data() + used;
                              end = all.bytes.data() + all.bytes.size();
                              return true;
                            },
                        .owner = &text};
  if (const auto wrong = json::write_as_json(backend, {copy.data(), copy.size()}, out)) {
    CHECK(wrong->offset <= bytes.size());
    return std::to_string(wrong->offset) + " " + wrong->pointer + " " + std::string(wrong->message);
  }
  return {text.bytes.data(), static_cast<size_t>(out.at - text.bytes.data())};
}

// What a writer makes of events; "error: " and why.
inline std::string write_binary(json::Backend backend, const std::function<void(json::Writer&)>& events,
                                size_t limit = size_t{64} << 20) {
  JsonMemory memory(limit);
  json::Writer writer(memory.arena, backend);
  events(writer);
  const auto bytes = writer.finish();
  CHECK(bytes.has_value() == (writer.error() == nullptr));
  return bytes ? std::string(*bytes) : std::string("error: ") + writer.error();
}

}  // namespace leat::test
