// Notes: what middleware tells those behind it of a request, by name. In the request's memory.
//
// Private to the plugin host.
#pragma once

#include <string_view>

#include "http/exchange.h"

namespace leat::plugin {

// Copies both. False: memory is out.
[[nodiscard]] bool add_note(http::Exchange& exchange, std::string_view name, std::string_view value);
// The last one of that name; a null data() where there is none.
[[nodiscard]] std::string_view find_note(const http::Exchange& exchange, std::string_view name);
// For a handler that runs on the pool, with an exchange of its own. False: memory is out.
[[nodiscard]] bool copy_notes(const http::Exchange& from, http::Exchange& to);

}  // namespace leat::plugin
