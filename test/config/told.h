// What read_toml_text() tells of a text, for tests that compare it: whole and in parts.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/toml.h"

namespace leat::test {

// Short, for tests: texts as <text>.
inline std::string written(const Value& value) {
  std::string out;
  if (const auto* table = value.table()) {
    for (const auto& [key, entry] : *table) out += (out.empty() ? "" : " ") + key + ":" + written(entry);
    return "{" + out + "}";
  }
  if (const auto* list = value.array()) {
    for (const Value& each : *list) out += (out.empty() ? "" : " ") + written(each);
    return "[" + out + "]";
  }
  if (value.string() != nullptr) return "<" + *value.string() + ">";
  if (value.integer() != nullptr) return std::to_string(*value.integer());
  if (value.real() != nullptr) return fmt::format("{}f", *value.real());
  return *value.boolean() ? "true" : "false";
}

// What a text says, in the order in which it is told; a table of a list as "key+".
struct Told final : config::TomlClient {
  explicit Told(std::string_view text, size_t part_bytes = config::kTomlPartBytes) {
    whole = config::read_toml_text(text, std::make_shared<const std::string>("x.toml"), *this, diagnostics,
                                   secrets, part_bytes);
    for (const Diagnostic& each : diagnostics)
      complaints += fmt::format("{}{}:{}:{}", complaints.empty() ? "" : " ", each.code, each.place.line,
                                each.place.column);
  }
  void on_entry(const std::string& key, Value&& value) override { tell(key, std::move(value)); }
  void on_element(const std::string& key, Value&& table) override { tell(key + "+", std::move(table)); }
  void tell(const std::string& key, Value&& value) {
    said += (said.empty() ? "" : " ") + key + "=" + written(value);
    values.push_back(std::move(value));
  }
  // It is not read to its end, for all that is malformed.
  [[nodiscard]] bool given_up() const {
    return std::ranges::any_of(diagnostics, [](const Diagnostic& each) {
      return each.message.contains("the rest of the file is not read");
    });
  }

  bool whole = false;
  std::string said;
  std::vector<Value> values;
  std::string complaints;  // "CODE:LINE:COLUMN"
  Diagnostics diagnostics;
  config::Secrets secrets;
};

// All that is told, to the last place. Of what is given up nobody is to know how far it was read.
inline std::string all_of(const Told& told) {
  if (told.given_up()) return "given up";
  std::string out = told.said + "\n";
  const auto put = [&](const auto& self, const Value& value) -> void {
    out += fmt::format("{}:{}+{} {}:{}+{} {}\n", value.place.line, value.place.column, value.place.length,
                       value.key_place.line, value.key_place.column, value.key_place.length, value.expanded);
    if (value.array() != nullptr)
      for (const Value& each : *value.array()) self(self, each);
    if (value.table() != nullptr)
      for (const auto& [key, each] : *value.table()) self(self, each);
  };
  for (const Value& each : told.values) put(put, each);
  std::vector<std::string> said;
  for (const Diagnostic& each : told.diagnostics)
    said.push_back(fmt::format("{} {}:{}+{} {} {}\n", each.code, each.place.line, each.place.column,
                               each.place.length, each.message, each.hint));
  // The loader sorts them.
  std::ranges::sort(said);
  for (const std::string& each : said) out += each;
  return out + (told.whole ? "whole" : "not whole");
}

}  // namespace leat::test
