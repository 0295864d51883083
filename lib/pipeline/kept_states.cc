#include "pipeline/kept_states.h"

#include <algorithm>

namespace leat::pipeline {

KeptStates::Entry& KeptStates::find(std::string_view kind, std::string_view name, const Value& options) {
  std::erase_if(entries_, [](const Entry& entry) { return entry.state.expired(); });
  const auto found = std::ranges::find_if(entries_, [&](const Entry& entry) {
    return entry.kind == kind && entry.name == name && (!name.empty() || entry.options.same_as(options));
  });
  if (found != entries_.end()) return *found;
  entries_.push_back({.kind = std::string(kind),
                      .name = std::string(name),
                      .options = options,
                      .type = nullptr,
                      .state = {}});
  return entries_.back();
}

}  // namespace leat::pipeline
