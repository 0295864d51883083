#include "plugin/work_desk.h"

#include <utility>

namespace leat::plugin {

bool WorkDesk::when_idle(std::function<void()> then) {
  if (undelivered_ == 0) return true;
  on_idle_ = std::move(then);
  return false;
}

void WorkDesk::close() {
  on_idle_ = nullptr;  // who closes has not waited for it
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return out_ == 0; });
  }
  deliver_orphans();
}

void WorkDesk::deliver_orphans() {
  std::vector<Loan*> orphans;
  {
    const std::lock_guard lock(mutex_);
    orphans.swap(orphans_);
  }
  for (Loan* loan : orphans) loan->deliver_without_request();
}

void WorkDesk::lend() {
  ++undelivered_;
  const std::lock_guard lock(mutex_);
  ++out_;
}

void WorkDesk::unlend() {
  --undelivered_;
  const std::lock_guard lock(mutex_);
  --out_;
}

// What waits for the last one may destroy the instance: nothing of it is touched from then on.
void WorkDesk::delivered() {
  if (--undelivered_ != 0 || !on_idle_) return;
  const auto then = std::move(on_idle_);
  on_idle_ = nullptr;
  then();
}

}  // namespace leat::plugin
