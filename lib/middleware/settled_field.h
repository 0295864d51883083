// A request's field in as few spellings as there are different answers, so that a cache that tells requests apart by it has no
// more variants than that.
#pragma once

#include <string_view>

#include "http/exchange.h"

namespace leat::middleware {

// Shows a head whose fields of that name, if it has any, are one with the value `text`. False: memory is out, and the request
// is as it was.
[[nodiscard]] bool settle_field(http::Exchange& exchange, http::HeaderId id, std::string_view text);

}  // namespace leat::middleware
