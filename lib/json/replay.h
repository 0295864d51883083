// JSON that is a text already, as the events that it would have been written by.
#pragma once

#include <string_view>

#include "json/backend.h"

namespace leat::json {

// `json` is one value (is_json_value()). Whole numbers that are none of 64 bits, and all with a fraction or an exponent, are
// real; those that no double can hold are infinite. Half of a surrogate pair becomes U+FFFD. False: the arena is full.
[[nodiscard]] bool replay(std::string_view json, EventBackend& events);

}  // namespace leat::json
