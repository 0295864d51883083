// Preflight requests: what a browser asks before it lets a page of another origin send a request (the Fetch standard,
// "CORS-preflight request"). The router and the middleware that answers have to mean the same by it.
#pragma once

#include <string_view>

#include "http/message.h"

namespace leat::pipeline {

// The method that a preflight request asks about, as it was sent. A view with a null data() for what is none: it is an
// OPTIONS with Origin and Access-Control-Request-Method.
inline std::string_view preflight_method(const http::Request& request) {
  if (request.method() != http::Method::Options) return {};
  if (request.header(http::HeaderId::Origin).data() == nullptr) return {};
  return request.header(http::HeaderId::AccessControlRequestMethod);
}

}  // namespace leat::pipeline
