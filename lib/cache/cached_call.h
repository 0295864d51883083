// CachedCall: what a cached route knows of one request, in its arena, as its tap.
//
// Private to lib/cache. Made by CachedHandler, destroyed by its on_done().
#pragma once

#include <span>
#include <vector>

#include "base/counted_text.h"
#include "cache/cached_handler.h"
#include "http/service.h"

namespace leat::cache {

// The least of it: all that a hit has.
class CachedCall : public http::AnswerTap {
 public:
  enum class Stage : uint8_t {
    Hit,      // it was answered by `pin`
    Waiting,  // in `seat`
    Leading,  // the handler runs, and what it answers is judged
    Judged,   // ... was, and is not to be stored, or was stored whole
    Storing,  // its body comes in pieces
    Unsafe    // a method that makes what is stored for its target invalid
  };

  CachedCall(CachedHandler& handler, Stage begin) : owner(handler), stage(begin) {}

  void on_answer(http::Exchange& exchange, std::optional<std::string_view>& body) override;
  void on_piece(http::Exchange&, std::string_view) override {}
  void on_end(http::Exchange&) override {}

  CachedHandler& owner;
  Pin pin;  // of the response that was sent, or of a stale one for when the handler fails
  Stage stage;
  bool handled = false;  // the handler's handle() was called
  bool leads = false;    // it is a LeadingCall
  bool waited = false;
};

// One whose answer is not there, or may have to be made.
class LeadingCall final : public CachedCall {
 public:
  explicit LeadingCall(CachedHandler& handler) : CachedCall(handler, Stage::Leading) { leads = true; }

  void on_answer(http::Exchange& exchange, std::optional<std::string_view>& body) override;
  void on_piece(http::Exchange& exchange, std::string_view bytes) override;
  void on_end(http::Exchange& exchange) override;

  // Has the handler see the stale response's validators instead of the client's own conditions, until it
  // answers.
  void offer_validators(http::Exchange& exchange);
  // Remembers which fields are there before the handler runs. False: memory is out.
  [[nodiscard]] bool keep_fields(http::Exchange& exchange);
  // Sends the stale response in place of `status`, where it may stand for it; into response and `body`.
  bool fall_back(http::Exchange& exchange, uint16_t status, std::optional<std::string_view>& body);

  bool body_ended = false;  // before handle() was called
  bool authorized = false;
  bool passing = false;                  // no mark is left that nothing is stored
  bool again = false;                    // it has waited, and found nothing
  bool made_etag = false;                // the handler gave none
  std::string_view missed = "uri-miss";  // as Cache-Status says it
  const http::Head* asked = nullptr;     // the client's, while the handler sees another
  RequestKey key;
  StoredResponse stale;
  Flights::Seat seat;
  uint64_t moment = 0;  // of Invalidations, before the handler's run
  Wishes wishes;
  std::vector<uint32_t> slots;
  std::span<http::Response::Field> before;  // middleware's fields, which are not the handler's
  Judgement judgement;
  CountedText body;  // with Storing, as far as it has come

 private:
  void judge_answer(http::Exchange& exchange, std::optional<std::string_view>& body);
  void store_whole(http::Exchange& exchange, std::optional<std::string_view>& body);
  void freshen(http::Exchange& exchange, std::optional<std::string_view>& body);
  [[nodiscard]] bool is_validatable(const http::Response& response) const;
  bool store(http::Exchange& exchange, std::string_view bytes);
  void pass(http::Exchange& exchange, uint64_t now_ms);
  void finish(http::Exchange& exchange, Outcome outcome);
  void say(http::Exchange& exchange, std::string_view what) const;
  [[nodiscard]] bool is_own(const http::Response::Field& field) const;
};

// CLOCK_MONOTONIC, of its turn.
inline uint64_t now_ms_of(http::Exchange& exchange) { return exchange.worker().now_ns() / 1'000'000; }

// Fills `response` with a stored one: Age, Cache-Status and `status` text beside its fields, all of them
// views of the entry and of the exchange's arena. False when there is no room.
bool restore(http::Exchange& exchange, const StoredResponse& stored, uint64_t now_ms,
             std::string_view status);

}  // namespace leat::cache
