// Value and Diagnostic: configuration as data, for modules that know nothing of TOML.
//
// config/ turns files into Values; a middleware kind or a plugin reads its own options from one and says
// what it does not like as Diagnostics, which carry the place the option came from. Used at load only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace leat {

// A place in a configuration file; line and column count from 1, line 0 is "no place" (a default, or the
// command line).
struct Place {
  std::shared_ptr<const std::string> file;
  uint32_t line = 0;
  uint32_t column = 0;
  uint32_t length = 1;  // characters to underline
};

// One thing that is wrong, in the form users see:
//   error[LT0107]: unknown key `time_out`
//     --> leat.toml:14:3
//   14 |   time_out = "5s"
//      |   ^^^^^^^^ did you mean `timeout`?
struct Diagnostic {
  enum class Severity : uint8_t { Warning, Error };
  Severity severity = Severity::Error;
  int code = 0;  // LTnnnn, listed in config/codes.h
  std::string message;
  Place place;
  std::string hint;  // may be empty
};

using Diagnostics = std::vector<Diagnostic>;

// Whether there is an error among those behind the first `before`; warnings are none.
[[nodiscard]] inline bool any_error_since(const Diagnostics& diagnostics, size_t before) {
  for (size_t i = before; i < diagnostics.size(); ++i)
    if (diagnostics[i].severity == Diagnostic::Severity::Error) return true;
  return false;
}

class Value {
 public:
  using Array = std::vector<Value>;
  using Entry = std::pair<std::string, Value>;
  using Table = std::vector<Entry>;  // in the order of the file

  Value() = default;  // an empty table
  template <class T>
  Value(T data, Place where, Place key_where = {})
      : data_(std::move(data)), place(std::move(where)), key_place(std::move(key_where)) {}

  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&data_); }
  [[nodiscard]] const int64_t* integer() const { return std::get_if<int64_t>(&data_); }
  [[nodiscard]] const double* real() const { return std::get_if<double>(&data_); }
  [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&data_); }
  [[nodiscard]] const Array* array() const { return std::get_if<Array>(&data_); }
  [[nodiscard]] const Table* table() const { return std::get_if<Table>(&data_); }
  [[nodiscard]] const char* type_name() const;

  // The entry of a table, or nullptr.
  [[nodiscard]] const Value* find(std::string_view key) const;
  // Equal in content; places and the order of keys do not count. What "the same configuration" means.
  [[nodiscard]] bool same_as(const Value& other) const;

 private:
  std::variant<Table, bool, int64_t, double, std::string, Array> data_;

 public:
  // Where a text comes from that does not stand in the file: what is shown to people must not tell a secret.
  enum class Origin : uint8_t { File, Environment, Secret } origin = Origin::File;
  Place place;      // of the value
  Place key_place;  // of its key, where it has one
  // Of a text: another stood in the file, with a variable in it. It may be meant for a number, or for true or
  // false, which can be written in no other way then.
  bool expanded = false;
};

}  // namespace leat
