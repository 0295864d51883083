// Lists: fields whose values are items with commas between (RFC 9110, section 5.6.1), and the entity tags of
// If-None-Match, which is one.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text.h"

namespace leat::http {

// Whether a backslash in quotes hides what follows: it does in strings, not in entity tags (RFC 9110,
// sections 5.6.4 and 8.8.3).
enum class Backslash : uint8_t { Hides, IsPlain };

// Calls `visit(item)` for each item of a list with commas (RFC 9110, section 5.6.1), trimmed; commas in
// quotes separate nothing, and empty items are none. A quote that is never closed is no quote, so that it
// cannot hide what follows. With ';' for the separator these are an item and its parameters (section 5.6.6).
template <class Visit>
void for_each_item(std::string_view list, Visit visit, Backslash backslash = Backslash::Hides,
                   char separator = ',') {
  size_t begin = 0;
  bool quotes = true;  // they are closed, as far as we know
  const auto end_of_quoted = [&](size_t at) {
    while (++at < list.size() && list[at] != '"')
      if (list[at] == '\\' && backslash == Backslash::Hides) ++at;
    return at;
  };
  const auto end_item = [&](size_t end) {
    const std::string_view item = trim(list.substr(begin, end - begin));
    if (!item.empty()) visit(item);
    begin = end + 1;
  };
  for (size_t at = 0; at < list.size(); ++at) {
    if (list[at] == '"' && quotes) {
      const size_t end = end_of_quoted(at);
      quotes = end < list.size();
      if (quotes) at = end;
    } else if (list[at] == separator) {
      end_item(at);
    }
  }
  if (begin < list.size()) end_item(list.size());
}

// Whether an If-None-Match field names `etag` by the weak comparison, which ignores W/ (section 8.8.3.2). "*"
// names whatever there is.
bool names_etag(std::string_view if_none_match, std::string_view etag);

}  // namespace leat::http
