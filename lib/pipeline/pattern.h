// Pattern: the path of a route as it is written, taken apart.
//
// It is made of segments: text, "{name}" (one segment that is not empty) or, at the end, "{name...}" (the rest, at least one
// segment) or "{/name...}" (the rest, or nothing: "/docs{/rest...}" is all below /docs and that itself).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace leat::pipeline {

struct Pattern {
  struct Segment {
    enum class Kind : uint8_t { Text, Param, Rest } kind = Kind::Text;
    std::string text;  // as it is compared, or the parameter's name
  };
  std::vector<Segment> segments;
  bool optional_rest = false;  // the last segment may be missing, with its slash

  // The names of its parameters, in order.
  [[nodiscard]] std::vector<std::string> params() const;
  // Whether its last parameter can have slashes.
  [[nodiscard]] bool has_rest() const {
    return !segments.empty() && segments.back().kind == Segment::Kind::Rest;
  }
  // On failure a sentence that says what is wrong.
  static std::expected<Pattern, std::string> parse(std::string_view text);
};

}  // namespace leat::pipeline
