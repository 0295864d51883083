// HTTP dates, read (RFC 9110, section 5.6.7). Nothing here depends on the locale or on a time zone.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace leat::http {

// Seconds since 1970 of a date in one of the three forms that a recipient has to know:
//
//   Sun, 06 Nov 1994 08:49:37 GMT     what is sent today
//   Sunday, 06-Nov-94 08:49:37 GMT    RFC 850
//   Sun Nov  6 08:49:37 1994          asctime() of C
//
// Names are taken in any case, and UTC for GMT (RFC 9111, section 4.2). The day of the week is not compared
// with the date. A year of two digits is the last one with these that is no more than 50 years after `now_s`,
// the wall clock. Nothing for anything else.
std::optional<int64_t> parse_date(std::string_view text, int64_t now_s);

}  // namespace leat::http
