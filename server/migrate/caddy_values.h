// Words of Caddy and what they are for Leat.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "server/migrate/directive.h"
#include "server/migrate/target.h"

namespace leat::server::migrate {

// What `metrics`, `respond`, `error`, `redir` or `rewrite` answers, as keys of a route. `first`: its first word behind the matcher. An
// error is what is to be said about it.
std::expected<Keys, std::string> caddy_answer(const Directive& directive, size_t first);

std::string lower_case(std::string_view word);

// What `private_ranges` stands for.
inline constexpr std::string_view kPrivateRanges[] = {"192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8",
                                                      "127.0.0.0/8",    "fd00::/8",      "::1"};

// A page of middleware `error_pages`, as a table, of what stands in `handle_errors`: `respond` with a text, or `rewrite` to a
// file below `root` that is there. Nothing of anything else.
std::optional<std::string> caddy_page(const Directive& directive, const std::string& root);

// A text with placeholders, as middleware `headers` writes them.
std::expected<std::string, std::string> caddy_text(std::string_view value);

}  // namespace leat::server::migrate
