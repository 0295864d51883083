#include "middleware/token_keys.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "json/members.h"

namespace leat::middleware {

namespace {

using crypto::VerificationKey;
using Members = std::vector<json::Member>;

std::optional<std::string> text_of(const Members& members, std::string_view name) {
  const std::string_view value = json::find_member(members, name);
  return value.data() == nullptr ? std::nullopt : json::read_string(value);
}

// The bytes of a member; empty where there are none.
std::string bytes_of(const Members& members, std::string_view name) {
  const std::string text = text_of(members, name).value_or("");
  std::string bytes(most_decoded(text), '\0');
  const auto decoded = decode_base64(Base64::Url, text, bytes.data());
  bytes.resize(decoded ? decoded->size() : 0);
  return bytes;
}

// Bytes of a modulus: one of 4096 bits. To look at a larger one takes a worker too long.
constexpr size_t kMostPublishedRsa = 512;

bool says_of_others(const Members& members) {
  if (const auto use = text_of(members, "use"); use && *use != "sig") return true;
  const std::string_view operations = json::find_member(members, "key_ops");
  const auto list = operations.data() == nullptr ? std::nullopt : json::read_array(operations);
  return list && std::ranges::none_of(
                     *list, [](std::string_view each) { return json::read_string(each) == "verify"; });
}

VerificationKey::Made key_of(const Members& members, std::string_view type) {
  if (type == "oct") return VerificationKey::of_secret(bytes_of(members, "k"));
  if (json::find_member(members, "d").data() != nullptr)
    return std::unexpected(
        "this is a private key, which belongs to who makes tokens: take the public one of it");
  if (type == "RSA") return VerificationKey::of_rsa(bytes_of(members, "n"), bytes_of(members, "e"));
  if (type == "OKP") return VerificationKey::of_ed25519(bytes_of(members, "x"));
  return VerificationKey::of_curve(text_of(members, "crv").value_or(""), bytes_of(members, "x"),
                                   bytes_of(members, "y"));
}

bool is_known(const Members& members, std::string_view type) {
  const std::string curve = text_of(members, "crv").value_or("");
  return type == "oct" || type == "RSA" || (type == "OKP" && curve == "Ed25519") ||
         (type == "EC" && (curve == "P-256" || curve == "P-384" || curve == "P-521"));
}

}  // namespace

std::string TokenKeys::add_jwk(std::string_view text, From from) {
  const auto members = json::read_object(text);
  if (!members) return "it is no JSON object";
  const std::string type = text_of(*members, "kty").value_or("");
  if (type.empty()) return "it has no `kty`";
  const auto name = text_of(*members, "alg");
  const auto algorithm = name ? crypto::find_algorithm(*name) : std::nullopt;
  if (!is_known(*members, type) || says_of_others(*members) || (name && !algorithm))
    return from == From::Alone ? "it is not for signatures that are known here" : "";
  if (from == From::Published && type == "oct") return "it is a secret that anybody can read";
  if (from == From::Published && bytes_of(*members, "n").size() > kMostPublishedRsa)
    return fmt::format("it has more than {} bits", 8 * kMostPublishedRsa);
  auto key = key_of(*members, type);
  if (!key) return std::move(key.error());
  const std::string id = text_of(*members, "kid").value_or("");
  if (id.size() > TokenKeys::kMostKeyId)
    return fmt::format("its `kid` has more than {} bytes", TokenKeys::kMostKeyId);
  if (algorithm && !key->fits(*algorithm)) return fmt::format("it is not for {}, as its `alg` says", *name);
  if (keys_.size() == kMostKeys) return fmt::format("there are more than {} keys", kMostKeys);
  keys_.push_back({std::move(*key), id, algorithm});
  return {};
}

std::string TokenKeys::add_jwks(std::string_view text) {
  const auto members = json::read_object(text);
  if (!members) return "this is no well-formed JSON object";
  const std::string_view list = json::find_member(*members, "keys");
  if (list.data() == nullptr) {
    const std::string wrong = add_jwk(text, From::Alone);
    return wrong.empty() ? wrong : "the key cannot be used: " + wrong;
  }
  const auto keys = json::read_array(list);
  if (!keys) return "`keys` is no list";
  for (size_t i = 0; i < keys->size(); ++i)
    if (const std::string wrong = add_jwk((*keys)[i], From::Set); !wrong.empty())
      return fmt::format("key {} of the set cannot be used: {}", i + 1, wrong);
  return {};
}

std::string TokenKeys::add(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  if (text.substr(begin).starts_with('{')) return add_jwks(text.substr(begin));
  if (text.contains("-----BEGIN")) {
    auto keys = VerificationKey::of_pem(text);
    if (!keys) return std::move(keys.error());
    for (VerificationKey& key : *keys) keys_.push_back({std::move(key), {}, std::nullopt});
    return keys_.size() > kMostKeys ? fmt::format("there are more than {} keys", kMostKeys) : std::string();
  }
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  auto secret = VerificationKey::of_secret(text);
  if (!secret) return "it is neither JSON nor PEM, so it is a secret, and " + secret.error();
  keys_.push_back({std::move(*secret), {}, std::nullopt});
  return {};
}

JwksReader::JwksReader(std::string text) : text_(std::move(text)) {
  const auto members = json::read_object(text_);
  const std::string_view list = members ? json::find_member(*members, "keys") : std::string_view();
  const auto keys = list.data() == nullptr ? std::nullopt : json::read_array(list);
  if (!keys) {
    wrong_ = "this is no set of keys (RFC 7517)";
  } else if (keys->size() > TokenKeys::kMostKeys) {
    wrong_ = fmt::format("there are more than {} keys", TokenKeys::kMostKeys);
  } else {
    for (const std::string_view key : *keys)
      parts_.emplace_back(static_cast<size_t>(key.data() - text_.data()), key.size());
  }
}

bool JwksReader::step() {
  if (next_ < parts_.size()) {
    const auto [begin, size] = parts_[next_++];
    const std::string wrong =
        keys_.add_jwk(std::string_view(text_).substr(begin, size), TokenKeys::From::Published);
    if (!wrong.empty() && left_out_.empty())
      left_out_ = fmt::format("number {} is left out: {}", next_, wrong);
    return true;
  }
  if (wrong_.empty() && keys_.all().empty())
    wrong_ = left_out_.empty() ? "there is none in it that is for signatures" : left_out_;
  return false;
}

}  // namespace leat::middleware
