#include "pipeline/options.h"

#include <algorithm>

#include "base/suggest.h"
#include "pipeline/codes.h"

namespace leat::pipeline {

const Value* OptionReader::find(std::string_view key) {
  known_.emplace_back(key);
  return options_.find(key);
}

bool OptionReader::boolean(std::string_view key, bool otherwise) {
  const Value* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->boolean() != nullptr) return *value->boolean();
  refuse(key, "`" + std::string(key) + "` is true or false, not a " + value->type_name());
  return otherwise;
}

std::string OptionReader::string(std::string_view key, std::string_view otherwise) {
  const Value* value = find(key);
  if (value == nullptr) return std::string(otherwise);
  if (value->string() != nullptr) return *value->string();
  refuse(key, "`" + std::string(key) + "` is a string, not a " + value->type_name());
  return std::string(otherwise);
}

size_t OptionReader::choice(std::string_view key, std::initializer_list<std::string_view> choices, size_t otherwise) {
  const Value* value = find(key);
  if (value == nullptr) return otherwise;
  const auto* found = choices.end();
  if (value->string() != nullptr) found = std::ranges::find(choices, std::string_view(*value->string()));
  if (found != choices.end()) return static_cast<size_t>(found - choices.begin());
  std::string list;
  for (const std::string_view name : choices) list += (list.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  refuse(key, "`" + std::string(key) + "` is one of " + list);
  return otherwise;
}

void OptionReader::refuse(std::string_view key, std::string message) {
  const Value* value = options_.find(key);
  diagnostics_.push_back({.code = kBadOption, .message = std::move(message), .place = value ? value->place : options_.place});
}

void OptionReader::finish() {
  if (options_.table() == nullptr) return;
  for (const auto& [key, value] : *options_.table()) {
    if (std::ranges::find(known_, key) != known_.end()) continue;
    diagnostics_.push_back({.code = kBadOption,
                            .message = "unknown option `" + key + "`",
                            .place = value.key_place,
                            .hint = did_you_mean(key, known_)});
  }
}

}  // namespace leat::pipeline
