// The settings: one row each, from which the parser, the validator and the reference page are made.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "config/config.h"

namespace leat::config {

struct Setting {
  enum class Type : uint8_t { Count, Size, Duration, Boolean, Text, Choice, Texts, Addresses, Workers };
  std::string_view path;  // "limits.body"
  Type type;
  uint64_t least, most;   // Count, Size (bytes), Duration (ms), Workers
  std::string_view choices;  // Choice: words with spaces between
  std::string_view sentence;
  // How the member is reached, by type: numbers (and Boolean, and Choice as the word's index), text, list.
  void (*set_number)(Settings&, uint64_t);
  uint64_t (*get_number)(const Settings&);
  std::string* (*text)(Settings&);
  std::vector<std::string>* (*texts)(Settings&);
};

std::span<const Setting> settings();
// nullptr when there is no such setting.
const Setting* find_setting(std::string_view path);

// Reads `value` into the setting's member; what is wrong goes to `diagnostics`.
void apply(const Setting& setting, const Value& value, Settings& into, Diagnostics& diagnostics);

// The default as it would be written.
std::string default_text(const Setting& setting);
// "time, 1ms to 1d", for the reference.
std::string type_text(const Setting& setting);

}  // namespace leat::config
