// Conditional requests on what is stored (RFC 9110, section 13), and the tags that they compare.
#pragma once

#include <string>
#include <string_view>

#include "base/arena.h"
#include "http/head.h"
#include "http/list.h"

namespace leat::cache {

using http::names_etag;

// Whether a GET with that head is answered 304 by a response with these fields (section 13.2.2).
// If-None-Match is a list, over all its lines; If-Modified-Since is one date or says nothing.
bool is_not_modified(const http::Head& head, std::string_view etag, std::string_view last_modified);

// `head` with If-None-Match and If-Modified-Since that name these, in place of any; empty ones are left out.
// In `arena`; nullptr where that is out.
const http::Head* with_conditions(const http::Head& head, std::string_view etag, std::string_view modified,
                                  Arena& arena);

// A strong entity tag, quotes included, of a body: equal for equal bytes, on every machine.
std::string make_etag(std::string_view body);

}  // namespace leat::cache
