// What plugins ask of their options while they are loaded. A plugin declares an option by asking for it, with the
// type, the range and what it takes where there is none; from what is noted here `leat schema` tells what a
// configuration may say to it.
//
// What a plugin asks for may depend on what it was told before: this is what it asked with one configuration.
//
// Used at load only, by one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"

namespace leat::plugin {

struct AskedOption;

// In the order of asking.
struct AskedTable {
  std::vector<std::unique_ptr<AskedOption>> options;

  // That of this name, which is a new one where it was not asked for before.
  AskedOption& at(std::string_view name);
};

struct AskedOption {
  enum class Shape : uint8_t {
    Unknown,  // it was asked whether it is there, and no more
    One,
    List,    // of what `row` says, if that is not Any
    Table,   // of `below`
    Tables,  // a list of those
  };

  std::string name;
  Shape shape = Shape::Unknown;
  schema::Row row;  // of One, and of each in a List; it has no name
  schema::Content
      fallback;  // of One: what the plugin takes where there is none; nothing where that is none of its values
  AskedTable below;
};

// By the name of an instance, and for its middleware by that of the kind: "guard:key".
using AskedOptions = std::map<std::string, AskedTable, std::less<>>;

inline AskedOption& AskedTable::at(std::string_view name) {
  const auto found = std::ranges::find_if(options, [&](const auto& each) { return each->name == name; });
  if (found != options.end()) return **found;
  options.push_back(std::make_unique<AskedOption>());
  options.back()->name = name;
  return *options.back();
}

}  // namespace leat::plugin
