// The numbers of what can be wrong with plugins and their options (LT0300 to LT0399); config/ explains them.
#pragma once

#include "base/schema.h"

namespace leat::plugin {

enum Code : int {
  kCannotLoad = 300,     // a LoadError of PluginLibrary::load, given its number by whoever has its place
  kBadOption = 301,      // a value of the wrong type or out of range
  kUnknownOption = 302,  // a key that the plugin never asked for
  kRefused = 303,        // the plugin's own objection to its options
  kNoService = 305,      // a need that is not met, met twice, or part of a circle
  kCannotBind = 304,     // a LoadError of make_handler, likewise
};

// Of what an option's row finds wrong.
inline constexpr schema::Codes kOptionCodes = [] {
  schema::Codes codes = schema::Codes::one(kBadOption);
  codes.unknown = kUnknownOption;
  return codes;
}();

}  // namespace leat::plugin
