// The fields that a line of the access log can have, one row each. The reader of `fields` and of templates, the writer
// of lines and the page about logs are made from them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "http/exchange.h"
#include "http/refused_head.h"

namespace leat::middleware {

// What is known of a request when its line is written.
struct AccessFacts {
  const http::Exchange& exchange;
  const http::Head& head;            // as it was read
  const http::RefusedHead* refused;  // null for one that was understood
  uint64_t ended_ns;                 // CLOCK_MONOTONIC
};

struct AccessField {
  // What it depends on, by which parts of lines are kept for the next one.
  enum class Scope : uint8_t {
    Request,  // this request alone
    Head,     // the bytes of its head
    Outcome   // its route, its status, what the cache did and why it was cut: few ways in which requests end
  };
  enum class Kind : uint8_t {
    Moment,  // when the line is written: "2026-11-29T10:00:00.123Z"
    Clock,   // the same as web servers write it: "29/Nov/2026:10:00:00 +0000"
    Text,    // escaped
    Word,    // a text of ours, or one that was found to have nothing to escape
    Number,
    Boolean
  };
  static constexpr size_t kMostWord = 128;

  std::string_view name;
  Scope scope;
  Kind kind;
  std::string_view sentence;
  // By kind. A text that is empty is left out of objects, and is "-" in lines.
  std::string_view (*text)(const AccessFacts& facts) = nullptr;
  uint64_t (*number)(const AccessFacts& facts) = nullptr;
  bool timed = false;    // it wants Exchange::handler_ns and answer_ns
  bool queried = false;  // it may have a query, of which parameters are to be hidden
};

std::span<const AccessField> access_fields();
// Null: there is none of this name.
const AccessField* find_access_field(std::string_view name);
// The first field of that name of a head; a null data() where there is none.
std::string_view header_of(const http::Head& head, std::string_view name);

}  // namespace leat::middleware
