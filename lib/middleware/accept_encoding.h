// Accept-Encoding: which content coding a client takes an answer in (RFC 9110, section 12.5.3), and the field in as few
// spellings as there are different answers.
//
// Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "coding/coding.h"
#include "http/exchange.h"

namespace leat::middleware {

// What a request asks for, of the codings that there are for it.
struct CodingChoice {
  std::optional<coding::Coding> coding;  // none: the answer is to be sent as it is
  bool plain = true;                     // it may be: false where `identity` is refused

  friend bool operator==(const CodingChoice&, const CodingChoice&) = default;
};

// What all the Accept-Encoding fields of a request say, read one by one. An item that is malformed says nothing.
class AcceptedCodings {
 public:
  void add(std::string_view field);
  // The one with the highest weight; where several have it, the first of `offered`. Plain where that has more weight
  // than any, or where there is no field: who says nothing may not know any coding.
  [[nodiscard]] CodingChoice choose(std::span<const coding::Coding> offered) const;

 private:
  // In thousandths; nothing where the coding is not named. Of one that is named twice the less counts.
  using Weight = std::optional<uint16_t>;
  static void lower(Weight& weight, uint16_t to);

  std::array<Weight, coding::kCodings> weights_{};
  Weight identity_, any_;
  bool said_ = false;
};

// What `request` chooses of `offered`.
CodingChoice choose_coding(const http::Request& request, std::span<const coding::Coding> offered);

// Puts the request's Accept-Encoding, if it has one, into the one spelling that there is of its choice:
// "gzip", "gzip, identity;q=0", "identity" or "identity;q=0". So a cache that tells requests apart by it has as many
// variants as there are answers, and a handler that packs its answers itself chooses as the cache does. False: memory is
// out, and the request is as it was.
[[nodiscard]] bool settle_accept_encoding(http::Exchange& exchange, std::span<const coding::Coding> offered);

}  // namespace leat::middleware
