#include "http/header_id.h"

#include <array>

#include "base/text.h"

namespace leat::http {

namespace {

constexpr std::string_view kNames[] = {
    "",
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

}  // namespace

HeaderId find_header(std::string_view name) {
  if (name.empty()) return HeaderId::Unknown;
  for (size_t bucket = bucket_of(name); kTable[bucket] != 0; bucket = (bucket + 1) % kBuckets)
    if (equal_ignoring_case(kNames[kTable[bucket]], name)) return static_cast<HeaderId>(kTable[bucket]);
  return HeaderId::Unknown;
}

std::string_view header_name(HeaderId id) { return kNames[static_cast<size_t>(id)]; }

}  // namespace leat::http
