// CachedHandler: a route's handler with the response cache before it.
//
//   request:  Pipeline -> middleware -> CachedHandler -> the plugin's handler
//   answer:   the plugin's handler -> middleware of Phase::Content -> CachedHandler -> middleware -> client
//
// It stands behind the middleware, so that what that does (refusing, limiting, marking answers, logging) is
// done for each request, and what is stored is the handler's answer as it was before that middleware touched
// it. It is one of the filters that the answer passes, and what it answers itself passes those behind it.
//
// A request either
//   passes      it is one that the cache has nothing to do with; the handler answers
//   hits        the stored response is sent from where it lies. No lock, no heap, no copy of a large body
//   hits stale  the same, and a request that the worker makes to itself has it made anew
//   leads       the handler answers, and its answer is stored while it is sent (CachedCall)
//   waits       for the leader of the same response, and hits, leads or is told to come again
// (single_flight.h)
//
// Thread: any worker; a call belongs to its exchange.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "base/metrics.h"
#include "cache/policy.h"
#include "cache/response_cache.h"
#include "pipeline/wrapping_handler.h"

namespace leat::cache {

class CachedCall;
struct CacheQuery;
class LeadingCall;

class CachedHandler final : public pipeline::WrappingHandler, public http::AnswerFilter {
 public:
  // How requests were answered, each counted once.
  enum class Result : uint8_t { Hit, Stale, Miss, Waited, Pass };
  static constexpr std::array<std::string_view, 5> kResults = {"hit", "stale", "miss", "waited", "pass"};
  // A counter for each Result; null where nobody counts.
  using Counters = std::array<std::shared_ptr<metrics::Metric>, kResults.size()>;

  // `cache` must outlive it.
  CachedHandler(std::unique_ptr<pipeline::Handler> handler, Policy policy, ResponseCache& cache,
                Counters counters = {});

  // Goes on with a request that waited: what a ResponseCache is made with.
  static void wake(http::Exchange& exchange, void*);

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override;
  pipeline::Verdict on_body_end(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_done(http::Exchange& exchange) override;
  void explain(http::Exchange& exchange, std::vector<pipeline::ExplainedFact>& facts) const override;
  [[nodiscard]] http::AnswerFilter* answer_filter() override { return this; }
  [[nodiscard]] ResponseCache& cache() const { return cache_; }

  // What the handler answers, as the filters before this one leave it.
  Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override;
  void on_piece(http::Exchange& exchange, std::string_view piece, http::Onward& onward) override;
  void on_end(http::Exchange& exchange, http::Onward& onward) override;

 private:
  friend class LeadingCall;
  struct Note;

  [[nodiscard]] CachedCall* call_of(const http::Exchange& exchange) const;
  pipeline::Verdict pass(http::Exchange& exchange, std::string_view why);
  pipeline::Verdict look_up(http::Exchange& exchange, const CacheQuery& asked, const RequestKey& key);
  bool send_found(http::Exchange& exchange, const CacheQuery& asked, ResponseCache::Found& found);
  void send_stored(http::Exchange& exchange, const CacheQuery& asked, ResponseCache::Found& found,
                   Result result);
  pipeline::Verdict join(http::Exchange& exchange, LeadingCall& call, std::string_view flight);
  pipeline::Verdict lead(http::Exchange& exchange, LeadingCall& call);
  pipeline::Verdict woken(http::Exchange& exchange, LeadingCall& call);
  pipeline::Verdict waited_in_vain(http::Exchange& exchange, LeadingCall& call, uint16_t status,
                                   std::string_view detail);
  static void deadline(http::Exchange& exchange, void*);
  void count(http::Exchange& exchange, Result result) const {
    exchange.cache_result = kResults[static_cast<size_t>(result)];
    if (const auto& counter = counters_[static_cast<size_t>(result)]; counter != nullptr) counter->add(1);
  }

  // A number that no handler has had before.
  static uint64_t next_number();
  [[nodiscard]] http::KnownHead* known_head_of(const http::Exchange& exchange) const;

  const Policy policy_;
  ResponseCache& cache_;
  const Counters counters_;
  const uint64_t number_ =
      next_number();  // of its notes on known heads; the one behind it is of those for https
};

// What a plugin says about the response that is being made for `exchange`. False where it will not be stored
// whatever is said: its route has no cache, or the request passes it.
[[nodiscard]] bool takes_wishes(const http::Exchange& exchange);
[[nodiscard]] bool wish(http::Exchange& exchange, const Wishes& wishes);
[[nodiscard]] bool add_tag(http::Exchange& exchange, std::string_view tag);

}  // namespace leat::cache
