// How many places keys get, with as many keys and threads as there may be.
#include "middleware/place_table.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "base/siphash.h"

namespace leat::middleware {
namespace {

constexpr SipKey kPlaceKey{3, 4};

uint64_t place_hash(uint64_t key) {
  return sip_hash({reinterpret_cast<const char*>(&key), sizeof key}, kPlaceKey);
}

}  // namespace

TEST_CASE(
    "place table: a key has as many as it may, whatever others have, and again when one is given back") {
  PlaceTable table(1024, 3);
  std::vector<PlaceTable::Word*> places;
  for (uint64_t key = 0; key < 50; ++key)
    for (int i = 0; i < 3; ++i) {
      const auto taken = table.take(place_hash(key), 0);
      REQUIRE(taken.place != nullptr);
      places.push_back(taken.place);
      CHECK(table.taken(place_hash(key)) == static_cast<uint32_t>(i + 1));
    }
  for (uint64_t key = 0; key < 50; ++key) {
    const auto fourth = table.take(place_hash(key), 0);
    CHECK(fourth.place == nullptr);
    CHECK_FALSE(fourth.full);
  }
  CHECK(table.used() == 50);
  PlaceTable::give(*places[0]);
  CHECK(table.take(place_hash(0), 0).place == places[0]);
  CHECK(table.take(place_hash(0), 0).place == nullptr);
  for (PlaceTable::Word* each : places) PlaceTable::give(*each);
  CHECK(table.used() == 0);
}

TEST_CASE("place table: the largest number of places is one that can be had") {
  PlaceTable table(8, PlaceTable::kMostPlaces);
  PlaceTable::Word* place = nullptr;
  for (uint32_t i = 0; i < PlaceTable::kMostPlaces; ++i) {
    place = table.take(place_hash(1), PlaceTable::kMostWorkers - 1).place;
    REQUIRE(place != nullptr);
  }
  CHECK(table.take(place_hash(1), 0).place == nullptr);
  CHECK(table.taken(place_hash(1)) == PlaceTable::kMostPlaces);
  CHECK(table.take(place_hash(2), 0).place != nullptr);  // and nothing runs over into another
  for (uint32_t i = 0; i < PlaceTable::kMostPlaces; ++i) PlaceTable::give(*place);
  CHECK(table.taken(place_hash(1)) == 0);
  CHECK(table.used() == 1);
}

TEST_CASE("place table: a million keys, one after the other, leave nothing and take nobody's place") {
  PlaceTable table(4096, 2);
  const size_t bytes = table.bytes();
  PlaceTable::Word* const kept = table.take(place_hash(UINT64_MAX), 0).place;
  REQUIRE(kept != nullptr);
  for (uint64_t key = 0; key < 1'000'000; ++key) {
    const auto taken = table.take(place_hash(key), 0);
    if (taken.place == nullptr) FAIL("key " << key);
    PlaceTable::give(*taken.place);
  }
  CHECK(table.used() == 1);
  CHECK(table.taken(place_hash(UINT64_MAX)) == 1);
  CHECK(table.bytes() == bytes);
}

TEST_CASE(
    "place table: as many keys at a time as it has room for, nearly; others have to wait, and are told") {
  PlaceTable table(4096, 1);
  std::vector<PlaceTable::Word*> places;
  uint64_t key = 0;
  // Half of it without a miss.
  for (; key < 2048; ++key) {
    const auto taken = table.take(place_hash(key), 0);
    REQUIRE(taken.place != nullptr);
    places.push_back(taken.place);
  }
  int full = 0;
  for (; key < 100'000; ++key) {
    const auto taken = table.take(place_hash(key), 0);
    if (taken.place != nullptr)
      places.push_back(taken.place);
    else
      full += taken.full ? 1 : 0;
  }
  CHECK(places.size() + static_cast<size_t>(full) == 100'000);
  CHECK(places.size() == 4096);
  // None of those who were there has lost anything.
  for (uint64_t each = 0; each < 2048; ++each) CHECK(table.taken(place_hash(each)) == 1);
  for (PlaceTable::Word* each : places) PlaceTable::give(*each);
  CHECK(table.used() == 0);
}

TEST_CASE("place table: threads that take and give at once never have more than a key may") {
  constexpr uint32_t kMost = 3;
  constexpr uint32_t kThreads = 4;
  constexpr uint64_t kKeys = 6;
  // So small that all keys and claims meet in few sets.
  PlaceTable table(16, kMost);
  std::atomic<int> held[kKeys] = {};
  std::atomic<uint64_t> over = 0, given = 0, refused = 0, full = 0;
  std::vector<std::thread> threads;
  for (uint32_t worker = 0; worker < kThreads; ++worker)
    threads.emplace_back([&, worker] {
      std::minstd_rand random(worker + 1);
      std::vector<std::pair<uint64_t, PlaceTable::Word*>> mine;
      for (int i = 0; i < 100'000; ++i) {
        if (mine.size() < 5 && random() % 2 == 0) {
          const uint64_t key = random() % kKeys;
          const auto taken = table.take(place_hash(key), worker);
          if (taken.place == nullptr) {
            ++(taken.full ? full : refused);
            continue;
          }
          if (held[key].fetch_add(1) >= static_cast<int>(kMost)) ++over;
          mine.emplace_back(key, taken.place);
        } else if (!mine.empty()) {
          const size_t which = random() % mine.size();
          held[mine[which].first].fetch_sub(1);
          PlaceTable::give(*mine[which].second);
          mine.erase(mine.begin() + static_cast<ptrdiff_t>(which));
          ++given;
        }
      }
      for (const auto& [key, place] : mine) {
        held[key].fetch_sub(1);
        PlaceTable::give(*place);
      }
    });
  for (std::thread& each : threads) each.join();
  CHECK(over == 0);
  CHECK(given > 1000);
  CHECK(refused > 0);
  CHECK(table.used() == 0);
}

TEST_CASE("place table: of one key that all threads bring at the same moment there is one word") {
  PlaceTable table(16, 2);
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> ready = 0;
    std::atomic<int> admitted = 0;
    PlaceTable::Word* places[3] = {};
    std::vector<std::thread> threads;
    for (uint32_t worker = 0; worker < 3; ++worker)
      threads.emplace_back([&, worker] {
        ++ready;
        while (ready != 3) std::this_thread::yield();
        places[worker] = table.take(place_hash(static_cast<uint64_t>(round)), worker).place;
        admitted += places[worker] != nullptr ? 1 : 0;
      });
    for (std::thread& each : threads) each.join();
    REQUIRE(admitted == 2);
    REQUIRE(table.used() == 1);
    for (PlaceTable::Word* each : places)
      if (each != nullptr) PlaceTable::give(*each);
    REQUIRE(table.used() == 0);
  }
}

}  // namespace leat::middleware
