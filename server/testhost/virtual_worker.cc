#include "server/testhost/virtual_worker.h"

#include <algorithm>

namespace leat::testing {

bool VirtualWorker::resume_after(http::Ticket ticket, uint64_t delay_ms, Resume resume, void* argument) {
  delays_ms.push_back(delay_ms);
  const uint64_t due_ms = now_ms_ + std::min(delay_ms, UINT64_MAX - now_ms_);
  timers_.push_back({due_ms, ticket, resume, argument});
  return true;
}

bool VirtualWorker::resume_from_any_thread(http::Ticket ticket, Resume resume, void* argument) {
  if (!exchanges_->is_live(ticket)) return false;
  {
    const std::lock_guard lock(mutex_);
    posts_.push_back({{}, ticket, resume, argument});
  }
  posted_.notify_all();
  return true;
}

void VirtualWorker::run_soon(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posts_.push_back({std::move(work), {}, nullptr, nullptr});
  }
  posted_.notify_all();
}

void VirtualWorker::go_on(const http::Ticket& ticket, Resume resume, void* argument) {
  if (http::Exchange* exchange = exchanges_->find(ticket))
    exchange->stream().protocol()->resume(*exchange, resume, argument);
}

bool VirtualWorker::run_post() {
  Post post;
  {
    const std::lock_guard lock(mutex_);
    if (posts_.empty()) return false;
    post = std::move(posts_.front());
    posts_.pop_front();
  }
  if (post.work) {
    post.work();
  } else {
    go_on(post.ticket, post.resume, post.argument);
  }
  return true;
}

bool VirtualWorker::run_posts() {
  size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = posts_.size();
  }
  for (size_t i = 0; i < count; ++i) run_post();
  return count != 0;
}

bool VirtualWorker::wait_for_posts(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  return posted_.wait_for(lock, most, [this] { return !posts_.empty(); });
}

std::optional<uint64_t> VirtualWorker::next_timer_ms() {
  std::erase_if(timers_, [this](const Timer& each) { return exchanges_->find(each.ticket) == nullptr; });
  const auto next = std::ranges::min_element(timers_, {}, &Timer::due_ms);
  return next == timers_.end() ? std::nullopt : std::optional(next->due_ms);
}

bool VirtualWorker::run_timer() {
  const auto due = next_timer_ms();
  if (!due || *due > now_ms_) return false;
  const auto first = std::ranges::find(timers_, *due, &Timer::due_ms);
  const Timer timer = *first;
  timers_.erase(first);
  go_on(timer.ticket, timer.resume, timer.argument);
  return true;
}

bool VirtualWorker::run_next_timers() {
  const auto due = next_timer_ms();
  if (!due) return false;
  now_ms_ = std::max(now_ms_, *due);
  const auto later =
      std::ranges::stable_partition(timers_, [&](const Timer& each) { return each.due_ms <= *due; });
  const std::vector<Timer> now(timers_.begin(), later.begin());
  timers_.erase(timers_.begin(), later.begin());
  for (const Timer& timer : now) go_on(timer.ticket, timer.resume, timer.argument);
  return true;
}

std::string take_output(http::Protocol& session, size_t most) {
  std::string out;
  while (!session.output().empty() && out.size() < most) {
    std::string_view parts[16];
    const size_t count = session.output().gather(parts);
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) {
      const std::string_view part = parts[i].substr(0, most - out.size());
      out.append(part);
      size += part.size();
    }
    session.sent(size);
  }
  return out;
}

}  // namespace leat::testing
