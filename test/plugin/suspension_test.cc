// Suspensions: exactly one of the completions of a suspension is taken, and what is taken is delivered.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "plugin/harness.h"
#include "plugin/suspension.h"

namespace leat::plugin::test {
namespace {

// Stands for a worker: it takes what is posted, or has no memory for it.
class Inbox final : public http::WorkerContext {
 public:
  [[nodiscard]] uint32_t index() const override { return 0; }
  [[nodiscard]] uint64_t now_ns() const override { return 0; }
  [[nodiscard]] std::string_view date() const override { return {}; }
  [[nodiscard]] BlockPool& blocks() override { return blocks_; }
  [[nodiscard]] bool resume_after(http::Ticket, uint64_t, Resume, void*) override { return false; }
  void forget_timers(http::Exchange&) override {}
  [[nodiscard]] bool resume_from_any_thread(http::Ticket ticket, Resume, void*) override {
    posted.fetch_add(1);
    last_slot = ticket.slot;
    return accepts;
  }
  void run_soon(std::function<void()>) override {}
  std::atomic<int> posted = 0;
  std::atomic<uint32_t> last_slot = 0;
  bool accepts = true;

 private:
  BlockPool blocks_{1, 1};
};

int32_t nothing(const leat_scope*, leat_request*, void*) { return LEAT_DONE; }

}  // namespace

TEST_CASE("suspension: a completion is posted for the exchange that was suspended, and released once") {
  Inbox inbox;
  SuspensionTable table(1000);
  auto* slot = table.suspend(inbox, {0, 42, 7});
  REQUIRE(slot != nullptr);
  const uint64_t generation = SuspensionTable::generation(*slot);
  int argument = 0;
  CHECK(table.complete(slot->index, generation, {nothing, &argument}, nullptr));
  CHECK(inbox.last_slot == 42);
  CHECK_FALSE(table.complete(slot->index, generation, {nothing, nullptr}, nullptr));
  Completion completion;
  CHECK(table.release(*slot, &completion));
  CHECK(completion.argument == &argument);
  CHECK(inbox.posted == 1);
}

TEST_CASE("suspension: a ticket is stale once its suspension has ended, also when the slot is used again") {
  Inbox inbox;
  SuspensionTable table(0);
  auto* slot = table.suspend(inbox, {});
  const uint64_t generation = SuspensionTable::generation(*slot);
  Completion completion;
  CHECK_FALSE(table.release(*slot, &completion));
  CHECK_FALSE(table.complete(slot->index, generation, {nothing, nullptr}, nullptr));
  auto* again = table.suspend(inbox, {});
  CHECK(again == slot);
  CHECK_FALSE(table.complete(slot->index, generation, {nothing, nullptr}, nullptr));
  CHECK(table.complete(slot->index, SuspensionTable::generation(*again), {nothing, nullptr}, nullptr));
}

TEST_CASE("suspension: a completion that could not be posted can be tried again") {
  Inbox inbox;
  SuspensionTable table(0);
  auto* slot = table.suspend(inbox, {});
  const uint64_t generation = SuspensionTable::generation(*slot);
  inbox.accepts = false;
  CHECK_FALSE(table.complete(slot->index, generation, {nothing, nullptr}, nullptr));
  inbox.accepts = true;
  CHECK(table.complete(slot->index, generation, {nothing, nullptr}, nullptr));
}

TEST_CASE("suspension: slots have numbers of their own, however many there are") {
  Inbox inbox;
  SuspensionTable table(0);
  std::vector<SuspensionTable::Slot*> slots;
  for (uint32_t i = 0; i < 1000; ++i) {
    slots.push_back(table.suspend(inbox, {0, i, 1}));
    REQUIRE(slots.back() != nullptr);
  }
  for (uint32_t i = 0; i < 1000; ++i) {
    CHECK(
        table.complete(slots[i]->index, SuspensionTable::generation(*slots[i]), {nothing, nullptr}, nullptr));
    CHECK(inbox.last_slot == i);
  }
  CHECK_FALSE(table.complete(1'000'000, 1, {nothing, nullptr}, nullptr));
  CHECK_FALSE(table.complete(UINT32_MAX, 1, {nothing, nullptr}, nullptr));
}

TEST_CASE("suspension: with several threads and ends at any moment, what is accepted is delivered once") {
  struct Delivery {
    std::atomic<int> accepted = 0;
    std::atomic<int> delivered = 0;
  };
  constexpr int kRounds = 20'000;
  constexpr int kThreads = 3;
  Inbox inbox;
  SuspensionTable table(0);
  const auto deliveries = std::make_unique<Delivery[]>(kRounds);
  std::atomic<uint64_t> offered = 0;  // round << 32 | slot index, generation below
  std::atomic<uint64_t> generation = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      while (!stop.load()) {
        const uint64_t word = offered.load(std::memory_order_acquire);
        const uint64_t expected = generation.load(std::memory_order_acquire);
        Delivery& delivery = deliveries[word >> 32];
        if (table.complete(static_cast<uint32_t>(word), expected, {nothing, &delivery}, nullptr))
          delivery.accepted.fetch_add(1);
      }
    });
  for (uint64_t round = 0; round < kRounds; ++round) {
    auto* slot = table.suspend(inbox, {});
    REQUIRE(slot != nullptr);
    offered.store(round << 32 | slot->index, std::memory_order_release);
    generation.store(SuspensionTable::generation(*slot), std::memory_order_release);
    if (round % 3 == 0) std::this_thread::yield();
    Completion completion;
    if (table.release(*slot, &completion))
      static_cast<Delivery*>(completion.argument)->delivered.fetch_add(1);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  int accepted = 0, delivered = 0;
  for (int round = 0; round < kRounds; ++round) {
    // A thread may carry one round's delivery into another's suspension: its ticket was of the later one.
    // What counts is that each acceptance had one delivery.
    accepted += deliveries[round].accepted;
    delivered += deliveries[round].delivered;
    CHECK(deliveries[round].accepted == deliveries[round].delivered);
  }
  CHECK(accepted == delivered);
}

}  // namespace leat::plugin::test
