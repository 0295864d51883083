// Patterns that plugins match texts with (leat.parameters/1), made when they are loaded.
//
// Private to the plugin host.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "pipeline/text_pattern.h"
#include "plugin/sdk/plugin.h"

struct leat_pattern {
  leat::pipeline::TextPattern text;
};

namespace leat::plugin {

// By their text.
using Patterns = std::map<std::string, leat_pattern, std::less<>>;

}  // namespace leat::plugin
