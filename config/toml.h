// TOML files as Values.
//
// A file is given away while it is read: each table of a list that is written as [[name]] as soon as nothing
// can be added to it any more. So a file with a great many of them is never in memory as a whole, but for its
// text. Reading goes on after a mistake, at the next line that begins something.
#pragma once

#include <string>

#include "base/value.h"
#include "config/secrets.h"

namespace leat::config {

// Who is told what a file says. Every value has its place and that of its key, and ${...} in texts is
// replaced.
class TomlClient {
 public:
  virtual ~TomlClient() = default;
  // A key of the top level: a table when the file has been read, all else where it stands.
  virtual void on_entry(const std::string& key, Value&& value) = 0;
  // The next table of the list `key` of the top level.
  virtual void on_element(const std::string& key, Value&& table) = 0;
};

// False when the file at `path` could not be read, or not all of it was TOML. That goes to `diagnostics`; what
// could be read was told all the same. `from`: where the file is named, the place of a diagnostic about the
// file itself. What stands for a secret is noted in `secrets`.
bool read_toml(const std::string& path, const Place& from, TomlClient& client, Diagnostics& diagnostics,
               Secrets& secrets);

}  // namespace leat::config
