// Accept: which type of content a client would rather have (RFC 9110, section 12.5.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace leat::http {

class Response;

// How much a client wants `type`, "text/html" without parameters, by the value of its Accept field: from 0, not at all, to 1000.
// The range that fits it best counts, whatever stands before it; ranges with parameters but q are for what has these, and fit
// nothing here. Without a field, a null data() or one without anything in it, 1000. What is malformed fits nothing.
uint32_t acceptance(std::string_view accept, std::string_view type);

// The same of the range that is `type` itself; nothing where none is, whatever wildcards say.
std::optional<uint32_t> named_acceptance(std::string_view accept, std::string_view type);

// Has an answer say that it is another by the request's Accept, unless it does. False: it has no room for that.
[[nodiscard]] bool say_varies_by_accept(Response& response);

// A weight, "0.5", in thousandths (section 12.4.2). Nothing for what is none.
std::optional<uint32_t> read_weight(std::string_view text);

}  // namespace leat::http
