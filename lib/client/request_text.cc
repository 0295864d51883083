#include "client/request_text.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace leat::client {

namespace {

// One that announces its body also where that is empty (RFC 9110, section 8.6).
bool expects_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH" || method == "QUERY";
}

bool has_field(const FetchRequest& request, std::string_view name) {
  return std::ranges::any_of(request.fields,
                             [&](const Field& field) { return equal_ignoring_case(field.name, name); });
}

// Calls `put` with the pieces of the request as it is sent, in order.
template <class Put>
void write_request(const Upstream& upstream, const FetchRequest& request, const http::TraceParent& trace,
                   Put put) {
  for (const std::string_view part :
       {request.method, std::string_view(" "), request.target, std::string_view(" HTTP/1.1\r\nHost: "),
        std::string_view(upstream.authority()), std::string_view("\r\n")})
    put(part);
  for (const Field& field : request.fields)
    for (const std::string_view part :
         {field.name, std::string_view(": "), field.value, std::string_view("\r\n")})
      put(part);
  // The request's own place in its trace is the parent of what is asked for its sake.
  if (!trace.text.empty() && !has_field(request, "traceparent")) {
    for (const std::string_view part :
         {std::string_view("traceparent: "), trace.text, std::string_view("\r\n")})
      put(part);
    if (!trace.state.empty() && !has_field(request, "tracestate"))
      for (const std::string_view part :
           {std::string_view("tracestate: "), trace.state, std::string_view("\r\n")})
        put(part);
  }
  if (!request.body.empty() || expects_body(request.method)) {
    char digits[20];
    const char* const end = std::to_chars(digits, digits + sizeof digits, request.body.size()).ptr;
    put("Content-Length: ");
    put({digits, static_cast<size_t>(end - digits)});
    put("\r\n");
  }
  put("\r\n");
  put(request.body);
}

}  // namespace

bool is_idempotent(std::string_view method) {
  for (const std::string_view each : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY"})
    if (method == each) return true;
  return false;
}

bool write_request(CountedText& out, BlockPool& memory, const Upstream& upstream, const FetchRequest& request,
                   const http::TraceParent& trace, size_t most_kept) {
  size_t size = 0;
  write_request(upstream, request, trace, [&](std::string_view part) { size += part.size(); });
  out.reset(most_kept);
  if (!out.reserve(memory, size)) return false;
  write_request(upstream, request, trace, [&](std::string_view part) { out.append(part); });
  return true;
}

std::string_view refuse_request(const FetchRequest& request) {
  if (!is_token(request.method)) return "the method is not a token";
  if (request.method == "CONNECT") return "CONNECT asks for a tunnel, which is not made";
  const auto unfit = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; };
  if (!request.target.starts_with('/') && request.target != "*") return "the target does not begin with a /";
  if (std::ranges::any_of(request.target, unfit) || request.target.contains('#'))
    return "the target has white space, a control character or a fragment";
  for (const Field& field : request.fields) {
    if (!is_token(field.name)) return "a field's name is not a token";
    if (!is_field_value(field.value)) return "a field's value has a control character";
    for (const std::string_view own :
         {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE",
          "Trailer", "Expect", "Proxy-Connection"})
      if (equal_ignoring_case(field.name, own))
        return "a field controls the connection (Host, Content-Length, Connection ...): the client sets it "
               "itself";
  }
  return {};
}

}  // namespace leat::client
