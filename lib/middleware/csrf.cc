#include "middleware/csrf.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "middleware/counters.h"
#include "middleware/origins.h"

namespace leat::middleware {

namespace {

class Csrf final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> passed, refused;
  };

  Csrf(const CsrfOptions& options, Counters counters)
      : origins_(options.origins), same_site_(options.same_site), counters_(std::move(counters)) {}

  [[nodiscard]] uint8_t hooks() const override { return kRequest; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    const http::Request& request = exchange.request;
    if (is_safe(request.method())) return pipeline::Verdict::Next;
    if (passes(request)) {
      count(counters_.passed);
      return pipeline::Verdict::Next;
    }
    count(counters_.refused);
    exchange.send_problem(403, "A page of another site asks for a change here.");
    return pipeline::Verdict::Done;
  }

 private:
  // By definition nothing that its user is to answer for comes of it (RFC 9110, section 9.2.1).
  static bool is_safe(http::Method method) {
    return method == http::Method::Get || method == http::Method::Head || method == http::Method::Options;
  }

  [[nodiscard]] bool passes(const http::Request& request) const {
    // Of a field that is there twice the first is as wrong as the second.
    size_t sites = 0, origins = 0;
    for (const http::HeaderSlot& slot : request.head().headers()) {
      sites += slot.id == http::HeaderId::SecFetchSite ? 1 : 0;
      origins += slot.id == http::HeaderId::Origin ? 1 : 0;
    }
    if (sites > 1 || origins > 1) return false;
    const std::string_view site = request.header(http::HeaderId::SecFetchSite);
    const std::string_view origin = request.header(http::HeaderId::Origin);
    if (origins == 1 && origins_.have(origin)) return true;
    if (sites == 1) return site == "same-origin" || site == "none" || (same_site_ && site == "same-site");
    return origins == 0 || is_own(origin, request);
  }

  // Of the host that is asked, by whichever scheme: what is in front may speak https where this one does not.
  static bool is_own(std::string_view origin, const http::Request& request) {
    const size_t scheme = origin.find("://");
    if (scheme == std::string_view::npos) return false;  // "null", too
    return equal_ignoring_case(origin.substr(scheme + 3), request.host());
  }

  const Origins origins_;
  const bool same_site_;
  const Counters counters_;
};

}  // namespace

std::string check_csrf_origin(std::string_view, std::string_view text) { return check_origin(text); }

std::unique_ptr<pipeline::Middleware> create_csrf(const CsrfOptions& options,
                                                  const pipeline::BuildContext& context) {
  return std::make_unique<Csrf>(
      options, Csrf::Counters{.passed = declare_counter(kCsrfRequests, context, "passed"),
                              .refused = declare_counter(kCsrfRequests, context, "refused")});
}

}  // namespace leat::middleware
