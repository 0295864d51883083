#include "middleware/cors.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "middleware/fields.h"
#include "middleware/option_error.h"
#include "middleware/origins.h"
#include "middleware/room.h"
#include "pipeline/codes.h"
#include "pipeline/preflight.h"

namespace leat::middleware {

namespace {

constexpr std::string_view kAny = "*";
constexpr std::string_view kNull = "null";
// Of all that a preflight is told from lists, in bytes: a quarter of what the head of an answer may have.
constexpr size_t kMostLists = size_t{4} * 1024;

constexpr std::string_view kAllowOrigin = "Access-Control-Allow-Origin";
constexpr std::string_view kAllowCredentials = "Access-Control-Allow-Credentials";
constexpr std::string_view kExposeHeaders = "Access-Control-Expose-Headers";
constexpr std::string_view kAllowMethods = "Access-Control-Allow-Methods";
constexpr std::string_view kAllowHeaders = "Access-Control-Allow-Headers";
constexpr std::string_view kAskedMethod = "Access-Control-Request-Method";
constexpr std::string_view kAskedHeaders = "Access-Control-Request-Headers";
constexpr std::string_view kAskedPrivate = "Access-Control-Request-Private-Network";

bool is_any(const std::vector<std::string>& list) { return list.size() == 1 && list[0] == kAny; }

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& each : list) text += (text.empty() ? "" : ", ") + each;
  return text;
}

// Whether a list of tokens, a field's value, has `name`, or "*".
bool lists(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view item = trim(list.substr(0, comma));
    if (item == kAny || equal_ignoring_case(item, name)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// Tokens with commas between, as names of header fields are asked about.
bool is_token_list(std::string_view list) {
  for (bool more = true; more;) {
    const size_t comma = list.find(',');
    more = comma != std::string_view::npos;
    if (!is_token(trim(list.substr(0, comma)))) return false;
    list.remove_prefix(more ? comma + 1 : list.size());
  }
  return true;
}

// A field as it is sent, with CR LF.
struct Line {
  std::string text;
  size_t name = 0;
  Line() = default;
  Line(std::string_view name_, std::string_view value)
      : text(fmt::format("{}: {}\r\n", name_, value)), name(name_.size()) {}
  [[nodiscard]] bool empty() const { return text.empty(); }
  void add_to(http::Response& response) const {
    if (!empty()) (void)response.add_ready(text, name);
  }
};

class Cors final : public pipeline::Middleware {
 public:
  explicit Cors(const CorsOptions& options)
      : origins_(options.origins),
        any_origin_(is_any(options.origins)),
        any_method_(is_any(options.methods)),
        any_header_(is_any(options.headers)),
        private_network_(options.private_network),
        mirrored_(options.mirrored) {
    if (options.credentials) credentials_ = {kAllowCredentials, "true"};
    if (!options.expose.empty()) expose_ = {kExposeHeaders, joined(options.expose)};
    if (!any_method_ && !options.methods.empty()) methods_ = {kAllowMethods, joined(options.methods)};
    if (!any_header_ && !options.headers.empty()) headers_ = {kAllowHeaders, joined(options.headers)};
    max_age_ = {"Access-Control-Max-Age", std::to_string(options.max_age_ms / 1000)};
    std::string varies(any_origin_ ? "" : "Origin");
    const auto vary_by = [&](std::string_view name) {
      varies.append(varies.empty() ? "" : ", ").append(name);
    };
    if (any_method_) vary_by(kAskedMethod);
    if (any_header_) vary_by(kAskedHeaders);
    if (private_network_) vary_by(kAskedPrivate);
    if (!varies.empty()) preflight_vary_ = {"Vary", varies};
  }

  [[nodiscard]] uint8_t hooks() const override { return kRequest | kAnswer | kPreflight; }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    const http::Request& request = exchange.request;
    const std::string_view origin = request.header(http::HeaderId::Origin);
    if (origin.data() == nullptr) return "no page of another origin asks";
    const bool allowed = any_origin_ || allowed_origin(request).data() != nullptr;
    const bool preflight = pipeline::preflight_method(request).data() != nullptr;
    return fmt::format("{}{} {} read answers", preflight ? "answers the preflight request: it " : "",
                       allowed ? "lets" : "does not let", origin);
  }
  // Every preflight ends here.
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (exchange.request.method() != http::Method::Options) [[likely]]
      return pipeline::Verdict::Next;
    const std::string_view method = pipeline::preflight_method(exchange.request);
    if (method.data() == nullptr) return pipeline::Verdict::Next;
    preflight_vary_.add_to(exchange.response);
    const std::string_view refusal = answer_preflight(exchange, method);
    if (refusal.empty()) {
      exchange.response.status = 204;
      exchange.send({});
    } else {
      exchange.send_problem(403, refusal);
    }
    return pipeline::Verdict::Done;
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    http::Response& response = exchange.response;
    take_foreign(response);
    const bool preflight = pipeline::preflight_method(exchange.request).data() != nullptr;
    const bool expose = !preflight && !expose_.empty();
    if (any_origin_) {
      make_room(exchange, body, expose ? 2 : 1, "cors");
      kAllowAny.add_to(response);
      if (expose) expose_.add_to(response);
      return Wants::Nothing;
    }
    const std::string_view origin = allowed_origin(exchange.request);
    const bool allowed = origin.data() != nullptr;
    make_room(exchange, body, allowed ? 4 : 1, "cors");
    if (!says_vary(response)) kVary.add_to(response);
    if (!allowed) return Wants::Nothing;
    (void)response.add_checked(kAllowOrigin, origin);
    credentials_.add_to(response);
    if (expose) expose_.add_to(response);
    return Wants::Nothing;
  }

 private:
  static inline const Line kVary{"Vary", "Origin"};
  static inline const Line kAllowAny{kAllowOrigin, kAny};

  // Where not all are: the origin of the request, if that is let in; else null data().
  [[nodiscard]] std::string_view allowed_origin(const http::Request& request) const {
    const std::string_view origin = only_field(request, http::HeaderId::Origin);
    return origin.data() != nullptr && origins_.have(origin) ? origin : std::string_view();
  }

  // The fields that only a preflight has. Why it is refused instead; empty: it is not.
  std::string_view answer_preflight(http::Exchange& exchange, std::string_view method) {
    const http::Request& request = exchange.request;
    http::Response& response = exchange.response;
    if (!any_origin_ && allowed_origin(request).data() == nullptr)
      return "Pages of this origin may not ask here.";
    const std::string_view asked = only_field(request, http::HeaderId::AccessControlRequestHeaders);
    if (any_method_ && (!is_token(method) || method.size() > mirrored_))
      return "Access-Control-Request-Method has to be one method.";
    if (any_header_ && !asked.empty() && (asked.size() > mirrored_ || !is_token_list(asked)))
      return "Access-Control-Request-Headers is malformed, or longer than is taken here.";
    if (any_method_)
      (void)response.add(kAllowMethods, method);
    else
      methods_.add_to(response);
    if (!any_header_)
      headers_.add_to(response);
    else if (!asked.empty())
      (void)response.add(kAllowHeaders, asked);
    max_age_.add_to(response);
    if (private_network_ && request.header(kAskedPrivate) == "true")
      (void)response.add("Access-Control-Allow-Private-Network", "true");
    return {};
  }

  // Takes away what somebody else has said of origins.
  static void take_foreign(http::Response& response) {
    for (const std::string_view name : {kAllowOrigin, kAllowCredentials, kExposeHeaders}) {
      const bool there = std::ranges::any_of(response.fields(), [&](const http::Response::Field& field) {
        return field.name.size() == name.size() && equal_ignoring_case(field.name, name);
      });
      if (there) [[unlikely]]
        response.remove(name);
    }
  }

  static bool says_vary(const http::Response& response) {
    return std::ranges::any_of(response.fields(), [](const http::Response::Field& field) {
      return field.name.size() == 4 && equal_ignoring_case(field.name, "Vary") &&
             lists(field.value, "Origin");
    });
  }

  const Origins origins_;
  const bool any_origin_;
  const bool any_method_, any_header_, private_network_;
  const size_t mirrored_;
  // Empty where there is none.
  Line credentials_, expose_, methods_, headers_, max_age_, preflight_vary_;
};

// Made of options that are right one by one.
class CorsMaker {
 public:
  CorsMaker(const CorsOptions& options, const pipeline::BuildContext& context)
      : options_(options), context_(context) {}

  std::unique_ptr<pipeline::Middleware> make() {
    const bool any = std::ranges::contains(options_.origins, kAny);
    const Value* const origins = context_.options.find("origins");
    if (origins != nullptr && origins->array() != nullptr && origins->array()->empty())
      fail("origins", "`origins` has to name some: nobody would be let in");
    for (const auto& [name, list] : {std::pair{"origins", &options_.origins},
                                     {"methods", &options_.methods},
                                     {"headers", &options_.headers},
                                     {"expose", &options_.expose}})
      if (list->size() > 1 && std::ranges::contains(*list, kAny))
        fail(name, fmt::format("`*` in `{}` means all: it stands alone", name));
    if (options_.credentials && any)
      fail("credentials", "`credentials` and the origin `*` do not go together",
           "any page could act for whoever looks at it: name the origins");
    if (options_.credentials && std::ranges::contains(options_.origins, kNull))
      fail("credentials", "`credentials` and the origin `null` do not go together",
           "any page can have the origin null, in a sandbox");
    if (options_.credentials && std::ranges::contains(options_.expose, kAny))
      fail("expose", "with `credentials` browsers take `*` for the name of a field: name the fields");
    if (joined(options_.methods).size() + joined(options_.headers).size() + joined(options_.expose).size() >
        kMostLists)
      fail("headers",
           fmt::format("`methods`, `headers` and `expose` have {} bytes together at most", kMostLists));
    if (!good_) return nullptr;
    return std::make_unique<Cors>(options_);
  }

 private:
  void fail(std::string_view option, std::string message, std::string hint = {}) {
    fail_option(context_, option, std::move(message), std::move(hint));
    good_ = false;
  }

  const CorsOptions& options_;
  const pipeline::BuildContext& context_;
  bool good_ = true;
};

}  // namespace

std::string check_cors_origin(std::string_view, std::string_view text) {
  return text == kAny || text == kNull ? std::string() : check_origin(text);
}

std::string check_cors_method(std::string_view, std::string_view text) {
  if (text == kAny) return {};
  if (!is_token(text)) return fmt::format("`{}` is no method", text);
  std::string upper(text);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (upper != text && http::find_method(upper))
    return fmt::format("methods are compared letter by letter: `{}` is not `{}`", text, upper);
  for (const std::string_view never : {"CONNECT", "TRACE", "TRACK"})
    if (upper == never) return fmt::format("no page can use `{}`", text);
  return {};
}

std::string check_cors_header(std::string_view, std::string_view text) {
  return is_token(text) ? std::string() : fmt::format("`{}` names no header field", text);
}

std::unique_ptr<pipeline::Middleware> create_cors(const CorsOptions& options,
                                                  const pipeline::BuildContext& context) {
  return CorsMaker(options, context).make();
}

}  // namespace leat::middleware
