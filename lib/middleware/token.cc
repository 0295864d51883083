#include "middleware/token.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "json/members.h"

namespace leat::middleware {

namespace {

using crypto::VerificationKey;
using Members = std::vector<json::Member>;
using Refused = std::unexpected<TokenRefusal>;

Refused refuse(std::string_view why) { return Refused(TokenRefusal{why}); }

std::optional<std::string> decode(std::string_view part) {
  std::string bytes(most_decoded(part), '\0');
  const auto decoded = decode_base64(Base64::Url, part, bytes.data());
  if (!decoded) return std::nullopt;
  bytes.resize(decoded->size());
  return bytes;
}

// Whom logs and header fields can name. One that is empty would be nobody, whom nothing is kept from.
bool is_user(std::string_view name) {
  constexpr size_t kMost = 256;
  return !name.empty() && name.size() <= kMost && is_field_value(name) && trim(name) == name;
}

// What stands before the first dot, which goes with it; the whole where there is none.
std::string_view take_part(std::string_view& token) {
  const std::string_view part = token.substr(0, token.find('.'));
  token.remove_prefix(std::min(part.size() + 1, token.size()));
  return part;
}

// What a header says.
struct Header {
  crypto::Algorithm algorithm{};
  std::optional<std::string> key_id;
};

std::expected<Header, TokenRefusal> read_header(std::string_view part, const TokenRules& rules) {
  const auto text = decode(part);
  const auto members = text ? json::read_object(*text) : std::nullopt;
  if (!members) return refuse("the header of the token is not well-formed");
  const auto name = json::read_string(json::find_member(*members, "alg"));
  const auto algorithm = name ? crypto::find_algorithm(*name) : std::nullopt;
  if (!algorithm || !std::ranges::contains(rules.algorithms, *algorithm))
    return refuse("the token is of an algorithm that is not taken");
  // What is critical for who made it must be understood, and nothing is (RFC 7515, section 4.1.11).
  if (json::find_member(*members, "crit").data() != nullptr)
    return refuse("the token needs what is not known here");
  Header header{.algorithm = *algorithm, .key_id = std::nullopt};
  if (const std::string_view id = json::find_member(*members, "kid"); id.data() != nullptr) {
    header.key_id = json::read_string(id);
    if (!header.key_id || header.key_id->size() > TokenKeys::kMostKeyId)
      return refuse("the header of the token is not well-formed");
  }
  return header;
}

// The keys that a token may be of. Those without an id are of tokens that name one, too: they are not of a set.
std::expected<std::vector<const VerificationKey*>, TokenRefusal> keys_for(const Header& header,
                                                                          const TokenKeys& keys) {
  std::vector<const VerificationKey*> found;
  for (const TokenKey& key : keys.all())
    if (key.is_for(header.algorithm) && (!header.key_id || key.id.empty() || key.id == *header.key_id))
      found.push_back(&key.key);
  if (found.empty())
    return Refused(TokenRefusal{.why = "the token is of a key that is not known", .other_keys = true});
  if (found.size() > TokenKeys::kMostTries)
    return refuse("the token does not say which of the keys it is of");
  return found;
}

}  // namespace

class TokenReader {
 public:
  TokenReader(const TokenRules& rules, int64_t now_s) : rules_(rules), now_s_(now_s) {}

  // Of claims whose signature is good.
  std::expected<std::shared_ptr<const VerifiedToken>, TokenRefusal> read(std::string_view part) const {
    const auto text = decode(part);
    const auto members = text ? json::read_object(*text) : std::nullopt;
    if (!members) return refuse("the claims of the token are not well-formed");
    const auto token = std::make_shared<VerifiedToken>();
    if (const std::string_view why = check_times(*members, *token); !why.empty()) return refuse(why);
    if (const std::string_view why = check_names(*members); !why.empty()) return refuse(why);
    // No text, or a list of them: nobody is called so (RFC 7519, section 4.1.2).
    const std::string_view user = json::find_member(*members, rules_.user);
    if (user.data() != nullptr && !user.starts_with('"'))
      return refuse("the claim that names the user is no text");
    for (const json::Member& member : *members)
      token->texts_.push_back(
          {member.name, json::read_string(member.value).value_or(std::string(member.value))});
    for (const VerifiedToken::Text& each : token->texts_) {
      token->claims_.push_back({each.name, each.value});
      if (each.name == rules_.user) token->user_ = each.value;
    }
    if (!is_user(token->user_)) return refuse("the token names no user");
    return token;
  }

 private:
  // A time in seconds since 1970, which may have a fraction; nothing where it is none.
  static std::optional<double> time_of(const Members& members, std::string_view name, bool& well_formed) {
    const std::string_view value = json::find_member(members, name);
    if (value.data() == nullptr) return std::nullopt;
    const auto number = json::read_number(value);
    well_formed = well_formed && number && std::isfinite(*number);
    return number;
  }

  [[nodiscard]] std::string_view check_times(const Members& members, VerifiedToken& token) const {
    bool well_formed = true;
    const auto ends = time_of(members, "exp", well_formed), begins = time_of(members, "nbf", well_formed),
               made = time_of(members, "iat", well_formed);
    if (!well_formed) return "a time in the token is no number";
    const auto now = static_cast<double>(now_s_), leeway = static_cast<double>(rules_.leeway_s);
    if (ends && now >= *ends + leeway) return "the token has expired";
    if (begins && now + leeway < *begins) return "the token is not good yet";
    if (made && now + leeway < *made) return "the token is of a time to come";
    constexpr double kNever = 1e15;  // and no more than a number of seconds holds
    if (ends && *ends < kNever) token.until_s_ = static_cast<int64_t>(std::ceil(*ends + leeway));
    return {};
  }

  [[nodiscard]] std::string_view check_names(const Members& members) const {
    for (const std::string& name : rules_.needed)
      if (json::find_member(members, name).data() == nullptr)
        return "the token is without a claim that is needed";
    if (!rules_.issuers.empty()) {
      const auto issuer = json::read_string(json::find_member(members, "iss"));
      if (!issuer || !std::ranges::contains(rules_.issuers, *issuer)) return "the token is of another issuer";
    }
    const std::string_view audience = json::find_member(members, "aud");
    if (audience.data() == nullptr) return rules_.audiences.empty() ? "" : "the token is for others";
    auto list = json::read_array(audience);
    if (!list) list = {audience};
    const bool meant = std::ranges::any_of(*list, [&](std::string_view each) {
      const auto name = json::read_string(each);
      return name && std::ranges::contains(rules_.audiences, *name);
    });
    return meant ? "" : "the token is for others";
  }

  const TokenRules& rules_;
  const int64_t now_s_;
};

std::expected<std::shared_ptr<const VerifiedToken>, TokenRefusal> verify_token(std::string_view token,
                                                                               const TokenKeys& keys,
                                                                               const TokenRules& rules,
                                                                               int64_t now_s) {
  if (std::ranges::count(token, '.') != 2) return refuse("the token is not well-formed");
  std::string_view rest = token;
  const std::string_view header_part = take_part(rest), claims_part = take_part(rest);
  const std::string_view signed_part = token.substr(0, header_part.size() + 1 + claims_part.size());
  const auto signature = decode(rest);
  if (!signature) return refuse("the token is not well-formed");
  const auto header = read_header(header_part, rules);
  if (!header) return Refused(header.error());
  const auto candidates = keys_for(*header, keys);
  if (!candidates) return Refused(candidates.error());
  for (const VerificationKey* key : *candidates) {
    const auto outcome = key->verify(header->algorithm, signed_part, *signature);
    if (outcome == VerificationKey::Outcome::Failed) return Refused(TokenRefusal{.why = {}, .failed = true});
    if (outcome == VerificationKey::Outcome::Good) return TokenReader(rules, now_s).read(claims_part);
  }
  // Whether it is a forgery or of a key that has taken the place of one of these, with its id or without any, only the keys
  // that there are now can tell.
  return Refused(TokenRefusal{.why = "the signature of the token is not good", .other_keys = true});
}

}  // namespace leat::middleware
