#include "http/tunnel_record.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "http/exchange.h"

namespace leat::http {

namespace {

// Said for the handshake alone, or for nobody's log.
bool is_kept(HeaderId id, std::string_view name) {
  constexpr std::string_view kHandshake = "sec-websocket-";
  return id != HeaderId::Connection && id != HeaderId::Upgrade && id != HeaderId::Cookie &&
         !equal_ignoring_case(name.substr(0, kHandshake.size()), kHandshake);
}

}  // namespace

std::string_view TunnelRecord::keep(std::string_view text) {
  const size_t at = bytes_.size();
  bytes_.append(text);
  return {bytes_.data() + at, text.size()};
}

Span TunnelRecord::put(std::string_view text) {
  return {static_cast<uint32_t>(keep(text).data() - bytes_.data()), static_cast<uint32_t>(text.size())};
}

void TunnelRecord::take(Exchange& original) {
  route_ = original.route;
  started_ns_ = original.started_ns;
  status_ = original.response.status;
  const Request& request = original.request;
  const Head& head = request.head();
  const ClientIdentity& identity = request.identity();
  const transport::PeerCertificate shown =
      request.certificate() != nullptr ? *request.certificate() : transport::PeerCertificate();
  const std::array<std::string_view, 12> texts = {
      identity.peer, identity.client,   identity.scheme,      identity.destination,
      request.id(),  request.user(),    shown.subject,        shown.common_name,
      shown.names,   shown.fingerprint, request.trace().text, request.trace().state};
  size_t size = head.target.size + head.path.size + head.query.size + head.host.size;
  size_t count = 0;
  for (const std::string_view text : texts) size += text.size();
  for (const HeaderSlot& slot : head.headers()) {
    if (!is_kept(slot.id, head.view(slot.name))) continue;
    size += slot.name.size + slot.value.size;
    ++count;
  }
  if (size == 0 || !bytes_.reserve(original.worker().blocks(), size)) return;
  slots_.reserve(count);
  head_ = head;
  for (Span Head::* span : {&Head::target, &Head::path, &Head::query, &Head::host})
    head_.*span = put(head.view(head.*span));
  for (const HeaderSlot& slot : head.headers())
    if (is_kept(slot.id, head.view(slot.name)))
      slots_.push_back(
          {.name = put(head.view(slot.name)), .value = put(head.view(slot.value)), .id = slot.id});
  identity_ = {.peer = keep(texts[0]),
               .client = keep(texts[1]),
               .scheme = keep(texts[2]),
               .destination = keep(texts[3]),
               .in_doubt = identity.in_doubt};
  id_ = keep(texts[4]);
  user_ = keep(texts[5]);
  certificate_ = {.subject = keep(texts[6]),
                  .common_name = keep(texts[7]),
                  .names = keep(texts[8]),
                  .fingerprint = keep(texts[9])};
  if (identity.tls != nullptr) {
    tls_ = *identity.tls;
    if (tls_.certificate != nullptr) tls_.certificate = &certificate_;
    identity_.tls = &tls_;
  }
  trace_ = {.text = keep(texts[10]), .state = keep(texts[11])};
  head_.bytes = bytes_.data();
  left_out_ = head.size - std::min<uint64_t>(head.size, bytes_.size());
  head_.size = static_cast<uint32_t>(bytes_.size());
  head_.added = 0;
  head_.slots = slots_.data();
  head_.slot_count = static_cast<uint32_t>(slots_.size());
  whole_ = true;
}

void TunnelRecord::restore(Exchange& exchange) const {
  exchange.route = route_;
  exchange.started_ns = started_ns_;
  exchange.body_received = left_out_;  // what came is told whole
  exchange.response.status = status_;
  exchange.request.show_head(head_);
  exchange.request.set_asked();
  exchange.request.set_identity(identity_);
  exchange.request.set_id(id_);
  exchange.request.set_user(user_);
  exchange.request.set_trace(trace_);
}

}  // namespace leat::http
