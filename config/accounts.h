// Users and groups of the system, as the configuration names them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leat::config {

// The number of a user or group by its name, or that number itself as text; nothing where there is none. May ask
// other machines, as the system is set up: used at load only. Any thread.
std::optional<uint32_t> find_user(std::string_view name);
std::optional<uint32_t> find_group(std::string_view name);

// The same as a schema::Row::Check.
std::string check_user(std::string_view called, std::string_view name);
std::string check_group(std::string_view called, std::string_view name);

}  // namespace leat::config
