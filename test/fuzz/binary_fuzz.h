// What strangers send in CBOR or MessagePack becomes JSON, or is refused, and nothing else happens:
//  - what becomes of it is JSON, in the eyes of json::is_json_value, and what is refused is so at a byte that there is, or
//    behind the last;
//  - of what is good no beginning is good, since the whole is one value;
//  - that JSON, written in the same code, is the same JSON again, but for whole numbers below -2^63, which become real; and
//    from then on always the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/check.h"
#include "json/binary_reader.h"
#include "json/valid.h"
#include "json/writer.h"

namespace leat::fuzz {

inline std::optional<std::string> json_of(json::Backend backend, std::string_view bytes) {
  // In memory of its own, so that a byte read past it is seen.
  const std::vector<char> copy(bytes.begin(), bytes.end());
  std::vector<char> text;
  json::GrowingText out{.grow =
                            [](void* owner, char*& at, char*& end, size_t size) {
                              auto& all = *static_cast<std::vector<char>*>(owner);
                              const size_t used = all.empty() ? 0 : static_cast<size_t>(at - all.data());
                              all.resize(used * 2 + size);
                              at = all.data() + used;
                              end = all.data() + all.size();
                              return true;
                            },
                        .owner = &text};
  if (const auto wrong = json::write_as_json(backend, {copy.data(), copy.size()}, out)) {
    ENSURE(wrong->offset <= bytes.size() && !wrong->message.empty());
    ENSURE(wrong->pointer.empty() || wrong->pointer.front() == '/');
    return std::nullopt;
  }
  return std::string(text.data(), static_cast<size_t>(out.at - text.data()));
}

inline std::string written(json::Backend backend, std::string_view json) {
  static BlockPool pool(4096, 4096);
  Arena arena(pool, size_t{16} << 20);
  json::Writer writer(arena, backend);
  writer.raw(json);
  const auto bytes = writer.finish();
  ENSURE(bytes.has_value());
  return std::string(*bytes);
}

// Whether there may be a whole number in it that is less than those of 64 bits.
inline bool has_far_number(std::string_view json) {
  for (size_t at = 0; (at = json.find('-', at)) != std::string_view::npos; ++at) {
    const std::string_view digits = json.substr(at + 1);
    if (std::min(digits.find_first_not_of("0123456789"), digits.size()) >= 19) return true;
  }
  return false;
}

inline int fuzz_binary(json::Backend backend, const uint8_t* data, size_t size) {
  if (size > size_t{1} << 16) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto json = json_of(backend, bytes);
  if (!json) return 0;
  ENSURE(json::is_json_value(*json));
  ENSURE(!json_of(backend, bytes.substr(0, size - 1)));
  const std::string once = written(backend, *json);
  const auto again = json_of(backend, once);
  ENSURE(again.has_value());
  ENSURE(*again == *json || has_far_number(*json));
  ENSURE(json_of(backend, written(backend, *again)) == again);
  return 0;
}

}  // namespace leat::fuzz
