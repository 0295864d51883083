// TOML files as Values. The only user of toml++.
//
// A large file is given to it in parts, each of which is told before the next is read: so toml++'s tree of all of it is
// never there, nor are all of its tables Values at the same time. What is malformed is said and left out, and the rest
// is read.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/value.h"
#include "config/secrets.h"

namespace leat::config {

// Who is told what a file says. Every value has its place and that of its key, and ${...} in texts is replaced. A value
// that could not be read is an empty text at the place of what is wrong.
class TomlClient {
 public:
  virtual ~TomlClient() = default;
  // A key of the top level, once for each.
  virtual void on_entry(const std::string& key, Value&& value) = 0;
  // The next table of the list `key` of the top level, which is written as [[key]].
  virtual void on_element(const std::string& key, Value&& table) = 0;
};

// False when the file at `path` could not be read, or not all of it is TOML. That goes to `diagnostics`; what could be
// read was told all the same, but of a file that is no text. `from`: where the file is named, the place of a diagnostic
// about the file itself. What stands for a secret is noted in `secrets`.
bool read_toml(const std::string& path, const Place& from, TomlClient& client, Diagnostics& diagnostics,
               Secrets& secrets);

// The same of a text. Smaller files than this are not cut; larger parts would take more memory, smaller ones more time.
inline constexpr size_t kTomlPartBytes = size_t{64} << 10;
bool read_toml_text(std::string_view text, const std::shared_ptr<const std::string>& file, TomlClient& client,
                    Diagnostics& diagnostics, Secrets& secrets, size_t part_bytes = kTomlPartBytes);

// Whether `text` is TOML, whatever it says: no ${...} is replaced. What is wrong goes to `diagnostics`.
bool check_toml(std::string_view text, const std::shared_ptr<const std::string>& file,
                Diagnostics& diagnostics);
// What a text says that check_toml() has nothing against, as another text: the same for all that say the same. The order
// of keys does not count.
std::string toml_content(std::string_view text);

}  // namespace leat::config
