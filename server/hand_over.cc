#include "server/hand_over.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/clock.h"
#include "base/log.h"
#include "server/process/crash_report.h"

namespace leat::server {

namespace {

// Between two looks at the requests under way. Each look is a task for every worker.
constexpr auto kLook = std::chrono::milliseconds(1);

}  // namespace

HandOver::HandOver(const Assembly& old, const Assembly& next, worker::Workers workers, PipelineOf pipeline_of,
                   uint64_t within_ms)
    : workers_(workers),
      pipeline_of_(std::move(pipeline_of)),
      within_ms_(within_ms),
      owners_(std::make_shared<Owners>(old)) {
  std::vector<std::string>& names = owners_->names;
  // Providers of services come before those who use them.
  for (const auto& former : old.plugins) {
    const auto successor =
        std::ranges::find_if(next.plugins, [&](const auto& each) { return each->name() == former->name(); });
    const bool hands_over = successor != next.plugins.end() && (*successor)->can_import_from(*former);
    if (hands_over) pairs_.emplace_back(former.get(), successor->get());
    const bool uses = std::ranges::any_of(former->uses(), [&](const leat_service_use& use) {
      return std::ranges::contains(names, use.provider->name());
    });
    if (hands_over || uses) names.push_back(former->name());
  }
}

HandOver::~HandOver() {
  if (watch_.joinable()) {
    watch_.request_stop();
    watch_.join();
  }
  if (holding_) release();
}

bool HandOver::Owners::own(const http::Exchange& exchange) const {
  return exchange.route != nullptr && exchange.route->site == old.site.get() && exchange.route->is_of(names);
}

std::string HandOver::run(const std::stop_token& stopping, std::string& remarks) {
  if (pairs_.empty()) return {};
  if (within_ms_ != 0 && !wait_for_requests(stopping, remarks)) return kStopping;
  for (const auto& [former, next] : pairs_) {
    const LoadingScope scope(next->name());
    if (const auto taken = next->import_from(*former); !taken) return taken.error().message;
  }
  return {};
}

bool HandOver::wait_for_requests(const std::stop_token& stopping, std::string& remarks) {
  const uint64_t begun_ms = monotonic_ms();
  holding_ = true;
  watch_ = std::jthread([this](const std::stop_token& ended) {
    std::unique_lock lock(mutex_);
    over_.wait_for(lock, ended, std::chrono::milliseconds(within_ms_), [] { return false; });
    if (ended.stop_requested()) return;
    holding_ = false;
    release();
  });
  const bool held =
      worker::on_workers(workers_, stopping, [owners = owners_, pipeline_of = pipeline_of_](uint32_t index) {
        pipeline_of(index).hold(owners->names);
      });
  while (held) {
    uint64_t count = 0;
    if (!count_requests(stopping, count)) return false;
    if (count == 0) return true;
    if (monotonic_ms() - begun_ms >= within_ms_ / 2) {
      std::string names;
      for (const std::string& name : owners_->names) names += (names.empty() ? "" : ", ") + name;
      const std::string lost = fmt::format(
          "{} request{} still under way when the state of {} was handed over: what they change from now on "
          "is lost",
          count, count == 1 ? " was" : "s were", names);
      log::warn("{}", lost);
      remarks += lost + "\n";
      return true;
    }
    std::this_thread::sleep_for(kLook);
  }
  return false;
}

bool HandOver::count_requests(const std::stop_token& stopping, uint64_t& count) const {
  const auto sum = std::make_shared<std::atomic<uint64_t>>(0);
  const bool counted =
      worker::on_workers(workers_, stopping, [owners = owners_, sum, workers = workers_](uint32_t index) {
        *sum += workers[index]->count(
            [&](http::Exchange& exchange) { return owners->own(exchange) && exchange.serving(); });
        // Work on the pool can outlast its request.
        for (const auto& plugin : owners->old.plugins)
          if (std::ranges::contains(owners->names, plugin->name()) && !plugin->idle(index)) ++*sum;
      });
  count = *sum;
  return counted;
}

bool HandOver::commit() {
  if (!watch_.joinable()) return true;
  watch_.request_stop();
  watch_.join();
  return holding_;
}

std::function<void(worker::Worker&)> HandOver::taking_over() const {
  if (!holding_) return [](worker::Worker&) {};
  return [owners = owners_](worker::Worker& worker) {
    worker.give_up_on([&](http::Exchange& exchange) {
      return owners->own(exchange) && !pipeline::Pipeline::handled(exchange) && !exchange.started();
    });
    worker.release_held();
  };
}

// Whatever becomes of the daemon meanwhile: a worker that is stopping has nothing to release.
void HandOver::release() const {
  for (const auto& worker : workers_) {
    worker->run_soon([worker = worker.get(), lane = &pipeline_of_(worker->index())] {
      lane->release();
      worker->release_held();
    });
  }
}

}  // namespace leat::server
