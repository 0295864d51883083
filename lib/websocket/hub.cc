#include "websocket/hub.h"

#include <utility>

#include "base/check.h"

namespace leat::websocket {

struct Hub::Parcel {
  Parcel(std::atomic<uint64_t>& all, std::shared_ptr<const Broadcast> its_message)
      : under_way(all), message(std::move(its_message)) {}
  ~Parcel() { under_way.fetch_sub(message->message().size(), std::memory_order_relaxed); }
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;
  std::atomic<uint64_t>& under_way;
  const std::shared_ptr<const Broadcast> message;
};

Hub::Lane::Lane(Hub& hub, uint32_t worker)
    : topics([&hub, worker](std::string_view topic, bool wanted) { hub.want(worker, topic, wanted); }) {}

void Hub::set_options(const Options& options) {
  const std::lock_guard lock(mutex_);
  options_ = options;
}

Options Hub::options() const {
  const std::lock_guard lock(mutex_);
  return options_;
}

void Hub::join(http::WorkerContext& worker) {
  const std::lock_guard lock(mutex_);
  if (lanes_.size() <= worker.index()) lanes_.resize(worker.index() + 1);
  auto& lane = lanes_[worker.index()];
  if (lane == nullptr) lane = std::make_unique<Lane>(*this, worker.index());
  if (lane->members++ == 0) lane->context = &worker;
}

void Hub::leave(const http::WorkerContext& worker) {
  const std::lock_guard lock(mutex_);
  Lane& lane = *lanes_[worker.index()];
  if (--lane.members == 0) lane.context = nullptr;
}

bool Hub::post(uint32_t worker, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (worker >= lanes_.size() || lanes_[worker] == nullptr || lanes_[worker]->context == nullptr)
    return false;
  lanes_[worker]->context->run_soon(std::move(work));
  return true;
}

// It stays where it is.
Hub::Lane& Hub::lane_of(const http::WorkerContext& worker) {
  const std::lock_guard lock(mutex_);
  ENSURE(worker.index() < lanes_.size() && lanes_[worker.index()] != nullptr);
  return *lanes_[worker.index()];
}

void Hub::want(uint32_t worker, std::string_view topic, bool wanted) {
  const std::lock_guard lock(mutex_);
  auto found = wanted_.find(topic);
  if (wanted) {
    if (found == wanted_.end()) found = wanted_.emplace(std::string(topic), std::set<uint32_t>()).first;
    found->second.insert(worker);
  } else if (found != wanted_.end()) {
    found->second.erase(worker);
    if (found->second.empty()) wanted_.erase(found);
  }
}

bool Hub::subscribe(const http::WorkerContext& worker, Subscriber& subscriber, std::string_view topic) {
  return lane_of(worker).topics.join(subscriber, topic);
}
bool Hub::unsubscribe(const http::WorkerContext& worker, Subscriber& subscriber, std::string_view topic) {
  return lane_of(worker).topics.leave(subscriber, topic);
}
void Hub::unsubscribe_all(const http::WorkerContext& worker, Subscriber& subscriber) {
  lane_of(worker).topics.leave_all(subscriber);
}

bool Hub::publish(std::string_view topic, std::shared_ptr<const Broadcast> message) {
  const std::lock_guard lock(mutex_);
  const auto found = wanted_.find(topic);
  if (found == wanted_.end()) return true;
  const size_t size = message->message().size();
  const uint64_t before = under_way_.load(std::memory_order_relaxed);
  if (before != 0 && before + size > options_.broadcast_bytes) return false;
  under_way_.fetch_add(size, std::memory_order_relaxed);
  const auto parcel = std::make_shared<const Parcel>(under_way_, std::move(message));
  for (const uint32_t worker : found->second) {
    Lane& lane = *lanes_[worker];
    if (lane.context == nullptr) continue;
    lane.context->run_soon([&lane, parcel, name = std::string(topic)] {
      // The parcel is on its way until all here have been told.
      lane.topics.take(name, std::shared_ptr<const Broadcast>(parcel, parcel->message.get()));
      if (!lane.delivering) deliver(lane);
    });
  }
  return true;
}

void Hub::deliver(Lane& lane) {
  // Without context nobody is there to be told.
  do lane.delivering = lane.topics.deliver();
  while (lane.delivering && lane.context == nullptr);
  if (lane.delivering) lane.context->run_soon([&lane] { deliver(lane); });
}

}  // namespace leat::websocket
