#include "middleware/access_fields.h"

#include <algorithm>

#include "base/text.h"
#include "pipeline/request_counts.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

using Facts = const AccessFacts&;
using Kind = AccessField::Kind;
using Scope = AccessField::Scope;

// For whom it is asked: who is connected, as long as nobody else is believed.
std::string_view client_of(Facts facts) { return facts.exchange.request.client(); }

transport::TlsFacts tls_of(Facts facts) {
  const transport::TlsFacts* const known = facts.exchange.request.identity().tls;
  return known != nullptr ? *known : transport::TlsFacts();
}
transport::PeerCertificate certificate_of(Facts facts) {
  const transport::PeerCertificate* const shown = facts.exchange.request.certificate();
  return shown != nullptr ? *shown : transport::PeerCertificate();
}

std::string_view header_of(const http::Head& head, http::HeaderId id) {
  for (const http::HeaderSlot& slot : head.headers())
    if (slot.id == id) return head.view(slot.value);
  return {};
}

std::string_view method(Facts facts) {
  if (facts.refused != nullptr) return facts.refused->method;
  return facts.head.size == 0 ? std::string_view() : http::method_name(facts.head.method);
}

std::string_view protocol(Facts facts) {
  if (facts.refused != nullptr) return facts.refused->version;
  if (facts.head.size == 0) return {};
  if (facts.head.major_version == 2) return "HTTP/2.0";
  return facts.head.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

std::string_view route(Facts facts) {
  return facts.exchange.route != nullptr ? std::string_view(facts.exchange.route->id) : std::string_view();
}

std::string_view plugin(Facts facts) {
  return facts.exchange.route != nullptr ? std::string_view(facts.exchange.route->owner) : std::string_view();
}

std::string_view reason(Facts facts) {
  if (facts.exchange.cut()) return facts.exchange.cut().detail;
  return facts.refused != nullptr ? facts.refused->why : std::string_view();
}

uint64_t bytes_in(Facts facts) { return facts.head.size - facts.head.added + facts.exchange.body_received; }

// Microseconds from one moment to another; 0 where either has not come.
uint64_t between_us(uint64_t from_ns, uint64_t to_ns) {
  return from_ns != 0 && to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
}

// The moments of a request in order; what has not come is where the next one is.
uint64_t answered_ns(Facts facts) {
  return facts.exchange.answer_ns != 0 ? facts.exchange.answer_ns : facts.ended_ns;
}
uint64_t handled_ns(Facts facts) {
  return facts.exchange.handler_ns != 0 ? facts.exchange.handler_ns : answered_ns(facts);
}

constexpr AccessField text(std::string_view name, Scope scope, Kind kind, std::string_view sentence,
                           std::string_view (*get)(Facts)) {
  return {.name = name, .scope = scope, .kind = kind, .sentence = sentence, .text = get};
}
constexpr AccessField number(std::string_view name, Scope scope, std::string_view sentence,
                             uint64_t (*get)(Facts)) {
  return {.name = name, .scope = scope, .kind = Kind::Number, .sentence = sentence, .number = get};
}
constexpr AccessField timed(AccessField field) {
  field.timed = true;
  return field;
}
constexpr AccessField queried(AccessField field) {
  field.queried = true;
  return field;
}

constexpr AccessField kFields[] = {
    {.name = "ts",
     .scope = Scope::Request,
     .kind = Kind::Moment,
     .sentence = "When the request ended, in UTC, to the millisecond."},
    {.name = "clock",
     .scope = Scope::Request,
     .kind = Kind::Clock,
     .sentence = "The same as other web servers write it, to the second."},
    text("client", Scope::Request, Kind::Word,
         "The address of the client that asks: the peer's, or what a trusted proxy says.", client_of),
    text("peer", Scope::Request, Kind::Word,
         "The address of who is connected, without a port; `unix:` for a unix socket.",
         [](Facts facts) { return facts.exchange.request.peer(); }),
    text("scheme", Scope::Request, Kind::Word,
         "`https` where the client asks over TLS, by what is known of it here, else `http`.",
         [](Facts facts) { return facts.exchange.request.scheme(); }),
    text("tls_version", Scope::Request, Kind::Word,
         "What the connection speaks, `TLSv1.3`; nothing without TLS.",
         [](Facts facts) { return tls_of(facts).version; }),
    text("tls_cipher", Scope::Request, Kind::Word, "The cipher of it, by OpenSSL's name.",
         [](Facts facts) { return tls_of(facts).cipher; }),
    text("certificate_subject", Scope::Request, Kind::Text,
         "Of the certificate that the connection's other end has shown: whose it is, `CN=alice,O=Example`.",
         [](Facts facts) { return certificate_of(facts).subject; }),
    text("certificate_cn", Scope::Request, Kind::Text, "The common name of that.",
         [](Facts facts) { return certificate_of(facts).common_name; }),
    text("certificate_names", Scope::Request, Kind::Text,
         "Its alternative names, `dns:a.example uri:spiffe://example/b`.",
         [](Facts facts) { return certificate_of(facts).names; }),
    text("certificate_sha256", Scope::Request, Kind::Word, "Its fingerprint, in hexadecimal digits.",
         [](Facts facts) { return certificate_of(facts).fingerprint; }),
    text("user", Scope::Request, Kind::Text, "Who asks, by a key, password or token that was found good.",
         [](Facts facts) { return facts.exchange.request.user(); }),
    text("listener", Scope::Request, Kind::Word, "By which of Leat's addresses the request came.",
         [](Facts facts) { return facts.exchange.listener(); }),
    text("method", Scope::Head, Kind::Text, "The method, `GET`.", method),
    text("host", Scope::Head, Kind::Text, "The host that was asked for, with its port where it was named.",
         [](Facts facts) { return facts.head.view(facts.head.host); }),
    queried(text("target", Scope::Head, Kind::Text, "The target as it was sent: path and query.",
                 [](Facts facts) { return facts.head.view(facts.head.target); })),
    text("path", Scope::Head, Kind::Text, "The path of it, as it was sent.",
         [](Facts facts) { return facts.head.view(facts.head.path); }),
    queried(text("query", Scope::Head, Kind::Text, "The query of it, without the question mark.",
                 [](Facts facts) { return facts.head.view(facts.head.query); })),
    text("protocol", Scope::Head, Kind::Text, "`HTTP/1.1`, or another version.", protocol),
    queried(text("referer", Scope::Head, Kind::Text, "The page that led here, as the client says (Referer).",
                 [](Facts facts) { return header_of(facts.head, http::HeaderId::Referer); })),
    text("user_agent", Scope::Head, Kind::Text, "The client's program, as it says (User-Agent).",
         [](Facts facts) { return header_of(facts.head, http::HeaderId::UserAgent); }),
    number("status", Scope::Outcome,
           "The status of the answer; of one that was cut, or never came, that of the reason: 499 where the "
           "client left.",
           [](Facts facts) { return uint64_t{pipeline::recorded_status(facts.exchange)}; }),
    {.name = "complete",
     .scope = Scope::Outcome,
     .kind = Kind::Boolean,
     .sentence = "Whether all of the answer was given to be sent.",
     .number = [](Facts facts) { return uint64_t{!facts.exchange.cut()}; }},
    text("reason", Scope::Outcome, Kind::Text,
         "Why the answer was cut, or the request refused before it was understood.", reason),
    text("route", Scope::Outcome, Kind::Text,
         "The route by its id, `GET /users/{id}`; `(none)` where none matches.", route),
    text("plugin", Scope::Outcome, Kind::Text, "Whose handler it has: the plugin's name, or `leat`.", plugin),
    text("cache", Scope::Outcome, Kind::Text,
         "What the response cache did: `hit`, `stale`, `miss`, `waited` or `pass`; nothing on routes without "
         "one.",
         [](Facts facts) { return facts.exchange.cache_result; }),
    text("upstream", Scope::Request, Kind::Text, "The server that was asked last for the answer.",
         [](Facts facts) { return facts.exchange.upstream; }),
    number("bytes_in", Scope::Request, "Bytes of the request: its head, and its body without its framing.",
           bytes_in),
    number("bytes_out", Scope::Request, "Bytes of the answer's body.",
           [](Facts facts) { return facts.exchange.bytes_sent(); }),
    number("duration_us", Scope::Request, "Microseconds from the request's head to the answer's end.",
           [](Facts facts) { return between_us(facts.exchange.started_ns, facts.ended_ns); }),
    timed(number(
        "before_us", Scope::Request,
        "Of those, until the handler was called: middleware, and the body where the handler wants all of it.",
        [](Facts facts) { return between_us(facts.exchange.started_ns, handled_ns(facts)); })),
    timed(number("handler_us", Scope::Request, "Of those, until the answer began.",
                 [](Facts facts) { return between_us(handled_ns(facts), answered_ns(facts)); })),
    timed(number("answer_us", Scope::Request, "Of those, until it ended.",
                 [](Facts facts) { return between_us(answered_ns(facts), facts.ended_ns); })),
    text("request_id", Scope::Request, Kind::Word, "The request's identifier, where there is `request_id`.",
         [](Facts facts) { return facts.exchange.request.id(); }),
    text("trace_id", Scope::Request, Kind::Word,
         "The trace that it is part of, where there is `trace_context`.",
         [](Facts facts) { return facts.exchange.request.trace().id(); }),
    text("span_id", Scope::Request, Kind::Word, "The request's own place in that trace.",
         [](Facts facts) { return facts.exchange.request.trace().span(); }),
};

}  // namespace

std::span<const AccessField> access_fields() { return kFields; }

const AccessField* find_access_field(std::string_view name) {
  const auto* const found = std::ranges::find(kFields, name, &AccessField::name);
  return found == std::end(kFields) ? nullptr : found;
}

std::string_view header_of(const http::Head& head, std::string_view name) {
  if (const http::HeaderId id = http::find_header(name); id != http::HeaderId::Unknown)
    return header_of(head, id);
  for (const http::HeaderSlot& slot : head.headers())
    if (slot.id == http::HeaderId::Unknown && equal_ignoring_case(head.view(slot.name), name))
      return head.view(slot.value);
  return {};
}

}  // namespace leat::middleware
