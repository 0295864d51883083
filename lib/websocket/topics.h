// Topics: who wants to hear of what, on one worker, and the messages that are on their way to them.
//
// A message goes to those who had subscribed when it came to their worker, in the order in which messages came. There may be ten
// thousand of them: some are told in a turn, so that others have theirs, and the rest in the next.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "websocket/broadcast.h"

namespace leat::websocket {

class Topics;
struct Topic;

class Subscriber {
 public:
  Subscriber() = default;
  virtual ~Subscriber() = default;  // after leave_all()
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;
  // A message of a topic that it has subscribed to. It may leave topics meanwhile, and end.
  virtual void deliver(const Broadcast& message) = 0;

 private:
  friend class Topics;
  struct Place {
    Topic* topic;
    size_t at;
  };
  std::vector<Place> places_;
};

class Topics {
 public:
  // `wanted` is told of a topic that it has its first subscriber here, or had its last.
  explicit Topics(std::function<void(std::string_view topic, bool wanted)> wanted);
  ~Topics();

  // False: it has already.
  bool join(Subscriber& subscriber, std::string_view topic);
  // False: it had not.
  bool leave(Subscriber& subscriber, std::string_view topic);
  void leave_all(Subscriber& subscriber);

  // A message has come.
  void take(std::string_view topic, std::shared_ptr<const Broadcast> message);
  // Tells some of those that are to be told. True: others are left.
  bool deliver();

 private:
  void leave(const Subscriber::Place& place);
  void drop_if_empty(Topic& topic);
  bool deliver(Topic& topic, size_t& budget);

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  const std::function<void(std::string_view topic, bool wanted)> wanted_;
  std::unordered_map<std::string, std::unique_ptr<Topic>, Hash, std::equal_to<>> topics_;
  std::deque<std::string> waiting_;  // names of topics with messages, in the order in which they came
};

}  // namespace leat::websocket
