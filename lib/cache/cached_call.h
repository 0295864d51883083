// CachedCall: what a cached route knows of one request, kept in its states.
//
// Private to lib/cache. Made by CachedHandler, who is its owner.
#pragma once

#include <span>
#include <vector>

#include "base/counted_text.h"
#include "cache/cached_handler.h"
#include "http/exchange.h"

namespace leat::cache {

// The least of it: all that a hit has, and a request that passes.
class LeadingCall;

class CachedCall {
 public:
  enum class Stage : uint8_t {
    Hit,      // it was answered by `pin`
    Passing,  // the handler answers it, and that is all
    Waiting,  // in `seat`
    Leading,  // the handler runs, and what it answers is judged
    Judged,   // ... was, and is not to be stored, or was stored whole
    Storing,  // its body comes in pieces
    Reused    // the handler found good what is stored, and it was sent as it is
  };

  CachedCall(CachedHandler& handler, Stage begin) : owner(handler), stage(begin) {}

  CachedHandler& owner;
  Pin pin;  // of the response that was sent, or of a stale one for when the handler fails
  Stage stage;
  std::string_view passed_by;  // what Cache-Status says of one that passes
  bool handled = false;        // the handler's handle() was called
  bool waited = false;
  LeadingCall* leading = nullptr;  // itself, where it is one
};

// One whose answer is not there, or may have to be made.
class LeadingCall final : public CachedCall {
 public:
  explicit LeadingCall(CachedHandler& handler) : CachedCall(handler, Stage::Leading) { leading = this; }

  // The handler's answer; see http::AnswerFilter.
  void judge_answer(http::Exchange& exchange, std::optional<std::string_view>& body);
  void keep_piece(http::Exchange& exchange, std::string_view bytes);
  void end_answer(http::Exchange& exchange);

  // Has the handler see the stale response's validators instead of the client's own conditions, until it
  // answers.
  void offer_validators(http::Exchange& exchange);
  // Sends the stale response in place of `status`, where it may stand for it; into response and `body`.
  // False: nothing has changed.
  bool fall_back(http::Exchange& exchange, uint16_t status, std::optional<std::string_view>& body);

  bool body_ended = false;  // before handle() was called
  bool authorized = false;
  bool passed = false;                   // a mark says that nothing is stored
  bool again = false;                    // it has waited, and found nothing
  bool made_etag = false;                // the handler gave none
  std::string_view missed = "uri-miss";  // as Cache-Status says it
  const http::Head* asked = nullptr;     // the client's, while the handler sees another
  RequestKey key;
  std::string_view flight;
  StoredResponse stale;
  SingleFlight::Seat seat;
  uint64_t moment = 0;  // of Invalidations, before the handler's run
  Wishes wishes;
  std::vector<uint32_t> slots;
  Judgement judgement;
  // Of an answer that is to be stored: its head as it came here.
  struct Answered {
    uint16_t status = 0;
    std::string_view content_type;
    std::span<const http::Response::Field> fields;
    uint64_t at_ms = 0;  // its begin: from then on it grows old

    [[nodiscard]] std::string_view find(std::string_view name) const;
  };
  Answered answered;
  CountedText body;  // with Storing, as far as it has come

 private:
  void answer_condition(http::Exchange& exchange, std::optional<std::string_view>& body);
  void store_whole(http::Exchange& exchange, std::optional<std::string_view>& body);
  void take_304(http::Exchange& exchange, std::optional<std::string_view>& body);
  bool freshen(http::Exchange& exchange, std::optional<std::string_view>& body);
  bool reuse(http::Exchange& exchange, std::string_view status, std::optional<std::string_view>& body);
  void refuse_304(http::Exchange& exchange, std::optional<std::string_view>& body);
  [[nodiscard]] bool is_validatable() const;
  [[nodiscard]] bool keep_answered(http::Exchange& exchange);
  bool store(http::Exchange& exchange, std::string_view bytes);
  void pass(http::Exchange& exchange, uint64_t now_ms);
  void finish(http::Exchange& exchange, Outcome outcome);
  void say(http::Exchange& exchange, std::string_view what) const;
};

// Age and Cache-Status.
inline constexpr size_t kFieldsOfHit = 2;

// CLOCK_MONOTONIC, of its turn.
inline uint64_t now_ms_of(http::Exchange& exchange) { return exchange.worker().now_ns() / 1'000'000; }

// Whether there is room for a stored response and what is said of it, beside `before` fields that are there.
// Who stores one sees to it; with another request there may be more before.
inline bool has_room(const StoredResponse& stored, size_t before) {
  return before + stored.header.field_count + kFieldsOfHit <= http::Response::kMostFields;
}

// Fills `response` with a stored one that has_room(): Age, Cache-Status and `status` text beside its fields,
// all of them views of the entry and of the exchange's arena. False when memory is out.
bool restore(http::Exchange& exchange, const StoredResponse& stored, uint64_t now_ms,
             std::string_view status);

}  // namespace leat::cache
