// TraceParent: the place of a request in a trace that goes through several programs (W3C Trace Context, level 2).
//
//   00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
//   version  trace                      span             flags
//
// The text is the request's own: its span is who those are told of as their parent that are asked for its sake.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::client {
class FetchWatch;
}  // namespace leat::client

namespace leat::http {

struct TraceParent {
  static constexpr size_t kSize = 55;
  static constexpr uint8_t kSampled = 1;  // whoever began it records it
  static constexpr uint8_t kRandom = 2;   // the trace's identifier is random in its second half

  std::string_view text;                // of that size; empty: the request is in no trace
  std::string_view state;               // tracestate, to be passed on as it came; may be empty
  client::FetchWatch* watch = nullptr;  // who records what is asked for the request's sake; null: nobody
  [[nodiscard]] std::string_view id() const { return text.empty() ? text : text.substr(3, 32); }
  [[nodiscard]] std::string_view span() const { return text.empty() ? text : text.substr(36, 16); }
};

// Whether `text` is a traceparent as the standard has it: of this version, or a later one that begins like it.
constexpr bool is_trace_parent(std::string_view text) {
  // So many digits, in a loop that compilers make vectors of.
  const auto is_hex = [text]<size_t kFrom, size_t kCount>() {
    uint8_t wrong = 0;
    for (size_t i = kFrom; i < kFrom + kCount; ++i) {
      const auto c = static_cast<uint8_t>(text[i]);
      const bool digit = static_cast<uint8_t>(c - '0') < 10, letter = static_cast<uint8_t>(c - 'a') < 6;
      wrong = static_cast<uint8_t>(wrong | (digit || letter ? 0 : 1));
    }
    return wrong == 0;
  };
  const auto is_zero = [](std::string_view digits) {
    return digits.find_first_not_of('0') == std::string_view::npos;
  };
  if (text.size() < TraceParent::kSize || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2);
  const std::string_view trace = text.substr(3, 32);
  const std::string_view span = text.substr(36, 16);
  if (!is_hex.operator()<0, 2>() || version == "ff" || !is_hex.operator()<3, 32>() ||
      !is_hex.operator()<36, 16>() || !is_hex.operator()<53, 2>())
    return false;
  if (text.size() > TraceParent::kSize && (version == "00" || text[TraceParent::kSize] != '-')) return false;
  return !is_zero(trace) && !is_zero(span);
}

}  // namespace leat::http
