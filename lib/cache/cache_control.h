// Cache-Control: what requests and responses say about being stored (RFC 9111, section 5.2; RFC 5861).
//
// Lenient as a shared cache should be: unknown directives mean nothing, and what is not understood about the
// time a response stays good makes it stale, never fresh.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/list.h"

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

using http::Backslash;
using http::for_each_item;

}  // namespace leat::cache
