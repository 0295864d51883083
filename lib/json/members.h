// Reading JSON that somebody else wrote, where a few values of it are wanted: an object as its members, an array as its
// elements. A value is left as it stands in the text, for whoever knows what it is to be.
//
// Strict: what is not well-formed is nothing, and neither is an object with a name twice, of which readers take the one or
// the other. Asks the heap for what it returns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat::json {

struct Member {
  std::string name;
  std::string_view value;  // of the text, without white space around it
};

// `most_depth`: of containers in each other, `text` itself the first.
std::optional<std::vector<Member>> read_object(std::string_view text, uint32_t most_depth = 8);
std::optional<std::vector<std::string_view>> read_array(std::string_view text, uint32_t most_depth = 8);

// What a value is: its text, without escapes; nothing where it is no string, or has half of a surrogate pair.
std::optional<std::string> read_string(std::string_view value);
// What stands between the quotes of a well-formed string, without escapes; half of a surrogate pair is U+FFFD.
std::string unescape(std::string_view inside);
// A whole number or a fraction.
std::optional<double> read_number(std::string_view value);

// The value of that name; a view with a null data() where there is none.
std::string_view find_member(const std::vector<Member>& members, std::string_view name);

}  // namespace leat::json
