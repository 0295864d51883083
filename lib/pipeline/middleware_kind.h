// A kind of middleware: a name in the configuration, the phase in which it runs, and a factory that reads its
// options. Leat's own are listed in middleware/kinds.cc.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/schema.h"
#include "base/value.h"
#include "pipeline/codes.h"
#include "pipeline/handler.h"

namespace leat::pipeline {

// When a middleware runs, relative to those of other phases: forward on the request in this order, in reverse
// on the response.
enum class Phase : uint8_t {
  Observe,   // sees everything as the client does: the access log
  Identify,  // gives the request a name or an origin
  Protect,   // refuses, or marks the answer for the client's protection
  Limit,     // bounds how much is done at once
  Transform  // changes request or answer, next to the handler
};

std::string_view phase_name(Phase phase);

struct MiddlewareKind {
  std::string_view name;
  Phase phase;
  std::string_view sentence;
  std::span<const schema::Row> options;
  // Reads `options`, a table; what it does not like goes to `diagnostics`, and then the result may be null.
  std::unique_ptr<Middleware> (*create)(const Value& options, Diagnostics& diagnostics);
};

// A kind that is made by `Make` from its own options struct, which its rows fill.
template <class Options, std::unique_ptr<Middleware> (*Make)(const Options&), const auto& Rows>
constexpr MiddlewareKind middleware_kind(std::string_view name, Phase phase, std::string_view sentence) {
  return {name, phase, sentence, Rows, [](const Value& options, Diagnostics& diagnostics) {
            return Make(schema::read<Options>(options, Rows, kOptionCodes, diagnostics));
          }};
}

}  // namespace leat::pipeline
