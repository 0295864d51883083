#include "middleware/credentials.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "http/edited_head.h"
#include "pipeline/parameters.h"

namespace leat::middleware {

namespace {

// Calls `visit(piece)` for what stands between the separators.
template <class Visit>
void for_each_piece(std::string_view text, char separator, Visit visit) {
  for (bool more = true; more;) {
    const size_t end = text.find(separator);
    more = end != std::string_view::npos;
    visit(text.substr(0, end));
    text.remove_prefix(more ? end + 1 : text.size());
  }
}

// Appends to a text in memory that has room for all of it.
class Pieces {
 public:
  Pieces(char* at, std::string_view separator) : begin_(at), at_(at), separator_(separator) {}
  void add(std::string_view piece) {
    if (at_ != begin_) at_ = std::ranges::copy(separator_, at_).out;
    at_ = std::ranges::copy(piece, at_).out;
  }
  [[nodiscard]] std::string_view text() const { return {begin_, static_cast<size_t>(at_ - begin_)}; }

 private:
  char* const begin_;
  char* at_;
  const std::string_view separator_;
};

// The query without the parameter. A null data(): memory is out.
std::string_view query_without(Arena& arena, std::string_view query, std::string_view name) {
  char* const room = arena.allocate_array<char>(query.size() + 1);
  if (room == nullptr) return {};
  Pieces kept(room, "&");
  bool whole = true;
  for_each_piece(query, '&', [&](std::string_view pair) {
    const auto value = pipeline::first_query(arena, pair, name);
    if (!value && value.error() == pipeline::ParameterError::NoMemory) whole = false;
    if (!value && value.error() == pipeline::ParameterError::Missing && !pair.empty()) kept.add(pair);
  });
  return whole ? kept.text() : std::string_view();
}

// A Cookie field without the cookie; empty where it is the only one. A null data(): memory is out.
std::string_view cookies_without(Arena& arena, std::string_view field, std::string_view name) {
  char* const room = arena.allocate_array<char>(2 * field.size() + 1);
  if (room == nullptr) return {};
  Pieces kept(room, "; ");
  for_each_piece(field, ';', [&](std::string_view cookie) {
    if (pipeline::find_cookie(cookie, name).data() == nullptr && !trim(cookie).empty())
      kept.add(trim(cookie));
  });
  return kept.text();
}

}  // namespace

Credentials::Credentials(CredentialPlaces places, std::string_view scheme)
    : places_(std::move(places)), id_(http::find_header(places_.header)), scheme_(scheme) {}

std::string_view Credentials::in_field(const http::Head& head, const http::HeaderSlot& slot) const {
  if (!is_field(head, slot)) return {};
  const std::string_view value = head.view(slot.value);
  if (!by_scheme()) return value;
  if (value.size() < scheme_.size() || !equal_ignoring_case(value.substr(0, scheme_.size()), scheme_))
    return {};
  const std::string_view rest = value.substr(scheme_.size());
  return rest.empty() || is_blank(rest.front()) ? trim(rest) : std::string_view();
}

Credentials::Found Credentials::find(http::Exchange& exchange, std::string_view& text) const {
  const http::Request& request = exchange.request;
  size_t count = 0;
  bool malformed = false, whole = true;
  const auto see = [&](std::string_view found) {
    if (found.data() == nullptr) return;
    text = found;
    ++count;
  };
  for (const http::HeaderSlot& slot : request.head().headers()) {
    see(in_field(request.head(), slot));
    if (!places_.cookie.empty() && slot.id == http::HeaderId::Cookie)
      for_each_piece(request.head().view(slot.value), ';',
                     [&](std::string_view cookie) { see(pipeline::find_cookie(cookie, places_.cookie)); });
  }
  if (!places_.query.empty() && request.head().has_query)
    for_each_piece(request.query(), '&', [&](std::string_view pair) {
      const auto value = pipeline::first_query(exchange.arena(), pair, places_.query);
      if (value) return see(*value);
      malformed |= value.error() == pipeline::ParameterError::BadEscape;
      whole &= value.error() != pipeline::ParameterError::NoMemory;
    });
  if (!whole) return Found::NoMemory;
  if (malformed) return Found::Malformed;
  return count == 0 ? Found::None : count == 1 ? Found::One : Found::Several;
}

bool Credentials::hide(http::Exchange& exchange) const {
  Arena& arena = exchange.arena();
  const http::Request& request = exchange.request;
  const http::Head& head = request.head();
  const bool asks_query = !places_.query.empty() && head.has_query;
  const std::string_view query =
      asks_query ? query_without(arena, request.query(), places_.query) : request.query();
  if (asks_query && query.data() == nullptr) return false;
  const bool in_query = asks_query && query.size() != request.query().size();
  const auto has_cookie = [&](const http::HeaderSlot& slot) {
    if (places_.cookie.empty() || slot.id != http::HeaderId::Cookie) return false;
    bool found = false;
    for_each_piece(head.view(slot.value), ';', [&](std::string_view cookie) {
      found |= pipeline::find_cookie(cookie, places_.cookie).data() != nullptr;
    });
    return found;
  };
  const auto slots = head.headers();
  const auto is_hidden = [&](const http::HeaderSlot& slot) {
    return has_cookie(slot) || in_field(head, slot).data() != nullptr;
  };
  const auto first = std::ranges::find_if(slots, is_hidden);
  if (first == slots.end() && !in_query) return true;
  exchange.request.set_had_credentials();
  size_t more = in_query ? head.target.size : 0;
  if (!places_.cookie.empty())
    for (const http::HeaderSlot& slot : slots)
      if (has_cookie(slot)) more += 2 * slot.value.size;
  http::EditedHead edited(head, arena, 0, more);
  if (!edited.good()) return false;
  for (const http::HeaderSlot& slot : std::span(slots.begin(), first)) edited.keep(slot);
  for (const http::HeaderSlot& slot : std::span(first, slots.end())) {
    if (in_field(head, slot).data() != nullptr) continue;
    if (!has_cookie(slot)) {
      edited.keep(slot);
      continue;
    }
    const std::string_view cookies = cookies_without(arena, head.view(slot.value), places_.cookie);
    if (cookies.data() == nullptr) return false;
    if (!cookies.empty()) edited.keep(slot, cookies);
  }
  if (in_query) edited.set_query(query);
  exchange.request.show_head(edited.done());
  return true;
}

void send_unauthorized(http::Exchange& exchange, std::string_view challenge, std::string_view detail) {
  if (!challenge.empty()) (void)exchange.response.set("WWW-Authenticate", challenge);
  exchange.send_problem(401, detail);
}

}  // namespace leat::middleware
