// sessions: who asks is known again by the next request, and nothing of it is kept here.
//
// A session is in a cookie of its client, sealed: whoever holds it can neither read nor change it, and what is not good in
// any way (changed, cut, of another key, too old, or there twice) is an empty session. Nobody is refused. So any number of
// servers that have the same keys know the same sessions, and a restart loses none. In return a session cannot be taken from
// a client that keeps an old cookie of it before that is over: `max_age` is for that.
//
// A cookie is sent where the session has changed, or an eighth of `idle` is over: so requests that change nothing are
// answered as if there were none, and a stored answer never has one. What carries one is `Cache-Control: private`, beside
// whatever else it is.
//
// Rejected: sessions kept here under a number, which ask all servers to have one memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "http/user_session.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

enum class SameSite : uint8_t { Lax, Strict, None };

struct SessionsOptions {
  std::vector<std::string> keys;
  std::string file;
  std::string cookie = "__Host-session";
  uint64_t max_age_ms = 7ULL * 24 * 3'600'000;
  uint64_t idle_ms = 24ULL * 3'600'000;
  SameSite same_site = SameSite::Lax;
  bool secure = true;
  std::string path = "/";
  uint32_t values = 32;
  uint64_t size = 4096;
};

// A Row::Check each.
std::string check_session_key(std::string_view called, std::string_view text);
std::string check_session_cookie(std::string_view called, std::string_view text);
std::string check_cookie_path(std::string_view called, std::string_view text);

inline constexpr int64_t kMostCookieAge = int64_t{400} * 24 * 3'600'000;  // that browsers keep any

inline constexpr schema::Row kSessionsRows[] = {
    schema::list<&SessionsOptions::keys>(
        "keys", "keys", check_session_key, 0,
        "What cookies are sealed with, of 32 characters or more: `${credential:NAME}`. The first seals, and "
        "each opens."),
    schema::text<&SessionsOptions::file>("file", "More keys, a line each, behind those of `keys`.").as_path(),
    schema::text<&SessionsOptions::cookie>(
        "cookie", check_session_cookie, 0,
        "The cookie's name. With `__Host-` before it no other host can set it, and no page without https."),
    schema::duration<&SessionsOptions::max_age_ms>("max_age", 60'000, kMostCookieAge,
                                                   "After so long a session is over."),
    schema::duration<&SessionsOptions::idle_ms>("idle", 60'000, kMostCookieAge,
                                                "After so long without a request it is over before."),
    schema::choice<&SessionsOptions::same_site>(
        "same_site", "lax strict none",
        "With which requests that pages of other sites cause it is sent: those that show another page, none, "
        "or all."),
    schema::boolean<&SessionsOptions::secure>("secure", "Send it by https alone, or to the machine itself."),
    schema::text<&SessionsOptions::path>("path", check_cookie_path, 0, "For which paths it is."),
    schema::count<&SessionsOptions::values>("values", 1, 256, "How many values a session has at most."),
    schema::size<&SessionsOptions::size>(
        "size", 512, 4096, "Of a cookie, with all that is said of it: browsers take no larger ones."),
};

// What clients are to an instance, for whoever stands for one: what create_sessions() has made is one of these, too. Any
// thread.
class SessionCookies {
 public:
  [[nodiscard]] virtual const std::string& cookie() const = 0;  // its name
  [[nodiscard]] virtual const http::SessionRules& rules() const = 0;
  // The line of a Set-Cookie, in the session's arena: a null data() where memory is out.
  [[nodiscard]] virtual std::string_view line(Arena& arena, const http::UserSession& session) const = 0;
  // What a cookie's value holds, into an empty one. False: it is none of these, or too old.
  [[nodiscard]] virtual bool open(Arena& arena, std::string_view text, http::UserSession& session) const = 0;

 protected:
  ~SessionCookies() = default;
};

std::unique_ptr<pipeline::Middleware> create_sessions(const SessionsOptions& options,
                                                      const pipeline::BuildContext& context);

// What is wrong with a cookie of that name, sent so: browsers would not take it. Empty where nothing is.
std::string check_cookie_prefix(std::string_view name, bool secure, std::string_view path);

}  // namespace leat::middleware
