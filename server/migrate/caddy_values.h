// Words of Caddy and what they are for Leat.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "server/migrate/directive.h"
#include "server/migrate/target.h"

namespace leat::server::migrate {

// What `metrics`, `respond`, `redir` or `rewrite` answers, as keys of a route. `first`: its first word behind the matcher. An
// error is what is to be said about it.
std::expected<Keys, std::string> caddy_answer(const Directive& directive, size_t first);

// A text with placeholders, as middleware `headers` writes them.
std::expected<std::string, std::string> caddy_text(std::string_view value);

}  // namespace leat::server::migrate
