#include "cache/cached_call.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/text.h"
#include "cache/cache_control.h"
#include "cache/conditions.h"
#include "http/bytes.h"
#include "http/date.h"
#include "http/problem.h"
#include "http/user_session.h"
#include "http/worker_context.h"

namespace leat::cache {

using http::Origin;

namespace {

// What was made by a client's session is that client's, also where it came without a cookie.
bool is_of_session(const http::Exchange& exchange) {
  const auto* const session = exchange.states.find<http::UserSession>();
  return session != nullptr && session->used();
}

// What can be validated is kept for as long again as it was fresh, and so long: who comes seldom is who gains
// most by a 304. The store lets it go before that where there is no room.
constexpr uint64_t kLeastKeptMs = 3'600'000;

// A response is stored if this is left in its head, for what is added to a hit: by the cache, and by
// middleware for other requests than the first.
constexpr size_t kHeadRoom = 1024;

// For jitter: need not be good, must not be the same on all workers.
uint32_t any_number() {
  thread_local uint64_t state = reinterpret_cast<uintptr_t>(&state);
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(state >> 33);
}

// The short values that are made here, in an arena.
class Words {
 public:
  explicit Words(Arena& arena) : taken_(static_cast<char*>(arena.allocate(kRoom, 1))), at_(taken_) {}
  explicit operator bool() const { return taken_ != nullptr; }
  Words& put(std::string_view text) {
    at_ = http::put_bytes(at_, text);
    return *this;
  }
  template <size_t size>
  Words& put(const char (&literal)[size]) {
    at_ = http::put_bytes(at_, literal);
    return *this;
  }
  Words& put(int64_t number) {
    at_ = std::to_chars(at_, at_ + kMostDigits, number).ptr;
    return *this;
  }
  // What was put since the last take().
  std::string_view take() {
    const std::string_view text(taken_, static_cast<size_t>(at_ - taken_));
    taken_ = at_;
    return text;
  }

 private:
  static constexpr size_t kMostDigits = 20;
  // Age and Cache-Status of a restored response: three numbers, and the words around them.
  static constexpr size_t kRoom = 3 * kMostDigits + 64;
  char* taken_;
  char* at_;
};

// Those of middleware and of the host, which are not part of what is stored.
size_t count_others(std::span<const http::Response::Field> fields) {
  return static_cast<size_t>(std::ranges::count_if(
      fields, [](const http::Response::Field& field) { return field.origin != Origin::Handler; }));
}

// A tag for the handler's response, which has none.
bool add_etag(http::Exchange& exchange, std::string_view body) {
  const std::string_view tag = exchange.arena().copy(make_etag(body));
  return tag.data() != nullptr && exchange.response.add_checked("ETag", tag, Origin::Handler);
}

}  // namespace

bool restore(http::Exchange& exchange, const StoredResponse& stored, uint64_t now_ms,
             std::string_view status) {
  http::Response& response = exchange.response;
  const StoredResponse::Header& header = stored.header;
  Words words(exchange.arena());
  if (!words) return false;
  response.status = header.status;
  response.content_type = stored.content_type;
  stored.for_each_field([&](std::string_view name, std::string_view value) {
    (void)response.add_checked(name, value, Origin::Handler);
  });
  const uint64_t age_s = std::min<uint64_t>(header.age_s + (now_ms - header.stored_ms) / 1000, kMostSeconds);
  const int64_t ttl_ms = static_cast<int64_t>(header.fresh_until_ms) - static_cast<int64_t>(now_ms);
  (void)response.add_checked("Age", words.put(static_cast<int64_t>(age_s)).take(), Origin::Host);
  // RFC 9211. Rounded down: what is stale by some milliseconds has not 0 seconds left.
  const int64_t ttl_s = ttl_ms >= 0 ? ttl_ms / 1000 : (ttl_ms - 999) / 1000;
  (void)response.add_checked("Cache-Status", words.put("leat; ").put(status).put("; ttl=").put(ttl_s).take(),
                             Origin::Host);
  return true;
}

void LeadingCall::say(http::Exchange& exchange, std::string_view what) const {
  Words words(exchange.arena());
  if (words)
    (void)exchange.response.add_checked("Cache-Status", words.put("leat; fwd=").put(missed).put(what).take(),
                                        Origin::Host);
}

void LeadingCall::finish(http::Exchange& exchange, Outcome outcome) {
  if (seat.taken()) owner.cache_.flights().finish(seat, outcome, exchange.worker());
}

// The answer is not stored, and the next will not be. What is stored for others stays; what it was to replace
// goes, unless the answer is about this request alone.
void LeadingCall::pass(http::Exchange& exchange, uint64_t now_ms) {
  const uint16_t status = exchange.response.status;
  if (pin && !authorized && (status < 400 || status == 404 || status == 410)) owner.cache_.forget(pin);
  // What is not stored for its credentials says nothing about the answers to others.
  if (!passed && !authorized) owner.cache_.put_pass(key, flight, now_ms, now_ms + owner.policy_.pass_ms);
  finish(exchange, Outcome::Pass);
}

bool LeadingCall::reuse(http::Exchange& exchange, std::string_view status,
                        std::optional<std::string_view>& bytes) {
  http::Response& response = exchange.response;
  if (!has_room(stale, count_others(response.fields()))) return false;
  const http::Response handlers = response;
  response.remove_handlers();
  if (!restore(exchange, stale, now_ms_of(exchange), status)) {
    response = handlers;
    return false;
  }
  bytes = stale.body;
  return true;
}

bool LeadingCall::fall_back(http::Exchange& exchange, uint16_t status,
                            std::optional<std::string_view>& bytes) {
  if (!pin || now_ms_of(exchange) >= stale.header.error_until_ms) return false;
  return reuse(exchange, fmt::format("fwd=stale; fwd-status={}", status), bytes);
}

// RFC 9111, section 4.3.1. A tag that was made here says nothing to the handler.
void LeadingCall::offer_validators(http::Exchange& exchange) {
  if (!pin || stale.header.status != 200) return;
  const std::string_view etag = stale.header.own_etag ? "" : stale.field("ETag");
  const std::string_view modified = stale.field("Last-Modified");
  if (etag.empty() && modified.empty()) return;
  const http::Head& head = exchange.request.head();
  const http::Head* shown = with_conditions(head, etag, modified, exchange.arena());
  if (shown == nullptr) return;
  asked = &head;
  exchange.request.show_head(*shown);
}

namespace {

enum class About : uint8_t { Stored, Unclear, Another };

// What a 304 is about, by its validators (RFC 9111, section 4.3.4). One without any is about what it was
// asked.
About subject_of(const http::Response& response, const StoredResponse& stored) {
  const std::string_view tag = response.find("ETag"), modified = response.find("Last-Modified");
  const bool weak = tag.starts_with("W/");
  const std::string_view stored_tag = stored.header.own_etag ? "" : stored.field("ETag");
  if (!tag.empty() && !stored_tag.empty()) {
    const bool same = weak ? names_etag(tag, stored_tag) : tag == stored_tag;
    return same ? About::Stored : About::Another;
  }
  const std::string_view stored_modified = stored.field("Last-Modified");
  if (!modified.empty() && !stored_modified.empty() && modified != stored_modified) {
    // It may be written in another way.
    const int64_t now_s = std::time(nullptr);
    const auto date = http::parse_date(modified, now_s);
    if (!date || date != http::parse_date(stored_modified, now_s)) return About::Another;
  }
  // A validator that what is stored has not got names nothing.
  return tag.empty() && (modified.empty() || !stored_modified.empty()) ? About::Stored : About::Unclear;
}

}  // namespace

// The handler has answered 304 to the stale response's validators.
void LeadingCall::take_304(http::Exchange& exchange, std::optional<std::string_view>& bytes) {
  const About about = subject_of(exchange.response, stale);
  if (about == About::Stored && freshen(exchange, bytes)) return;
  if (about != About::Another && reuse(exchange, "fwd=stale; fwd-status=304", bytes)) {
    // It is as good as the handler says, once.
    stage = Stage::Reused;
    return;
  }
  refuse_304(exchange, bytes);
}

// It is about something that is not here: the client may have it, else nobody does. What is stored is not
// asked about again.
void LeadingCall::refuse_304(http::Exchange& exchange, std::optional<std::string_view>& bytes) {
  http::Response& response = exchange.response;
  owner.cache_.forget(pin);
  if (is_not_modified(exchange.request.head(), response.find("ETag"), response.find("Last-Modified"))) return;
  response.remove_handlers();
  response.status = 502;
  response.content_type = http::kProblemType;
  bytes = http::problem_body(exchange.arena(), response.status,
                             "The handler confirmed another response than the one it was asked about.",
                             exchange.request.id(), {});
}

// What is stored is good, with the fields that came in place of its own (RFC 9111, sections 3.2 and 4.3.4).
// Its tag stays, and what is said of its body. False, and nothing done: they are too many.
bool LeadingCall::freshen(http::Exchange& exchange, std::optional<std::string_view>& bytes) {
  http::Response& response = exchange.response;
  std::array<http::Response::Field, http::Response::kMostFields> newer;
  size_t count = 0;
  for (const http::Response::Field& field : response.fields()) {
    const bool of_body = equal_ignoring_case(field.name.substr(0, 8), "Content-");
    if (field.origin == Origin::Handler && !of_body && !equal_ignoring_case(field.name, "ETag"))
      newer[count++] = field;
  }
  const std::span fields(newer.data(), count);
  const auto is_replaced = [&](std::string_view name) {
    return std::ranges::any_of(
        fields, [&](const http::Response::Field& field) { return equal_ignoring_case(field.name, name); });
  };
  size_t kept = 0;
  stale.for_each_field([&](std::string_view name, std::string_view) { kept += !is_replaced(name); });
  if (count_others(response.fields()) + kept + count + kFieldsOfHit > http::Response::kMostFields)
    return false;
  response.remove_handlers();
  stale.for_each_field([&](std::string_view name, std::string_view value) {
    if (!is_replaced(name)) (void)response.add_checked(name, value, Origin::Handler);
  });
  for (const auto& [name, value, origin, ready] : fields) (void)response.add_checked(name, value, origin);
  response.status = stale.header.status;
  response.content_type = stale.content_type;
  bytes = stale.body;
  made_etag = stale.header.own_etag;
  missed = "stale; fwd-status=304";
  for (size_t i = 0; i < stale.header.slot_count; ++i) slots.push_back(stale.slot(i));
  return true;
}

void LeadingCall::judge_answer(http::Exchange& exchange, std::optional<std::string_view>& bytes) {
  http::Response& response = exchange.response;
  const Policy& policy = owner.policy_;
  const uint64_t now = now_ms_of(exchange);
  stage = Stage::Judged;
  if (asked != nullptr) {
    exchange.request.show_head(*std::exchange(asked, nullptr));
    if (response.status == 304) take_304(exchange, bytes);
    if (stage == Stage::Reused) {
      finish(exchange, Outcome::Pass);
      owner.count(exchange, CachedHandler::Result::Miss);
      return answer_condition(exchange, bytes);
    }
  }
  if (is_of_session(exchange)) wishes.no_store = true;
  judgement = judge(policy, response, wishes, authorized, any_number(), std::time(nullptr));
  switch (judgement.kind) {
    case Judgement::Kind::Failure: {
      // For a while nobody tries again as long as the stale one will do.
      if (pin) (void)pin.claim(now, now + policy.wait_ms);
      const bool stands_in = fall_back(exchange, response.status, bytes);
      finish(exchange, Outcome::Failed);
      owner.count(exchange, stands_in ? CachedHandler::Result::Stale : CachedHandler::Result::Miss);
      if (!stands_in) say(exchange, "");
      return;
    }
    case Judgement::Kind::Neutral:
      finish(exchange, Outcome::Gone);
      break;
    case Judgement::Kind::Pass:
      pass(exchange, now);
      break;
    case Judgement::Kind::Store:
      break;
  }
  owner.count(exchange, CachedHandler::Result::Miss);
  if (judgement.kind != Judgement::Kind::Store) return say(exchange, "");
  if (!bytes) {
    if (!keep_answered(exchange)) {
      pass(exchange, now);
      return say(exchange, "");
    }
    stage = Stage::Storing;
    return say(exchange, "; stored");
  }
  store_whole(exchange, bytes);
}

// A whole answer, to a client that may have it.
void LeadingCall::answer_condition(http::Exchange& exchange, std::optional<std::string_view>& bytes) {
  http::Response& response = exchange.response;
  if (response.status != 200 ||
      !is_not_modified(exchange.request.head(), response.find("ETag"), response.find("Last-Modified")))
    return;
  response.status = 304;
  response.content_type = {};
  bytes = std::string_view();
}

// The answer is here and to be stored.
void LeadingCall::store_whole(http::Exchange& exchange, std::optional<std::string_view>& bytes) {
  http::Response& response = exchange.response;
  // Not in place of the room that a hit needs.
  const bool takes_etag = response.fields().size() + 1 + kFieldsOfHit <= http::Response::kMostFields;
  if (owner.policy_.etag && takes_etag && response.status == 200 && response.find("ETag").empty() &&
      add_etag(exchange, *bytes))
    made_etag = true;
  answered = {response.status, response.content_type, response.fields(), now_ms_of(exchange)};
  const bool stored = store(exchange, *bytes);
  say(exchange, stored ? "; stored" : "");
  answer_condition(exchange, bytes);
}

void LeadingCall::keep_piece(http::Exchange& exchange, std::string_view bytes) {
  if (stage != Stage::Storing) return;
  const size_t most = owner.cache_.most_bytes();
  if (body.append(exchange.worker().blocks(), bytes, most)) return;
  const bool too_large = body.size() + bytes.size() > most;
  stage = Stage::Judged;
  body.clear();
  // Where it is too large to be stored so will the next be; where memory is out nobody knows.
  if (too_large) {
    pass(exchange, now_ms_of(exchange));
  } else {
    finish(exchange, Outcome::Pass);
  }
}

void LeadingCall::end_answer(http::Exchange& exchange) {
  if (stage != Stage::Storing) return;
  // Its handler may have looked at the session when the head had gone.
  if (!is_of_session(exchange)) return (void)store(exchange, body.view());
  stage = Stage::Judged;
  body.clear();
  pass(exchange, now_ms_of(exchange));
}

std::string_view LeadingCall::Answered::find(std::string_view name) const {
  for (const http::Response::Field& field : fields)
    if (equal_ignoring_case(field.name, name)) return field.value;
  return {};
}

// Of an answer in pieces, which ends when middleware has added its fields. False: memory is out.
bool LeadingCall::keep_answered(http::Exchange& exchange) {
  const http::Response& response = exchange.response;
  const auto fields = response.fields();
  auto* copy = exchange.arena().allocate_array<http::Response::Field>(std::max<size_t>(fields.size(), 1));
  if (copy == nullptr) return false;
  std::ranges::copy(fields, copy);
  answered = {response.status, response.content_type, {copy, fields.size()}, now_ms_of(exchange)};
  return true;
}

// Whether the handler can be asked if it is still good.
bool LeadingCall::is_validatable() const {
  return answered.status == 200 &&
         (!answered.find("Last-Modified").empty() || (!made_etag && !answered.find("ETag").empty()));
}

bool LeadingCall::store(http::Exchange& exchange, std::string_view bytes) {
  stage = Stage::Judged;
  const uint64_t now = now_ms_of(exchange);
  StoredResponse::Header header{.for_authorized = judgement.for_authorized,
                                .own_etag = made_etag,
                                .status = answered.status,
                                .age_s = judgement.age_s,
                                .stored_ms = answered.at_ms,
                                .fresh_until_ms = answered.at_ms + judgement.fresh_ms,
                                .moment = moment};
  header.stale_until_ms = header.fresh_until_ms + judgement.stale_ms;
  header.error_until_ms = header.fresh_until_ms + judgement.error_ms;
  if (is_validatable())
    header.kept_until_ms = header.fresh_until_ms + std::max(judgement.fresh_ms, kLeastKeptMs);
  std::vector<http::Response::Field> fields;
  size_t head = answered.content_type.size();
  for (const http::Response::Field& field : answered.fields) {
    head += field.name.size() + field.value.size() + 4;
    // A Cache-Status of an upstream's stays: it tells what happened there.
    if (field.origin != Origin::Handler || equal_ignoring_case(field.name, "Age")) continue;
    fields.push_back(field);
    if (equal_ignoring_case(field.name, "Cache-Tag"))
      for_each_item(field.value, [&](std::string_view tag) { owner.cache_.add_tag(tag, slots); });
  }
  // One that could not be sent again is not worth its room.
  if (count_others(answered.fields) + fields.size() + kFieldsOfHit > http::Response::kMostFields ||
      head + kHeadRoom > Block::capacity()) {
    pass(exchange, now);
    return false;
  }
  owner.cache_.add_slots(exchange.request.host(), key.target, slots);
  // Of one that was freshened those of before are there as well.
  std::ranges::sort(slots);
  slots.erase(std::ranges::unique(slots).begin(), slots.end());
  const auto result = owner.cache_.put(exchange.worker().index(), key, exchange.request, exchange.arena(),
                                       owner.policy_.variants,
                                       {.header = header,
                                        .content_type = answered.content_type,
                                        .varies_by = vary_names(answered.fields),
                                        .fields = fields,
                                        .body = bytes,
                                        .slots = slots},
                                       now);
  if (result == ResponseCache::Put::Stored) {
    if (passed) owner.cache_.drop_pass(key);
    finish(exchange, Outcome::Stored);
    return true;
  }
  pass(exchange, now);
  return false;
}

}  // namespace leat::cache
