#include "cache/conditions.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <new>

#include "base/siphash.h"
#include "cache/cache_control.h"
#include "http/date.h"

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
  for (const Condition& each : conditions) more += each.name.size() + each.value.size();
  auto* const slots = arena.allocate_array<http::HeaderSlot>(head.slot_count + std::size(conditions));
  auto* const bytes = static_cast<char*>(arena.allocate(head.size + more, 1));
  void* const memory = arena.allocate(sizeof(http::Head), alignof(http::Head));
  if (slots == nullptr || bytes == nullptr || memory == nullptr) return nullptr;
  // Behind the head's own bytes, so that its spans stay right.
  char* at = std::ranges::copy_n(head.bytes, head.size, bytes).out;
  const auto put = [&](std::string_view text) {
    const http::Span span{static_cast<uint32_t>(at - bytes), static_cast<uint32_t>(text.size())};
    at = std::ranges::copy(text, at).out;
    return span;
  };
  const auto is_condition = [&](const http::HeaderSlot& slot) {
    return std::ranges::contains(conditions, slot.id, &Condition::id);
  };
  http::HeaderSlot* slot = std::ranges::remove_copy_if(head.headers(), slots, is_condition).out;
  for (const Condition& each : conditions) {
    if (each.value.empty()) continue;
    const http::Span name = put(each.name);
    *slot++ = {.name = name, .value = put(each.value), .id = each.id};
  }
  auto* const made = new (memory) http::Head(head);
  made->bytes = bytes;
  made->size = static_cast<uint32_t>(at - bytes);
  made->slots = slots;
  made->slot_count = static_cast<uint32_t>(slot - slots);
  return made;
}

// The keys are no secret: whoever makes the body decides about its tag anyway, and two instances of Leat
// behind one proxy must agree.
std::string make_etag(std::string_view body) {
  constexpr SipKey kFirst{0x6c65617420657461, 0x672d31}, kSecond{0x6c65617420657461, 0x672d32};
  return fmt::format("\"{:016x}{:016x}\"", sip_hash<2, 4>(body, kFirst), sip_hash<2, 4>(body, kSecond));
}

}  // namespace leat::cache
