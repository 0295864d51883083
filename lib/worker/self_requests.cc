#include "worker/self_requests.h"

#include <algorithm>

namespace leat::worker {

// Everything that it does it does from its timer: a handler that asks is on the stack, and so is whoever
// resumes.
struct SelfRequests::One : net::Timer {
  One(SelfRequests& owner, uint32_t slot, std::string_view bytes)
      : net::Timer([](net::Timer& timer) {
          One& one = static_cast<One&>(timer);
          one.requests.run(one);
        }),
        requests(owner),
        session(owner.http_, "self", slot),
        head(bytes),
        until_ms(owner.loop_.now_ms() + owner.http_.limits.answer_timeout_ms) {
    session.set_internal();
  }

  SelfRequests& requests;
  http::Session session;
  std::string head;  // until it is fed
  uint64_t until_ms;
  uint64_t answered_bytes = 0;
};

SelfRequests::SelfRequests(net::Loop& loop, http::SessionEnvironment& http, const SelfRequestOptions& options)
    : loop_(loop), http_(http), options_(options) {}

SelfRequests::~SelfRequests() { abandon_all(); }

bool SelfRequests::ask(std::string_view head) {
  if (free_.empty() && ones_.size() == options_.most) return false;
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(ones_.size()));
    ones_.emplace_back();
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  ones_[slot] = std::make_unique<One>(*this, slot, head);
  loop_.timers().start(*ones_[slot], loop_.now_ms());
  return true;
}

void SelfRequests::touch(const http::Session& session) {
  loop_.timers().start(*ones_[session.owner()], loop_.now_ms());
}

void SelfRequests::run(One& one) {
  http::Session& session = one.session;
  if (!one.head.empty()) {
    session.feed(std::exchange(one.head, {}));
  } else {
    session.deadline_passed();  // if it has
  }
  if (session.wants_turn()) session.take_turn();
  const size_t size = session.output().size();
  if (size != 0) {
    one.answered_bytes += size;
    session.sent(size);
  }
  const uint64_t now = loop_.now_ms();
  const bool over = session.finished() && session.output().empty();
  if (over || one.answered_bytes > options_.most_bytes || now >= one.until_ms) return end(one);
  const bool more = !session.output().empty() || session.wants_turn() || session.finished();
  loop_.timers().start(one, more ? now : std::min(one.until_ms, session.deadline_ms()));
}

void SelfRequests::end(One& one) {
  const uint32_t slot = one.session.owner();
  one.session.disconnect();
  loop_.timers().stop(one);
  ones_[slot].reset();
  free_.push_back(slot);
}

void SelfRequests::abandon_all() {
  for (const auto& one : ones_)
    if (one != nullptr) end(*one);
}

}  // namespace leat::worker
