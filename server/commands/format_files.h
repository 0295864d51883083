// `leat fmt`: files of a configuration in the form that config/format.h makes.
#pragma once

#include <string>
#include <vector>

namespace leat::server {

struct FilesToFormat {
  std::vector<std::string> files;  // "-" is standard input, which is written to standard output
  bool check = false;              // only say which would change
};

// An exit code: 1 where a file could not be written or, with `check`, would change; 78 where one is no TOML, of which
// all mistakes are told. The other files are formatted all the same.
int format_files(const FilesToFormat& wanted);

}  // namespace leat::server
