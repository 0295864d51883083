#include "middleware/request_key.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/host_address.h"
#include "base/text.h"
#include "middleware/option_error.h"
#include "pipeline/host_name.h"
#include "pipeline/parameters.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

uint64_t hash_as(uint8_t kind, std::string_view bytes, const SipKey& key) {
  return sip_hash(bytes, {key.low ^ kind, key.high});
}

uint64_t hash_of_host(uint8_t kind, std::string_view authority, const SipKey& key) {
  const std::string_view name = pipeline::host_name(authority);
  // One that is longer is no name (RFC 1035, section 2.3.4); all such are one.
  char lower[255];
  if (name.size() > sizeof lower) return hash_as(kind, {}, key);
  std::ranges::transform(name, lower, ascii_lower);
  return hash_as(kind, {lower, name.size()}, key);
}

}  // namespace

std::string check_key_part(std::string_view called, std::string_view text) {
  if (RequestKey::read_part(text)) return {};
  return fmt::format(
      "{} has `{}`, which is no part of a key: write client, user, host, route, header:NAME, cookie:NAME or "
      "claim:NAME",
      called, text);
}

std::optional<RequestKey::Part> RequestKey::read_part(std::string_view text) {
  constexpr std::pair<std::string_view, Kind> kWords[] = {
      {"client", Kind::Client}, {"host", Kind::Host}, {"user", Kind::User}, {"route", Kind::Route}};
  for (const auto& [word, kind] : kWords)
    if (text == word) return Part{.kind = kind, .name = {}};
  constexpr std::pair<std::string_view, Kind> kNamed[] = {
      {"header:", Kind::Header}, {"cookie:", Kind::Cookie}, {"claim:", Kind::Claim}};
  for (const auto& [word, kind] : kNamed) {
    if (!text.starts_with(word)) continue;
    const std::string_view name = text.substr(word.size());
    // Claims are named by whoever makes tokens (RFC 7519, section 4), often with a URL.
    if (kind == Kind::Claim ? name.empty() || trim(name) != name : !is_token(name)) return std::nullopt;
    return Part{.kind = kind,
                .name = std::string(name),
                .id = kind == Kind::Header ? http::find_header(name) : http::HeaderId::Unknown};
  }
  return std::nullopt;
}

std::optional<RequestKey> RequestKey::read(const pipeline::BuildContext& context,
                                           const std::vector<std::string>& parts, uint32_t ipv4_bits,
                                           uint32_t ipv6_bits) {
  std::vector<Part> all;
  for (const std::string& text : parts)
    if (auto part = read_part(text)) all.push_back(std::move(*part));
  if (all.size() > kMostParts) {
    fail_option(context, "key", fmt::format("a `key` has at most {} parts", kMostParts));
    return std::nullopt;
  }
  if (all.size() != parts.size()) return std::nullopt;
  return RequestKey(std::move(all), ipv4_bits, ipv6_bits);
}

std::vector<pipeline::Need> RequestKey::needs() const {
  std::vector<pipeline::Need> all;
  for (const auto& [kind, finding] :
       {std::pair{Kind::User, pipeline::kUser}, std::pair{Kind::Claim, pipeline::kClaims}})
    if (std::ranges::contains(parts_, kind, &Part::kind))
      all.push_back({.finding = finding, .option = "key"});
  return all;
}

std::string_view RequestKey::value_of(const http::Exchange& exchange, const Part& part) {
  const http::Request& request = exchange.request;
  switch (part.kind) {
    case Kind::User:
      return request.user();
    case Kind::Header:
      return part.id == http::HeaderId::Unknown ? request.header(part.name) : request.header(part.id);
    case Kind::Cookie:
      return pipeline::find_cookie(request, part.name);
    case Kind::Claim:
      return request.claim(part.name);
    default:
      return {};
  }
}

uint64_t RequestKey::hash(const http::Exchange& exchange, const SipKey& key) const {
  uint64_t hashes[kMostParts] = {};
  for (size_t i = 0; i < parts_.size(); ++i) hashes[i] = hash_of(exchange, parts_[i], key);
  if (parts_.size() == 1) return hashes[0];
  char bytes[sizeof hashes];
  std::memcpy(bytes, hashes, sizeof hashes);
  return sip_hash({bytes, parts_.size() * sizeof hashes[0]}, key);
}

uint64_t RequestKey::hash_of(const http::Exchange& exchange, const Part& part, const SipKey& key) const {
  const auto kind = static_cast<uint8_t>(part.kind);
  if (part.kind == Kind::Host) return hash_of_host(kind, exchange.request.host(), key);
  if (part.kind == Kind::Route)
    return hash_as(kind, exchange.route == nullptr ? std::string_view() : exchange.route->id, key);
  const std::string_view value = value_of(exchange, part);
  return value.empty() ? hash_of_client(exchange.request.client(), key) : hash_as(kind, value, key);
}

uint64_t RequestKey::hash_of_client(std::string_view client, const SipKey& key) const {
  const auto address = HostAddress::parse(client);
  if (!address || !address->is_ip()) return hash_as(static_cast<uint8_t>(Kind::ClientName), client, key);
  char bytes[17];
  const bool four = address->kind() == HostAddress::Kind::Ipv4;
  bytes[0] = four ? 4 : 6;
  (four ? ipv4_ : ipv6_).put(bytes + 1, address->bytes());
  return hash_as(static_cast<uint8_t>(Kind::Client), {bytes, sizeof bytes}, key);
}

std::string RequestKey::describe(const http::Exchange& exchange, const Part& part) {
  const http::Request& request = exchange.request;
  if (part.kind == Kind::Host) return std::string(pipeline::host_name(request.host()));
  if (part.kind == Kind::Route) return "its route";
  if (value_of(exchange, part).empty()) return std::string(request.client());
  if (part.kind == Kind::User) return fmt::format("the user {}", request.user());
  constexpr std::string_view kWhat[] = {"the value of", "the cookie", "the claim"};
  const size_t which = part.kind == Kind::Header ? 0 : part.kind == Kind::Cookie ? 1 : 2;
  return fmt::format("{} {}", kWhat[which], part.name);
}

std::string RequestKey::describe(const http::Exchange& exchange) const {
  if (parts_.empty()) return "all requests together";
  std::string all;
  for (const Part& each : parts_)
    all += fmt::format("{}{}", all.empty() ? "" : " and ", describe(exchange, each));
  return all;
}

}  // namespace leat::middleware
