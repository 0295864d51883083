#include "cache/conditions.h"

#include <ctime>
#include <format>

#include "base/siphash.h"
#include "base/text.h"
#include "cache/cache_control.h"

namespace leat::cache {

std::optional<int64_t> parse_date(std::string_view text) {
  constexpr size_t kSize = 29;
  if (text.size() != kSize) return std::nullopt;
  const std::string copy(text);
  tm parts{};
  // The C locale's names are those of the RFC; the daemon never sets another.
  const char* const end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end != copy.c_str() + kSize) return std::nullopt;
  return ::timegm(&parts);
}

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  const auto opaque = [](std::string_view tag) { return tag.starts_with("W/") ? tag.substr(2) : tag; };
  if (trim(if_none_match) == "*") return true;
  bool found = false;
  if (!etag.empty())
    for_each_item(if_none_match,
                  [&](std::string_view item) { found = found || opaque(item) == opaque(etag); });
  return found;
}

// The keys are no secret: whoever makes the body decides about its tag anyway, and two instances of Leat
// behind one proxy must agree.
std::string make_etag(std::string_view body) {
  constexpr SipKey kFirst{0x6c65617420657461, 0x672d31}, kSecond{0x6c65617420657461, 0x672d32};
  return std::format("\"{:016x}{:016x}\"", sip_hash<2, 4>(body, kFirst), sip_hash<2, 4>(body, kSecond));
}

}  // namespace leat::cache
