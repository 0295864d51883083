// What nginx does and Leat does not.
#pragma once

#include <optional>
#include <string_view>

namespace leat::server::migrate {

// Why a directive of this name is not carried over, and what does it: empty where nothing is lost without it. Nothing for one
// that is not known here.
std::optional<std::string_view> nginx_foreign(std::string_view name);

}  // namespace leat::server::migrate
