#include "middleware/api_key.h"

#include <fmt/core.h>

#include <array>
#include <utility>

#include "base/text.h"
#include "middleware/api_keys.h"
#include "middleware/counters.h"
#include "middleware/credential_file.h"
#include "middleware/credentials.h"
#include "middleware/option_error.h"

namespace leat::middleware {

namespace {

class ApiKey final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> accepted, missing, refused;
  };

  ApiKey(const ApiKeyOptions& options, ApiKeys keys, Counters counters)
      : keys_(std::move(keys)),
        credentials_({.header = options.header, .query = options.query, .cookie = options.cookie}, "Bearer"),
        required_(options.required),
        pass_on_(options.pass_on),
        counters_(std::move(counters)) {
    const bool field = !options.header.empty();
    challenge_ = credentials_.by_scheme() ? "Bearer"
                 : field                  ? fmt::format("ApiKey field=\"{}\"", options.header)
                                          : "ApiKey";
    wrong_challenge_ = credentials_.by_scheme() ? "Bearer error=\"invalid_token\"" : challenge_;
    needed_ = fmt::format("This needs a key, in {}{}.",
                          field                    ? "the field " + options.header
                          : !options.query.empty() ? "the parameter " + options.query
                                                   : "the cookie " + options.cookie,
                          credentials_.by_scheme() ? " behind Bearer" : "");
  }

  [[nodiscard]] uint8_t hooks() const override { return kRequest; }
  [[nodiscard]] bool for_clients() const override { return true; }
  [[nodiscard]] uint8_t finds() const override { return pipeline::kUser; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    std::string_view key;
    const Credentials::Found found = credentials_.find(exchange, key);
    bool failed = found == Credentials::Found::NoMemory;
    const std::string* const name = found == Credentials::Found::One ? keys_.find(key, failed) : nullptr;
    const bool hidden = pass_on_ || credentials_.hide(exchange);
    if (failed || !hidden) [[unlikely]] {
      http::send_out_of_memory(exchange);
      return pipeline::Verdict::Done;
    }
    if (name != nullptr) [[likely]] {
      count(counters_.accepted);
      exchange.request.set_user(*name);
      return pipeline::Verdict::Next;
    }
    if (found == Credentials::Found::None) {
      if (!required_) return pipeline::Verdict::Next;
      count(counters_.missing);
      send_unauthorized(exchange, challenge_, needed_);
      return pipeline::Verdict::Done;
    }
    count(counters_.refused);
    send_unauthorized(exchange, wrong_challenge_,
                      found == Credentials::Found::Several ? "The request has more than one key."
                                                           : "This key is not known.");
    return pipeline::Verdict::Done;
  }

 private:
  const ApiKeys keys_;
  const Credentials credentials_;
  const bool required_, pass_on_;
  const Counters counters_;
  std::string challenge_, wrong_challenge_, needed_;
};

}  // namespace

std::string check_key_line(std::string_view called, std::string_view text) {
  const std::string wrong = ApiKeys().add(text);
  return wrong.empty() ? wrong : fmt::format("{} has one that is wrong: {}", called, wrong);
}

std::string check_header_name(std::string_view called, std::string_view text) {
  if (text.empty() || is_token(text)) return {};
  return fmt::format("{} is `{}`, which names no header field", called, text);
}

std::string check_cookie_name(std::string_view called, std::string_view text) {
  if (text.empty() || is_token(text)) return {};
  return fmt::format("{} is `{}`, which names no cookie", called, text);
}

std::unique_ptr<pipeline::Middleware> create_api_key(const ApiKeyOptions& options,
                                                     const pipeline::BuildContext& context) {
  const size_t before = context.diagnostics.size();
  ApiKeys keys;
  for (const std::string& line : options.keys)
    if (!keys.add(line).empty()) return nullptr;  // which was said
  if (context.options.find("file") == nullptr && context.options.find("keys") == nullptr)
    fail_option(context, "keys", "nobody has a key: name a `file` of them, or `keys`");
  if (options.header.empty() && options.query.empty() && options.cookie.empty())
    fail_option(context, "header", "a key is looked for nowhere: name a `header`, a `query` or a `cookie`");
  if (!options.file.empty())
    (void)read_credential_lines(context, "file", options.file,
                                [&](std::string_view line) { return keys.add(line); });
  if (context.diagnostics.size() != before) return nullptr;
  if (std::string wrong = keys.freeze(); !wrong.empty()) {
    fail_option(context, options.file.empty() ? "keys" : "file", std::move(wrong), {},
                pipeline::kCredentials);
    return nullptr;
  }
  return std::make_unique<ApiKey>(
      options, std::move(keys),
      ApiKey::Counters{.accepted = declare_counter(kApiKeyRequests, context, "accepted"),
                       .missing = declare_counter(kApiKeyRequests, context, "missing"),
                       .refused = declare_counter(kApiKeyRequests, context, "refused")});
}

}  // namespace leat::middleware
