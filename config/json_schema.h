// The JSON Schema of a configuration (draft 2020-12), made from the rows that the loader reads by: for
// editors, which complete and check with it, and for programs that write configurations.
//
// It takes whatever the loader takes. It takes more where only the loader can tell: what `${...}` stands for,
// what a plugin or its middleware has for options, the range of a size or time with a unit, names that are
// nowhere declared.
#pragma once

#include <string>

namespace leat::config {

// As `leat settings --schema` prints it.
std::string json_schema();

}  // namespace leat::config
