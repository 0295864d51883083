// Keys that other servers have, and Leat does not: what to do in their place.
#pragma once

#include <string>
#include <string_view>

namespace leat::config {

// A hint for an unknown key outside of all lists of tables or under [server], one of [[listener]], one of
// [[route]]; empty where the key says nothing.
std::string hint_for_server_key(std::string_view key);
std::string hint_for_listener_key(std::string_view key);
std::string hint_for_route_key(std::string_view key);

}  // namespace leat::config
