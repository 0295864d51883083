// Parameters: what a client says in the query and in cookies, as texts and as typed values.
//
// Views point into the request or, where something had to be decoded, into the arena given; nothing here
// allocates anything else. Decoding is that of application/x-www-form-urlencoded (WHATWG URL, section 5.1):
// '&' between pairs, '+' for a space, percent escapes.
//
// One name is looked up by a scan, without a table: first_query() says why there is no value, find_query()
// only that there is none. parse_query() takes a whole query apart. Conversions chain behind any of them:
//   const auto limit = first_query(arena, query, "limit").and_then(to_integer);
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "http/message.h"

namespace leat::pipeline {

enum class ParameterError : uint8_t {
  Missing,     // no such name, or a view with a null data() to convert
  BadEscape,   // a '%' without two hex digits behind it
  TooMany,     // more pairs than the caller takes
  NoMemory,    // the arena is full
  NotANumber,  // not a number of the wanted kind, or something behind it
  OutOfRange,  // a number, but not one the type can hold
  NotABoolean
};
// What is wrong, to follow "the parameter `x` ": "must be a number".
std::string_view error_text(ParameterError error);

// The first value of that name, decoded: in the query where nothing had to be, else in the arena. A name
// without '=' has an empty value. Missing, BadEscape (in that value; other pairs are not judged) or NoMemory.
// A name with a broken escape is no name.
std::expected<std::string_view, ParameterError> first_query(Arena& arena, std::string_view query,
                                                            std::string_view name);
// The same; a view with a null data() whatever the error.
std::string_view find_query(Arena& arena, std::string_view query, std::string_view name);

struct Pair {
  std::string_view name;
  std::string_view value;
};

// A query taken apart, in its order. As long as the arena and the request.
class Query {
 public:
  Query() = default;
  explicit Query(std::span<const Pair> pairs) : pairs_(pairs) {}

  [[nodiscard]] std::span<const Pair> pairs() const { return pairs_; }
  // The first value of that name; a view with a null data() when there is none.
  [[nodiscard]] std::string_view first(std::string_view name) const;
  // Calls `visit(value)` for each value of that name, in order.
  template <class Visit>
  void each(std::string_view name, Visit&& visit) const {
    for (const Pair& pair : pairs_)
      if (pair.name == name) visit(pair.value);
  }

 private:
  std::span<const Pair> pairs_;
};

// The whole query without its '?'. More than `most` pairs are refused: a handler that looks at each of them
// must not be made to look at thousands.
inline constexpr size_t kMostQueryPairs = 256;
std::expected<Query, ParameterError> parse_query(Arena& arena, std::string_view query,
                                                 size_t most = kMostQueryPairs);

// The value of the first cookie of that name in a Cookie field (RFC 6265, section 4.2.1), without the quotes
// around it; nothing is decoded. A view with a null data() when there is none.
std::string_view find_cookie(std::string_view field, std::string_view name);
// The same in all Cookie fields of a request. A client sends one; a proxy may have made several of it (RFC
// 9113, section 8.2.3), which are one all the same.
std::string_view find_cookie(const http::Request& request, std::string_view name);

// The whole text as a value. Numbers are decimal and without a plus sign; reals are finite; booleans are
// true, false, 1, 0, yes, no, on and off in any case.
std::expected<int64_t, ParameterError> to_integer(std::string_view text);
std::expected<uint64_t, ParameterError> to_unsigned_integer(std::string_view text);
std::expected<double, ParameterError> to_real(std::string_view text);
std::expected<bool, ParameterError> to_boolean(std::string_view text);

}  // namespace leat::pipeline
