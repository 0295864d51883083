#include "handlers/openapi.h"

#include <string>
#include <unordered_map>

#include "handlers/viewer_page.h"
#include "pipeline/openapi.h"
#include "pipeline/route.h"
#include "pipeline/site.h"

namespace leat::handlers {

namespace {

class OpenApi final : public pipeline::Handler {
 public:
  explicit OpenApi(std::string_view version) : version_(version) {}

  void on_built(const pipeline::Site& site) override {
    for (const auto& route : site.routes())
      if (route->handler_name == kName && !json_.contains(route->host))
        json_.emplace(route->host, pipeline::openapi_json(site, *route->host, version_));
  }

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override {
    http::Response& response = exchange.response;
    const bool page = exchange.request.header("accept").contains("text/html");
    const bool good = response.add("Cache-Control", "no-cache") && response.add("Vary", "Accept") &&
                      response.add("X-Content-Type-Options", "nosniff") &&
                      (!page || (response.add("Content-Security-Policy", kViewerPolicy) &&
                                 response.add("Referrer-Policy", "no-referrer")));
    if (!good) return pipeline::Verdict::Error;
    response.content_type = page ? "text/html; charset=utf-8" : "application/json";
    const auto found = json_.find(exchange.route->host);
    if (found == json_.end()) return pipeline::Verdict::Error;
    // The JSON goes with this site, which a client that reads slowly may outlive.
    const bool sent = page ? exchange.send_pinned(kViewerPage, {}) : exchange.send(found->second);
    return sent ? pipeline::Verdict::Done : pipeline::Verdict::Error;
  }
  [[nodiscard]] std::string_view blame() const override { return kName; }

 private:
  static constexpr std::string_view kName = "leat:openapi";

  const std::string_view version_;
  std::unordered_map<const pipeline::Host*, std::string> json_;  // of each host that has it
};

}  // namespace

std::unique_ptr<pipeline::Handler> make_openapi(std::string_view version) {
  return std::make_unique<OpenApi>(version);
}

}  // namespace leat::handlers
