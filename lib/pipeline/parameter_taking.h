// The parameters of one request on their way into its values: what the files that read them have in common.
//
// Private to the rules of parameters.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "pipeline/parameter_rules.h"

namespace leat::pipeline {

// Texts one behind the other; a null data() without memory.
std::string_view joined(Arena& arena, std::initializer_list<std::string_view> parts);

struct ParameterSet::Taking {
  const ParameterSet& set;
  http::Exchange& exchange;
  ParameterValues& values;
  bool memory = true;

  Arena& arena() const { return exchange.arena(); }
  std::span<const uint32_t> numbers(In in) const {
    const auto at = static_cast<size_t>(in);
    return std::span(set.order_).subspan(set.begins_[at], set.ends_[at] - set.begins_[at]);
  }
  [[nodiscard]] Taken outcome() const {
    if (!memory) return Taken::NoMemory;
    return values.violation_count_ == 0 ? Taken::Good : Taken::Wrong;
  }

  // Says that the value, or the one at that place of a list, is wrong.
  void reject(uint32_t number, std::string_view what, uint32_t item = ParameterValues::kNoItem);
  // The same of the whole body, of which no parameter is looked for any more.
  void reject_body(In in, std::string_view what);
  // Of one that is no list the first counts.
  void add(uint32_t number, std::string_view text);
  void append(uint32_t number, ParameterValue* value);

  void take_head();
  void take_body();
  // Whether it has what it must, as often as it may, and each value is what it must be.
  void check(uint32_t number);
  void check_count(uint32_t number);

  // form_parameters.cc: of a multipart form that is there as a whole.
  void take_form();
  // json_parameters.cc
  void take_members();

 private:
  void add_each(uint32_t number, std::string_view text);
  void take_path();
  std::string_view decoded(std::string_view text, bool& malformed);
  void take_pairs(In in, std::string_view text);
  void take_fields();
  void take_urlencoded();
};

}  // namespace leat::pipeline
