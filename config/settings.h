// The settings: one row each, from which the parser, the validator and the reference page are made.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "config/config.h"

namespace leat::config {

// Of Settings, by path: "limits.body".
std::span<const schema::Row> settings();
// The same in groups: "limits", with its rows.
struct SettingGroup {
  std::string_view name;
  std::span<const schema::Row> rows;
};
std::vector<SettingGroup> setting_groups();
// The keys of a route's `cache`, of a cache::Policy; all but `query`.
std::span<const schema::Row> route_cache_settings();
// nullptr when there is no such setting.
const schema::Row* find_setting(std::string_view path);

// What is wrong with an address to listen on, as a schema::Row::Check.
std::string check_address(std::string_view called, std::string_view text);
// The same of a range of addresses.
std::string check_range(std::string_view called, std::string_view text);

// Reads `value` into the setting's member; what is wrong goes to `diagnostics`.
void apply(const schema::Row& setting, const Value& value, Settings& into, Diagnostics& diagnostics);

// What is wrong with `text` as the setting's value on a command line; empty when nothing is.
std::string complaint(const schema::Row& setting, const std::string& text);
// The value that `text` is on a command line: a number where it is one.
Value value_of(const std::string& text, const Place& place);

}  // namespace leat::config
