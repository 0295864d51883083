// CsrfToken: what a page of the site knows and no other can: the token of its user's session.
//
// It is HMAC-SHA256 of the session's seed, in base64url, so that nothing is kept, and a session that is renewed has another.
// Pages find it in a cookie that scripts can read, and send it back in a header field, or a form in a field of its own. What
// comes is held against the session and not against that cookie, which another host of the site might have set.
//
// Thread: any; an exchange's functions on its worker.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/exchange.h"

namespace leat::middleware {

struct CsrfTokenPlaces {
  std::string cookie;
  std::string header;
  std::string field;  // empty: none
};

class CsrfToken {
 public:
  explicit CsrfToken(CsrfTokenPlaces places);

  enum class Outcome : uint8_t {
    Good,
    Wrong,  // or missing
    InForm  // the request has none, but a form may: check_form() says
  };
  [[nodiscard]] Outcome check(const http::Exchange& exchange) const;
  // Of the whole body of a request that had none elsewhere.
  [[nodiscard]] bool check_form(http::Exchange& exchange, std::string_view body) const;

  // Puts the cookie into the answer, where its client has another one: with a page, which begins a session where there is
  // none, and with anything in a session.
  void give(http::Exchange& exchange, http::AnswerBody& body) const;

 private:
  const CsrfTokenPlaces places_;
  const bool prefixed_;  // the cookie's name asks for https
};

}  // namespace leat::middleware
