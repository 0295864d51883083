// Request methods: the HTTP ones of llhttp's list. RTSP's and ICE's are refused by the parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace leat::http {

// X(name in code, name on the wire)
// clang-format off
#define LEAT_HTTP_METHODS(X) \
  X(Delete, "DELETE") X(Get, "GET") X(Head, "HEAD") X(Post, "POST") X(Put, "PUT") X(Connect, "CONNECT") \
  X(Options, "OPTIONS") X(Trace, "TRACE") X(Copy, "COPY") X(Lock, "LOCK") X(Mkcol, "MKCOL") \
  X(Move, "MOVE") X(Propfind, "PROPFIND") X(Proppatch, "PROPPATCH") X(Search, "SEARCH") \
  X(Unlock, "UNLOCK") X(Bind, "BIND") X(Rebind, "REBIND") X(Unbind, "UNBIND") X(Acl, "ACL") \
  X(Report, "REPORT") X(Mkactivity, "MKACTIVITY") X(Checkout, "CHECKOUT") X(Merge, "MERGE") \
  X(Msearch, "M-SEARCH") X(Notify, "NOTIFY") X(Subscribe, "SUBSCRIBE") X(Unsubscribe, "UNSUBSCRIBE") \
  X(Patch, "PATCH") X(Purge, "PURGE") X(Mkcalendar, "MKCALENDAR") X(Link, "LINK") X(Unlink, "UNLINK") \
  X(Query, "QUERY")
// clang-format on

enum class Method : uint8_t {
#define X(name, text) name,
  LEAT_HTTP_METHODS(X)
#undef X
};

#define X(name, text) +1
inline constexpr unsigned kMethodCount = 0 LEAT_HTTP_METHODS(X);
#undef X

// A set of methods, one bit each.
using MethodSet = uint64_t;
constexpr MethodSet method_bit(Method method) { return MethodSet{1} << static_cast<unsigned>(method); }

constexpr std::string_view method_name(Method method) {
  constexpr std::string_view kNames[] = {
#define X(name, text) text,
      LEAT_HTTP_METHODS(X)
#undef X
  };
  return kNames[static_cast<unsigned>(method)];
}

// Whether a request with it asks for no change, by its definition (RFC 9110, section 9.2.1, and the IANA
// registry).
constexpr bool is_safe(Method method) {
  constexpr MethodSet kSafe = method_bit(Method::Get) | method_bit(Method::Head) |
                              method_bit(Method::Options) | method_bit(Method::Trace) |
                              method_bit(Method::Query) | method_bit(Method::Propfind) |
                              method_bit(Method::Report) | method_bit(Method::Search);
  return (kSafe & method_bit(method)) != 0;
}

constexpr std::optional<Method> find_method(std::string_view name) {
  for (unsigned i = 0; i < kMethodCount; ++i)
    if (method_name(static_cast<Method>(i)) == name) return static_cast<Method>(i);
  return std::nullopt;
}

}  // namespace leat::http
