// Target: where a redirect or a rewrite leads, made from a text with places for what the request has:
//
//   /new/{id}?from={path}      https://www.{host}/{rest}{query}
//
// In braces stands the name of a parameter of the route's path, or one of `scheme`, `host`, `hostname` (without a port), `path` (as it was sent) and
// `query` (with its question mark, or nothing). Parameters are percent-encoded again, so that nobody makes a query, another
// segment or a line of one; what stands for the rest of a path is as it was sent, so that no escape in it becomes a slash. The text itself says whether the target is on
// another host: no parameter can make it so.
//
// Immutable; read by any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "http/message.h"
#include "pipeline/pattern.h"

namespace leat::pipeline {

class Target {
 public:
  // On failure a sentence that says what is wrong.
  static std::expected<Target, std::string> parse(std::string_view text, const Pattern& pattern);

  // For this request, in `arena`; a view with a null data() where that is full.
  [[nodiscard]] std::string_view make(const http::Request& request, std::span<const std::string_view> params,
                                      Arena& arena) const;
  [[nodiscard]] const std::string& text() const { return text_; }
  // Whether it says nothing for a request that names no host.
  [[nodiscard]] bool needs_host() const {
    return std::ranges::any_of(
        parts_, [](const Part& each) { return each.kind == Kind::Host || each.kind == Kind::HostName; });
  }

 private:
  enum class Kind : uint8_t { Text, Parameter, Rest, Scheme, Host, HostName, Path, Query };
  struct Part {
    Kind kind = Kind::Text;
    uint32_t number = 0;  // of a parameter
    std::string text;
  };

  template <class Visit>
  void for_each(const http::Request& request, std::span<const std::string_view> params, std::string_view rest,
                Visit visit) const;
  [[nodiscard]] std::string_view rest_of(const http::Request& request, Arena& arena) const;

  std::string text_;
  std::vector<Part> parts_;
  bool on_this_host_ = true;
  size_t rest_depth_ = 0;  // slashes of a path up to its rest; 0: the rest is no part of the target
};

// `path` and the query that `request` has, as Location has them for this host, in `arena`; a view with a null data() where that
// is full. What browsers take for a slash is escaped, as is all that no path has.
[[nodiscard]] std::string_view location_of(std::string_view path, const http::Request& request, Arena& arena);

}  // namespace leat::pipeline
