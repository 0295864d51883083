// Topics and the hub: who gets which message, in which order, and what happens to those who come and go meanwhile.
#include "websocket/topics.h"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>
#include <string>

#include "support/http_harness.h"
#include "websocket/hub.h"

namespace leat::test {

namespace {

using websocket::Broadcast;
using websocket::Hub;
using websocket::Kind;
using websocket::Subscriber;
using websocket::Topics;

class Listener final : public Subscriber {
 public:
  void deliver(const Broadcast& message) override { heard += (heard.empty() ? "" : " ") + message.message(); }
  std::string take() { return std::exchange(heard, {}); }
  std::string heard;
};

std::shared_ptr<const Broadcast> message(std::string_view text) {
  return std::make_shared<const Broadcast>(Kind::Text, text, std::string_view(), std::string_view());
}

struct Wanted {
  std::map<std::string, int, std::less<>> topics;
  Topics make() {
    return Topics(
        [this](std::string_view topic, bool wanted) { topics[std::string(topic)] += wanted ? 1 : -1; });
  }
};

// A worker whose tasks the test runs.
class TaskWorker final : public http::WorkerContext {
 public:
  explicit TaskWorker(uint32_t index) : index_(index) {}
  [[nodiscard]] uint32_t index() const override { return index_; }
  [[nodiscard]] uint64_t now_ns() const override { return 0; }
  [[nodiscard]] std::string_view date() const override { return {}; }
  [[nodiscard]] BlockPool& blocks() override { return blocks_; }
  [[nodiscard]] bool resume_after(http::Ticket, uint64_t, Resume, void*) override { return false; }
  void forget_timers(http::Exchange&) override {}
  [[nodiscard]] bool resume_from_any_thread(http::Ticket, Resume, void*) override { return false; }
  void run_soon(std::function<void()> work) override { tasks.push_back(std::move(work)); }
  // How many it ran, each in a turn.
  size_t run() {
    size_t count = 0;
    for (; !tasks.empty(); ++count) {
      const auto next = std::move(tasks.front());
      tasks.pop_front();
      next();
    }
    return count;
  }
  std::deque<std::function<void()>> tasks;

 private:
  uint32_t index_;
  BlockPool blocks_{16, 0};
};

}  // namespace

TEST_CASE("topics: a message goes to those who had subscribed when it came") {
  Wanted wanted;
  Topics topics = wanted.make();
  Listener a, b, late;
  CHECK(topics.join(a, "x"));
  CHECK_FALSE(topics.join(a, "x"));
  CHECK(topics.join(b, "x"));
  CHECK(topics.join(b, "y"));
  CHECK(wanted.topics == std::map<std::string, int, std::less<>>{{"x", 1}, {"y", 1}});
  topics.take("x", message("1"));
  CHECK(topics.join(late, "x"));
  topics.take("y", message("2"));
  topics.take("z", message("3"));
  topics.take("x", message("4"));
  CHECK_FALSE(topics.deliver());
  CHECK(a.take() == "1 4");
  CHECK(b.take() == "1 2 4");
  CHECK(late.take() == "4");
  CHECK(topics.leave(b, "x"));
  CHECK_FALSE(topics.leave(b, "x"));
  topics.take("x", message("5"));
  CHECK_FALSE(topics.deliver());
  CHECK(a.take() == "5");
  CHECK(b.take().empty());
  topics.leave_all(a);
  topics.leave_all(b);
  topics.leave_all(late);
  CHECK(wanted.topics == std::map<std::string, int, std::less<>>{{"x", 0}, {"y", 0}});
}

TEST_CASE("topics: many are told over several turns, in order, whoever leaves meanwhile") {
  Wanted wanted;
  Topics topics = wanted.make();
  std::vector<std::unique_ptr<Listener>> many;
  for (int i = 0; i < 2'000; ++i) {
    many.push_back(std::make_unique<Listener>());
    topics.join(*many.back(), "all");
  }
  topics.take("all", message("1"));
  topics.take("all", message("2"));
  CHECK(topics.deliver());
  CHECK(many.front()->heard == "1");
  CHECK(many.back()->heard.empty());
  for (size_t i = 0; i < many.size(); i += 3) topics.leave_all(*many[i]);
  const std::string first = many[1]->heard;
  size_t turns = 1;
  while (topics.deliver()) ++turns;
  CHECK(turns >= 5);
  for (size_t i = 0; i < many.size(); ++i) {
    if (i % 3 != 0) CHECK(many[i]->heard == "1 2");
    if (i % 3 == 0) CHECK((many[i]->heard.empty() || many[i]->heard == "1"));
  }
  topics.take("all", message("3"));
  while (topics.deliver()) continue;
  CHECK(many[1]->heard == "1 2 3");
  CHECK(many[1999]->heard == "1 2 3");
  for (const auto& each : many) topics.leave_all(*each);
  CHECK(wanted.topics["all"] == 0);
}

TEST_CASE("topics: hold what they promise whatever comes in which order") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Wanted wanted;
  Topics topics = wanted.make();
  constexpr size_t kListeners = 40, kTopics = 4;
  std::vector<std::unique_ptr<Listener>> listeners;
  for (size_t i = 0; i < kListeners; ++i) listeners.push_back(std::make_unique<Listener>());
  std::vector<std::map<std::string, bool>> in(kListeners);
  std::vector<std::string> expected(kListeners);
  for (int round = 0; round < 5'000; ++round) {
    const size_t who = random() % kListeners;
    const std::string topic = std::to_string(random() % kTopics);
    switch (random() % 4) {
      case 0:
        CHECK(topics.join(*listeners[who], topic) == !in[who][topic]);
        in[who][topic] = true;
        break;
      case 1:
        // What is on its way to it is not told any more, so that all of it is let go first.
        while (topics.deliver()) continue;
        CHECK(topics.leave(*listeners[who], topic) == in[who][topic]);
        in[who][topic] = false;
        break;
      case 2:
        topics.take(topic, message(std::to_string(round)));
        for (size_t i = 0; i < kListeners; ++i)
          if (in[i][topic]) expected[i] += (expected[i].empty() ? "" : " ") + std::to_string(round);
        break;
      default:
        topics.deliver();
    }
  }
  while (topics.deliver()) continue;
  for (size_t i = 0; i < kListeners; ++i) {
    CHECK(listeners[i]->heard == expected[i]);
    topics.leave_all(*listeners[i]);
  }
  for (const auto& [name, count] : wanted.topics) CHECK(count == 0);
}

TEST_CASE("hub: brings a message to the workers that want it, and bounds what is on its way") {
  Hub hub;
  hub.set_options({.broadcast_bytes = 100});
  TaskWorker first(0), second(3);
  Listener a, b;
  CHECK(hub.publish("x", message("nobody")));
  CHECK_FALSE(hub.post(0, [] {}));
  hub.join(first);
  hub.join(second);
  CHECK(hub.subscribe(first, a, "x"));
  CHECK(hub.subscribe(second, b, "y"));
  CHECK(hub.publish("x", message("1")));
  CHECK(first.run() == 1);
  CHECK(second.run() == 0);
  CHECK(a.take() == "1");
  CHECK(hub.subscribe(second, b, "x"));
  CHECK(hub.publish("x", message(std::string(60, 'a'))));
  CHECK_FALSE(hub.publish("x", message(std::string(60, 'b'))));
  CHECK(first.run() == 1);
  CHECK_FALSE(hub.publish("x", message(std::string(60, 'c'))));  // the other has not passed it on
  CHECK(second.run() == 1);
  CHECK(hub.publish("x", message(std::string(60, 'd'))));
  first.run();
  second.run();
  CHECK(a.take() == std::string(60, 'a') + " " + std::string(60, 'd'));
  CHECK(b.take() == std::string(60, 'a') + " " + std::string(60, 'd'));
  CHECK(hub.publish("x", message(std::string(1'000, 'e'))));  // alone, whatever its size
  hub.unsubscribe_all(second, b);
  hub.leave(second);
  CHECK(hub.publish("y", message("nobody")));
  second.run();
  first.run();
  CHECK(a.take() == std::string(1'000, 'e'));
  CHECK(b.take().empty());
  hub.unsubscribe_all(first, a);
  hub.leave(first);
}

TEST_CASE("broadcast: is encoded once for each way in which it is sent") {
  const auto text = message("hello");
  CHECK(text->frame() == "\x81\x05hello");
  CHECK(text->packed_frame().empty());
  CHECK(text->frame().data() == text->frame().data());
  CHECK(text->event() == "data: hello\n\n");
  const auto large = message(std::string(10'000, 'x'));
  CHECK(large->packed_frame().size() < 100);
  CHECK(large->packed_frame()[0] == '\xc1');
  const Broadcast event(Kind::Text, "one\ntwo\r\n\nthree\r", "na\nme", "4");
  CHECK(event.event() == "event: name\nid: 4\ndata: one\ndata: two\ndata: \ndata: three\ndata: \n\n");
  std::weak_ptr<const Broadcast> watched;
  transport::Release held;
  {
    const auto kept = message("kept");
    watched = kept;
    held = kept->hold();
  }
  CHECK_FALSE(watched.expired());
  held.run(held.context);
  CHECK(watched.expired());
}

}  // namespace leat::test
