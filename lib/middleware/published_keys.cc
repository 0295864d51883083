#include "middleware/published_keys.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "client/asking.h"
#include "client/errand.h"
#include "http/list.h"
#include "middleware/counters.h"

namespace leat::middleware {

namespace {

// An errand looks so often whether it is still wanted.
constexpr uint64_t kLookMs = 5'000;

// For how long the answer says that it is good (RFC 9111, section 5.2.2.1); nothing where it does not.
std::optional<uint64_t> max_age_ms(const client::Fetch& fetch) {
  constexpr std::string_view kName = "max-age=";
  std::optional<uint64_t> found;
  for (const client::Field& field : fetch.fields) {
    if (!equal_ignoring_case(field.name, "Cache-Control")) continue;
    http::for_each_item(field.value, [&](std::string_view item) {
      if (!equal_ignoring_case(item.substr(0, kName.size()), kName)) return;
      if (const auto seconds = parse_number<uint32_t>(item.substr(kName.size())))
        found = uint64_t{*seconds} * 1000;
    });
  }
  return found;
}

}  // namespace

class KeyErrand final : public client::Errand {
 public:
  // `begun`: for one fetch, which PublishedKeys::begin() has allowed; else for as long as there is somebody whom they are
  // for.
  KeyErrand(const std::shared_ptr<PublishedKeys>& keys, http::WorkerContext& worker, bool begun)
      : keys_(keys),
        source_(keys->source_),
        upstream_(source_->upstream),
        worker_(worker),
        once_(begun),
        under_way_(begun) {}
  ~KeyErrand() override {
    const auto keys = keys_.lock();
    if (keys == nullptr) return;
    if (under_way_) keys->over(worker_, 0);
    if (!once_) keys->tended_ = false;
  }
  KeyErrand(const KeyErrand&) = delete;
  KeyErrand& operator=(const KeyErrand&) = delete;

  [[nodiscard]] Plan plan(uint64_t now_ms, bool ending) override {
    const auto keys = keys_.lock();
    if (keys == nullptr || ending) return {};
    if (reader_) {
      if (!reader_->step()) end_reading(*keys, now_ms);
      return {.next = Plan::Next::Wait, .wait_ms = 0};
    }
    if (once_ && asked_) return {};
    if (!once_ && !keys->begin(now_ms))
      return {.next = Plan::Next::Wait, .wait_ms = std::min(keys->wait_ms(now_ms), kLookMs)};
    under_way_ = asked_ = true;
    client::refresh_if_due(source_->upstream, now_ms, source_->pool);
    return {.next = Plan::Next::Ask,
            .upstream = &upstream_,
            .request = {
                .target = source_->path, .fields = kFields, .body = {}, .timeout_ms = source_->timeout_ms}};
  }

  void on_fetched(const client::Fetch& fetch, uint64_t now_ms) override {
    const auto keys = keys_.lock();
    if (keys == nullptr) return;
    if (fetch.status != client::FetchStatus::Answered || fetch.code != 200) {
      const std::string why = fetch.status == client::FetchStatus::Answered
                                  ? fmt::format("it answered {}", fetch.code)
                                  : std::string(fetch.message);
      return end_without(*keys, keys->counters_.failed, "cannot be had", why, now_ms);
    }
    good_ms_ = std::clamp(max_age_ms(fetch).value_or(source_->interval_ms), source_->least_ms,
                          std::max(source_->least_ms, source_->interval_ms));
    if (keys->is_published(fetch.body)) return end(*keys, keys->counters_.same, now_ms);
    reader_.emplace(std::string(fetch.body));
  }

 private:
  static constexpr client::Field kFields[] = {{"Accept", "application/jwk-set+json, application/json"}};

  void end_reading(PublishedKeys& keys, uint64_t now_ms) {
    JwksReader read = std::move(*reader_);
    reader_.reset();
    if (!read.wrong().empty())
      return end_without(keys, keys.counters_.wrong, "are none", read.wrong(), now_ms);
    if (!read.left_out().empty())
      log::limited(log::Level::Warn, {"jwt", upstream_->url(), "left out"}, "jwt: of the keys of {}{}, {}",
                   upstream_->url(), source_->path, read.left_out());
    keys.publish(read.take_text(), std::make_shared<const TokenKeys>(read.take_keys()), now_ms);
    end(keys, keys.counters_.changed, now_ms);
  }
  void end(PublishedKeys& keys, const std::shared_ptr<metrics::Metric>& counter, uint64_t now_ms) {
    count(counter);
    keys.keep(now_ms);
    under_way_ = false;
    keys.over(worker_, now_ms + good_ms_);
  }
  void end_without(PublishedKeys& keys, const std::shared_ptr<metrics::Metric>& counter,
                   std::string_view what, std::string_view why, uint64_t now_ms) {
    count(counter);
    log::limited(
        log::Level::Warn, {"jwt", upstream_->url()}, "jwt: the keys of {}{} {}: {}; {}", upstream_->url(),
        source_->path, what, why,
        keys.good(now_ms) ? "those that there were stay for now" : "until there are any, no token is taken");
    under_way_ = false;
    keys.over(worker_, 0);
  }

  const std::weak_ptr<PublishedKeys> keys_;
  const std::shared_ptr<const KeySource> source_;
  const std::shared_ptr<const client::Upstream> upstream_;
  http::WorkerContext& worker_;  // which has it
  const bool once_;
  bool under_way_;      // a fetch, or what is read of it
  bool asked_ = false;  // at least once
  uint64_t good_ms_ = 0;
  std::optional<JwksReader> reader_;
};

bool PublishedKeys::begin(uint64_t now_ms) {
  if (now_ms < next_ms_ || now_ms < quiet_until_ms_ || fetching_) return false;
  const std::lock_guard lock(mutex_);
  if (now_ms < quiet_until_ms_ || fetching_) return false;
  fetching_ = true;
  quiet_until_ms_ = now_ms + source_->least_ms;
  return true;
}

uint64_t PublishedKeys::wait_ms(uint64_t now_ms) const {
  const uint64_t until_ms = std::max(next_ms_.load(), quiet_until_ms_.load());
  return until_ms > now_ms ? until_ms - now_ms : kLookMs;
}

void PublishedKeys::tend(http::WorkerContext& worker) {
  client::Fetcher* const fetcher = worker.fetcher();
  if (fetcher == nullptr || tended_.exchange(true)) return;
  if (!fetcher->begin(std::make_shared<KeyErrand>(shared_from_this(), worker, false)))
    log::limited(log::Level::Warn, {"jwt", source_->upstream->url(), "errands"},
                 "jwt: the keys of {}{} are fetched only when a token needs them: too much else is done "
                 "in the background",
                 source_->upstream->url(), source_->path);
}

PublishedKeys::Awaited PublishedKeys::await(http::Exchange& exchange, http::WorkerContext::Resume resume,
                                            void* argument) {
  http::WorkerContext& worker = exchange.worker();
  const uint64_t now_ms = worker.now_ns() / 1'000'000;
  const auto early = [&] { return !fetching_ && now_ms < quiet_until_ms_; };
  if (worker.fetcher() == nullptr || early()) return Awaited::Nothing;
  std::shared_ptr<KeyErrand> errand;
  {
    const std::lock_guard lock(mutex_);
    if (early()) return Awaited::Nothing;
    if (waiting_.size() >= source_->waiting) return Awaited::TooMany;
    if (!fetching_) {
      errand = std::make_shared<KeyErrand>(shared_from_this(), worker, true);
      fetching_ = true;
      quiet_until_ms_ = now_ms + source_->least_ms;
    }
    waiting_.push_back({exchange.ticket(), resume, argument});
  }
  // One that cannot be begun ends here, and tells those who wait.
  if (errand != nullptr) (void)worker.fetcher()->begin(std::move(errand));
  return Awaited::Coming;
}

void PublishedKeys::over(http::WorkerContext& worker, uint64_t next_ms) {
  std::vector<Waiter> told;
  {
    const std::lock_guard lock(mutex_);
    next_ms_ = next_ms;
    fetching_ = false;
    told.swap(waiting_);
  }
  for (const Waiter& each : told)
    (void)worker.resume_from_any_thread(each.ticket, each.resume, each.argument);
}

void PublishedKeys::publish(std::string document, std::shared_ptr<const TokenKeys> keys, uint64_t now_ms) {
  log::limited(log::Level::Info, {"jwt", source_->upstream->url(), "changed"},
               "jwt: there are {} keys of {}{}", keys->all().size(), source_->upstream->url(), source_->path);
  const std::lock_guard lock(mutex_);
  keep(now_ms);
  document_ = std::move(document);
  published_ = {.version = published_.version + 1, .keys = std::move(keys)};
  version_.store(published_.version, std::memory_order_release);
}

bool PublishedKeys::is_published(std::string_view document) const {
  const std::lock_guard lock(mutex_);
  return published_.version != 0 && document_ == document;
}

std::string PublishedKeys::describe() const {
  const std::lock_guard lock(mutex_);
  return fmt::format("{} of {}{}",
                     published_.keys == nullptr ? "the keys, which have not come yet,"
                                                : fmt::format("{} keys", published_.keys->all().size()),
                     source_->upstream->url(), source_->path);
}

}  // namespace leat::middleware
