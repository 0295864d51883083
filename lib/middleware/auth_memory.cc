#include "middleware/auth_memory.h"

#include "base/text.h"
#include "http/list.h"

namespace leat::middleware {

uint64_t auth_lasts_ms(std::span<const client::Field> fields, uint64_t most_ms) {
  // What has lain somewhere on the way has been good for as long (RFC 9111, section 4.2.3).
  uint64_t age_ms = 0, max_age_ms = UINT64_MAX;
  constexpr std::string_view kMaxAge = "max-age=";
  for (const client::Field& field : fields) {
    if (equal_ignoring_case(field.name, "Set-Cookie")) return 0;  // which is for one request
    if (equal_ignoring_case(field.name, "Age")) {
      const auto seconds = parse_number<uint32_t>(trim(field.value));
      age_ms = seconds ? uint64_t{*seconds} * 1000 : UINT64_MAX;
    }
    if (!equal_ignoring_case(field.name, "Cache-Control")) continue;
    http::for_each_item(field.value, [&](std::string_view item) {
      const std::string_view name = item.substr(0, item.find('='));
      if (equal_ignoring_case(name, "no-store") || equal_ignoring_case(name, "no-cache")) most_ms = 0;
      if (!equal_ignoring_case(item.substr(0, kMaxAge.size()), kMaxAge)) return;
      const auto seconds = parse_number<uint32_t>(item.substr(kMaxAge.size()));
      max_age_ms = seconds ? uint64_t{*seconds} * 1000 : 0;
    });
  }
  return max_age_ms == UINT64_MAX ? most_ms : std::min(most_ms, max_age_ms - std::min(max_age_ms, age_ms));
}

bool digest_question(Arena& arena, std::string_view secret, std::span<const client::Field> fields,
                     crypto::Digest& digest) {
  size_t size = 0;
  for (const client::Field& field : fields)
    size += 2 * sizeof(uint32_t) + field.name.size() + field.value.size();
  char* const text = arena.allocate_array<char>(std::max<size_t>(size, 1));
  if (text == nullptr) return false;
  char* at = text;
  const auto put = [&](std::string_view part) {
    const auto length = static_cast<uint32_t>(part.size());
    std::memcpy(at, &length, sizeof length);
    std::ranges::copy(part, at + sizeof length);
    at += sizeof length + part.size();
  };
  for (const client::Field& field : fields) put(field.name), put(field.value);
  const auto made = crypto::hmac_sha256(secret, {{text, size}});
  if (made) digest = *made;
  return made.has_value();
}

}  // namespace leat::middleware
