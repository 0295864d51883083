#include "websocket/topics.h"

#include <algorithm>
#include <utility>

namespace leat::websocket {

namespace {

// Who are told in a turn: a third of a millisecond's work.
constexpr size_t kTurn = 512;

}  // namespace

struct Topic {
  explicit Topic(std::string its_name) : name(std::move(its_name)) {}

  struct Seat {
    Subscriber* subscriber;  // null: it has left
    uint64_t since;          // messages up to that number are not for it
  };
  const std::string name;
  std::vector<Seat> seats;
  size_t left = 0;  // seats of who has left
  std::deque<std::shared_ptr<const Broadcast>> messages;
  uint64_t taken = 0;  // messages, in all
  size_t next = 0;     // seat that the first of them is for
};

Topics::Topics(std::function<void(std::string_view topic, bool wanted)> wanted)
    : wanted_(std::move(wanted)) {}
Topics::~Topics() = default;

bool Topics::join(Subscriber& subscriber, std::string_view name) {
  auto found = topics_.find(name);
  if (found == topics_.end()) {
    found = topics_.emplace(std::string(name), std::make_unique<Topic>(std::string(name))).first;
    wanted_(name, true);
  }
  Topic& topic = *found->second;
  if (std::ranges::contains(subscriber.places_, &topic, &Subscriber::Place::topic)) return false;
  subscriber.places_.push_back({&topic, topic.seats.size()});
  topic.seats.push_back({&subscriber, topic.taken});
  return true;
}

void Topics::leave(const Subscriber::Place& place) {
  Topic& topic = *place.topic;
  topic.seats[place.at].subscriber = nullptr;
  ++topic.left;
  // Where nobody is being told, the seats of who has left are taken by the last ones.
  if (!topic.messages.empty()) return;
  while (!topic.seats.empty() && topic.seats.back().subscriber == nullptr) {
    topic.seats.pop_back();
    --topic.left;
  }
  if (place.at >= topic.seats.size() || topic.seats[place.at].subscriber != nullptr) return;
  topic.seats[place.at] = topic.seats.back();
  topic.seats.pop_back();
  --topic.left;
  for (Subscriber::Place& each : topic.seats[place.at].subscriber->places_)
    if (each.topic == &topic) each.at = place.at;
}

void Topics::drop_if_empty(Topic& topic) {
  if (topic.seats.size() != topic.left || !topic.messages.empty()) return;
  wanted_(topic.name, false);
  topics_.erase(topics_.find(topic.name));
}

bool Topics::leave(Subscriber& subscriber, std::string_view name) {
  const auto place = std::ranges::find_if(
      subscriber.places_, [&](const Subscriber::Place& each) { return each.topic->name == name; });
  if (place == subscriber.places_.end()) return false;
  const Subscriber::Place left = *place;
  subscriber.places_.erase(place);
  leave(left);
  drop_if_empty(*left.topic);
  return true;
}

void Topics::leave_all(Subscriber& subscriber) {
  while (!subscriber.places_.empty()) {
    const Subscriber::Place left = subscriber.places_.back();
    subscriber.places_.pop_back();
    leave(left);
    drop_if_empty(*left.topic);
  }
}

void Topics::take(std::string_view name, std::shared_ptr<const Broadcast> message) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return;
  Topic& topic = *found->second;
  ++topic.taken;
  topic.messages.push_back(std::move(message));
  waiting_.emplace_back(name);
}

bool Topics::deliver() {
  size_t budget = kTurn;
  while (!waiting_.empty() && budget != 0) {
    const auto found = topics_.find(waiting_.front());
    if (found != topics_.end()) {
      if (!deliver(*found->second, budget)) return true;
      drop_if_empty(*found->second);
    }
    waiting_.pop_front();
  }
  return !waiting_.empty();
}

// Of its first message. False: others are to be told of that yet.
bool Topics::deliver(Topic& topic, size_t& budget) {
  const std::shared_ptr<const Broadcast> message = topic.messages.front();
  const uint64_t number = topic.taken - topic.messages.size() + 1;
  for (; topic.next < topic.seats.size(); ++topic.next) {
    if (budget == 0) return false;
    const Topic::Seat seat = topic.seats[topic.next];
    if (seat.subscriber == nullptr || seat.since >= number) continue;
    --budget;
    seat.subscriber->deliver(*message);
  }
  topic.messages.pop_front();
  topic.next = 0;
  if (!topic.messages.empty() || topic.left == 0) return true;
  // Nobody is being told any more: seats of who has left go.
  std::erase_if(topic.seats, [](const Topic::Seat& seat) { return seat.subscriber == nullptr; });
  topic.left = 0;
  for (size_t at = 0; at < topic.seats.size(); ++at)
    for (Subscriber::Place& each : topic.seats[at].subscriber->places_)
      if (each.topic == &topic) each.at = at;
  return true;
}

}  // namespace leat::websocket
