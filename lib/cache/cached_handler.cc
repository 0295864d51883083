#include "cache/cached_handler.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "base/units.h"
#include "cache/cache_query.h"
#include "cache/cached_call.h"
#include "cache/conditions.h"
#include "http/problem.h"
#include "http/worker_context.h"
#include "pipeline/pipeline.h"

namespace leat::cache {

using pipeline::Verdict;

namespace {

// Of the cache that the request's route has.
LeadingCall* leading_call_of(const http::Exchange& exchange) {
  const auto* call = exchange.states.find<CachedCall>();
  return call != nullptr ? call->leading : nullptr;
}

}  // namespace

// What is left with a head that comes again, of a request that is looked up: the same head asks the same.
struct CachedHandler::Note {
  static constexpr size_t kMostKey = 192;

  CacheQuery asked;
  RequestKey key;
  char bytes[kMostKey];  // of the key
};

uint64_t CachedHandler::next_number() {
  static std::atomic<uint64_t> last = 0;
  return last.fetch_add(2, std::memory_order_relaxed) + 1;
}

CachedHandler::CachedHandler(std::unique_ptr<pipeline::Handler> handler, Policy policy, ResponseCache& cache,
                             Counters counters)
    : WrappingHandler(std::move(handler), "cache"),
      policy_(std::move(policy)),
      cache_(cache),
      counters_(std::move(counters)) {}

// The known head whose bytes alone say what is asked for, but for the scheme; null where they do not, or there is
// none.
http::KnownHead* CachedHandler::known_head_of(const http::Exchange& exchange) const {
  http::KnownHead* const known = exchange.known_head();
  if (known == nullptr || policy_.per_client || !exchange.request.shows_known()) return nullptr;
  if (exchange.request.certificate() != nullptr) return nullptr;  // which its bytes say nothing of
  return known;
}

CachedCall* CachedHandler::call_of(const http::Exchange& exchange) const {
  return exchange.states.find<CachedCall>(this);
}

Verdict CachedHandler::handle(http::Exchange& exchange) {
  http::KnownHead* const known = known_head_of(exchange);
  const uint64_t number = number_ + (exchange.request.scheme() == kHttps ? 1 : 0);
  if (const Note* note = known != nullptr ? known->note_of<Note>(number) : nullptr) {
    CacheQuery asked = note->asked;
    asked.now_ms = now_ms_of(exchange);
    return look_up(exchange, asked, note->key);
  }
  const CacheQuery asked(exchange, policy_.client_control);
  const http::Method method = exchange.request.method();
  if (method != http::Method::Get && method != http::Method::Head) return pass(exchange, "leat; fwd=method");
  if (asked.body || asked.partial || asked.control.no_store || (asked.cookies && !policy_.cookies))
    return pass(exchange, "leat; fwd=bypass");
  RequestKey key = make_key(policy_, exchange.request, exchange.arena());
  if (key.key.data() == nullptr) return pass(exchange, "leat; fwd=bypass");
  key.hash = cache_.hash(key.key);
  if (known != nullptr && key.key.size() <= Note::kMostKey) {
    Note& note = known->leave_note<Note>(number);
    note.asked = asked;
    std::ranges::copy(key.key, note.bytes);
    const size_t target_at = key.key.size() - key.target.size();
    note.key = {{note.bytes, key.key.size()}, {note.bytes + target_at, key.target.size()}, key.hash};
  }
  return look_up(exchange, asked, key);
}

void CachedHandler::explain(http::Exchange& exchange, std::vector<pipeline::ExplainedFact>& facts) const {
  const CacheQuery asked(exchange, policy_.client_control);
  const http::Method method = exchange.request.method();
  const bool stored = method == http::Method::Get || method == http::Method::Head;
  const bool bypass =
      asked.body || asked.partial || asked.control.no_store || (asked.cookies && !policy_.cookies);
  const RequestKey key =
      stored && !bypass ? make_key(policy_, exchange.request, exchange.arena()) : RequestKey();
  if (key.key.data() != nullptr) {
    facts.push_back(
        {"cache", fmt::format("stores by {}{} {}{}{}", exchange.request.scheme() == kHttps ? "https, " : "",
                              exchange.request.host(), key.target,
                              policy_.per_client ? fmt::format(", for {} alone", exchange.request.client())
                                                 : std::string(),
                              policy_.apart.empty() ? std::string() : ", for " + policy_.apart)});
    facts.push_back({"cache ttl", policy_.ttl_ms == 0
                                      ? std::string("what the answer says")
                                      : duration_text(policy_.ttl_ms) + ", where the answer does not say"});
    if (asked.authorized)
      facts.push_back(
          {"cache credentials", "the request has some: only what says that it is for all is stored or sent"});
  } else {
    facts.push_back({"cache", !stored                             ? "passes by: not GET or HEAD"
                              : asked.body                        ? "passes by: it has a body"
                              : asked.partial                     ? "passes by: it asks for a part"
                              : asked.cookies && !policy_.cookies ? "passes by: it has cookies"
                              : bypass                            ? "passes by: its client asks for that"
                                       : "passes by: a name in its query is encoded"});
  }
  handler().explain(exchange, facts);
}

Verdict CachedHandler::pass(http::Exchange& exchange, std::string_view why) {
  count(exchange, Result::Pass);
  if (auto* call = exchange.states.make<CachedCall>(this, *this, CachedCall::Stage::Passing)) {
    call->passed_by = why;
    call->handled = true;
  }
  return handler().handle(exchange);
}

Verdict CachedHandler::look_up(http::Exchange& exchange, const CacheQuery& asked, const RequestKey& key) {
  const bool refresh = exchange.internal();
  const uint32_t worker = exchange.worker().index();
  ResponseCache::Found found = cache_.find(worker, key, exchange.request, exchange.arena(), asked.now_ms);
  // What is not for requests with credentials is not there for them, when the handler fails neither.
  if (asked.authorized && found.pin && !found.stored.header.for_authorized) found.pin = Pin();
  // What is to be renewed lies under this key, or the request has come to another route than the one that asked for it: here
  // nobody has let it in.
  if (refresh && !found.pin) {
    exchange.answer_behind(*this);
    exchange.send_problem(504, "There is nothing to renew here.");
    return Verdict::Done;
  }
  if (!refresh) {
    if (found.pin && !asked.control.no_cache && send_found(exchange, asked, found)) return Verdict::Done;
    if (asked.control.only_if_cached) {
      exchange.answer_behind(*this);
      exchange.send_problem(504, "No stored response will do, and only one was asked for.");
      return Verdict::Done;
    }
    // Whether there is a body is all that would be stored of the answer to HEAD.
    if (exchange.request.method() == http::Method::Head) return pass(exchange, "leat; fwd=uri-miss");
  }
  if (found.flight.data() == nullptr) return pass(exchange, "leat; fwd=bypass");
  auto* call = exchange.states.make<CachedCall, LeadingCall>(this, *this);
  if (call == nullptr) return pass(exchange, "leat; fwd=bypass");
  call->key = key;
  call->flight = found.flight;
  call->authorized = asked.authorized;
  if (refresh || found.pin) {
    call->missed = "stale";
  } else if (found.variant) {
    call->missed = "vary-miss";
  }
  if (asked.control.no_cache) call->missed = "request";
  call->passed = cache_.is_passed(worker, key, found.flight, exchange.arena(), asked.now_ms);
  call->stale = found.stored;
  call->pin = std::move(found.pin);
  const bool alone = refresh || call->passed || asked.authorized || asked.control.no_cache;
  if (alone) return lead(exchange, *call);
  return join(exchange, *call, found.flight);
}

// Sends what was found if it will do now.
bool CachedHandler::send_found(http::Exchange& exchange, const CacheQuery& asked,
                               ResponseCache::Found& found) {
  const StoredResponse::Header& header = found.stored.header;
  if (!has_room(found.stored, exchange.response.fields().size())) return false;
  const uint64_t now = asked.now_ms;
  const auto left_ms = static_cast<int64_t>(header.fresh_until_ms) - static_cast<int64_t>(now);
  if (!asked.takes(header.age_s + (now - header.stored_ms) / 1000, left_ms)) return false;
  if (left_ms > 0) {
    send_stored(exchange, asked, found, Result::Hit);
    return true;
  }
  if (now < header.stale_until_ms) {
    // One of those who find it has it made anew; where that cannot be, it does so itself.
    if (found.pin.claim(now, now + policy_.wait_ms) &&
        !exchange.worker().ask_self(same_head(exchange.request), same_identity(policy_, exchange.request),
                                    exchange.listener()))
      return false;
  } else if (now >= header.error_until_ms || !found.pin.claimed(now)) {
    const bool taken_stale = asked.control.max_stale &&
                             static_cast<uint64_t>(-left_ms) / 1000 <= *asked.control.max_stale &&
                             now < std::max(header.stale_until_ms, header.error_until_ms);
    if (!taken_stale) return false;
  }
  send_stored(exchange, asked, found, Result::Stale);
  return true;
}

void CachedHandler::send_stored(http::Exchange& exchange, const CacheQuery& asked,
                                ResponseCache::Found& found, Result result) {
  const StoredResponse& stored = found.stored;
  exchange.answer_behind(*this);
  // Kept until the exchange ends: the fields are views of it.
  auto* call = call_of(exchange);
  if (call == nullptr) {
    call = exchange.states.make<CachedCall>(this, *this, CachedCall::Stage::Hit);
    if (call == nullptr) {
      http::send_out_of_memory(exchange);
      return;
    }
  }
  call->stage = CachedCall::Stage::Hit;
  call->pin = std::move(found.pin);
  if (!restore(exchange, stored, asked.now_ms, "hit")) {
    http::send_out_of_memory(exchange);
    return;
  }
  count(exchange, call->waited ? Result::Waited : result);
  http::Response& response = exchange.response;
  if (asked.conditional && response.status == 200 &&
      is_not_modified(exchange.request.head(), stored.field("ETag"), stored.field("Last-Modified"))) {
    response.status = 304;
    response.content_type = {};
    exchange.send({});
    return;
  }
  // A short one is copied anyway.
  if (stored.body.size() < http::Exchange::kLeastPinned) {
    exchange.send(stored.body);
    return;
  }
  exchange.send_pinned(stored.body, {Pin::release, call->pin.share().detach()});
}

Verdict CachedHandler::join(http::Exchange& exchange, LeadingCall& call, std::string_view flight) {
  if (cache_.flights().join(flight, exchange.ticket(), call.seat)) return lead(exchange, call);
  call.stage = CachedCall::Stage::Waiting;
  call.waited = true;
  exchange.suspend();
  if (exchange.worker().resume_after(exchange.ticket(), policy_.wait_ms, deadline, nullptr))
    return Verdict::Pending;
  // Without a deadline nobody waits.
  cache_.flights().leave(call.seat, exchange.worker());
  return lead(exchange, call);
}

Verdict CachedHandler::lead(http::Exchange& exchange, LeadingCall& call) {
  call.stage = CachedCall::Stage::Leading;
  call.moment = cache_.invalidations().moment();
  call.handled = true;
  call.offer_validators(exchange);
  const Verdict verdict = handler().handle(exchange);
  // The end of the body came while the request waited.
  if (!call.body_ended || exchange.finished() || (verdict != Verdict::Done && verdict != Verdict::Pending))
    return verdict;
  return handler().on_body_end(exchange);
}

void CachedHandler::wake(http::Exchange& exchange, void*) {
  LeadingCall& call = *leading_call_of(exchange);
  CachedHandler& self = call.owner;
  const SingleFlight::State state = call.stage == CachedCall::Stage::Waiting
                                        ? self.cache_.flights().state(call.seat)
                                        : SingleFlight::State{};
  if (!state.over && !state.leads) {
    exchange.suspend();  // it came too late: the request goes on in another way
    return;
  }
  pipeline::apply_verdict(exchange, self,
                          state.over ? self.woken(exchange, call) : self.lead(exchange, call));
}

// The flight is over.
Verdict CachedHandler::woken(http::Exchange& exchange, LeadingCall& call) {
  const Outcome outcome = cache_.flights().state(call.seat).outcome;
  cache_.flights().leave(call.seat, exchange.worker());
  if (outcome == Outcome::Pass) return lead(exchange, call);
  if (outcome != Outcome::Stored)
    return waited_in_vain(exchange, call, 503, "The answer that this request waited for failed.");
  const CacheQuery asked(exchange, policy_.client_control);
  ResponseCache::Found found =
      cache_.find(exchange.worker().index(), call.key, exchange.request, exchange.arena(), asked.now_ms);
  if (found.pin && send_found(exchange, asked, found)) return Verdict::Done;
  // It was another variant, or is gone again.
  if (std::exchange(call.again, true) || found.flight.data() == nullptr) return lead(exchange, call);
  call.flight = found.flight;
  return join(exchange, call, found.flight);
}

void CachedHandler::deadline(http::Exchange& exchange, void*) {
  LeadingCall& call = *leading_call_of(exchange);
  CachedHandler& self = call.owner;
  SingleFlight& flights = self.cache_.flights();
  if (call.stage != CachedCall::Stage::Waiting || flights.state(call.seat).over ||
      flights.state(call.seat).leads) {
    exchange.suspend();  // wake() comes, or came
    return;
  }
  Verdict verdict;
  if (flights.take_over(call.seat)) {
    verdict = self.lead(exchange, call);
  } else {
    flights.leave(call.seat, exchange.worker());
    verdict = self.waited_in_vain(exchange, call, 504,
                                  "The answer that this request waited for did not come in time.");
  }
  pipeline::apply_verdict(exchange, self, verdict);
}

Verdict CachedHandler::waited_in_vain(http::Exchange& exchange, LeadingCall& call, uint16_t status,
                                      std::string_view detail) {
  call.stage = CachedCall::Stage::Hit;
  exchange.answer_behind(*this);
  std::optional<std::string_view> body;
  if (call.fall_back(exchange, status, body)) {
    count(exchange, Result::Stale);
    exchange.send(*body);
    return Verdict::Done;
  }
  count(exchange, Result::Waited);
  http::add_retry_after(exchange);
  exchange.send_problem(status, detail);
  return Verdict::Done;
}

Verdict CachedHandler::on_body_end(http::Exchange& exchange) {
  CachedCall* call = call_of(exchange);
  if (call == nullptr || call->handled) return handler().on_body_end(exchange);
  call->leading->body_ended = true;  // it waits: one that hit has been answered
  return Verdict::Pending;
}

void CachedHandler::on_cancel(http::Exchange& exchange) {
  const CachedCall* call = call_of(exchange);
  if (call == nullptr || call->handled) handler().on_cancel(exchange);
}

void CachedHandler::on_done(http::Exchange& exchange) {
  CachedCall* call = call_of(exchange);
  if (call == nullptr || call->handled) handler().on_done(exchange);
  if (call != nullptr && call->leading != nullptr)
    cache_.flights().leave(call->leading->seat, exchange.worker());
}

http::AnswerFilter::Wants CachedHandler::on_answer(http::Exchange& exchange, http::AnswerBody& body) {
  CachedCall* call = call_of(exchange);
  if (call == nullptr) return Wants::Nothing;
  // One that cannot be sent shall not be stored.
  exchange.mend_head(body);
  if (call->leading != nullptr) {
    if (call->stage == CachedCall::Stage::Leading) call->leading->judge_answer(exchange, body.whole);
    return call->stage == CachedCall::Stage::Storing ? Wants::Watch : Wants::Nothing;
  }
  // Now and not before: the handler has all the room that there is.
  if (!call->passed_by.empty())
    (void)exchange.response.add_checked("Cache-Status", call->passed_by, http::Origin::Host);
  return Wants::Nothing;
}

void CachedHandler::on_piece(http::Exchange& exchange, std::string_view piece, http::Onward& onward) {
  call_of(exchange)->leading->keep_piece(exchange, piece);
  onward.give(piece);
}

void CachedHandler::on_end(http::Exchange& exchange, http::Onward&) {
  call_of(exchange)->leading->end_answer(exchange);
}

bool takes_wishes(const http::Exchange& exchange) {
  const LeadingCall* call = leading_call_of(exchange);
  return call != nullptr && call->stage == CachedCall::Stage::Leading;
}

bool wish(http::Exchange& exchange, const Wishes& wishes) {
  if (!takes_wishes(exchange)) return false;
  leading_call_of(exchange)->wishes = wishes;
  return true;
}

bool add_tag(http::Exchange& exchange, std::string_view tag) {
  if (!takes_wishes(exchange)) return false;
  LeadingCall& call = *leading_call_of(exchange);
  call.owner.cache().add_tag(tag, call.slots);
  return true;
}

}  // namespace leat::cache
