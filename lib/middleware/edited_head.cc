#include "middleware/edited_head.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/text.h"

namespace leat::middleware {

EditedHead::EditedHead(http::Exchange& exchange, size_t more_fields, size_t more_bytes)
    : exchange_(exchange), size_(exchange.request.head().size) {
  Arena& arena = exchange.arena();
  const http::Head& head = exchange.request.head();
  slots_ = arena.allocate_array<http::HeaderSlot>(std::max<size_t>(head.slot_count + more_fields, 1));
  void* const place = arena.allocate(sizeof(http::Head), alignof(http::Head));
  bytes_ = more_bytes == 0 ? nullptr : arena.allocate_array<char>(size_ + more_bytes);
  if (slots_ == nullptr || place == nullptr || (more_bytes != 0 && bytes_ == nullptr)) return;
  shown_ = new (place) http::Head(head);
  next_ = slots_;
  if (bytes_ != nullptr) std::memcpy(bytes_, head.bytes, size_);
  good_ = true;
}

http::Span EditedHead::put(std::string_view text) {
  if (!text.empty()) std::memcpy(bytes_ + size_, text.data(), text.size());
  const http::Span span{static_cast<uint32_t>(size_), static_cast<uint32_t>(text.size())};
  size_ += text.size();
  return span;
}

void EditedHead::keep(const http::HeaderSlot& slot, std::string_view value) {
  *next_ = slot;
  next_->known = false;
  next_->value = put(value);
  ++next_;
}

void EditedHead::add(std::string_view name, std::string_view value) {
  next_->id = http::find_header(name);
  next_->known = false;
  next_->name = put(name);
  (void)put(": ");
  next_->value = put(value);
  (void)put("\r\n");
  ++next_;
}

void EditedHead::set_query(std::string_view query) {
  const http::Head& head = exchange_.request.head();
  std::string_view before = head.view(head.target);
  if (head.has_query) before.remove_suffix(head.query.size + 1);
  http::Span target = put(before);
  shown_->has_query = !query.empty();
  shown_->query = {};
  if (!query.empty()) {
    (void)put("?");
    shown_->query = put(query);
    target.size += 1 + shown_->query.size;
  }
  shown_->target = target;
}

void EditedHead::show() {
  const http::Head& head = exchange_.request.head();
  if (bytes_ != nullptr) {
    shown_->bytes = bytes_;
    shown_->added = head.added + static_cast<uint32_t>(size_ - head.size);
    shown_->size = static_cast<uint32_t>(size_);
  }
  shown_->slots = slots_;
  shown_->slot_count = static_cast<uint32_t>(next_ - slots_);
  exchange_.request.show_head(*shown_);
}

bool show_changed_head(http::Exchange& exchange, std::span<const std::string> removed,
                       std::span<const HeadField> added) {
  const http::Head& head = exchange.request.head();
  size_t more = 0;
  for (const HeadField& field : added)
    if (!field.value.empty()) more += field.name.size() + field.value.size() + EditedHead::kFieldBytes;
  EditedHead edited(exchange, added.size(), more);
  if (!edited.good()) return false;
  for (const http::HeaderSlot& slot : head.headers())
    if (std::ranges::none_of(removed, [&](const std::string& each) {
          return equal_ignoring_case(each, head.view(slot.name));
        }))
      edited.keep(slot);
  for (const HeadField& field : added)
    if (!field.value.empty()) edited.add(field.name, field.value);
  edited.show();
  return true;
}

}  // namespace leat::middleware
