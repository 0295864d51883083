// Conditional requests on what is stored (RFC 9110, section 13), and the dates and tags that they compare.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "http/head.h"

namespace leat::cache {

// Seconds since 1970 of an IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT"; nothing for anything else, the
// obsolete forms included.
std::optional<int64_t> parse_date(std::string_view text);

// Whether an If-None-Match field names `etag` by the weak comparison, which ignores W/ (section 8.8.3.2). "*"
// names whatever there is.
bool names_etag(std::string_view if_none_match, std::string_view etag);

// Whether a GET with these two fields, null where it has none, is answered 304 by a response with those
// (section 13.2.2).
bool is_not_modified(std::string_view if_none_match, std::string_view if_modified_since,
                     std::string_view etag, std::string_view last_modified);

// `head` with If-None-Match and If-Modified-Since that name these, in place of any; empty ones are left out.
// In `arena`; nullptr where that is out.
const http::Head* with_conditions(const http::Head& head, std::string_view etag, std::string_view modified,
                                  Arena& arena);

// A strong entity tag, quotes included, of a body: equal for equal bytes, on every machine.
std::string make_etag(std::string_view body);

}  // namespace leat::cache
