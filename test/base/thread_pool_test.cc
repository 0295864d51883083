// ThreadPool: what is accepted runs once, with no more threads and no longer a queue than was allowed.
#include "base/thread_pool.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <latch>
#include <memory>
#include <random>
#include <vector>

#include "base/clock.h"

namespace leat {
namespace {

// Runs `times`, and counts how many of its kind run at once.
struct Counting final : ThreadPool::Job {
  struct Totals {
    std::atomic<int> runs = 0, now = 0, most = 0;
  };
  explicit Counting(Totals& all, int repeat = 1) : totals(all), left(repeat) {}
  bool run() override {
    const int now = totals.now.fetch_add(1) + 1;
    int most = totals.most.load();
    while (now > most && !totals.most.compare_exchange_weak(most, now)) {
    }
    std::this_thread::yield();
    totals.now.fetch_sub(1);
    totals.runs.fetch_add(1);
    return --left > 0;
  }
  Totals& totals;
  int left;
};

struct Blocking final : ThreadPool::Job {
  bool run() override {
    begun.count_down();
    open.wait();
    return false;
  }
  std::latch begun{1}, open{1};
};

}  // namespace

TEST_CASE("thread pool: no thread is started before there is work, and none beyond the limit") {
  Counting::Totals totals;
  std::vector<std::unique_ptr<Counting>> jobs;
  {
    ThreadPool pool({.threads = 3, .queue = 1000});
    CHECK(pool.load().threads == 0);
    for (int i = 0; i < 500; ++i) {
      jobs.push_back(std::make_unique<Counting>(totals));
      REQUIRE(pool.submit(*jobs.back()));
      CHECK(pool.load().threads <= 3);
    }
  }
  CHECK(totals.runs == 500);
  CHECK(totals.most <= 3);
}

TEST_CASE("thread pool: a full queue refuses, and takes again once there is room") {
  Blocking blocking;
  Counting::Totals totals;
  Counting first(totals), second(totals), third(totals);
  {
    ThreadPool pool({.threads = 1, .queue = 2});
    REQUIRE(pool.submit(blocking));
    blocking.begun.wait();
    CHECK(pool.submit(first));
    CHECK(pool.submit(second));
    CHECK_FALSE(pool.submit(third));
    CHECK(pool.load().queued == 2);
    CHECK(pool.load().busy == 1);
    blocking.open.count_down();
    while (pool.load().queued != 0) std::this_thread::yield();
    CHECK(pool.submit(third));
  }
  CHECK(totals.runs == 3);
}

TEST_CASE(
    "thread pool: a job that has more to do lets the others go first, also past the limit of the queue") {
  Blocking blocking;
  Counting::Totals totals;
  Counting long_one(totals, 1000), other(totals);
  {
    ThreadPool pool({.threads = 1, .queue = 2});
    REQUIRE(pool.submit(blocking));
    blocking.begun.wait();
    REQUIRE(pool.submit(long_one));
    REQUIRE(pool.submit(other));
    blocking.open.count_down();
  }
  CHECK(totals.runs == 1001);
}

TEST_CASE("thread pool: with submitters of several threads, each job that was accepted runs once") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  constexpr int kEach = 2000;
  Counting::Totals totals;
  std::atomic<int> accepted = 0;
  std::vector<std::vector<std::unique_ptr<Counting>>> jobs(3);
  {
    ThreadPool pool({.threads = 4, .queue = 8});
    std::vector<std::thread> submitters;
    for (unsigned i = 0; i < jobs.size(); ++i)
      submitters.emplace_back([&, i] {
        std::mt19937 random(seed + i);
        for (int k = 0; k < kEach; ++k) {
          const int repeat = 1 + static_cast<int>(random() % 3);
          jobs[i].push_back(std::make_unique<Counting>(totals, repeat));
          if (pool.submit(*jobs[i].back())) accepted += repeat;
        }
      });
    for (std::thread& submitter : submitters) submitter.join();
  }
  CHECK(totals.runs == accepted);
  CHECK(totals.most <= 4);
  CHECK(accepted > 0);
}

TEST_CASE("thread pool: it says since when the job waits that is next") {
  std::vector<std::unique_ptr<Blocking>> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(std::make_unique<Blocking>());
  ThreadPool pool({.threads = 1, .queue = 8});
  CHECK(pool.waiting_since_ns() == 0);
  REQUIRE(pool.submit(*jobs[0]));
  jobs[0]->begun.wait();
  CHECK(pool.waiting_since_ns() == 0);
  const uint64_t before = monotonic_ns();
  REQUIRE(pool.submit(*jobs[1]));
  const uint64_t first = pool.waiting_since_ns();
  CHECK(first >= before);
  CHECK(first <= monotonic_ns());
  REQUIRE(pool.submit(*jobs[2]));
  CHECK(pool.waiting_since_ns() == first);
  CHECK(pool.withdraw(*jobs[1]));
  CHECK(pool.waiting_since_ns() >= first);
  CHECK(pool.waiting_since_ns() != 0);
  CHECK(pool.withdraw(*jobs[2]));
  CHECK(pool.waiting_since_ns() == 0);
  for (const auto& job : jobs) job->open.count_down();
}

}  // namespace leat
