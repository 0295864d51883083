// Conditional requests on what is stored (RFC 9110, section 13), and the dates and tags that they compare.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leat::cache {

// Seconds since 1970 of an IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT"; nothing for anything else, the
// obsolete forms included.
std::optional<int64_t> parse_date(std::string_view text);

// Whether an If-None-Match field names `etag` by the weak comparison, which ignores W/ (section 8.8.3.2). "*"
// names whatever there is.
bool names_etag(std::string_view if_none_match, std::string_view etag);

// A strong entity tag, quotes included, of a body: equal for equal bytes, on every machine.
std::string make_etag(std::string_view body);

}  // namespace leat::cache
