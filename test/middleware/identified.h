// A kind for tests that comes before Leat's own: it says for whom a request is, by a field of it (X-Client), as the
// connection would by what a trusted proxy says; and what certificate its connection has shown (X-Subject, X-Cn, X-Names,
// X-Sha256), as TLS would, of which each request here has one with X-Subject.
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
    const http::Request& request = exchange.request;
    const std::string_view client = request.header("X-Client"), subject = request.header("X-Subject");
    if (client.empty() && subject.empty()) return pipeline::Verdict::Next;
    auto* const given = exchange.states.make<Given>(this, request.identity());
    if (given == nullptr) return pipeline::Verdict::Next;
    if (!client.empty()) given->identity.client = client;
    if (!subject.empty()) {
      given->certificate = {subject, request.header("X-Cn"), request.header("X-Names"),
                            request.header("X-Sha256")};
      given->tls = {"TLSv1.3", "TLS_AES_128_GCM_SHA256", &given->certificate};
      given->identity.tls = &given->tls;
    }
    exchange.request.set_identity(given->identity);
    return pipeline::Verdict::Next;
  }

 private:
  struct Given {
    explicit Given(const http::ClientIdentity& known) : identity(known) {}
    http::ClientIdentity identity;
    transport::TlsFacts tls;
    transport::PeerCertificate certificate;
  };
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
