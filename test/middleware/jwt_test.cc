// Whose token opens what, behind a real session. Tokens of all algorithms, made by another library, are in jwt_test.py.
#include "middleware/jwt.h"

#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <ctime>
#include <string>
#include <vector>

#include "base/base64.h"
#include "base/metrics.h"
#include "crypto/digest.h"
#include "json/allocations.h"
#include "middleware/support.h"
#include "middleware/token.h"
#include "pipeline/codes.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

const std::string kSecret(32, 's');

std::string url(std::string_view bytes) { return encode_base64(Base64::Url, bytes); }

std::string token_of(const std::string& claims, const std::string& header = R"({"alg":"HS256"})",
                     const std::string& secret = kSecret) {
  const std::string message = url(header) + "." + url(claims);
  return message + "." + url(crypto::view(crypto::hmac_sha256(secret, {message}).value()));
}
// Good for an hour, with more claims.
std::string claims_of(const std::string& more = R"("sub":"alice")", int64_t hours = 1) {
  return fmt::format(R"({{"exp":{},{}}})", std::time(nullptr) + hours * 3600, more);
}
std::string bearer(const std::string& token) { return "Authorization: Bearer " + token + "\r\n"; }

TokenKeys secret_keys() {
  TokenKeys keys;
  REQUIRE(keys.add(kSecret).empty());
  return keys;
}
TokenRules some_rules() {
  TokenRules rules;
  rules.algorithms = {crypto::Algorithm::HS256};
  return rules;
}

// Why a token is refused at the time 1000; "user" of one that is not.
std::string judged(const std::string& token, const TokenRules& rules = some_rules(),
                   const TokenKeys& keys = secret_keys()) {
  const auto verified = verify_token(token, keys, rules, 1000);
  if (verified) return std::string((*verified)->user());
  CHECK_FALSE(verified.error().failed);
  return std::string(verified.error().why);
}

Value::Table options(std::vector<Value::Entry> more = {}) {
  Value::Table all = {texts("algorithms", {"HS256"}), entry("secret", std::string(kSecret))};
  for (Value::Entry& each : more) all.push_back(std::move(each));
  return all;
}

ScriptHandler& tells(Stage& stage) {
  ScriptHandler& handler = stage.route("/");
  handler.on_handle = [](http::Exchange& exchange) {
    std::string text(exchange.request.user());
    for (const http::Claim& claim : exchange.request.claims())
      text += "|" + std::string(claim.name) + "=" + std::string(claim.value);
    for (const http::HeaderSlot& slot : exchange.request.head().headers())
      text += "|" + std::string(exchange.request.head().view(slot.name));
    exchange.send(exchange.arena().copy(text));
    return Verdict::Done;
  };
  return handler;
}
std::string body(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

std::string file_of_keys;
std::expected<std::string, std::string> read_keys_text(const std::string&) { return file_of_keys; }

}  // namespace

TEST_CASE("jwt: a good token lets in, and says who asks and what is claimed; without one it is 401") {
  Stage stage(kinds());
  stage.middleware("jwt", options());
  tells(stage);
  const std::string claims = claims_of(R"("sub":"alice","role":"admin","groups":["a","b"],"n":7,"ok":true)");
  const std::string exp = claims.substr(7, claims.find(',') - 7);
  for (int i = 0; i < 2; ++i)  // verified, and remembered
    CHECK(body(stage.get("/", bearer(token_of(claims)))) ==
          "alice|exp=" + exp + R"(|sub=alice|role=admin|groups=["a","b"]|n=7|ok=true|Host)");
  const std::string missing = stage.get("/");
  CHECK(status_of(missing) == 401);
  CHECK(field(missing, "WWW-Authenticate") == "Bearer");
  CHECK(field(stage.get("/", "Authorization: Basic b25lOlUqVQ==\r\n"), "WWW-Authenticate") == "Bearer");
  const std::string bad = stage.get("/", bearer(token_of(claims_of(R"("sub":"alice")", -1))));
  CHECK(status_of(bad) == 401);
  CHECK(field(bad, "WWW-Authenticate") ==
        "Bearer error=\"invalid_token\", error_description=\"the token has expired\"");
  CHECK(bad.contains("This is not let in: the token has expired."));
  const std::string twice = stage.get("/", bearer(token_of(claims)) + bearer(token_of(claims)));
  CHECK(status_of(twice) == 400);
  CHECK(field(twice, "WWW-Authenticate") == "Bearer error=\"invalid_request\"");
}

TEST_CASE("jwt: what is not well-formed is refused, whatever is behind it") {
  const std::string good = token_of(R"({"sub":"alice","exp":2000})");
  CHECK(judged(good) == "alice");
  for (const std::string& token : {std::string(), std::string("."), std::string(".."), good + ".", "." + good,
                                   good.substr(0, good.rfind('.')), good + "=", good + "\n"}) {
    INFO(token);
    CHECK(judged(token).contains("not well-formed"));
  }
  CHECK(judged(token_of("[]")) == "the claims of the token are not well-formed");
  CHECK(judged(token_of("{\"sub\":\"a\",\"sub\":\"b\"}")) == "the claims of the token are not well-formed");
  CHECK(judged(token_of("{\"sub\":\"alice\"}", "[]")) == "the header of the token is not well-formed");
  CHECK(judged(token_of("{\"sub\":\"alice\"}", "{")) == "the header of the token is not well-formed");
  CHECK(judged(token_of(R"({"sub":"alice"})", R"({"alg":"HS256","alg":"none"})")) ==
        "the header of the token is not well-formed");
  CHECK(judged(token_of(R"({"sub":"alice"})", R"({"alg":"HS256","kid":7})")) ==
        "the header of the token is not well-formed");
  CHECK(judged(token_of(R"({"sub":"alice"})", R"({"alg":"HS256","kid":")" + std::string(257, 'k') + "\"}")) ==
        "the header of the token is not well-formed");
}

TEST_CASE("jwt: what names the user is a text") {
  for (const char* user : {"null", "true", "5", R"(["a"])", R"({"a":"b"})"}) {
    INFO(user);
    CHECK(judged(token_of(fmt::format(R"({{"sub":{},"exp":2000}})", user))) ==
          "the claim that names the user is no text");
  }
}

TEST_CASE("jwt: no token chooses how it is judged") {
  const std::string claims = R"({"sub":"alice","exp":2000})";
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":""})", R"({})", R"({"alg":null})",
        R"({"alg":"HS384"})", R"({"alg":"RS256"})", R"({"alg":["HS256"]})"}) {
    INFO(header);
    CHECK(judged(url(header) + "." + url(claims) + ".") == "the token is of an algorithm that is not taken");
    CHECK(judged(token_of(claims, header)) == "the token is of an algorithm that is not taken");
  }
  // A public key is no secret, also where both are taken.
  TokenKeys keys;
  const std::string pem =
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END "
      "PUBLIC "
      "KEY-----\n";
  REQUIRE(keys.add(pem).empty());
  TokenRules rules = some_rules();
  rules.algorithms.push_back(crypto::Algorithm::EdDSA);
  for (const std::string& secret : {pem.substr(0, 64), pem.substr(27, 60)})
    CHECK(judged(token_of(claims, R"({"alg":"HS256"})", secret), rules, keys) ==
          "the token is of a key that is not known");
  CHECK(judged(token_of(claims, R"({"alg":"EdDSA"})"), rules, keys) ==
        "the signature of the token is not good");
  CHECK(judged(token_of(claims, R"({"alg":"HS256"})", std::string(32, 't'))) ==
        "the signature of the token is not good");
  CHECK(judged(token_of(claims, R"({"alg":"HS256","crit":["b64"],"b64":false})")) ==
        "the token needs what is not known here");
  CHECK(judged(token_of(claims, R"({"alg":"HS256","typ":"at+jwt","x5u":"http://a","jwk":{}})")) == "alice");
}

TEST_CASE("jwt: times, to the second, with a clock that may be off") {
  const auto at = [](const std::string& times) {
    return judged(token_of("{\"sub\":\"alice\"," + times + "}"));
  };
  CHECK(at("\"exp\":941") == "alice");  // 60 seconds of leeway
  CHECK(at("\"exp\":940") == "the token has expired");
  CHECK(at("\"exp\":940.5") == "alice");
  CHECK(at("\"exp\":2000,\"nbf\":1060") == "alice");
  CHECK(at("\"exp\":2000,\"nbf\":1061") == "the token is not good yet");
  CHECK(at("\"exp\":2000,\"iat\":1060") == "alice");
  CHECK(at("\"exp\":2000,\"iat\":1061") == "the token is of a time to come");
  CHECK(at("\"exp\":1e30") == "alice");
  CHECK(at("\"exp\":-1e30") == "the token has expired");
  for (const char* none : {"\"exp\":\"2000\"", "\"exp\":null", "\"exp\":1e999", "\"exp\":2000,\"nbf\":[]"})
    CHECK(at(none) == "a time in the token is no number");
}

TEST_CASE("jwt: issuer, audience and what is needed") {
  const auto with = [](const std::string& claims, TokenRules rules) {
    return judged(token_of("{\"sub\":\"alice\"" + claims + "}"), rules);
  };
  TokenRules rules = some_rules();
  CHECK(with("", rules) == "alice");
  CHECK(with(R"(,"iss":"any")", rules) == "alice");
  // RFC 7519, section 4.1.3: who is not named must refuse it.
  CHECK(with(R"(,"aud":"somebody")", rules) == "the token is for others");
  rules.audiences = {"us", "them"};
  for (const char* good : {R"(,"aud":"us")", R"(,"aud":["x","them"])", R"(,"aud":[7,"us"])"})
    CHECK(with(good, rules) == "alice");
  for (const char* bad :
       {"", R"(,"aud":"US")", R"(,"aud":[])", R"(,"aud":["u","s"])", R"(,"aud":7)", R"(,"aud":{"us":1})"})
    CHECK(with(bad, rules) == "the token is for others");
  rules = some_rules();
  rules.issuers = {"https://a", "https://b"};
  CHECK(with(R"(,"iss":"https://b")", rules) == "alice");
  for (const char* bad : {"", R"(,"iss":"https://a/")", R"(,"iss":["https://a"])"})
    CHECK(with(bad, rules) == "the token is of another issuer");
  rules = some_rules();
  rules.needed = {"exp", "role"};
  CHECK(with(R"(,"exp":2000,"role":null)", rules) == "alice");
  CHECK(with(R"(,"exp":2000)", rules) == "the token is without a claim that is needed");
  rules = some_rules();
  rules.user = "email";
  CHECK(with(R"(,"email":"a@b")", rules) == "a@b");
  for (const char* bad : {"", R"(,"email":"")", R"(,"email":"a\nb")", R"(,"email":" a")"})
    CHECK(with(bad, rules) == "the token names no user");
}

TEST_CASE("jwt: keys of a set are found by their id, and tried where there are few") {
  const auto key = [](const std::string& id, char c, const std::string& more = "") {
    return fmt::format(R"({{"kty":"oct","k":"{}"{}{}}})", url(std::string(32, c)),
                       id.empty() ? "" : ",\"kid\":\"" + id + "\"", more);
  };
  const auto made = [](const std::string& id, char c) {
    return token_of(R"({"sub":"alice","exp":2000})",
                    id.empty() ? R"({"alg":"HS256"})" : R"({"alg":"HS256","kid":")" + id + "\"}",
                    std::string(32, c));
  };
  TokenKeys keys;
  REQUIRE(keys.add("{\"keys\":[" + key("one", 'a') + "," + key("two", 'b') +
                   R"(,{"kty":"EC","crv":"secp256k1"},)" + key("three", 'c', R"(,"use":"enc")") + "," +
                   key("four", 'd', R"(,"alg":"HS256","key_ops":["verify"])") + R"(],"more":1})")
              .empty());
  CHECK(keys.all().size() == 3);
  CHECK(judged(made("one", 'a'), some_rules(), keys) == "alice");
  CHECK(judged(made("two", 'b'), some_rules(), keys) == "alice");
  CHECK(judged(made("four", 'd'), some_rules(), keys) == "alice");
  CHECK(judged(made("one", 'b'), some_rules(), keys) == "the signature of the token is not good");
  CHECK(judged(made("three", 'c'), some_rules(), keys) == "the token is of a key that is not known");
  CHECK(judged(made("", 'b'), some_rules(), keys) == "alice");
  TokenKeys many;
  for (int i = 0; i < 5; ++i)
    REQUIRE(many.add(key("k" + std::to_string(i), static_cast<char>('a' + i))).empty());
  CHECK(judged(made("k4", 'e'), some_rules(), many) == "alice");
  CHECK(judged(made("", 'e'), some_rules(), many) == "the token does not say which of the keys it is of");
}

TEST_CASE("jwt: what is wrong with keys is told, and shows nothing of them") {
  const auto wrong = [](const std::string& text) { return TokenKeys().add(text); };
  CHECK(wrong("short").contains(
      "it is neither JSON nor PEM, so it is a secret, and a secret has 32 bytes at least"));
  CHECK(wrong(std::string(32, 's') + "\n").empty());
  CHECK(wrong(std::string(31, 's') + "\n").contains("a secret has 32 bytes"));
  CHECK(wrong("{") == "this is no well-formed JSON object");
  CHECK(wrong("{}") == "the key cannot be used: it has no `kty`");
  CHECK(wrong(R"({"keys":{}})") == "`keys` is no list");
  CHECK(wrong(R"({"keys":[1]})") == "key 1 of the set cannot be used: it is no JSON object");
  CHECK(wrong(R"({"keys":[]})").empty());
  CHECK(wrong(R"({"kty":"EC","crv":"secp256k1"})") ==
        "the key cannot be used: it is not for signatures that are known here");
  CHECK(wrong(R"({"kty":"oct","k":"c2hvcnQ"})").contains("a secret has 32 bytes at least"));
  CHECK(
      wrong(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"secret"})")
          .contains("this is a private key"));
  CHECK(
      wrong(
          R"({"kty":"OKP","crv":"Ed25519","alg":"HS256","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})")
          .contains("it is not for HS256, as its `alg` says"));
  CHECK(wrong(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})").starts_with("the key cannot be used: "));
}

TEST_CASE("jwt: the token goes no further, and stands in no log") {
  LogText text;
  const std::string token = token_of(claims_of());
  {
    Stage stage(kinds());
    stage.middleware("access_log",
                     {texts("fields", {"user", "target", "header:authorization", "header:cookie"}),
                      texts("redact_headers", {})});
    stage.middleware("jwt", options({entry("cookie", std::string("t"))}));
    tells(stage);
    CHECK(body(stage.get("/", "Cookie: a=b; t=" + token + "\r\n")).ends_with("|Host|Cookie"));
    CHECK(body(stage.get("/", "Cookie: t=" + token + "\r\n")).ends_with("|Host"));
    CHECK(body(stage.get("/", bearer(token))).ends_with("|Host"));
    CHECK(status_of(stage.get("/", bearer(token + "x"))) == 401);
    CHECK(status_of(stage.get("/", bearer(token) + "Cookie: t=" + token + "\r\n")) == 400);
  }
  const std::string log = text.take();
  CHECK_FALSE(log.contains(token.substr(0, 20)));
  CHECK(log.contains(R"({"user":"alice","target":"/","header_cookie":"a=b"})"));
}

TEST_CASE("jwt: a token that comes again asks nothing of the heap, and counts as remembered") {
  metrics::Registry registry;
  Stage stage(kinds(), {.workers = 1, .metrics = &registry});
  stage.middleware("jwt", options({entry("pass_on", true)}));
  stage.route("/");
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n" + bearer(token_of(claims_of())) + "\r\n";
  CHECK(leat::test::allocations_of(1000, [&] { stage.serve(request); }) == 0);
  (void)stage.get("/");
  (void)stage.get("/", bearer("x"));
  const std::string shown = registry.text();
  for (const char* line : {"accepted\"} 1\n", "remembered\"} 1099\n", "refused\"} 1\n", "missing\"} 1\n"})
    CHECK(shown.contains("leat_jwt_requests_total{instance=\"jwt\",result=\"" + std::string(line)));
}

TEST_CASE(
    "jwt: where none is required, requests without one pass as nobody's; what is too long is refused "
    "unread") {
  Stage stage(kinds());
  stage.middleware("jwt", options({entry("required", false), entry("size", int64_t{256})}));
  tells(stage);
  CHECK(body(stage.get("/")) == "|Host");
  CHECK(status_of(stage.get("/", bearer("x"))) == 401);
  CHECK(stage.get("/", bearer(std::string(257, 'x'))).contains("the token is too long"));
}

TEST_CASE("jwt: options that make no sense are mistakes") {
  const auto said = [](Value::Table all) {
    const Diagnostics found = mistakes("jwt", std::move(all), {.read_file = read_keys_text});
    REQUIRE(found.size() == 1);
    return found[0].message;
  };
  const auto file = [] { return entry("file", std::string("/keys")); };
  CHECK(said({entry("secret", std::string(kSecret))}) == "`algorithms` is missing");
  CHECK(said({texts("algorithms", {"HS256"})}) == "there is no key: name a `file`, a `secret` or a `url`");
  CHECK(said({texts("algorithms", {"none"}), entry("secret", std::string(kSecret))})
            .contains("what nobody has signed says nothing"));
  CHECK(said({texts("algorithms", {"ES256K"}), entry("secret", std::string(kSecret))})
            .contains("none of HS256, HS384"));
  CHECK(said({texts("algorithms", {"HS256", "RS256"}), entry("secret", std::string(kSecret))}) ==
        "there is no key that is for RS256");
  CHECK(said({texts("algorithms", {"HS512"}), entry("secret", std::string(kSecret))}) ==
        "there is no key that is for HS512");
  CHECK(said({texts("algorithms", {"HS256"}), entry("secret", std::string("hunter2"))})
            .contains("32 bytes at least"));
  CHECK(said({texts("algorithms", {"HS256"}), entry("secret", "-----BEGIN PUBLIC KEY-----" + kSecret)})
            .contains("is a key that others may know, and no secret"));
  CHECK(said(options({entry("cookie", std::string("a b"))})).contains("names no cookie"));
  file_of_keys = "hunter2";
  const std::string short_one = said({texts("algorithms", {"HS256"}), file()});
  CHECK(short_one.starts_with("`/keys`: it is neither JSON nor PEM"));
  CHECK_FALSE(short_one.contains("hunter2"));
  file_of_keys = kSecret;
  CHECK(mistakes("jwt", {texts("algorithms", {"HS256"}), file()}, {.read_file = read_keys_text}).empty());
}

}  // namespace leat::middleware
