// A token as it is sent: a JWT (RFC 7519) in the compact form of a JWS (RFC 7515), and what is asked of one.
//
//   BASE64URL(header) . BASE64URL(claims) . BASE64URL(signature)
//
// What is wrong with a token is a literal that clients may see. It is said in this order: its form, its algorithm, its key,
// its signature, and only then what its claims say.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "middleware/token_keys.h"

namespace leat::middleware {

// What is asked of a token. Times are in seconds.
struct TokenRules {
  std::vector<crypto::Algorithm> algorithms;
  std::vector<std::string> issuers;    // none: any
  std::vector<std::string> audiences;  // none: only a token that is for nobody in particular
  std::vector<std::string> needed;     // claims that have to be there
  std::string user = "sub";            // the claim that is the user's name
  int64_t leeway_s = 60;
};

// One that is good, for as long as its time.
class VerifiedToken {
 public:
  // Views of it.
  [[nodiscard]] std::string_view user() const { return user_; }
  [[nodiscard]] const std::vector<http::Claim>& claims() const { return claims_; }
  // Since 1970, leeway and all; INT64_MAX where it never ends.
  [[nodiscard]] int64_t until_s() const { return until_s_; }

 private:
  friend class TokenReader;
  struct Text {
    std::string name, value;
  };
  std::vector<Text> texts_;
  std::vector<http::Claim> claims_;  // views of those
  std::string_view user_;
  int64_t until_s_ = INT64_MAX;
};

struct TokenRefusal {
  std::string_view why;
  bool failed = false;      // for want of memory: nothing is known of it
  bool other_keys = false;  // by other keys it might be good: it is of none of these
};

// `token` as it was sent, at the time `now_s` since 1970.
std::expected<std::shared_ptr<const VerifiedToken>, TokenRefusal> verify_token(std::string_view token,
                                                                               const TokenKeys& keys,
                                                                               const TokenRules& rules,
                                                                               int64_t now_s);

}  // namespace leat::middleware
