#include "middleware/jwt.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/worker_context.h"
#include "middleware/counters.h"
#include "middleware/credentials.h"
#include "middleware/option_error.h"
#include "middleware/recent_tokens.h"
#include "middleware/token.h"

namespace leat::middleware {

namespace {

class Jwt final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> accepted, remembered, missing, refused;
  };

  Jwt(const JwtOptions& options, TokenKeys keys, TokenRules rules, uint32_t workers, Counters counters)
      : credentials_({.header = "Authorization", .query = {}, .cookie = options.cookie}, "Bearer"),
        keys_(std::move(keys)),
        rules_(std::move(rules)),
        required_(options.required),
        pass_on_(options.pass_on),
        size_(options.size),
        counters_(std::move(counters)) {
    for (uint32_t i = 0; i < workers; ++i) workers_.emplace_back(RecentTokens(options.remembered));
  }

  [[nodiscard]] uint8_t hooks() const override { return kRequest; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (exchange.internal()) return pipeline::Verdict::Next;
    std::string_view token;
    const Credentials::Found found = credentials_.find(exchange, token);
    if (!pass_on_ && !credentials_.hide(exchange)) return out_of_memory(exchange);
    if (found == Credentials::Found::None) {
      if (!required_) return pipeline::Verdict::Next;
      count(counters_.missing);
      send_unauthorized(exchange, "Bearer", "This needs a token, in the field Authorization behind Bearer.");
      return pipeline::Verdict::Done;
    }
    if (found != Credentials::Found::One) {
      count(counters_.refused);
      (void)exchange.response.set("WWW-Authenticate", "Bearer error=\"invalid_request\"");
      exchange.send_problem(400, "The request has more than one token.");
      return pipeline::Verdict::Done;
    }
    if (token.size() > size_) return refuse(exchange, "the token is too long");
    const auto digest = crypto::sha256({token});
    if (!digest) return out_of_memory(exchange);
    const int64_t now_s = std::time(nullptr);
    RecentTokens& recent = recent_of(exchange);
    if (const auto* const known = recent.find(*digest, now_s)) {
      count(counters_.remembered);
      return pass(exchange, *known);
    }
    auto verified = verify_token(token, keys_, rules_, now_s);
    if (!verified)
      return verified.error().failed ? out_of_memory(exchange) : refuse(exchange, verified.error().why);
    count(counters_.accepted);
    recent.remember(*digest, *verified);
    return pass(exchange, *verified);
  }

 private:
  struct alignas(64) Worker {
    RecentTokens recent;
  };
  using Held = std::shared_ptr<const VerifiedToken>;  // by a request, whose user and claims are views of it

  [[nodiscard]] RecentTokens& recent_of(http::Exchange& exchange) {
    const uint32_t worker = exchange.worker().index();
    ENSURE(worker < workers_.size());
    return workers_[worker].recent;
  }
  static pipeline::Verdict out_of_memory(http::Exchange& exchange) {
    http::send_out_of_memory(exchange);
    return pipeline::Verdict::Done;
  }
  pipeline::Verdict pass(http::Exchange& exchange, const Held& token) {
    if (exchange.states.make<Held>(this, token) == nullptr) return out_of_memory(exchange);
    exchange.request.set_user(token->user(), token->claims());
    return pipeline::Verdict::Next;
  }
  // `why`: a literal.
  pipeline::Verdict refuse(http::Exchange& exchange, std::string_view why) {
    count(counters_.refused);
    constexpr size_t kRoom = 256;
    char* const text = exchange.arena().allocate_array<char>(2 * kRoom);
    if (text == nullptr) return out_of_memory(exchange);
    const auto challenge =
        fmt::format_to_n(text, kRoom, "Bearer error=\"invalid_token\", error_description=\"{}\"", why);
    const auto sentence = fmt::format_to_n(text + kRoom, kRoom, "This is not let in: {}.", why);
    send_unauthorized(exchange, {text, challenge.size}, {text + kRoom, sentence.size});
    return pipeline::Verdict::Done;
  }

  const Credentials credentials_;
  const TokenKeys keys_;
  const TokenRules rules_;
  const bool required_, pass_on_;
  const size_t size_;
  const Counters counters_;
  std::vector<Worker> workers_;
};

// Those of the file and the option, each of which must be for something, as must each algorithm.
void read_keys(const JwtOptions& options, const TokenRules& rules, TokenKeys& keys,
               const pipeline::BuildContext& context) {
  const size_t before = context.diagnostics.size();
  const auto fail = [&](std::string message) {
    fail_option(context, "file", std::move(message), {}, pipeline::kCredentials);
  };
  if (!options.secret.empty())
    if (const std::string wrong = keys.add(options.secret); !wrong.empty())
      return fail_option(context, "secret", "`secret` cannot be used: " + wrong);
  if (!options.file.empty()) {
    const auto text = context.surroundings.read_file(options.file);
    if (!text)
      fail(text.error());
    else if (const std::string wrong = keys.add(*text); !wrong.empty())
      fail(fmt::format("`{}`: {}", options.file, wrong));
  }
  // What is wrong with the one that there is has been said, and it is as if it were not there.
  if (context.diagnostics.size() != before || (options.file.empty() && options.secret.empty())) return;
  for (const crypto::Algorithm algorithm : rules.algorithms)
    if (std::ranges::none_of(keys.all(), [&](const TokenKey& key) { return key.is_for(algorithm); }))
      fail_option(context, "algorithms",
                  fmt::format("there is no key that is for {}", algorithm_name(algorithm)));
}

}  // namespace

std::string check_algorithm(std::string_view called, std::string_view text) {
  if (crypto::find_algorithm(text)) return {};
  if (equal_ignoring_case(text, "none"))
    return fmt::format("{} has `none`: what nobody has signed says nothing of who asks", called);
  return fmt::format("{} has `{}`, which is none of {}", called, text,
                     fmt::join(crypto::kAlgorithmNames, ", "));
}

std::string check_token_secret(std::string_view called, std::string_view text) {
  if (text.empty()) return {};
  if (text.contains("-----BEGIN") || text.starts_with('{'))
    return fmt::format("{} is a key that others may know, and no secret: put it into the `file`", called);
  const auto made = crypto::VerificationKey::of_secret(text);
  return made ? std::string() : fmt::format("{} cannot be used: {}", called, made.error());
}

std::string check_cookie(std::string_view called, std::string_view text) {
  if (text.empty() || is_token(text)) return {};
  return fmt::format("{} is `{}`, which names no cookie", called, text);
}

std::unique_ptr<pipeline::Middleware> create_jwt(const JwtOptions& options,
                                                 const pipeline::BuildContext& context) {
  const size_t before = context.diagnostics.size();
  TokenRules rules{.algorithms = {},
                   .issuers = options.issuer,
                   .audiences = options.audience,
                   .needed = options.needed,
                   .user = options.user,
                   .leeway_s = static_cast<int64_t>(options.leeway_ms / 1000)};
  for (const std::string& name : options.algorithms)
    if (const auto algorithm = crypto::find_algorithm(name)) rules.algorithms.push_back(*algorithm);
  if (context.options.find("file") == nullptr && context.options.find("secret") == nullptr)
    fail_option(context, "file", "there is no key: name a `file`, or a `secret`");
  if (context.diagnostics.size() != before) return nullptr;
  TokenKeys keys;
  read_keys(options, rules, keys, context);
  if (context.diagnostics.size() != before) return nullptr;
  return std::make_unique<Jwt>(
      options, std::move(keys), std::move(rules), context.surroundings.workers,
      Jwt::Counters{.accepted = declare_counter(kJwtRequests, context, "accepted"),
                    .remembered = declare_counter(kJwtRequests, context, "remembered"),
                    .missing = declare_counter(kJwtRequests, context, "missing"),
                    .refused = declare_counter(kJwtRequests, context, "refused")});
}

}  // namespace leat::middleware
