#include "http/refused_head.h"

#include <algorithm>
#include <new>

#include "base/text.h"
#include "http/header_id.h"

namespace leat::http {

namespace {

// Where `part` lies in `whole`, which it is a view of.
Span span_in(std::string_view whole, std::string_view part) {
  return {static_cast<uint32_t>(part.data() - whole.data()), static_cast<uint32_t>(part.size())};
}

// The next line, without its end. Takes it away.
std::string_view take_line(std::string_view& rest) {
  const size_t end = std::min(rest.find('\n'), rest.size());
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Up to the next space, which is taken away, too.
std::string_view take_word(std::string_view& rest) {
  const size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

void read_line(RefusedHead& kept, std::string_view whole, std::string_view line) {
  const std::string_view method = take_word(line);
  if (!is_token(method)) return;  // what follows is no target
  kept.method = method;
  if (const auto known = find_method(method)) kept.head.method = *known;
  const std::string_view target = take_word(line);
  if (line.starts_with("HTTP/")) kept.version = line;
  kept.head.target = span_in(whole, target);
  const size_t question = std::min(target.find('?'), target.size());
  if (target.starts_with('/')) kept.head.path = span_in(whole, target.substr(0, question));
  kept.head.has_query = question < target.size();
  if (kept.head.has_query) kept.head.query = span_in(whole, target.substr(question + 1));
}

// What looks like fields, as far as lines do.
void read_fields(RefusedHead& kept, Arena& arena, std::string_view whole, std::string_view rest) {
  auto* const slots = arena.allocate_array<HeaderSlot>(RefusedHead::kMostFields);
  if (slots == nullptr) return;
  uint32_t count = 0;
  while (!rest.empty() && count < RefusedHead::kMostFields) {
    const std::string_view line = take_line(rest);
    if (line.empty()) break;
    const size_t colon = line.find(':');
    const std::string_view name = line.substr(0, std::min(colon, line.size()));
    if (colon == std::string_view::npos || !is_token(name)) continue;
    HeaderSlot& slot = *new (&slots[count++]) HeaderSlot;
    slot.name = span_in(whole, name);
    slot.value = span_in(whole, trim(line.substr(colon + 1)));
    slot.id = find_header(name);
    if (slot.id == HeaderId::Host && kept.head.host.size == 0) kept.head.host = slot.value;
  }
  kept.head.slots = slots;
  kept.head.slot_count = count;
}

}  // namespace

void keep_refused_head(Exchange& exchange, std::string_view bytes, const Refusal& why) {
  Arena& arena = exchange.arena();
  const std::string_view whole = arena.copy(bytes.substr(0, RefusedHead::kMostBytes));
  if (whole.data() == nullptr) return;
  auto* const kept = exchange.states.make<RefusedHead>(nullptr);
  if (kept == nullptr) return;
  kept->why = why.detail;
  kept->head.bytes = whole.data();
  kept->head.size = static_cast<uint32_t>(whole.size());
  std::string_view rest = whole;
  read_line(*kept, whole, take_line(rest));
  read_fields(*kept, arena, whole, rest);
}

}  // namespace leat::http
