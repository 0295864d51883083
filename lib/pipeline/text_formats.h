// What a text may have to be by its type: a UUID, a moment, an address. Each is one look over the text.
#pragma once

#include <string_view>

namespace leat::pipeline {

// 8-4-4-4-12 hexadecimal digits, of any version (RFC 9562, section 4).
bool is_uuid(std::string_view text);

// A date and a time with its offset, "2026-02-28T12:00:00.5+01:00" (RFC 3339, section 5.6). The day must be
// one of its month's; a leap second only at the end of a minute that can have one.
bool is_date_time(std::string_view text);

// What browsers take as an address (WHATWG HTML, "valid e-mail address"), 254 bytes at most (RFC 5321, section
// 4.5.3.1.3): no quotes, comments or addresses in brackets.
bool is_email(std::string_view text);

// An absolute URI: a scheme, ':', and what may stand in one (RFC 3986, appendix A), escapes well formed.
bool is_uri(std::string_view text);

}  // namespace leat::pipeline
