// jwt: who asks is whom a signed token names (RFC 7519), which the request has behind Bearer (RFC 6750) or in a cookie.
//
// Which algorithms are taken is always said in the configuration, and what a key is decides which of them it is for: so no
// token chooses how it is judged, and one without a signature ("none") is none. What was found good is remembered by each
// worker until the token's end, by its SHA-256: a token that comes again costs a hash and no signature.
//
// Keys are an option's, a file's or, while the daemon serves, a server's (published_keys.h). A token of a key that is not known
// waits for those that the server has now, if it was not asked a moment ago. Where there are none that may be used nobody is
// let in, by a 503: where nobody knows, nobody passes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "middleware/upstream_option.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct JwtOptions {
  std::vector<std::string> algorithms;
  std::string file;
  std::string secret;
  std::string url;
  std::string path = "/.well-known/jwks.json";
  uint64_t interval_ms = 900'000;
  uint64_t least_interval_ms = 10'000;
  uint64_t max_age_ms = 86'400'000;
  uint32_t timeout_ms = 5'000;
  uint64_t document = 64 << 10;
  uint32_t waiting = 1024;
  std::vector<std::string> issuer;
  std::vector<std::string> audience;
  std::vector<std::string> needed = {"exp"};
  std::string user = "sub";
  uint64_t leeway_ms = 60'000;
  std::string cookie;
  bool required = true;
  bool pass_on = false;
  uint32_t remembered = 1024;
  uint64_t size = 8192;
};

// A Row::Check each.
std::string check_algorithm(std::string_view called, std::string_view text);
std::string check_token_secret(std::string_view called, std::string_view text);
std::string check_keys_url(std::string_view called, std::string_view text);
std::string check_cookie(std::string_view called, std::string_view text);

inline constexpr schema::Row kJwtRows[] = {
    schema::list<&JwtOptions::algorithms>(
        "algorithms", "names of algorithms", check_algorithm, 0,
        "The algorithms that are taken, and no other: `HS256`, `RS256`, `PS256` (and "
        "each with 384 and 512), `ES256`, `ES384`, `ES512` and `EdDSA`.")
        .as_needed(),
    schema::text<&JwtOptions::file>(
        "file", "The keys: a JWK or a set of them, public keys or certificates in PEM, or a secret.")
        .as_path(),
    schema::text<&JwtOptions::secret>(
        "secret", check_token_secret, 0,
        "The secret of HS256 and its like, beside the file's keys: `${credential:NAME}`."),
    schema::text<&JwtOptions::url>("url", check_keys_url, 0,
                                   "In place of a file and a secret: the server that publishes the keys, "
                                   "`http://HOST[:PORT]`, `https://...` or `unix:/PATH`."),
    schema::text<&JwtOptions::path>("path", check_upstream_path, 0,
                                    "What it is asked for: a set of JWKs (RFC 7517)."),
    schema::duration<&JwtOptions::interval_ms>(
        "interval", 1'000, 86'400'000,
        "How often; more often where its answers say so by `Cache-Control: max-age`."),
    schema::duration<&JwtOptions::least_interval_ms>("least_interval", 100, 3'600'000,
                                                     "And never more often than that, whatever else happens: "
                                                     "tokens of keys that are not known, failures."),
    schema::duration<&JwtOptions::max_age_ms>(
        "max_age", 1'000, int64_t{30} * 86'400'000,
        "For how long keys are good while the server is away; then every token is answered 503."),
    schema::duration<&JwtOptions::timeout_ms>("timeout", 1, 600'000, "How long it may take to answer."),
    schema::size<&JwtOptions::document>("document", 64, 512 << 10, "Of its answers, at most."),
    schema::count<&JwtOptions::waiting>(
        "waiting", 0, 1'000'000,
        "Requests that wait for keys which are being fetched, of all workers; one more is answered 503."),
    schema::texts<&JwtOptions::issuer>("issuer",
                                       "Who may have made the token (`iss`). Empty: anybody with a key."),
    schema::texts<&JwtOptions::audience>(
        "audience",
        "For whom the token may be (`aud`), any of these. Empty: only one that is for "
        "nobody in particular."),
    schema::texts<&JwtOptions::needed>("needed", "Claims that a token must have."),
    schema::text<&JwtOptions::user>("user", "The claim that names the user."),
    schema::duration<&JwtOptions::leeway_ms>("leeway", 0, 3'600'000,
                                             "How far the clock of who makes tokens may be off."),
    schema::text<&JwtOptions::cookie>("cookie", check_cookie, 0,
                                      "The cookie that may have the token instead. Empty: none may."),
    schema::boolean<&JwtOptions::required>(
        "required",
        "Refuse requests without a token; otherwise they pass without a user. A bad one is refused."),
    schema::boolean<&JwtOptions::pass_on>("pass_on", "Leave the token in the request."),
    schema::count<&JwtOptions::remembered>("remembered", 1, 1'048'576,
                                           "How many good tokens are remembered by each worker."),
    schema::size<&JwtOptions::size>("size", 256, 65'536, "Of a token; longer ones are refused unread."),
};

std::unique_ptr<pipeline::Middleware> create_jwt(const JwtOptions& options,
                                                 const pipeline::BuildContext& context);

}  // namespace leat::middleware
