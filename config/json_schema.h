// The JSON Schema of a configuration (draft 2020-12), made from the rows that the loader reads by: for
// editors, which complete and check with it, and for programs that write configurations.
//
// It takes whatever the loader takes. It takes more where only the loader can tell: what `${...}` stands for,
// what a plugin or its middleware has for options where it is not among the known ones, the range of a size or time with a unit, names that are
// nowhere declared.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/middleware_kind.h"
#include "plugin/asked_options.h"

namespace leat::config {

// What is known of the plugins of one configuration when they are loaded.
struct KnownPlugins {
  std::vector<std::string_view> names;              // of instances
  std::span<const pipeline::MiddlewareKind> kinds;  // of theirs and Leat's own
  plugin::AskedOptions asked;                       // by them
};

// As `leat schema` prints it.
std::string json_schema(const KnownPlugins& plugins = {});

}  // namespace leat::config
