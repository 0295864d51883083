#include "pipeline/options.h"

#include <algorithm>
#include <ranges>

#include "base/check.h"
#include "base/suggest.h"
#include "pipeline/codes.h"

namespace leat::pipeline {

OptionReader::OptionReader(const Value& options, std::span<const Option> rows, Diagnostics& diagnostics)
    : options_(options), rows_(rows), diagnostics_(diagnostics) {
  if (options.table() == nullptr) return;
  const auto names = rows | std::views::transform(&Option::name);
  for (const auto& [key, value] : *options.table())
    if (std::ranges::find(names, key) == names.end())
      diagnostics.push_back({.code = kBadOption,
                             .message = "unknown option `" + key + "`",
                             .place = value.key_place,
                             .hint = did_you_mean(key, names)});
}

const Option& OptionReader::row(std::string_view name) const {
  const auto found = std::ranges::find(rows_, name, &Option::name);
  ENSURE(found != rows_.end());
  return *found;
}

bool OptionReader::boolean(std::string_view name) {
  const Option& option = row(name);
  const Value* value = options_.find(name);
  if (value != nullptr && value->boolean() != nullptr) return *value->boolean();
  if (value != nullptr)
    refuse(name, "`" + std::string(name) + "` is true or false, not a " + value->type_name());
  return option.otherwise == "true";
}

std::string_view OptionReader::text(std::string_view name) {
  const Option& option = row(name);
  const Value* value = options_.find(name);
  if (value == nullptr) return option.otherwise;
  const std::string* text = value->string();
  if (text != nullptr &&
      (option.type == Option::Type::Text ||
       (!text->empty() && std::ranges::find(option.choices, *text) != option.choices.end())))
    return *text;
  if (option.type == Option::Type::Text) {
    refuse(name, "`" + std::string(name) + "` is a text, not a " + value->type_name());
  } else {
    std::string list;
    for (const std::string_view choice : option.choices)
      if (!choice.empty()) list += (list.empty() ? "\"" : " or \"") + std::string(choice) + "\"";
    refuse(name, "`" + std::string(name) + "` is " + list);
  }
  return option.otherwise;
}

void OptionReader::refuse(std::string_view name, std::string message) {
  const Value* value = options_.find(name);
  diagnostics_.push_back({.code = kBadOption,
                          .message = std::move(message),
                          .place = value != nullptr ? value->place : options_.place});
}

}  // namespace leat::pipeline
