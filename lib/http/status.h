// Status codes: reason phrases, and which of them may carry a body.
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::http {

// X(code, reason phrase), from the IANA registry of HTTP status codes.
// clang-format off
#define LEAT_HTTP_STATUSES(X) \
  X(100, "Continue") X(101, "Switching Protocols") X(103, "Early Hints") X(200, "OK") X(201, "Created") \
  X(202, "Accepted") X(203, "Non-Authoritative Information") X(204, "No Content") X(205, "Reset Content") \
  X(206, "Partial Content") X(207, "Multi-Status") X(208, "Already Reported") X(226, "IM Used") \
  X(300, "Multiple Choices") X(301, "Moved Permanently") X(302, "Found") X(303, "See Other") \
  X(304, "Not Modified") X(307, "Temporary Redirect") X(308, "Permanent Redirect") X(400, "Bad Request") \
  X(401, "Unauthorized") X(402, "Payment Required") X(403, "Forbidden") X(404, "Not Found") \
  X(405, "Method Not Allowed") X(406, "Not Acceptable") X(407, "Proxy Authentication Required") \
  X(408, "Request Timeout") X(409, "Conflict") X(410, "Gone") X(411, "Length Required") \
  X(412, "Precondition Failed") X(413, "Content Too Large") X(414, "URI Too Long") \
  X(415, "Unsupported Media Type") X(416, "Range Not Satisfiable") X(417, "Expectation Failed") \
  X(421, "Misdirected Request") X(422, "Unprocessable Content") X(423, "Locked") \
  X(424, "Failed Dependency") X(425, "Too Early") X(426, "Upgrade Required") \
  X(428, "Precondition Required") X(429, "Too Many Requests") X(431, "Request Header Fields Too Large") \
  X(451, "Unavailable For Legal Reasons") X(500, "Internal Server Error") X(501, "Not Implemented") \
  X(502, "Bad Gateway") X(503, "Service Unavailable") X(504, "Gateway Timeout") \
  X(505, "HTTP Version Not Supported") X(506, "Variant Also Negotiates") X(507, "Insufficient Storage") \
  X(508, "Loop Detected") X(511, "Network Authentication Required")
// clang-format on

// The status line for HTTP/1.1 with its CRLF; empty for codes that are not in the table.
constexpr std::string_view status_line(uint16_t status) {
  switch (status) {
#define X(code, reason) \
  case code:            \
    return "HTTP/1.1 " #code " " reason "\r\n";
    LEAT_HTTP_STATUSES(X)
#undef X
    default:
      return {};
  }
}

// The reason phrase; empty for codes that are not in the table.
constexpr std::string_view reason_phrase(uint16_t status) {
  const std::string_view line = status_line(status);
  return line.empty() ? line : line.substr(13, line.size() - 15);
}

// A final status: what a handler may answer with.
constexpr bool is_final_status(uint16_t status) { return status >= 200 && status <= 599; }

// 1xx, 204 and 304 have neither a body nor framing fields for one (RFC 9110, section 6.4.1; a 304's
// Content-Length is optional and left out). A 205 has no body either, but says so (section 15.3.6).
constexpr bool status_allows_framing(uint16_t status) {
  return status >= 200 && status != 204 && status != 304;
}
constexpr bool status_allows_body(uint16_t status) { return status_allows_framing(status) && status != 205; }

}  // namespace leat::http
