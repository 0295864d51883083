#include "middleware/sessions.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "middleware/counters.h"
#include "middleware/credential_file.h"
#include "middleware/credentials.h"
#include "middleware/option_error.h"
#include "middleware/room.h"
#include "middleware/session_seal.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

constexpr size_t kMostAgeDigits = 8;  // of 400 days in seconds

// What stands behind the value, and before the number of seconds.
std::string cookie_attributes(const SessionsOptions& options) {
  constexpr std::string_view kSites[] = {"Lax", "Strict", "None"};
  return fmt::format("; Path={}; HttpOnly; SameSite={}{}; Max-Age=", options.path,
                     kSites[static_cast<size_t>(options.same_site)], options.secure ? "; Secure" : "");
}

using http::UserSession;

class Sessions final : public pipeline::Middleware, public SessionCookies {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> none, good, over, refused, sent;
  };

  Sessions(const SessionsOptions& options, SessionSeal seal, Counters counters)
      : seal_(std::move(seal)),
        name_(options.cookie),
        begin_(options.cookie + "="),
        attributes_(cookie_attributes(options)),
        most_characters_(options.size - std::min<uint64_t>(options.size, begin_.size() + attributes_.size() +
                                                                             kMostAgeDigits)),
        rules_{.max_age_s = static_cast<int64_t>(options.max_age_ms / 1000),
               .idle_s = static_cast<int64_t>(options.idle_ms / 1000),
               .values = options.values,
               .bytes = SessionSeal::room(most_characters_),
               .secure = options.secure},
        cookies_({.header = {}, .query = {}, .cookie = options.cookie}, ""),
        counters_(std::move(counters)) {}

  [[nodiscard]] uint8_t hooks() const override { return kRequest | kAnswer; }
  [[nodiscard]] uint8_t finds() const override { return pipeline::kSession; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    std::string_view text;
    // Nobody's session is in the daemon's own requests, for its cache.
    const bool internal = exchange.internal();
    const Credentials::Found found = internal ? Credentials::Found::None : cookies_.find(exchange, text);
    auto* const session =
        exchange.states.make<UserSession>(this, rules_, exchange.arena(), std::time(nullptr));
    const bool noted = found == Credentials::Found::None || exchange.states.make<HadCookie>(this) != nullptr;
    const bool known = internal || (session != nullptr && read(exchange, found, text, *session));
    if (session == nullptr || !noted || !known) [[unlikely]] {
      http::send_out_of_memory(exchange);
      return pipeline::Verdict::Done;
    }
    return pipeline::Verdict::Next;
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
    UserSession* const session = exchange.states.find<UserSession>(this);
    if (session == nullptr) return Wants::Nothing;
    const bool told = !exchange.internal() && (session->changed() || session->is_due());
    session->close(told);
    if (!told) return Wants::Nothing;
    if (session->empty() && exchange.states.find<HadCookie>(this) == nullptr) return Wants::Nothing;
    make_room(exchange, body, 2, "sessions");
    const std::string_view told_line = line(exchange.arena(), *session);
    http::Response& response = exchange.response;
    if (told_line.data() == nullptr || !response.add("Set-Cookie", told_line) ||
        !response.add("Cache-Control", "private")) [[unlikely]] {
      const std::string_view route =
          exchange.route != nullptr ? std::string_view(exchange.route->id) : std::string_view();
      log::limited(log::Level::Error, {"sessions", route},
                   "sessions found no memory for a cookie: a 500 took the answer's place, on {} {}", route,
                   exchange.request.id());
      exchange.fail_answer(body);
      return Wants::Nothing;
    }
    count(counters_.sent);
    return Wants::Nothing;
  }

  [[nodiscard]] const std::string& cookie() const override { return name_; }
  [[nodiscard]] const http::SessionRules& rules() const override { return rules_; }
  [[nodiscard]] std::string_view line(Arena& arena, const UserSession& session) const override {
    return session.empty() ? assembled(arena, "", 0) : sealed(arena, session);
  }
  [[nodiscard]] bool open(Arena& arena, std::string_view text, UserSession& session) const override {
    return opened(arena, text, session) == UserSession::Outcome::Good;
  }

 private:
  struct HadCookie {};

  // False: memory is out.
  [[nodiscard]] bool read(http::Exchange& exchange, Credentials::Found found, std::string_view text,
                          UserSession& session) const {
    if (found == Credentials::Found::None) {
      count(counters_.none);
      return true;
    }
    if (found != Credentials::Found::One || text.size() > most_characters_) {
      count(counters_.refused);
      return found != Credentials::Found::NoMemory;
    }
    const UserSession::Outcome outcome = opened(exchange.arena(), text, session);
    count(outcome == UserSession::Outcome::Good   ? counters_.good
          : outcome == UserSession::Outcome::Over ? counters_.over
                                                  : counters_.refused);
    return outcome != UserSession::Outcome::NoMemory;
  }

  [[nodiscard]] UserSession::Outcome opened(Arena& arena, std::string_view text, UserSession& session) const {
    const SessionSeal::Opened found = seal_.open(arena, text);
    if (found.no_memory) return UserSession::Outcome::NoMemory;
    return found.good ? session.read(found.plain) : UserSession::Outcome::Malformed;
  }

  // A null data() each: memory or randomness is out.
  [[nodiscard]] std::string_view sealed(Arena& arena, const UserSession& session) const {
    const size_t size = session.size();
    char* const plain = arena.allocate_array<char>(size);
    if (plain == nullptr) return {};
    session.write(plain);
    const std::string_view text = seal_.seal(arena, {plain, size});
    return text.data() == nullptr ? text : assembled(arena, text, session.rest_s());
  }
  [[nodiscard]] std::string_view assembled(Arena& arena, std::string_view text, int64_t seconds) const {
    const size_t room = begin_.size() + text.size() + attributes_.size() + kMostAgeDigits;
    char* const line = arena.allocate_array<char>(room);
    if (line == nullptr) return {};
    char* at = line;
    for (const std::string_view part : {std::string_view(begin_), text, std::string_view(attributes_)})
      at = std::ranges::copy(part, at).out;
    at = std::to_chars(at, line + room, seconds).ptr;
    return {line, static_cast<size_t>(at - line)};
  }

  const SessionSeal seal_;
  const std::string name_, begin_, attributes_;
  const size_t most_characters_;
  const http::SessionRules rules_;
  const Credentials cookies_;
  const Counters counters_;
};

}  // namespace

std::string check_session_key(std::string_view called, std::string_view text) {
  const std::string wrong = SessionSeal::check(text);
  return wrong.empty() ? wrong : fmt::format("{} has one that cannot be used: {}", called, wrong);
}

std::string check_session_cookie(std::string_view called, std::string_view text) {
  constexpr size_t kMostName = 128;
  if (is_token(text) && text.size() <= kMostName) return {};
  return fmt::format("{} is `{}`, which names no cookie", called, text);
}

std::string check_cookie_path(std::string_view called, std::string_view text) {
  constexpr size_t kMostPath = 128;
  const bool good = text.starts_with('/') && text.size() <= kMostPath &&
                    std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != ';'; });
  return good ? std::string()
              : fmt::format("{} is a path, of {} characters at most and without `;`", called, kMostPath);
}

std::string check_cookie_prefix(std::string_view name, bool secure, std::string_view path) {
  const auto has = [&](std::string_view prefix) {
    return equal_ignoring_case(name.substr(0, prefix.size()), prefix);
  };
  if ((has("__Host-") || has("__Secure-")) && !secure)
    return fmt::format("browsers take `{}` only where it is `secure`", name);
  if (has("__Host-") && path != "/") return fmt::format("browsers take `{}` only for the path `/`", name);
  return {};
}

std::unique_ptr<pipeline::Middleware> create_sessions(const SessionsOptions& options,
                                                      const pipeline::BuildContext& context) {
  const size_t before = context.diagnostics.size();
  SessionSeal seal(options.cookie);
  for (const std::string& key : options.keys)
    if (std::string wrong = seal.add(key); !wrong.empty()) fail_option(context, "keys", std::move(wrong));
  if (!options.file.empty())
    (void)read_credential_lines(context, "file", options.file,
                                [&](std::string_view line) { return seal.add(line); });
  const Value* const keys = context.options.find("keys");
  const bool wrong_said =
      keys != nullptr && options.keys.empty() && keys->array() != nullptr && !keys->array()->empty();
  if (context.diagnostics.size() == before && seal.keys() == 0 && !wrong_said) {
    const bool any = keys != nullptr || context.options.find("file") != nullptr;
    fail_option(context, options.file.empty() ? "keys" : "file",
                any ? "there is no key in it" : "there is no key: name `keys`, or a `file` of them");
  }
  if (std::string wrong = check_cookie_prefix(options.cookie, options.secure, options.path); !wrong.empty())
    fail_option(context, options.secure ? "path" : "secure", std::move(wrong),
                "or give the `cookie` another name");
  if (options.same_site == SameSite::None && !options.secure)
    fail_option(context, "same_site", "browsers take a cookie for all sites only where it is `secure`");
  if (options.idle_ms > options.max_age_ms && context.options.find("idle") != nullptr)
    fail_option(context, "idle", "`idle` is longer than `max_age`, after which the session is over anyhow");
  if (context.diagnostics.size() != before || seal.keys() == 0) return nullptr;
  return std::make_unique<Sessions>(
      options, std::move(seal),
      Sessions::Counters{.none = declare_counter(kSessionsRequests, context, "none"),
                         .good = declare_counter(kSessionsRequests, context, "good"),
                         .over = declare_counter(kSessionsRequests, context, "over"),
                         .refused = declare_counter(kSessionsRequests, context, "refused"),
                         .sent = declare_counter(kSessionsSent, context)});
}

}  // namespace leat::middleware
