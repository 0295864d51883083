#include "http/edited_head.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "base/text.h"
#include "http/exchange.h"

namespace leat::http {

EditedHead::EditedHead(const Head& head, Arena& arena, size_t more_fields, size_t more_bytes)
    : head_(head), size_(head.size) {
  if (more_bytes > std::numeric_limits<uint32_t>::max() - size_) return;
  if (more_fields != kSameFields) {
    slots_ = next_ = arena.allocate_array<HeaderSlot>(std::max<size_t>(head.slot_count + more_fields, 1));
    if (slots_ == nullptr) return;
  }
  if (more_bytes != 0) {
    bytes_ = arena.allocate_array<char>(size_ + more_bytes);
    if (bytes_ == nullptr) return;
    std::memcpy(bytes_, head.bytes, size_);
  }
  void* const place = arena.allocate(sizeof(Head), alignof(Head));
  if (place != nullptr) shown_ = new (place) Head(head);
}

Span EditedHead::put(std::string_view text) {
  if (!text.empty()) std::memcpy(bytes_ + size_, text.data(), text.size());
  const Span span{static_cast<uint32_t>(size_), static_cast<uint32_t>(text.size())};
  size_ += text.size();
  return span;
}

void EditedHead::keep(const HeaderSlot& slot, Span value) {
  *next_ = slot;
  next_->known = false;
  next_->value = value;
  ++next_;
}

void EditedHead::add(std::string_view name, std::string_view value) {
  next_->id = find_header(name);
  next_->known = false;
  next_->name = put(name);
  (void)put(": ");
  next_->value = put(value);
  (void)put("\r\n");
  ++next_;
}

void EditedHead::set_query(std::string_view query) {
  // Behind a rewrite the query is not that of the target, which stays as it was sent.
  const uint32_t target_end = head_.target.offset + head_.target.size;
  if (head_.has_query && head_.query.offset + head_.query.size != target_end) {
    shown_->has_query = !query.empty();
    shown_->query = query.empty() ? Span{} : put(query);
    return;
  }
  std::string_view before = head_.view(head_.target);
  if (head_.has_query) before.remove_suffix(head_.query.size + 1);
  Span target = put(before);
  shown_->has_query = !query.empty();
  shown_->query = {};
  if (!query.empty()) {
    (void)put("?");
    shown_->query = put(query);
    target.size += 1 + shown_->query.size;
  }
  shown_->target = target;
}

void EditedHead::set_path(std::string_view path_and_query) {
  const size_t end = std::min(path_and_query.find('?'), path_and_query.size());
  shown_->path = put(path_and_query.substr(0, end));
  shown_->has_query = end != path_and_query.size();
  shown_->query = {};
  if (!shown_->has_query) return;
  (void)put("?");
  shown_->query = put(path_and_query.substr(end + 1));
}

const Head& EditedHead::done() {
  if (bytes_ != nullptr) {
    shown_->bytes = bytes_;
    shown_->added = head_.added + static_cast<uint32_t>(size_ - head_.size);
    shown_->size = static_cast<uint32_t>(size_);
  }
  if (slots_ != nullptr) {
    shown_->slots = slots_;
    shown_->slot_count = static_cast<uint32_t>(next_ - slots_);
  }
  return *shown_;
}

bool show_changed_head(Exchange& exchange, std::span<const std::string> removed,
                       std::span<const HeadField> added) {
  const Head& head = exchange.request.head();
  size_t more = 0;
  for (const HeadField& field : added)
    if (!field.value.empty()) more += field.name.size() + field.value.size() + EditedHead::kFieldBytes;
  EditedHead edited(head, exchange.arena(), added.size(), more);
  if (!edited.good()) return false;
  for (const HeaderSlot& slot : head.headers())
    if (std::ranges::none_of(removed, [&](const std::string& each) {
          return equal_ignoring_case(each, head.view(slot.name));
        }))
      edited.keep(slot);
  for (const HeadField& field : added)
    if (!field.value.empty()) edited.add(field.name, field.value);
  exchange.request.show_head(edited.done());
  return true;
}

}  // namespace leat::http
