// Forwarding: what proxies say of a request by its fields, Forwarded (RFC 7239) and X-Forwarded-*, and whom that is
// believed.
//
// Anybody can send such fields, so they count for nothing but from a proxy that is trusted, and then only those
// that it is known to set: one that it does not set is passed on as its client has sent it. All others are taken
// from the request before anybody sees them: a handler, middleware or upstream that knows nothing of trust would
// believe them.
//
// Lists are read from the right, where the nearest proxy has written. Who is trusted himself is passed over; the
// first who is not is the client. So what stands further left, which the client may have sent, is never
// looked at. An element that nobody understands ends it, and the client is unknown then: were it the proxy
// before it, a malformed field would be a way to look like that one.
//
// A request without such a field pays one branch for this.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/host_address.h"
#include "http/client_identity.h"
#include "http/header_id.h"
#include "http/message.h"

namespace leat::http {

// By its name, a field by which proxies tell of a request.
class ForwardingField {
 public:
  static std::expected<ForwardingField, std::string> parse(std::string_view name);
  constexpr explicit ForwardingField(HeaderId id) : id_(id) {}
  [[nodiscard]] std::string text() const;
  [[nodiscard]] constexpr HeaderId id() const { return id_; }
  bool operator==(const ForwardingField&) const = default;

 private:
  HeaderId id_;
};

// Who is believed, and what.
struct ProxyTrust {
  std::vector<AddressRange> proxies;  // none: nobody is
  // Those that the proxies set. Of the client's address there is one: X-Forwarded-For or Forwarded.
  std::vector<ForwardingField> fields = {ForwardingField(HeaderId::XForwardedFor),
                                         ForwardingField(HeaderId::XForwardedProto)};
  // Elements of a list that are looked at; the client of a longer one is unknown.
  static constexpr uint32_t kMostHops = 64;
  uint32_t hops = 16;

  [[nodiscard]] bool trusts(const HostAddress& address) const;
  // That of an identity, as text.
  [[nodiscard]] bool trusts(std::string_view address) const;
  [[nodiscard]] bool believes(HeaderId field) const;
};

// Whether two fields tell of the client's address, which could then be told twice.
[[nodiscard]] bool tell_twice(const std::vector<ForwardingField>& fields);

// Takes what `request`, whose head has forwarding fields (Head::forwarded), says by them: sets its identity, and
// shows a head without those that are not believed. `connection` is the identity that it has by its connection, and
// stays as long as the request. `trust`: whose word counts there; null where the connection's client is nobody
// who is trusted. False: memory is out.
[[nodiscard]] bool identify(Request& request, Arena& arena, const ClientIdentity& connection,
                            const ProxyTrust* trust);

}  // namespace leat::http
