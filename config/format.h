// The text of a configuration in the form that all are written in, as `leat fmt` writes it.
//
// It is made from the text and not from what a parser has read: comments, the order of all that is said, and the text
// of every value stay as they are. What changes is the space between them:
//  - a key, its value and a comment stand on a line of their own, not indented, with one space around `=` and two
//    before the comment; nothing is aligned;
//  - a blank line stands before each header, or before the comment right above it, but for that of a table in the table
//    before; elsewhere stands at most one, and none where a file or a table begins;
//  - a list is written on one line, or, where it is too long for that, has a comment in it, or was begun with a line
//    break, one element a line with a comma behind each;
//  - lines end with a line feed, but in texts of several lines, which are values.
//
// What is formatted once more stays as it is.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace leat::config {

// A list that ends beyond this column is written over several lines.
inline constexpr size_t kWidestList = 100;

// Nothing where `text` is no TOML; that all of it is, check_toml() (toml.h) tells, which is to be asked before.
std::optional<std::string> format_toml(std::string_view text);

}  // namespace leat::config
