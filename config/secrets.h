// Secrets: what ${file:PATH} and ${credential:NAME} stood for, so that nothing that people are told shows it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/value.h"

namespace leat::config {

// What is shown in its place.
inline constexpr std::string_view kHidden = "(secret)";

class Secrets {
 public:
  // `where`: of the value that it is a part of.
  void add(std::string_view text, const Place& where);
  // Whether the value at `where` has one.
  [[nodiscard]] bool is_at(const Place& where) const;
  // Of mistakes in such values only the kind is left; from all else what equals a secret is taken out.
  void hide(Diagnostics& diagnostics) const;
  // `text` without them.
  [[nodiscard]] std::string hide(std::string text) const;

 private:
  std::vector<std::string> texts_;                                // the longest first
  std::set<std::tuple<std::string, uint32_t, uint32_t>> places_;  // file, line, column
};

}  // namespace leat::config
