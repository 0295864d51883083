#include "net/loop.h"

#include <signal.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <thread>
#include <vector>

#include "net/engine_choice.h"
#include "sockets.h"

namespace leat::net {

namespace {

struct Recorder : LoopClient {
  void on_completion(const Completion& completion) override { completions.push_back(completion); }
  void on_turn_end() override { ++turn_ends; }
  std::vector<Completion> completions;
  int turn_ends = 0;
};

struct Note : Task {
  explicit Note(std::vector<int>& target, int number_) : out(target), number(number_) {
    run = [](Task& task) { static_cast<Note&>(task).out.push_back(static_cast<Note&>(task).number); };
  }
  std::vector<int>& out;
  int number;
};

std::unique_ptr<Engine> either_engine() {
  const auto choice = GENERATE(EngineChoice::Uring, EngineChoice::Epoll);
  auto chosen = create_engine(choice, {});
  if (!chosen) SKIP("no io_uring here: " << chosen.error().text());
  return std::move(chosen->engine);
}

}  // namespace

TEST_CASE("loop: tasks posted from one thread run in their order") {
  const auto engine = either_engine();
  const auto loop = *Loop::create(*engine);
  Recorder client;
  std::vector<int> seen;
  Note a(seen, 1);
  Note b(seen, 2);
  Note c(seen, 3);
  loop->post(a);
  loop->post(b);
  loop->post(c);
  loop->turn(client, UINT64_MAX);  // does not wait: there is something in the inbox
  CHECK(seen == std::vector{1, 2, 3});
  CHECK(client.turn_ends == 1);
}

TEST_CASE("loop: every task posted by several threads runs once, in each thread's order") {
  constexpr int kThreads = 4;
  constexpr int kTasks = 5000;
  const auto engine = either_engine();
  const auto loop = *Loop::create(*engine);
  Recorder client;
  std::vector<std::vector<int>> seen(kThreads);
  std::vector<std::vector<std::unique_ptr<Note>>> notes(kThreads);
  for (int t = 0; t < kThreads; ++t)
    for (int i = 0; i < kTasks; ++i)
      notes[static_cast<size_t>(t)].push_back(std::make_unique<Note>(seen[static_cast<size_t>(t)], i));

  std::atomic<int> posting = kThreads;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (const auto& note : notes[static_cast<size_t>(t)]) {
        loop->post(*note);
        if (note->number % 97 == 0) std::this_thread::yield();  // lets the loop go to sleep now and then
      }
      if (--posting == 0) loop->stop();
    });
  }
  loop->run(client);
  threads.clear();
  loop->turn(client, 0);  // what was posted just before stop()
  for (const auto& numbers : seen) {
    REQUIRE(numbers.size() == kTasks);
    CHECK(std::ranges::is_sorted(numbers));
  }
}

TEST_CASE("loop: a task wakes a loop that sleeps without a deadline") {
  const auto engine = either_engine();
  const auto loop = *Loop::create(*engine);
  Recorder client;
  struct Stopper : Task {
    Loop* loop;
  } stopper;
  stopper.loop = loop.get();
  stopper.run = [](Task& task) { static_cast<Stopper&>(task).loop->stop(); };
  for (int i = 0; i < 3; ++i) loop->turn(client, 0);
  std::jthread poster([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    loop->post(stopper);
  });
  loop->run(client);
  CHECK(client.completions.empty());  // the wake-up is the loop's own
}

TEST_CASE("loop: a task left in the inbox is run by the destructor, and so is one that it posts") {
  const auto engine = either_engine();
  auto loop = *Loop::create(*engine);
  std::vector<int> seen;
  Note last(seen, 2);
  struct Reposter : Task {
    Loop* loop;
    Note* note;
  } first;
  first.loop = loop.get();
  first.note = &last;
  first.run = [](Task& task) { static_cast<Reposter&>(task).loop->post(*static_cast<Reposter&>(task).note); };
  loop->post(first);
  loop.reset();
  CHECK(seen == std::vector{2});
}

TEST_CASE("loop: a second loop on the same engine is not confused by the first one's end") {
  const auto engine = either_engine();
  Recorder client;
  {
    const auto first = *Loop::create(*engine);
  }
  const auto second = *Loop::create(*engine);
  std::vector<int> seen;
  Note note(seen, 1);
  second->turn(client, 0);
  std::jthread poster([&] { second->post(note); });
  while (seen.empty()) second->turn(client, engine->now_ns() + 5'000'000'000);
  CHECK(client.completions.empty());
}

TEST_CASE("loop: a timer ends the wait, and sees the time of its turn") {
  const auto engine = either_engine();
  const auto loop = *Loop::create(*engine);
  Recorder client;
  struct Stopper : Timer {
    explicit Stopper(Loop& l)
        : Timer([](Timer& timer) {
            auto& self = static_cast<Stopper&>(timer);
            self.ran_at_ms = self.loop.now_ms();
            self.loop.stop();
          }),
          loop(l) {}
    Loop& loop;
    uint64_t ran_at_ms = 0;
  } timer(*loop);
  const uint64_t deadline = loop->now_ms() + 30;
  loop->timers().start(timer, deadline);
  loop->run(client);
  CHECK(timer.ran_at_ms >= deadline);
}

TEST_CASE("loop: completions reach the client before the turn ends, stop() from a signal handler ends it") {
  const auto engine = either_engine();
  const auto loop = *Loop::create(*engine);
  Recorder client;
  const Pair pair = socket_pair();
  const Token token(Op::Receive, 7, 3);
  engine->receive(token, pair.near.get());
  write_all(pair.far.get(), "hello");
  loop->turn(client, engine->now_ns() + 5'000'000'000);
  REQUIRE(client.completions.size() == 1);
  CHECK(client.completions[0].token == token);
  CHECK(client.completions[0].result == 5);
  CHECK(client.turn_ends == 1);
  engine->release(client.completions[0].buffer.id);

  static Loop* current;
  current = loop.get();
  struct sigaction action{};
  action.sa_handler = [](int) { current->stop(); };
  struct sigaction before;
  REQUIRE(::sigaction(SIGUSR2, &action, &before) == 0);
  const pthread_t self = ::pthread_self();
  std::jthread killer([self] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ::pthread_kill(self, SIGUSR2);
  });
  loop->run(client);
  killer.join();
  ::sigaction(SIGUSR2, &before, nullptr);
  engine->cancel(token);
  loop->turn(client, 0);
}

}  // namespace leat::net
