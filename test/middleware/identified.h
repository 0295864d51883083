// A kind for tests that comes before Leat's own: it says for whom a request is, by a field of it (X-Client), as the
// connection would by what a trusted proxy says.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "middleware/kinds.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware::test {

class Identified final : public pipeline::Middleware {
 public:
  [[nodiscard]] uint8_t hooks() const override { return kRequest; }
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    const std::string_view client = exchange.request.header("X-Client");
    if (client.empty()) return pipeline::Verdict::Next;
    auto* const identity = exchange.states.make<http::ClientIdentity>(this, exchange.request.identity());
    if (identity != nullptr) {
      identity->client = client;
      exchange.request.set_identity(*identity);
    }
    return pipeline::Verdict::Next;
  }
};

// Leat's kinds, and "identified".
inline std::span<const pipeline::MiddlewareKind> identified_kinds() {
  static const std::vector<pipeline::MiddlewareKind> all = [] {
    std::vector<pipeline::MiddlewareKind> list(kinds().begin(), kinds().end());
    list.push_back({"identified",
                    pipeline::Phase::Identify,
                    "",
                    {},
                    [](const pipeline::BuildContext&) -> std::unique_ptr<pipeline::Middleware> {
                      return std::make_unique<Identified>();
                    }});
    return list;
  }();
  return all;
}

}  // namespace leat::middleware::test
