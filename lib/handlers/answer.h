// What a route answers that has no handler: the same to everybody, or where to ask instead.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/handler.h"
#include "pipeline/target.h"

namespace leat::handlers {

// An answer that is always the same.
struct FixedAnswer {
  uint16_t status = 200;
  std::string type;                 // of the body; empty for none
  std::optional<std::string> body;  // without one a status of 400 or more is a problem (RFC 9457)
  std::vector<std::pair<std::string, std::string>> fields;  // that an http::Response takes
};
std::unique_ptr<pipeline::Handler> make_fixed_answer(FixedAnswer answer);

// Sends clients on. A request from which no target can be made, for it names no host, is answered 400.
std::unique_ptr<pipeline::Handler> make_redirect(pipeline::Target target, uint16_t status);

}  // namespace leat::handlers
