#include "middleware/csrf.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "middleware/counters.h"
#include "middleware/csrf_token.h"
#include "middleware/option_error.h"
#include "middleware/origins.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

class Csrf final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> passed, refused;
  };

  Csrf(const CsrfOptions& options, Counters counters)
      : origins_(options.origins), same_site_(options.same_site), counters_(std::move(counters)) {
    if (options.token)
      token_.emplace(CsrfTokenPlaces{
          .cookie = options.token_cookie, .header = options.token_header, .field = options.token_field});
  }

  [[nodiscard]] uint8_t hooks() const override {
    return static_cast<uint8_t>(kRequest | (token_ ? kAnswer | kBody : 0));
  }

  [[nodiscard]] std::vector<pipeline::Need> needs() const override {
    if (!token_) return {};
    return {{.finding = pipeline::kSession, .always = true, .option = "token"}};
  }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    const http::Request& request = exchange.request;
    if (is_safe(request.method())) return pipeline::Verdict::Next;
    if (!passes(request)) return refuse(exchange, "A page of another site asks for a change here.");
    if (!token_) return pass();
    switch (token_->check(exchange)) {
      case CsrfToken::Outcome::Good:
        return pass();
      case CsrfToken::Outcome::InForm:
        if (exchange.states.make<InForm>(this) != nullptr) return pipeline::Verdict::Next;
        http::send_out_of_memory(exchange);
        return pipeline::Verdict::Done;
      case CsrfToken::Outcome::Wrong:
        break;
    }
    return refuse(exchange, kNoToken);
  }

  // Of a form, which came in one piece: its handler does not stream.
  [[nodiscard]] pipeline::Verdict on_body(http::Exchange& exchange, std::string_view& piece,
                                          bool last) override {
    if (!token_ || exchange.states.find<InForm>(this) == nullptr) return pipeline::Verdict::Next;
    return last && token_->check_form(exchange, piece) ? pass() : refuse(exchange, kNoToken);
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    if (token_) token_->give(exchange, body);
    return Wants::Nothing;
  }

 private:
  struct InForm {};
  static constexpr std::string_view kNoToken =
      "The token of the session is missing, or it is not this one's.";

  [[nodiscard]] pipeline::Verdict pass() const {
    count(counters_.passed);
    return pipeline::Verdict::Next;
  }
  [[nodiscard]] pipeline::Verdict refuse(http::Exchange& exchange, std::string_view why) const {
    count(counters_.refused);
    exchange.send_problem(403, why);
    return pipeline::Verdict::Done;
  }
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
  std::optional<CsrfToken> token_;
};

}  // namespace

std::string check_csrf_origin(std::string_view, std::string_view text) { return check_origin(text); }

std::unique_ptr<pipeline::Middleware> create_csrf(const CsrfOptions& options,
                                                  const pipeline::BuildContext& context) {
  const size_t before = context.diagnostics.size();
  const CsrfOptions defaults;
  for (const auto& [option, part] : {std::pair{"token_cookie", &CsrfOptions::token_cookie},
                                     std::pair{"token_header", &CsrfOptions::token_header},
                                     std::pair{"token_field", &CsrfOptions::token_field}})
    if (!options.token && options.*part != defaults.*part)
      fail_option(context, option, fmt::format("`{}` says something of a token: set `token = true`", option));
  if (options.token && options.token_header.empty())
    fail_option(context, "token_header", "`token_header` is empty: scripts send the token in some field");
  if (context.diagnostics.size() != before) return nullptr;
  return std::make_unique<Csrf>(
      options, Csrf::Counters{.passed = declare_counter(kCsrfRequests, context, "passed"),
                              .refused = declare_counter(kCsrfRequests, context, "refused")});
}

}  // namespace leat::middleware
