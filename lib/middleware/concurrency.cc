#include "middleware/concurrency.h"

#include <fmt/core.h>

#include <utility>

#include "base/check.h"
#include "base/siphash.h"
#include "http/worker_context.h"
#include "middleware/counters.h"

namespace leat::middleware {

namespace {

// What is kept for the process: the table, and the key of its hashes.
struct PlaceState {
  PlaceState(size_t keys, uint32_t most) : table(keys, most), key(random_sip_key()) {}
  PlaceTable table;
  const SipKey key;
};

class Concurrency final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> admitted, limited, full;
  };

  Concurrency(RequestKey key, std::shared_ptr<PlaceState> state, Counters counters)
      : key_(std::move(key)), state_(std::move(state)), counters_(std::move(counters)) {}

  [[nodiscard]] uint8_t hooks() const override { return kRequest | kDone; }
  [[nodiscard]] bool for_clients() const override { return true; }
  [[nodiscard]] std::vector<pipeline::Need> needs() const override { return key_.needs(); }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    return fmt::format("counts it for {}: {} at a time, of which {} are under way", key_.describe(exchange),
                       state_->table.most(), state_->table.taken(key_.hash(exchange, state_->key)));
  }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    Place* const place = exchange.states.make<Place>(this);
    if (place == nullptr) {
      http::send_out_of_memory(exchange);
      return pipeline::Verdict::Done;
    }
    ENSURE(exchange.worker().index() < PlaceTable::kMostWorkers);
    const auto taken = state_->table.take(key_.hash(exchange, state_->key), exchange.worker().index());
    place->word = taken.place;
    if (taken.place != nullptr) [[likely]] {
      count(counters_.admitted);
      return pipeline::Verdict::Next;
    }
    count(taken.full ? counters_.full : counters_.limited);
    http::add_retry_after(exchange);
    if (taken.full)
      exchange.send_problem(503, "Requests of too many are being answered.");
    else if (key_.empty())
      exchange.send_problem(503, "Too many requests are being answered.");
    else
      exchange.send_problem(429, "Too many requests of yours are being answered at the same time.");
    return pipeline::Verdict::Done;
  }

  void on_done(http::Exchange& exchange) override {
    const Place* const place = exchange.states.find<Place>(this);
    if (place != nullptr && place->word != nullptr) PlaceTable::give(*place->word);
  }

 private:
  // What a request has.
  struct Place {
    PlaceTable::Word* word = nullptr;
  };

  const RequestKey key_;
  const std::shared_ptr<PlaceState> state_;
  const Counters counters_;
};

}  // namespace

std::unique_ptr<pipeline::Middleware> create_concurrency(const ConcurrencyOptions& options,
                                                         const pipeline::BuildContext& context) {
  auto key = RequestKey::read(context, options.key, options.ipv4_prefix, options.ipv6_prefix);
  if (!key) return nullptr;  // which was said
  // By the options and not by the name, under which others may be found after a reload.
  auto state = context.share_by_options<PlaceState>(options.keys, options.limit);
  return std::make_unique<Concurrency>(
      std::move(*key), std::move(state),
      Concurrency::Counters{.admitted = declare_counter(kConcurrencyRequests, context, "admitted"),
                            .limited = declare_counter(kConcurrencyRequests, context, "limited"),
                            .full = declare_counter(kConcurrencyRequests, context, "full")});
}

}  // namespace leat::middleware
