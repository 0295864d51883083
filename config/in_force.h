// What is in force, for people and programs: every setting with its value, and what is declared. What comes from a secret
// (`${file:}`, `${credential:}`) is not told, nor, in options of plugins and middleware, what comes from the environment,
// where passwords are kept as well.
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"

namespace leat::config {

// A text in quotes, as JSON and TOML have it.
[[nodiscard]] std::string json_text(std::string_view text);

// Whether a part of it comes from a secret.
[[nodiscard]] bool holds_secret(const Value& value);

// As tables of TOML, or as the members of an object in JSON without its braces.
[[nodiscard]] std::string settings_in_force(const Settings& settings, bool json);
// The same of [[listener]], [[plugin]] and [[middleware]] with their options, and of each [[route]] that has any: in JSON
// these are "route_options". All routes are told of by their site.
[[nodiscard]] std::string declared_in_force(const Config& config, bool json);

}  // namespace leat::config
