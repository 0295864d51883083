// Options of middleware: what a kind declares, and how an instance reads what it was given.
//
// Each option is one row, from which the reader takes its type and default, and the reference page its text.
// Used at load only.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/value.h"

namespace leat::pipeline {

struct Option {
  enum class Type : uint8_t { Boolean, Text, Choice };
  std::string_view name;
  Type type;
  std::string_view otherwise;  // its default: "true" or "false", a text, one of the choices
  std::string_view sentence;
  std::array<std::string_view, 4> choices{};  // as many as there are
};

class OptionReader {
 public:
  // Reports the options that have no row. All three must outlive the reader.
  OptionReader(const Value& options, std::span<const Option> rows, Diagnostics& diagnostics);

  // The value of the option of that name and type, which has a row; its default where it is absent, or wrong,
  // which is reported.
  bool boolean(std::string_view name);
  std::string_view text(std::string_view name);  // also of a choice
  // Reports an option's value as wrong, with a sentence for it.
  void refuse(std::string_view name, std::string message);

 private:
  [[nodiscard]] const Option& row(std::string_view name) const;

  const Value& options_;
  std::span<const Option> rows_;
  Diagnostics& diagnostics_;
};

}  // namespace leat::pipeline
