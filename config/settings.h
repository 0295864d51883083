// The settings: one row each, from which the parser, the validator and the reference page are made.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace leat::config {

struct Setting {
  enum class Type : uint8_t { Count, Size, Duration, Mode, Boolean, Text, Choice, Texts, Addresses, Workers };
  std::string_view path;  // "limits.body"
  Type type;
  // Of Count, Size (bytes), Duration (ms), Mode and Workers; `most` also of the characters of a Text.
  uint64_t least = 0;
  uint64_t most = 0;
  std::string_view choices;  // Choice: words with spaces between
  std::string_view sentence;
  // How the member is reached, by type: numbers (and Boolean, and Choice as the word's index), text, list.
  void (*set_number)(Settings&, uint64_t) = nullptr;
  uint64_t (*get_number)(Settings&) = nullptr;
  std::string& (*text)(Settings&) = nullptr;
  std::vector<std::string>& (*texts)(Settings&) = nullptr;
};

std::span<const Setting> settings();
// The keys of a route's `cache`, as settings of Settings::route_cache; all but `query`.
std::span<const Setting> route_cache_settings();
// nullptr when there is no such setting.
const Setting* find_setting(std::string_view path);

// Reads `value` into the setting's member; what is wrong goes to `diagnostics`.
void apply(const Setting& setting, const Value& value, Settings& into, Diagnostics& diagnostics);

// What is wrong with `text` as the setting's value on a command line; empty when nothing is.
std::string complaint(const Setting& setting, const std::string& text);
// The value that `text` is on a command line: a number where it is one.
Value value_of(const std::string& text, const Place& place);

// The words of a Choice, alone and as "a", "b".
std::vector<std::string_view> words(std::string_view choices);
std::string quoted_words(std::string_view choices);
// "1ms to 1d"
std::string range_text(const Setting& setting);
// The default as it would be written.
std::string default_text(const Setting& setting);
// "time, 1ms to 1d", for the reference.
std::string type_text(const Setting& setting);

}  // namespace leat::config
