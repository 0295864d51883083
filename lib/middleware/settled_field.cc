#include "middleware/settled_field.h"

#include "http/edited_head.h"

namespace leat::middleware {

bool settle_field(http::Exchange& exchange, http::HeaderId id, std::string_view text) {
  const http::Head& head = exchange.request.head();
  size_t fields = 0;
  const http::HeaderSlot* first = nullptr;
  for (const http::HeaderSlot& slot : head.headers()) {
    if (slot.id != id) continue;
    if (++fields == 1) first = &slot;
  }
  if (fields == 0) return true;
  const std::string_view sent = head.view(first->value);
  if (fields == 1 && sent == text) return true;

  // Where the field has those bytes in it, as "gzip, deflate, br" has "br", they are what is shown, and no other bytes
  // are needed than those that are there.
  const size_t found = sent.find(text);
  const size_t more = found == std::string_view::npos ? text.size() : 0;
  http::EditedHead edited(head, exchange.arena(), 0, more);
  if (!edited.good()) return false;
  for (const http::HeaderSlot& slot : head.headers()) {
    if (slot.id != id) {
      edited.keep(slot);
    } else if (&slot == first && more != 0) {
      edited.keep(slot, text);
    } else if (&slot == first) {
      edited.keep(slot, http::Span{slot.value.offset + static_cast<uint32_t>(found),
                                   static_cast<uint32_t>(text.size())});
    }
  }
  exchange.request.show_made_of_head(edited.done());
  return true;
}

}  // namespace leat::middleware
