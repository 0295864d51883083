#include "middleware/rate_limit.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/siphash.h"
#include "base/text.h"
#include "base/units.h"
#include "http/worker_context.h"
#include "middleware/counters.h"
#include "middleware/request_key.h"

namespace leat::middleware {

namespace {

constexpr uint64_t kMostPeriodMs = uint64_t{30} * 86'400'000;

// What is kept for the process: the table, and the key of its hashes, without which nobody finds anything in it.
struct RateState {
  RateState(size_t keys, const Rate& rate) : table(keys, rate), key(random_sip_key()) {}
  RateTable table;
  const SipKey key;
};

// A String of RFC 9651 (structured fields), which has printable ASCII alone.
std::string structured_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

class RateLimit final : public pipeline::Middleware {
 public:
  struct Counters {
    std::shared_ptr<metrics::Metric> allowed, limited, evicted;
  };

  RateLimit(const RateLimitOptions& options, RequestKey key, std::string_view policy,
            std::shared_ptr<RateState> state, Counters counters)
      : key_(std::move(key)),
        tells_(options.fields),
        state_(std::move(state)),
        counters_(std::move(counters)),
        field_begin_(fmt::format("{}: {};r=", kField, structured_string(policy))) {
    const Rate& rate = state_->table.rate();
    policy_line_ = fmt::format("{}: {};q={};w={}\r\n", kPolicyField, structured_string(policy), rate.burst,
                               rate.seconds(rate.burst));
  }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    const Rate& rate = state_->table.rate();
    return fmt::format("counts it for {}: {} at once, which are all back after {} s", key_.describe(exchange),
                       rate.burst, rate.seconds(rate.burst));
  }
  [[nodiscard]] uint8_t hooks() const override {
    return static_cast<uint8_t>(kRequest | (tells_ ? kAnswer : 0));
  }
  [[nodiscard]] bool for_clients() const override { return true; }
  [[nodiscard]] std::vector<pipeline::Need> needs() const override { return key_.needs(); }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    const RateTable::Outcome outcome =
        state_->table.take(key_.hash(exchange, state_->key), exchange.worker().now_ns());
    if (tells_) {
      if (Told* const told = exchange.states.make<Told>(this))
        *told = {outcome.remaining, outcome.allowed ? outcome.restored_s : outcome.retry_s};
    }
    if (outcome.evicted) count(counters_.evicted);
    if (outcome.allowed) [[likely]] {
      count(counters_.allowed);
      return pipeline::Verdict::Next;
    }
    count(counters_.limited);
    refuse(exchange, outcome.retry_s);
    return pipeline::Verdict::Done;
  }

  Wants on_answer(http::Exchange& exchange, http::AnswerBody&) override {
    const Told* const told = exchange.states.find<Told>(this);
    if (told == nullptr) return Wants::Nothing;
    http::Response& response = exchange.response;
    const size_t room = field_begin_.size() + 64;
    char* const text = exchange.arena().allocate_array<char>(room);
    // Where there is no room for them the answer is better sent without.
    if (text == nullptr || !response.add_ready(policy_line_, kPolicyField.size())) return Wants::Nothing;
    char* at = std::ranges::copy(field_begin_, text).out;
    at = std::to_chars(at, text + room, told->remaining).ptr;
    at = std::ranges::copy(std::string_view(";t="), at).out;
    at = std::to_chars(at, text + room, told->reset_s).ptr;
    at = std::ranges::copy(std::string_view("\r\n"), at).out;
    (void)response.add_ready({text, static_cast<size_t>(at - text)}, kField.size());
    return Wants::Nothing;
  }

 private:
  static constexpr std::string_view kField = "RateLimit";
  static constexpr std::string_view kPolicyField = "RateLimit-Policy";

  // For the answer.
  struct Told {
    uint64_t remaining = 0;
    uint64_t reset_s = 0;
  };

  void refuse(http::Exchange& exchange, uint64_t retry_s) const {
    constexpr size_t kRoom = 128;
    if (char* const text = exchange.arena().allocate_array<char>(kRoom)) {
      const auto number = fmt::format_to_n(text, kRoom, "{}", retry_s);
      (void)exchange.response.set("Retry-After", {text, number.size});
      const auto sentence =
          fmt::format_to_n(number.out, kRoom - number.size, "Too many requests: try again in {} second{}.",
                           retry_s, retry_s == 1 ? "" : "s");
      exchange.send_problem(429, {number.out, sentence.size});
      return;
    }
    http::add_retry_after(exchange);
    exchange.send_problem(429, "Too many requests.");
  }

  const RequestKey key_;
  const bool tells_;
  const std::shared_ptr<RateState> state_;
  const Counters counters_;
  const std::string field_begin_;  // up to the number of what remains
  std::string policy_line_;        // as it is sent, with CR LF
};

}  // namespace

std::optional<Rate> read_rate(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto count = parse_number<uint64_t>(text.substr(0, slash));
  std::string time(text.substr(slash + 1));
  if (time == "min") time = "m";
  if (!time.empty() && !is_digit(time.front())) time.insert(0, 1, '1');
  const auto period_ms = parse_duration(time);
  if (!count || !period_ms || *count == 0 || *period_ms == 0 || *period_ms > kMostPeriodMs)
    return std::nullopt;
  if (*count > *period_ms * (Rate::kMostPerSecond / 1000)) return std::nullopt;
  return Rate{
      .count = *count, .period_ns = *period_ms * 1'000'000, .burst = std::min(*count, Rate::kMostBurst)};
}

std::string check_rate(std::string_view called, std::string_view text) {
  if (read_rate(text)) return {};
  return fmt::format(
      "{} is a number of requests and the time for them, like \"100/s\", \"1000/min\" or \"30/10s\", at most "
      "{} a "
      "second and in at most 30 days",
      called, Rate::kMostPerSecond);
}

std::unique_ptr<pipeline::Middleware> create_rate_limit(const RateLimitOptions& options,
                                                        const pipeline::BuildContext& context) {
  auto rate = read_rate(options.rate);
  auto key = RequestKey::read(context, options.key, options.ipv4_prefix, options.ipv6_prefix);
  if (!rate || !key) return nullptr;  // which was said
  if (options.burst != 0) rate->burst = options.burst;
  // By the options and not by the name, under which others may be found after a reload.
  auto state = context.share_by_options<RateState>(options.keys, *rate);
  std::string_view policy = instance_name(context);
  if (!std::ranges::all_of(policy, [](char c) { return c >= ' ' && c <= '~'; })) policy = context.kind.name;
  return std::make_unique<RateLimit>(
      options, std::move(*key), policy, std::move(state),
      RateLimit::Counters{.allowed = declare_counter(kRateLimitRequests, context, "allowed"),
                          .limited = declare_counter(kRateLimitRequests, context, "limited"),
                          .evicted = declare_counter(kRateLimitEvicted, context)});
}

}  // namespace leat::middleware
