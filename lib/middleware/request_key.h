// RequestKey: for whom a request is counted, as the option `key` of kinds that limit says: its client, its user, a field of it,
// or several of these together. What is left is a hash under a key of the table that counts, so that nobody can choose which
// requests share a place in it.
//
// Of a request without a part (no user, no such field) its client stands for it: who leaves something out is no other.
//
// Thread: made on one, then read by all.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "http/exchange.h"
#include "http/header_id.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

// A Row::Check: a part of a key, and what the parts are.
std::string check_key_part(std::string_view called, std::string_view text);
inline constexpr std::string_view kKeyPartsHelp =
    "Who is counted by themselves: each `client`, `user` that has proved who it is, `host`, `route`, value "
    "of "
    "a header field of requests, `header:NAME`, of a cookie, `cookie:NAME`, or of a claim of the user's, "
    "`claim:NAME`. Those without it are counted by client. Several make each combination a key; with none, "
    "all requests are counted together.";

class RequestKey {
 public:
  static constexpr size_t kMostParts = 8;

  // `parts` as the option has them, and how many bits of an address are a client's. Nothing: there are too many, which is
  // said at the option `key`, or check_key_part() has found something.
  static std::optional<RequestKey> read(const pipeline::BuildContext& context,
                                        const std::vector<std::string>& parts, uint32_t ipv4_bits,
                                        uint32_t ipv6_bits);

  // All requests are one.
  [[nodiscard]] bool empty() const { return parts_.empty(); }
  [[nodiscard]] uint64_t hash(const http::Exchange& exchange, const SipKey& key) const;
  // "192.0.2.1 and its route"; no value of a field, which may be a secret.
  [[nodiscard]] std::string describe(const http::Exchange& exchange) const;
  // Of those in front, for Middleware::needs().
  [[nodiscard]] std::vector<pipeline::Need> needs() const;

 private:
  // What a part is. Each hashes under a key of its own, so that what one client sends as a field is never what another is by
  // its address.
  enum class Kind : uint8_t { Client, ClientName, Host, Route, Header, User, Cookie, Claim };
  struct Part {
    Kind kind;
    std::string name;  // of a field, cookie or claim
    http::HeaderId id = http::HeaderId::Unknown;
  };
  // The first so many bits of an address.
  class Prefix {
   public:
    explicit Prefix(uint32_t bits) {
      for (uint32_t bit = 0; bit < bits; ++bit) mask_[bit / 8] |= static_cast<uint8_t>(0x80 >> bit % 8);
    }
    void put(char* at, std::span<const uint8_t, 16> address) const {
      for (size_t i = 0; i < mask_.size(); ++i) at[i] = static_cast<char>(address[i] & mask_[i]);
    }

   private:
    std::array<uint8_t, 16> mask_{};
  };

  RequestKey(std::vector<Part> parts, uint32_t ipv4_bits, uint32_t ipv6_bits)
      : parts_(std::move(parts)),
        ipv4_(ipv4_bits + 96),  // they are the last of sixteen bytes
        ipv6_(ipv6_bits) {}
  friend std::string check_key_part(std::string_view called, std::string_view text);
  static std::optional<Part> read_part(std::string_view text);
  // Empty where the request has none.
  [[nodiscard]] static std::string_view value_of(const http::Exchange& exchange, const Part& part);
  [[nodiscard]] uint64_t hash_of(const http::Exchange& exchange, const Part& part, const SipKey& key) const;
  [[nodiscard]] uint64_t hash_of_client(std::string_view client, const SipKey& key) const;
  [[nodiscard]] static std::string describe(const http::Exchange& exchange, const Part& part);

  std::vector<Part> parts_;
  Prefix ipv4_, ipv6_;
};

}  // namespace leat::middleware
