// Hub: what all WebSockets of a process share: their settings, what is counted of them, topics, and the way to the workers that
// have any, for who is on another thread.
//
// A message for many is encoded once, and goes to those workers that have subscribers of its topic; each passes it on to its own
// (Topics). What is on its way is bounded: beyond that, who publishes is told.
//
// Thread: any, but for what says otherwise. It outlives all workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "http/worker_context.h"
#include "websocket/counts.h"
#include "websocket/options.h"
#include "websocket/topics.h"

namespace leat::websocket {

class Hub {
 public:
  Hub() = default;
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // Of sockets that are opened from now on.
  void set_options(const Options& options);
  [[nodiscard]] Options options() const;

  // A worker has one more that may be reached here, or one less. On its thread.
  void join(http::WorkerContext& worker);
  void leave(const http::WorkerContext& worker);
  // Has a worker do something. False: it has none.
  bool post(uint32_t worker, std::function<void()> work);

  // On the worker's thread, between join() and leave(). False: it had done so.
  bool subscribe(const http::WorkerContext& worker, Subscriber& subscriber, std::string_view topic);
  bool unsubscribe(const http::WorkerContext& worker, Subscriber& subscriber, std::string_view topic);
  void unsubscribe_all(const http::WorkerContext& worker, Subscriber& subscriber);

  // Sends a message to all who have subscribed. False: so much is on its way that it was not taken.
  bool publish(std::string_view topic, std::shared_ptr<const Broadcast> message);

  Counts counts;  // set before the first socket

 private:
  struct Lane {
    Lane(Hub& hub, uint32_t worker);
    http::WorkerContext* context = nullptr;  // null: it has none
    size_t members = 0;
    Topics topics;  // its thread's
    bool delivering = false;
  };
  // What is on its way is counted for as long as it lives.
  struct Parcel;

  Lane& lane_of(const http::WorkerContext& worker);
  void want(uint32_t worker, std::string_view topic, bool wanted);
  static void deliver(Lane& lane);

  mutable std::mutex mutex_;  // of all below but what lanes have of their own
  Options options_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // by the numbers of workers; null until one joins
  std::map<std::string, std::set<uint32_t>, std::less<>> wanted_;  // by whom each topic is
  std::atomic<uint64_t> under_way_ = 0;                            // bytes
};

}  // namespace leat::websocket
