#include "worker/self_requests.h"

#include <algorithm>

namespace leat::worker {

// Everything that it does it does from its timer: a handler that asks is on the stack, and so is whoever
// resumes.
struct SelfRequests::Request : net::Timer {
  Request(SelfRequests& owner, uint32_t slot, std::string_view bytes, const http::ClientIdentity& identity,
          std::string_view came_by)
      : net::Timer([](net::Timer& timer) {
          Request& request = static_cast<Request&>(timer);
          request.requests.run(request);
        }),
        requests(owner),
        client(identity.client),
        scheme(identity.scheme),
        listener(came_by),
        protocol(owner.protocols_.make({.identity = {.peer = "self", .client = client, .scheme = scheme},
                                        .listener = listener,
                                        .owner = slot,
                                        .internal = true})),
        head(bytes),
        until_ms(owner.loop_.now_ms() + owner.limits_.answer_timeout_ms) {}

  SelfRequests& requests;
  const std::string client, scheme, listener;
  std::unique_ptr<http::Protocol> protocol;
  std::string head;  // until it is fed
  uint64_t until_ms;
  uint64_t answered_bytes = 0;
};

SelfRequests::SelfRequests(net::Loop& loop, http::ProtocolFactory& protocols, const http::Limits& limits,
                           const SelfRequestOptions& options)
    : loop_(loop), protocols_(protocols), limits_(limits), options_(options) {}

SelfRequests::~SelfRequests() { abandon_all(); }

bool SelfRequests::ask(std::string_view head, const http::ClientIdentity& identity,
                       std::string_view listener) {
  if (under_way_.size() - free_.size() >= options_.most) return false;
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(under_way_.size()));
    under_way_.emplace_back();
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  under_way_[slot] = std::make_unique<Request>(*this, slot, head, identity, listener);
  loop_.timers().start(*under_way_[slot], loop_.now_ms());
  return true;
}

void SelfRequests::touch(const http::Protocol& protocol) {
  loop_.timers().start(*under_way_[protocol.owner()], loop_.now_ms());
}

void SelfRequests::run(Request& request) {
  http::Protocol& protocol = *request.protocol;
  if (!request.head.empty()) {
    protocol.feed(std::exchange(request.head, {}));
  } else {
    protocol.deadline_passed();  // if it has
  }
  if (protocol.wants_turn()) protocol.take_turn();
  const size_t size = protocol.output().size();
  if (size != 0) {
    request.answered_bytes += size;
    protocol.sent(size);
  }
  const uint64_t now = loop_.now_ms();
  const bool over = protocol.finished() && protocol.output().empty();
  if (over || request.answered_bytes > options_.most_bytes || now >= request.until_ms) return end(request);
  const bool more = !protocol.output().empty() || protocol.wants_turn() || protocol.finished();
  loop_.timers().start(request, more ? now : std::min(request.until_ms, protocol.deadline_ms()));
}

void SelfRequests::end(Request& request) {
  const uint32_t slot = request.protocol->owner();
  request.protocol->disconnect();
  loop_.timers().stop(request);
  under_way_[slot].reset();
  free_.push_back(slot);
}

void SelfRequests::abandon_all() {
  for (const auto& request : under_way_)
    if (request != nullptr) end(*request);
}

}  // namespace leat::worker
