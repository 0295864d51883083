#include "http/header_id.h"

#include <array>
#include <cstring>

#include "base/text.h"

namespace leat::http {

namespace {

constexpr std::string_view kNames[] = {"",
#define X(name, text) text,
                                       LEAT_HTTP_HEADERS(X)
#undef X
};
constexpr size_t kCount = std::size(kNames);

// Open addressing at half load. The hash is length, first, middle and last letter in lower case: enough to
// tell most of the names apart, and each bucket is compared in full.
constexpr size_t kBuckets = 256;

constexpr size_t bucket_of(std::string_view name) {
  const auto first = static_cast<unsigned char>(ascii_lower(name.front()));
  const auto middle = static_cast<unsigned char>(ascii_lower(name[name.size() / 2]));
  const auto last = static_cast<unsigned char>(ascii_lower(name.back()));
  return (name.size() * 7 + first * 31U + middle * 13U + last * 101U) % kBuckets;
}

constexpr std::array<uint8_t, kBuckets> kTable = [] {
  std::array<uint8_t, kBuckets> table{};
  for (size_t id = 1; id < kCount; ++id) {
    size_t bucket = bucket_of(kNames[id]);
    while (table[bucket] != 0) bucket = (bucket + 1) % kBuckets;
    table[bucket] = static_cast<uint8_t>(id);
  }
  return table;
}();

// The names in lower case, each with at least a word's room, for comparing by words.
constexpr size_t kLongest = 32;
constexpr auto kLowerNames = [] {
  std::array<std::array<char, kLongest>, kCount> lower{};
  for (size_t id = 1; id < kCount; ++id)
    for (size_t i = 0; i < kNames[id].size(); ++i) lower[id][i] = ascii_lower(kNames[id][i]);
  return lower;
}();

uint64_t lower_word(const char* at) {
  // Sets the bit that tells lower from upper case. It leaves digits and '-' as they are, and no character
  // that may stand in a field name turns into one of another name's.
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word | 0x2020202020202020;
}

bool equals_lower(std::string_view name, const char* lower) {
  if (name.size() < sizeof(uint64_t)) {
    for (size_t i = 0; i < name.size(); ++i)
      if (ascii_lower(name[i]) != lower[i]) return false;
    return true;
  }
  // The last word overlaps the one before it.
  const size_t last = name.size() - sizeof(uint64_t);
  for (size_t i = 0; i < last; i += sizeof(uint64_t))
    if (lower_word(name.data() + i) != lower_word(lower + i)) return false;
  return lower_word(name.data() + last) == lower_word(lower + last);
}

}  // namespace

HeaderId find_header(std::string_view name) {
  if (name.empty() || name.size() > kLongest) return HeaderId::Unknown;
  for (size_t bucket = bucket_of(name); kTable[bucket] != 0; bucket = (bucket + 1) % kBuckets) {
    const uint8_t id = kTable[bucket];
    if (kNames[id].size() == name.size() && equals_lower(name, kLowerNames[id].data()))
      return static_cast<HeaderId>(id);
  }
  return HeaderId::Unknown;
}

std::string_view header_name(HeaderId id) { return kNames[static_cast<size_t>(id)]; }

}  // namespace leat::http
