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
#include "middleware/published_keys.h"
#include "middleware/recent_tokens.h"
#include "middleware/token.h"
#include "pipeline/pipeline.h"

namespace leat::middleware {

namespace {

class Jwt final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> accepted, remembered, missing, refused, unavailable;
  };

  // `published`: in place of the keys; may be null.
  Jwt(const JwtOptions& options, TokenKeys keys, std::shared_ptr<PublishedKeys> published, TokenRules rules,
      uint32_t workers, Counters counters)
      : credentials_({.header = "Authorization", .query = {}, .cookie = options.cookie}, "Bearer"),
        keys_(std::move(keys)),
        published_(std::move(published)),
        rules_(std::move(rules)),
        required_(options.required),
        pass_on_(options.pass_on),
        size_(options.size),
        counters_(std::move(counters)) {
    for (uint32_t i = 0; i < workers; ++i) workers_.emplace_back(RecentTokens(options.remembered));
  }

  [[nodiscard]] uint8_t hooks() const override {
    return static_cast<uint8_t>(kRequest | (published_ == nullptr ? 0 : kWorker));
  }
  [[nodiscard]] bool for_clients() const override { return true; }
  [[nodiscard]] uint8_t finds() const override { return pipeline::kUser | pipeline::kClaims; }
  void on_worker(http::WorkerContext& worker) override { published_->tend(worker); }

  [[nodiscard]] std::string explain(http::Exchange&) const override {
    return published_ == nullptr ? std::string() : "takes tokens by " + published_->describe();
  }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
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
    return judge(exchange, token, true);
  }

 private:
  struct alignas(64) Worker {
    RecentTokens recent;
    PublishedKeys::TakenUp taken = {};
  };
  using Held = std::shared_ptr<const VerifiedToken>;  // by a request, whose user and claims are views of it
  // Of a request that waits for keys.
  struct Waiting {
    Waiting(Jwt& asked, std::string_view its) : self(asked), token(its) {}
    Jwt& self;
    const std::string_view token;
  };

  // `may_wait`: for other keys; once.
  pipeline::Verdict judge(http::Exchange& exchange, std::string_view token, bool may_wait) {
    Worker& worker = worker_of(exchange);
    const TokenKeys* const keys = keys_of(exchange, worker);
    if (keys == nullptr) return may_wait ? wait(exchange, token, {}) : unavailable(exchange);
    const auto digest = crypto::sha256({token});
    if (!digest) return out_of_memory(exchange);
    const int64_t now_s = std::time(nullptr);
    if (const auto* const known = worker.recent.find(*digest, now_s)) {
      count(counters_.remembered);
      return pass(exchange, *known);
    }
    auto verified = verify_token(token, *keys, rules_, now_s);
    if (!verified) {
      if (verified.error().failed) return out_of_memory(exchange);
      if (verified.error().other_keys && published_ != nullptr && may_wait)
        return wait(exchange, token, verified.error().why);
      return refuse(exchange, verified.error().why);
    }
    count(counters_.accepted);
    worker.recent.remember(*digest, *verified);
    return pass(exchange, *verified);
  }

  [[nodiscard]] Worker& worker_of(http::Exchange& exchange) {
    const uint32_t worker = exchange.worker().index();
    ENSURE(worker < workers_.size());
    return workers_[worker];
  }
  // Null: there are none that may be used. What was found good by others is forgotten.
  [[nodiscard]] const TokenKeys* keys_of(http::Exchange& exchange, Worker& worker) const {
    if (published_ == nullptr) return &keys_;
    if (published_->take_up(worker.taken)) worker.recent.forget();
    return published_->good(exchange.worker().now_ns() / 1'000'000) ? worker.taken.keys.get() : nullptr;
  }
  // `why`: what the token is refused for by the keys that there are; empty where there are none.
  pipeline::Verdict wait(http::Exchange& exchange, std::string_view token, std::string_view why) {
    auto* const waiting = exchange.states.make<Waiting>(this, *this, token);
    if (waiting == nullptr) return out_of_memory(exchange);
    switch (published_->await(exchange, go_on, waiting)) {
      case PublishedKeys::Awaited::Coming:
        exchange.suspend();
        return pipeline::Verdict::Pending;
      case PublishedKeys::Awaited::TooMany:
        return unavailable(exchange);
      case PublishedKeys::Awaited::Nothing:
        break;
    }
    return why.empty() ? unavailable(exchange) : refuse(exchange, why);
  }
  static void go_on(http::Exchange& exchange, void* argument) {
    const auto& waiting = *static_cast<Waiting*>(argument);
    // Where its time was up it has its answer.
    (void)pipeline::resume_chain(exchange, exchange.started()
                                               ? pipeline::Verdict::Done
                                               : waiting.self.judge(exchange, waiting.token, false));
  }
  pipeline::Verdict unavailable(http::Exchange& exchange) {
    count(counters_.unavailable);
    http::add_retry_after(exchange);
    exchange.send_problem(503, "The keys by which tokens are verified are not to be had at the moment.");
    return pipeline::Verdict::Done;
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
  const std::shared_ptr<PublishedKeys> published_;
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

// The options that are about a url, where there is one or not.
bool check_source(const JwtOptions& options, const TokenRules& rules, const pipeline::BuildContext& context) {
  const size_t before = context.diagnostics.size();
  const JwtOptions defaults;
  const auto given = [&](std::string_view option) { return context.options.find(option) != nullptr; };
  if (options.url.empty()) {
    for (const auto& [option, changed] :
         {std::pair{"path", options.path != defaults.path},
          std::pair{"interval", options.interval_ms != defaults.interval_ms},
          std::pair{"least_interval", options.least_interval_ms != defaults.least_interval_ms},
          std::pair{"max_age", options.max_age_ms != defaults.max_age_ms},
          std::pair{"timeout", options.timeout_ms != defaults.timeout_ms},
          std::pair{"document", options.document != defaults.document},
          std::pair{"waiting", options.waiting != defaults.waiting}})
      if (changed)
        fail_option(context, option,
                    fmt::format("`{}` says something of keys that are fetched: name a `url`", option));
    // What is wrong with one that there is has been said.
    const Value* const url = context.options.find("url");
    const bool named = url != nullptr && url->string() != nullptr && !url->string()->empty();
    if (!given("file") && !given("secret") && !named)
      fail_option(context, "file", "there is no key: name a `file`, a `secret` or a `url`");
    return context.diagnostics.size() == before;
  }
  for (const auto& [option, there] :
       {std::pair{"file", !options.file.empty()}, std::pair{"secret", !options.secret.empty()}})
    if (there)
      fail_option(context, option,
                  fmt::format("keys come from a `url` or from a `{}`, not from both", option));
  for (const crypto::Algorithm algorithm : rules.algorithms)
    if (const std::string_view name = algorithm_name(algorithm); name.starts_with("HS"))
      fail_option(
          context, "algorithms",
          fmt::format("{} is by a secret, and what is published is none: take it from a `file`", name));
  if (options.least_interval_ms > options.interval_ms)
    fail_option(context, given("least_interval") ? "least_interval" : "interval",
                "`least_interval` is longer than `interval`");
  if (options.max_age_ms < options.interval_ms)
    fail_option(context, given("max_age") ? "max_age" : "interval",
                "`max_age` is shorter than `interval`: keys would be too old before they are fetched again");
  return context.diagnostics.size() == before;
}

// Null: `url` has no address, which was said.
std::shared_ptr<PublishedKeys> publish_keys(const JwtOptions& options,
                                            const pipeline::BuildContext& context) {
  auto upstream = open_upstream(
      context, "url", options.url,
      {.connections = 2, .waiting = 2, .timeout_ms = options.timeout_ms, .body_bytes = options.document});
  if (upstream == nullptr) return nullptr;
  const auto source = std::make_shared<const KeySource>(KeySource{.upstream = std::move(upstream),
                                                                  .pool = context.surroundings.pool,
                                                                  .path = options.path,
                                                                  .interval_ms = options.interval_ms,
                                                                  .least_ms = options.least_interval_ms,
                                                                  .max_age_ms = options.max_age_ms,
                                                                  .timeout_ms = options.timeout_ms,
                                                                  .waiting = options.waiting});
  const PublishedKeys::KeyCounters counters{.changed = declare_counter(kJwtFetches, context, "changed"),
                                            .same = declare_counter(kJwtFetches, context, "same"),
                                            .wrong = declare_counter(kJwtFetches, context, "wrong"),
                                            .failed = declare_counter(kJwtFetches, context, "failed")};
  // By the options, which say whose keys they are, and not by the name.
  return context.share_by_options<PublishedKeys>(source, counters);
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

std::string check_keys_url(std::string_view called, std::string_view text) {
  return text.empty() ? std::string() : check_upstream(called, text);
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
  if (!check_source(options, rules, context)) return nullptr;
  TokenKeys keys;
  std::shared_ptr<PublishedKeys> published;
  if (options.url.empty())
    read_keys(options, rules, keys, context);
  else
    published = publish_keys(options, context);
  if (context.diagnostics.size() != before || (published == nullptr && !options.url.empty())) return nullptr;
  return std::make_unique<Jwt>(
      options, std::move(keys), std::move(published), std::move(rules), context.surroundings.workers,
      Jwt::Counters{.accepted = declare_counter(kJwtRequests, context, "accepted"),
                    .remembered = declare_counter(kJwtRequests, context, "remembered"),
                    .missing = declare_counter(kJwtRequests, context, "missing"),
                    .refused = declare_counter(kJwtRequests, context, "refused"),
                    .unavailable = declare_counter(kJwtRequests, context, "unavailable")});
}

}  // namespace leat::middleware
