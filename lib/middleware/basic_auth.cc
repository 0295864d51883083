#include "middleware/basic_auth.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/check.h"
#include "base/random_bytes.h"
#include "base/text.h"
#include "http/worker_context.h"
#include "middleware/counters.h"
#include "middleware/credential_file.h"
#include "middleware/credentials.h"
#include "middleware/option_error.h"
#include "middleware/passwords.h"
#include "middleware/verifier.h"
#include "pipeline/pipeline.h"

namespace leat::middleware {

namespace {

class BasicAuth final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> accepted, remembered, missing, refused, busy;
  };

  BasicAuth(const BasicAuthOptions& options, std::shared_ptr<const Passwords> passwords, std::string secret,
            std::shared_ptr<Verifier> verifier, uint32_t workers, Counters counters)
      : credentials_({.header = "Authorization", .query = {}, .cookie = {}}, "Basic"),
        passwords_(std::move(passwords)),
        secret_(std::move(secret)),
        verifier_(std::move(verifier)),
        challenge_(fmt::format("Basic realm=\"{}\", charset=\"UTF-8\"", options.realm)),
        required_(options.required),
        pass_on_(options.pass_on),
        size_(options.size),
        remember_ns_(options.remember_ms * 1'000'000),
        counters_(std::move(counters)) {
    for (uint32_t i = 0; i < workers; ++i)
      workers_.emplace_back(RecentPasswords(remember_ns_ == 0 ? 0 : options.remembered));
  }

  [[nodiscard]] uint8_t hooks() const override { return kRequest; }
  [[nodiscard]] bool for_clients() const override { return true; }
  [[nodiscard]] uint8_t finds() const override { return pipeline::kUser; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    std::string_view text;
    const Credentials::Found found = credentials_.find(exchange, text);
    if (found == Credentials::Found::None) {
      if (!required_) return pipeline::Verdict::Next;
      count(counters_.missing);
      send_unauthorized(exchange, challenge_, "This needs a name and a password.");
      return pipeline::Verdict::Done;
    }
    if (found != Credentials::Found::One || text.size() > size_)
      return refuse(exchange, found == Credentials::Found::One ? "Name and password are too long."
                                                               : "The request has more than one password.");
    char* const room = exchange.arena().allocate_array<char>(most_decoded(text));
    if (room == nullptr) return out_of_memory(exchange);
    const auto both = decode_base64(Base64::Padded, text, room);
    const size_t colon = both ? both->find(':') : std::string_view::npos;
    if (colon == std::string_view::npos)
      return refuse(exchange, "Name and password are not written as they must be.");
    if (!pass_on_ && !credentials_.hide(exchange)) return out_of_memory(exchange);
    const auto digest = crypto::hmac_sha256(secret_, {*both});
    if (!digest) return out_of_memory(exchange);
    const auto* const user = recent(exchange).find(*digest, exchange.worker().now_ns());
    if (user == nullptr) return verify(exchange, both->substr(0, colon), both->substr(colon + 1), *digest);
    count(counters_.remembered);
    exchange.request.set_user(user->name);
    return pipeline::Verdict::Next;
  }

 private:
  struct alignas(64) Worker {
    RecentPasswords recent;
  };

  // A request that waits.
  struct Waiting {
    Waiting(BasicAuth& asked, std::shared_ptr<Verifier> verifier, const crypto::Digest& name_and_password,
            const Passwords::User* known)
        : self(asked), line(std::move(verifier)), digest(name_and_password), user(known) {}
    ~Waiting() {
      if (verification != nullptr) line->withdraw(*verification);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    BasicAuth& self;
    const std::shared_ptr<Verifier> line;
    const crypto::Digest digest;
    const Passwords::User* const user;  // null: there is none of that name, whatever comes of it
    std::shared_ptr<Verification> verification;
  };

  [[nodiscard]] RecentPasswords& recent(http::Exchange& exchange) {
    const uint32_t worker = exchange.worker().index();
    ENSURE(worker < workers_.size());
    return workers_[worker].recent;
  }

  pipeline::Verdict refuse(http::Exchange& exchange, std::string_view why) {
    count(counters_.refused);
    if (!pass_on_ && !credentials_.hide(exchange)) return out_of_memory(exchange);
    send_unauthorized(exchange, challenge_, why);
    return pipeline::Verdict::Done;
  }
  static pipeline::Verdict out_of_memory(http::Exchange& exchange) {
    http::send_out_of_memory(exchange);
    return pipeline::Verdict::Done;
  }

  // Has it done on the pool, and the request wait.
  pipeline::Verdict verify(http::Exchange& exchange, std::string_view name, std::string_view password,
                           const crypto::Digest& digest) {
    if (passwords_->empty()) return refuse(exchange, "Nobody has a password.");
    const Passwords::User* const user = passwords_->find(name);
    const Passwords::User& judged = user != nullptr ? *user : passwords_->stand_in(name);
    auto* const waiting = exchange.states.make<Waiting>(this, *this, verifier_, digest, user);
    if (waiting == nullptr) return out_of_memory(exchange);
    auto verification = std::make_shared<Verification>(
        std::shared_ptr<const crypto::PasswordHash>(passwords_, &judged.hash), std::string(password),
        exchange.worker(), exchange.ticket(), go_on, waiting);
    if (verifier_ == nullptr || !verifier_->submit(verification)) {
      count(counters_.busy);
      http::add_retry_after(exchange);
      exchange.send_problem(503, "Too many passwords are being verified.");
      return pipeline::Verdict::Done;
    }
    waiting->verification = std::move(verification);
    exchange.suspend();
    return pipeline::Verdict::Pending;
  }

  // On the worker again.
  static void go_on(http::Exchange& exchange, void* argument) {
    auto& waiting = *static_cast<Waiting*>(argument);
    (void)pipeline::resume_chain(exchange, waiting.self.judge(exchange, waiting));
  }
  pipeline::Verdict judge(http::Exchange& exchange, const Waiting& waiting) {
    const auto outcome = waiting.verification->outcome();
    if (outcome == crypto::PasswordHash::Outcome::Failed) return out_of_memory(exchange);
    if (outcome == crypto::PasswordHash::Outcome::Wrong || waiting.user == nullptr)
      return refuse(exchange, "Name or password is wrong.");
    count(counters_.accepted);
    const uint64_t now_ns = exchange.worker().now_ns();
    recent(exchange).remember(waiting.digest, *waiting.user, now_ns, now_ns + remember_ns_);
    exchange.request.set_user(waiting.user->name);
    return pipeline::Verdict::Next;
  }

  const Credentials credentials_;
  const std::shared_ptr<const Passwords> passwords_;
  const std::string secret_;
  const std::shared_ptr<Verifier> verifier_;  // null where there is no pool
  const std::string challenge_;
  const bool required_, pass_on_;
  const size_t size_;
  const uint64_t remember_ns_;
  const Counters counters_;
  std::vector<Worker> workers_;
};

}  // namespace

std::string check_password_line(std::string_view called, std::string_view text) {
  const std::string wrong = Passwords().add(text);
  return wrong.empty() ? wrong : fmt::format("{} has one that is wrong: {}", called, wrong);
}

std::string check_realm(std::string_view called, std::string_view text) {
  const bool good =
      std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  return good ? std::string()
              : fmt::format("{} has printable ASCII alone, without quotes and backslashes", called);
}

std::unique_ptr<pipeline::Middleware> create_basic_auth(const BasicAuthOptions& options,
                                                        const pipeline::BuildContext& context) {
  const size_t before = context.diagnostics.size();
  const auto passwords = std::make_shared<Passwords>();
  for (const std::string& line : options.users)
    if (!passwords->add(line).empty()) return nullptr;  // which was said
  const std::string_view source = options.file.empty() ? "users" : "file";
  if (!options.file.empty())
    (void)read_credential_lines(context, "file", options.file,
                                [&](std::string_view line) { return passwords->add(line); });
  if (context.diagnostics.size() != before) return nullptr;
  std::string secret(32, '\0');
  if (context.options.find("file") == nullptr && context.options.find("users") == nullptr)
    fail_option(context, source, "nobody has a password: name a `file` of them, or `users`");
  else if (std::string wrong = passwords->freeze(); !wrong.empty())
    fail_option(context, source, std::move(wrong), {}, pipeline::kCredentials);
  else if (!random_bytes(secret.data(), secret.size()))
    fail_option(context, source, "the kernel has no random bytes", {}, pipeline::kCredentials);
  if (context.diagnostics.size() != before) return nullptr;
  ThreadPool* const pool = context.surroundings.pool;
  return std::make_unique<BasicAuth>(
      options, passwords, std::move(secret),
      pool == nullptr ? nullptr : std::make_shared<Verifier>(*pool, options.concurrency, options.queue),
      context.surroundings.workers,
      BasicAuth::Counters{.accepted = declare_counter(kBasicAuthRequests, context, "accepted"),
                          .remembered = declare_counter(kBasicAuthRequests, context, "remembered"),
                          .missing = declare_counter(kBasicAuthRequests, context, "missing"),
                          .refused = declare_counter(kBasicAuthRequests, context, "refused"),
                          .busy = declare_counter(kBasicAuthRequests, context, "busy")});
}

}  // namespace leat::middleware
