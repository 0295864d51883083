#include "cache/conditions.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <iterator>

#include "base/siphash.h"
#include "cache/cache_control.h"
#include "http/date.h"
#include "http/edited_head.h"

namespace leat::cache {

bool is_not_modified(const http::Head& head, std::string_view etag, std::string_view last_modified) {
  bool has_tags = false, named = false;
  unsigned dates = 0;
  std::string_view date;
  for (const http::HeaderSlot& slot : head.headers()) {
    if (slot.id == http::HeaderId::IfNoneMatch) {
      has_tags = true;
      named = named || names_etag(head.view(slot.value), etag);
    } else if (slot.id == http::HeaderId::IfModifiedSince) {
      ++dates;
      date = head.view(slot.value);
    }
  }
  if (has_tags) return named;
  if (dates != 1) return false;
  const int64_t now_s = std::time(nullptr);
  const auto since = http::parse_date(date, now_s), modified = http::parse_date(last_modified, now_s);
  return since && modified && *modified <= *since;
}

const http::Head* with_conditions(const http::Head& head, std::string_view etag, std::string_view modified,
                                  Arena& arena) {
  struct Condition {
    http::HeaderId id;
    std::string_view name, value;
  };
  const Condition conditions[] = {{http::HeaderId::IfNoneMatch, "If-None-Match", etag},
                                  {http::HeaderId::IfModifiedSince, "If-Modified-Since", modified}};
  size_t more = 0;
  for (const Condition& each : conditions)
    more += each.name.size() + each.value.size() + http::EditedHead::kFieldBytes;
  http::EditedHead edited(head, arena, std::size(conditions), more);
  if (!edited.good()) return nullptr;
  for (const http::HeaderSlot& slot : head.headers())
    if (!std::ranges::contains(conditions, slot.id, &Condition::id)) edited.keep(slot);
  for (const Condition& each : conditions)
    if (!each.value.empty()) edited.add(each.name, each.value);
  return &edited.done();
}

// The keys are no secret: whoever makes the body decides about its tag anyway, and two instances of Leat
// behind one proxy must agree.
std::string make_etag(std::string_view body) {
  constexpr SipKey kFirst{0x6c65617420657461, 0x672d31}, kSecond{0x6c65617420657461, 0x672d32};
  return fmt::format("\"{:016x}{:016x}\"", sip_hash<2, 4>(body, kFirst), sip_hash<2, 4>(body, kSecond));
}

}  // namespace leat::cache
