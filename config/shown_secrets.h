// What of a configuration's text is most likely a secret, so that the lines that are shown with mistakes, and lie in logs, do
// not have it. Which key a text belongs to is found from the beginning of the file on, over lists and texts of several lines,
// tables in braces and whatever is malformed: who looks for a mistake needs the line and not what is secret in it.
//
// Taken for secrets are
//   - what is set under a key, or in a table, whose name says so: `secret`, `keys`, `db_password`. It may be a plugin's.
//   - what stands behind the name of a field that is one: "Authorization: Bearer ..."
//   - the password in a URL
// but no names of keys, no numbers, no booleans, and no "${...}" that only names one.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace leat::config {

// Bytes of a text: from `begin` on, before `end`.
struct TextRange {
  size_t begin = 0, end = 0;
};

// In order, none in another.
std::vector<TextRange> find_secrets(std::string_view text);

}  // namespace leat::config
