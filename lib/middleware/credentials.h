// Where a request carries what proves who asks, a key or a token: in a header field, in the query or in a cookie. And how
// it is taken from the request, so that no handler, upstream or log sees it that was not meant to.
//
// In `Authorization` it stands behind a scheme (RFC 9110, section 11.4), in other fields by itself. What comes twice is
// refused: who looks at one of them could be shown another than who looks at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "http/exchange.h"

namespace leat::middleware {

// Each empty where it is not looked for there.
struct CredentialPlaces {
  std::string header;
  std::string query;   // a parameter's name
  std::string cookie;  // a cookie's name
};

class Credentials {
 public:
  enum class Found : uint8_t { None, One, Several, Malformed, NoMemory };

  // `scheme`: what stands before it in `Authorization`, "Bearer".
  Credentials(CredentialPlaces places, std::string_view scheme);

  // `text` is good as long as the exchange.
  [[nodiscard]] Found find(http::Exchange& exchange, std::string_view& text) const;
  // Takes from the request whatever stands in one of the places, if anything does. False: memory is out.
  [[nodiscard]] bool hide(http::Exchange& exchange) const;
  // They stand behind a scheme, in the field that is made for it.
  [[nodiscard]] bool by_scheme() const { return id_ == http::HeaderId::Authorization; }
  [[nodiscard]] const CredentialPlaces& places() const { return places_; }

 private:
  [[nodiscard]] bool is_field(const http::Head& head, const http::HeaderSlot& slot) const {
    return slot.id == id_ && !places_.header.empty() &&
           (id_ != http::HeaderId::Unknown || equal_ignoring_case(head.view(slot.name), places_.header));
  }
  // What stands in `slot`, if it is of the field and scheme; a null data() if it is not.
  [[nodiscard]] std::string_view in_field(const http::Head& head, const http::HeaderSlot& slot) const;

  const CredentialPlaces places_;
  const http::HeaderId id_;  // of the header
  const std::string scheme_;
};

// Answers 401 with that challenge, which must be a literal or outlive the exchange. Empty: none.
void send_unauthorized(http::Exchange& exchange, std::string_view challenge, std::string_view detail);

}  // namespace leat::middleware
