// Sets of statuses as configurations name them: "404", "5xx" or "500-503".
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

namespace leat::middleware {

using Statuses = std::bitset<1000>;

// Nothing: it is none of those.
std::optional<Statuses> read_statuses(std::string_view text);
// A Row::Check of such a text.
std::string check_status(std::string_view called, std::string_view text);

}  // namespace leat::middleware
