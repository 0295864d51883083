#include "client/asking.h"

#include <utility>

namespace leat::client {

namespace {

class Refresh final : public ThreadPool::Job {
 public:
  explicit Refresh(std::shared_ptr<Upstream> upstream) : upstream_(std::move(upstream)) {}
  bool run() override {
    upstream_->refresh();
    delete this;
    return false;
  }

 private:
  std::shared_ptr<Upstream> upstream_;
};

}  // namespace

uint64_t time_left_ms(http::Exchange& exchange) {
  const uint64_t deadline_ms = exchange.answer_deadline_ms();
  if (deadline_ms == UINT64_MAX) return UINT64_MAX;
  const uint64_t now_ms = exchange.worker().now_ns() / 1'000'000;
  return deadline_ms > now_ms ? deadline_ms - now_ms : 1;
}

void refresh_if_due(const std::shared_ptr<Upstream>& upstream, uint64_t now_ms, ThreadPool* pool) {
  if (!upstream->refresh_due(now_ms) || pool == nullptr) return;
  auto job = std::make_unique<Refresh>(upstream);
  if (pool->submit(*job)) (void)job.release();
}

}  // namespace leat::client
