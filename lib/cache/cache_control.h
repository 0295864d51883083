// Cache-Control: what requests and responses say about being stored (RFC 9111, section 5.2; RFC 5861).
//
// Lenient as a shared cache should be: unknown directives mean nothing, and what is not understood about the
// time a response stays good makes it stale, never fresh.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace leat::cache {

// Times are seconds, at most kMostSeconds, which stands for anything longer (RFC 9111, section 1.2.2).
inline constexpr uint32_t kMostSeconds = 0x8000'0000;

// Such a time, or nothing: it is a number of digits, and nothing else.
std::optional<uint32_t> delta_seconds(std::string_view text);

struct ResponseControl {
  bool no_store = false;
  bool no_cache = false;    // also one that is for some fields only
  bool is_private = false;  // likewise
  bool is_public = false;
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool must_understand = false;
  std::optional<uint32_t> max_age, s_maxage, stale_while_revalidate, stale_if_error;

  // Never to be sent stale: s-maxage says it to a shared cache as well (RFC 9111, section 5.2.2.10).
  [[nodiscard]] bool never_stale() const { return must_revalidate || proxy_revalidate || s_maxage; }
  // May be sent to others than the one with whose credentials it was asked for (section 3.5).
  [[nodiscard]] bool for_authorized() const { return is_public || must_revalidate || s_maxage; }

  // Adds what one Cache-Control field says; of two that contradict each other the stricter counts.
  void add(std::string_view field);
};

struct RequestControl {
  bool no_store = false;
  bool no_cache = false;
  bool only_if_cached = false;
  std::optional<uint32_t> max_age, min_fresh, max_stale;  // max_stale without a time: kMostSeconds

  void add(std::string_view field);
};

// Whether a backslash in quotes hides what follows: it does in strings, not in entity tags (RFC 9110,
// sections 5.6.4 and 8.8.3).
enum class Backslash : uint8_t { Hides, IsPlain };

// Calls `visit(item)` for each item of a list with commas (RFC 9110, section 5.6.1), trimmed; commas in
// quotes separate nothing, and empty items are none. A quote that is never closed is no quote, so that it
// cannot hide what follows.
template <class Visit>
void for_each_item(std::string_view list, Visit visit, Backslash backslash = Backslash::Hides) {
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
    } else if (list[at] == ',') {
      end_item(at);
    }
  }
  if (begin < list.size()) end_item(list.size());
}

}  // namespace leat::cache
