#include "middleware/request_head.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/text.h"

namespace leat::middleware {

bool show_changed_head(http::Exchange& exchange, std::span<const std::string> removed,
                       std::span<const HeadField> added) {
  Arena& arena = exchange.arena();
  const http::Head& head = exchange.request.head();
  size_t more = 0;
  for (const HeadField& field : added)
    if (!field.value.empty()) more += field.name.size() + field.value.size() + 4;
  auto* const slots =
      arena.allocate_array<http::HeaderSlot>(std::max<size_t>(head.slot_count + added.size(), 1));
  void* const place = arena.allocate(sizeof(http::Head), alignof(http::Head));
  // What is removed alone needs no bytes of its own.
  char* const bytes = more == 0 ? nullptr : arena.allocate_array<char>(head.size + more);
  if (slots == nullptr || place == nullptr || (more != 0 && bytes == nullptr)) return false;
  auto* const shown = new (place) http::Head(head);
  http::HeaderSlot* to = slots;
  for (const http::HeaderSlot& slot : head.headers())
    if (std::ranges::none_of(removed, [&](const std::string& each) {
          return equal_ignoring_case(each, head.view(slot.name));
        }))
      *to++ = slot;
  if (more != 0) {
    std::memcpy(bytes, head.bytes, head.size);
    size_t at = head.size;
    const auto put = [&](std::string_view text) {
      std::memcpy(bytes + at, text.data(), text.size());
      const http::Span span{static_cast<uint32_t>(at), static_cast<uint32_t>(text.size())};
      at += text.size();
      return span;
    };
    for (const HeadField& field : added) {
      if (field.value.empty()) continue;
      to->id = http::find_header(field.name);
      to->known = false;
      to->name = put(field.name);
      (void)put(": ");
      to->value = put(field.value);
      (void)put("\r\n");
      ++to;
    }
    shown->bytes = bytes;
    shown->size = static_cast<uint32_t>(at);
    shown->added = head.added + static_cast<uint32_t>(more);
  }
  shown->slots = slots;
  shown->slot_count = static_cast<uint32_t>(to - slots);
  exchange.request.show_head(*shown);
  return true;
}

}  // namespace leat::middleware
