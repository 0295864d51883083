#include "middleware/span_lane.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "client/asking.h"
#include "http/date.h"

namespace leat::middleware {

namespace {

constexpr uint64_t kFirstRetryMs = 1'000;
constexpr uint64_t kLongestRetryMs = 30'000;

// OTLP/HTTP, "Failures": these alone may be tried again.
bool is_passing(uint16_t code) { return code == 429 || code == 502 || code == 503 || code == 504; }

// What Retry-After asks for (RFC 9110, section 10.2.3); 0 where it says nothing.
uint64_t retry_after_ms(const client::Fetch& fetch) {
  for (const client::Field& field : fetch.fields) {
    if (!equal_ignoring_case(field.name, "Retry-After")) continue;
    const std::string_view value = trim(field.value);
    if (const auto seconds = parse_number<uint32_t>(value)) return uint64_t{*seconds} * 1000;
    const std::time_t now = std::time(nullptr);
    const auto date = http::parse_date(value, now);
    return date && *date > now ? static_cast<uint64_t>(*date - now) * 1000 : 0;
  }
  return 0;
}

}  // namespace

SpanLane::SpanLane(std::shared_ptr<const SpanTarget> target, const SpanBatching& batching,
                   std::shared_ptr<const otlp::Envelope> envelope, SpanCounters counters)
    : target_(std::move(target)),
      batching_(batching),
      envelope_(std::move(envelope)),
      counters_(std::move(counters)),
      upstream_(target_->upstream),
      front_(envelope_->most()) {
  fields_.push_back({"Content-Type", "application/x-protobuf"});
  for (const auto& [name, value] : target_->fields) fields_.push_back({name, value});
  for (Half* const half : {&filling_, &sending_})
    half->memory = std::make_unique_for_overwrite<char[]>(front_ + batching_.bytes);
}

void SpanLane::add(std::string_view span, client::Fetcher* fetcher, uint64_t now_ms) {
  otlp::Encoder out(filling_.memory.get() + front_ + filling_.size, batching_.bytes - filling_.size);
  out.bytes(otlp::kSpanField, span);
  if (out.overflowed()) {
    // Before it has as many as are sent together: those that there are go now.
    if (!std::exchange(full_, true) && filling_.spans < batching_.spans && sending_.spans == 0 && under_way_)
      fetcher->wake(*this);
    return drop();
  }
  if (!under_way_) under_way_ = fetcher != nullptr && fetcher->begin(shared_from_this());
  if (!under_way_) return count(counters_.away, 1);
  filling_.size += out.written().size();
  if (filling_.spans++ == 0) filling_.since_ms = now_ms;
  if (filling_.spans == batching_.spans && sending_.spans == 0) fetcher->wake(*this);
}

bool SpanLane::is_due(uint64_t now_ms, bool ending) const {
  return filling_.spans != 0 && (ending || full_ || filling_.spans >= batching_.spans ||
                                 now_ms >= filling_.since_ms + batching_.interval_ms);
}

client::Errand::Plan SpanLane::plan(uint64_t now_ms, bool ending) {
  if (ending && !std::exchange(ending_, true)) end_ms_ = now_ms + batching_.stop_ms;
  for (int half = 0; half < 2 && ending && now_ms >= end_ms_; ++half) {
    give_up(counters_.away, nullptr);
    std::swap(sending_, filling_);
  }
  if (sending_.spans == 0 && is_due(now_ms, ending)) {
    std::swap(sending_, filling_);
    full_ = false;
    first_ms_ = now_ms;
    next_ms_ = tries_ = 0;
  }
  if (sending_.spans != 0) {
    if (now_ms < next_ms_ && !ending) return {.next = Plan::Next::Wait, .wait_ms = next_ms_ - now_ms};
    return send(now_ms, ending);
  }
  if (filling_.spans != 0)
    return {.next = Plan::Next::Wait, .wait_ms = filling_.since_ms + batching_.interval_ms - now_ms};
  under_way_ = false;
  return {};
}

client::Errand::Plan SpanLane::send(uint64_t now_ms, bool ending) {
  ++tries_;
  client::refresh_if_due(target_->upstream, now_ms, target_->pool);
  char* const spans = sending_.memory.get() + front_;
  char* const begin = envelope_->put_before(spans, sending_.size);
  uint64_t timeout_ms = target_->timeout_ms;
  if (ending) timeout_ms = std::min(timeout_ms, std::max<uint64_t>(end_ms_ - now_ms, 1));
  return {.next = Plan::Next::Ask,
          .upstream = &upstream_,
          .request = {.method = "POST",
                      .target = target_->path,
                      .fields = fields_,
                      .body = {begin, static_cast<size_t>(spans + sending_.size - begin)},
                      .timeout_ms = timeout_ms}};
}

void SpanLane::on_fetched(const client::Fetch& fetch, uint64_t now_ms) {
  const bool answered = fetch.status == client::FetchStatus::Answered;
  if (answered && fetch.code >= 200 && fetch.code < 300) return exported(fetch);
  if (answered && !is_passing(fetch.code)) return give_up(counters_.refused, &fetch);
  try_again_later(fetch, now_ms);
}

void SpanLane::exported(const client::Fetch& fetch) {
  const auto rejected = std::min<uint64_t>(otlp::rejected_spans(fetch.body).value_or(0), sending_.spans);
  if (rejected != 0)
    log::limited(log::Level::Warn, {"trace", upstream_->url()}, "trace: {} has refused {} of {} spans",
                 upstream_->url(), rejected, sending_.spans);
  count(counters_.exported, sending_.spans - rejected);
  count(counters_.refused, rejected);
  sending_.size = sending_.spans = 0;
}

void SpanLane::try_again_later(const client::Fetch& fetch, uint64_t now_ms) {
  uint64_t wait_ms = retry_after_ms(fetch);
  if (wait_ms == 0) {
    wait_ms = std::min(kFirstRetryMs << std::min(tries_ - 1, 10U), kLongestRetryMs);
    // Workers that have failed together need not come back together.
    wait_ms -= random_.next() % (wait_ms / 4);
  }
  next_ms_ = now_ms + wait_ms;
  if (ending_ || next_ms_ > first_ms_ + batching_.retry_ms) give_up(counters_.away, &fetch);
}

void SpanLane::give_up(const std::shared_ptr<metrics::Metric>& counter, const client::Fetch* why) {
  if (sending_.spans == 0) return;
  if (why != nullptr) {
    const bool answered = why->status == client::FetchStatus::Answered;
    log::limited(
        log::Level::Warn, {"trace", upstream_->url()}, "trace: {} spans are lost: {}{}", sending_.spans,
        answered ? fmt::format("{} answered {}", upstream_->url(), why->code) : std::string(why->message),
        tries_ > 1 ? fmt::format(", after {} tries", tries_) : std::string());
  }
  count(counter, sending_.spans);
  sending_.size = sending_.spans = 0;
}

}  // namespace leat::middleware
