// The store: what is found, what goes, and that many threads may do all of it at once.
#include "cache/store.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <list>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace leat::cache {
namespace {

constexpr uint64_t kNever = UINT64_MAX;

struct Small : Store {
  explicit Small(size_t bytes = 1 << 20, size_t entry_bytes = 1 << 16, Hash hash_of = sip_hash<1, 3>)
      : Store(hash_of) {
    configure({bytes, entry_bytes}, 4);
  }
  std::string get(std::string_view key, uint64_t now_ms = 0) {
    const Pin pin = find(0, key, now_ms);
    return pin ? std::string(pin.value()) : "none";
  }
  Result set(std::string_view key, std::string_view value, uint64_t expires_ms = kNever,
             std::vector<std::string_view> tags = {}) {
    return put(key, value, 0, expires_ms, tags);
  }
};

}  // namespace

TEST_CASE("store: what was put is found, until it is replaced, expires or is purged") {
  Small store;
  CHECK(store.get("a") == "none");
  CHECK(store.set("a", "one") == Store::Result::Stored);
  CHECK(store.set("b", "") == Store::Result::Stored);
  CHECK(store.set("", "of the empty key", 100) == Store::Result::Stored);
  CHECK(store.get("a") == "one");
  CHECK(store.get("b").empty());
  CHECK(store.get("", 99) == "of the empty key");
  CHECK(store.get("", 100) == "none");
  CHECK(store.set("a", "two") == Store::Result::Stored);
  CHECK(store.get("a") == "two");
  CHECK(store.purge("a") == 1);
  CHECK(store.purge("a") == 0);
  CHECK(store.get("a") == "none");
  const Statistics seen = store.statistics();
  CHECK(seen.hits == 4);
  CHECK(seen.misses == 3);
  CHECK(seen.puts == 4);
  CHECK(seen.entries == 2);
  CHECK(seen.evictions == 0);
}

TEST_CASE("store: what went and is still pinned counts, and past its part nothing is stored") {
  Small store;
  const std::string value(60'000, 'v');
  std::vector<Pin> pins;
  while (pins.size() < 100 && store.set("a", value) == Store::Result::Stored)
    pins.push_back(store.find(0, "a", 0));
  // A quarter of a MiB, and the last one.
  CHECK(pins.size() >= 5);
  CHECK(pins.size() <= 7);
  CHECK(store.set("b", "small") == Store::Result::Memory);
  CHECK(store.get("a") == value);  // what is there is found
  pins.clear();
  CHECK(store.set("b", "small") == Store::Result::Stored);
}

TEST_CASE("store: a pinned value stays as it was, whatever becomes of its entry") {
  Small store;
  store.set("a", "first");
  Pin first = store.find(0, "a", 0);
  store.set("a", "second");
  Pin second = store.find(1, "a", 0);
  store.purge("a");
  for (int i = 0; i < 10'000; ++i) store.set(std::to_string(i), std::string(100, 'x'));
  CHECK(first.value() == "first");
  CHECK(second.value() == "second");
  void* detached = second.detach();
  CHECK_FALSE(second);
  Pin::release(detached);
  first = Pin();
}

TEST_CASE("store: entries go by prefix and by tag") {
  Small store;
  store.set("user/1", "a", kNever, {"users", "team-7"});
  store.set("user/2", "b", kNever, {"users"});
  store.set("use", "c", kNever, {"user", ""});
  CHECK(store.purge_tag("team-7") == 1);
  CHECK(store.get("user/1") == "none");
  CHECK(store.purge_tag("team") == 0);
  CHECK(store.purge_prefix("user/") == 1);
  CHECK(store.get("user/2") == "none");
  CHECK(store.get("use") == "c");
  CHECK(store.purge_tag("") == 1);
  store.set("x", "y");
  CHECK(store.purge_prefix("") == 1);
  CHECK(store.statistics().entries == 0);
  CHECK(store.statistics().bytes == 0);
}

TEST_CASE("store: what is too large, or comes to a store without room, is refused") {
  Small store(10'000, 1000);
  CHECK(store.set("k", std::string(999, 'x')) == Store::Result::Stored);
  CHECK(store.set("k", std::string(1000, 'x')) == Store::Result::TooLarge);
  CHECK(store.get("k").size() == 999);
  CHECK(store.set("k", std::string(900, 'x'), kNever, {std::string(96, 't')}) == Store::Result::TooLarge);
  Small off(0);
  CHECK(off.set("k", "") == Store::Result::TooLarge);
  CHECK(off.get("k") == "none");
  Store none;
  CHECK_FALSE(none.find(0, "k", 0));
}

TEST_CASE("store: keys with one hash are different keys") {
  Small store(1 << 20, 1 << 16, [](std::string_view, const SipKey&) { return uint64_t{7}; });
  for (int i = 0; i < 100; ++i) store.set("key " + std::to_string(i), "value " + std::to_string(i));
  for (int i = 0; i < 100; ++i) CHECK(store.get("key " + std::to_string(i)) == "value " + std::to_string(i));
  CHECK(store.get("key 100") == "none");
  CHECK(store.purge("key 50") == 1);
  CHECK(store.get("key 49") == "value 49");
  CHECK(store.get("key 50") == "none");
}

TEST_CASE("store: within room for all it is a map, for random operations") {
  const uint32_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  struct Known {
    std::string value;
    uint64_t expires_ms;
    std::string tag;
  };
  Small store;
  std::map<std::string, Known> known;
  uint64_t now = 0;
  const auto purge_known = [&](auto&& goes) { return std::erase_if(known, goes); };
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(random() % 200);
    now += random() % 3;
    switch (random() % 8) {
      case 0:
      case 1: {
        const std::string value(random() % 300, static_cast<char>('a' + random() % 26));
        const uint64_t expires = random() % 2 == 0 ? kNever : now + random() % 500;
        const std::string tag = std::to_string(random() % 10);
        const std::string_view tags[] = {"all", tag};
        REQUIRE(store.put(key, value, now, expires, tags) == Store::Result::Stored);
        known[key] = {value, expires, tag};
        break;
      }
      case 2:
        REQUIRE(store.purge(key) == known.erase(key));
        break;
      case 3:
        if (random() % 20 != 0) break;
        REQUIRE(store.purge_prefix(key) ==
                purge_known([&](const auto& each) { return each.first.starts_with(key); }));
        break;
      case 4:
        if (random() % 20 != 0) break;
        REQUIRE(store.purge_tag(key) ==
                purge_known([&](const auto& each) { return each.second.tag == key; }));
        break;
      default: {
        const auto found = known.find(key);
        const bool there = found != known.end() && now < found->second.expires_ms;
        REQUIRE(store.get(key, now) == (there ? found->second.value : "none"));
      }
    }
  }
  CHECK(store.statistics().evictions == 0);
  CHECK(store.statistics().entries == known.size());
}

TEST_CASE("store: the budget holds, whatever is put") {
  const uint32_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  constexpr size_t kBudget = 200'000;
  Small store(kBudget, 5000);
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(random() % 5000);
    REQUIRE(store.set(key, std::string(random() % 4900, 'x')) == Store::Result::Stored);
    REQUIRE(store.statistics().bytes <= kBudget);
    store.get(std::to_string(random() % 5000));
  }
  CHECK(store.statistics().evictions > 1000);
  CHECK(store.statistics().entries > 20);
}

namespace {

// What is asked for, in that order; sizes are of values, and the same for all that have the same key.
struct Access {
  std::string key;
  size_t size = 1000;
};

class Zipf {
 public:
  Zipf(size_t keys, double exponent) : sums_(keys) {
    double sum = 0;
    for (size_t i = 0; i < keys; ++i) sums_[i] = sum += 1 / std::pow(static_cast<double>(i + 1), exponent);
  }
  size_t operator()(std::mt19937& random) const {
    const double at = std::uniform_real_distribution<double>(0, sums_.back())(random);
    return static_cast<size_t>(std::ranges::lower_bound(sums_, at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

size_t hits_of(Store& store, const std::vector<Access>& trace) {
  const std::string bytes(1 << 16, 'v');
  size_t hits = 0;
  for (const Access& asked : trace) {
    if (store.find(0, asked.key, 0)) {
      ++hits;
    } else {
      store.put(asked.key, std::string_view(bytes).substr(0, asked.size), 0, kNever);
    }
  }
  return hits;
}

// Least recently used, with room for so many bytes of values.
size_t hits_of_lru(size_t room, const std::vector<Access>& trace) {
  std::list<const Access*> order;
  std::unordered_map<std::string, std::list<const Access*>::iterator> places;
  size_t hits = 0, bytes = 0;
  for (const Access& asked : trace) {
    if (const auto found = places.find(asked.key); found != places.end()) {
      ++hits;
      order.splice(order.begin(), order, found->second);
      continue;
    }
    order.push_front(&asked);
    places[asked.key] = order.begin();
    bytes += asked.size;
    while (bytes > room) {
      bytes -= order.back()->size;
      places.erase(order.back()->key);
      order.pop_back();
    }
  }
  return hits;
}

// Room for a thousand values of a thousand bytes.
constexpr size_t kRoom = 1000 * 1000;
constexpr size_t kBudget = 1000 * 1100;

}  // namespace

TEST_CASE("store: what is asked for often survives a scan, better than by age of use") {
  // Over ten thousand keys, with a scan of ten times the room in their midst.
  const Zipf popular(10'000, 0.9);
  std::mt19937 random(7);
  std::vector<Access> trace;
  const auto ask = [&](int count) {
    for (int i = 0; i < count; ++i) trace.push_back({"key " + std::to_string(popular(random))});
  };
  ask(60'000);
  for (int i = 0; i < 10'000; ++i) {
    trace.push_back({"scan " + std::to_string(i)});
    if (i % 2 == 0) ask(1);
  }
  ask(30'000);
  Small store(kBudget);
  const size_t hits = hits_of(store, trace), by_age = hits_of_lru(kRoom, trace);
  INFO("hits " << hits << ", by age " << by_age << ", of " << trace.size());
  CHECK(store.statistics().entries <= 1000);
  CHECK(static_cast<double>(hits) > 1.15 * static_cast<double>(by_age));
}

TEST_CASE("store: where what is new is what is asked for, it is kept nearly as well as by age of use") {
  std::mt19937 random(7);
  std::exponential_distribution<double> distance(1.0 / 400);
  std::vector<Access> trace;
  for (int i = 0; i < 100'000; ++i) {
    const int back = random() % 4 == 0 ? 0 : static_cast<int>(distance(random));
    trace.push_back({"key " + std::to_string(i / 4 - back)});
  }
  Small store(kBudget);
  const size_t hits = hits_of(store, trace), by_age = hits_of_lru(kRoom, trace);
  INFO("hits " << hits << ", by age " << by_age << ", of " << trace.size());
  CHECK(static_cast<double>(hits) > 0.95 * static_cast<double>(by_age));
}

TEST_CASE("store: entries of different sizes share the room, better than by age of use") {
  // From a hundred bytes to a hundred times that, whatever the popularity.
  const Zipf popular(10'000, 0.9);
  std::mt19937 random(7);
  std::vector<Access> trace;
  for (int i = 0; i < 100'000; ++i) {
    const size_t key = popular(random);
    trace.push_back({"key " + std::to_string(key), size_t{100} << key * 7919 % 8});
  }
  Small store(kBudget);
  const size_t hits = hits_of(store, trace), by_age = hits_of_lru(kRoom, trace);
  INFO("hits " << hits << ", by age " << by_age << ", of " << trace.size());
  CHECK(static_cast<double>(hits) > 1.2 * static_cast<double>(by_age));
}

TEST_CASE("store: large entries that are asked for once do not push out small ones that are asked for") {
  Small store(kBudget);
  const auto ask_small = [&] {
    int found = 0;
    for (int key = 0; key < 500; ++key) {
      if (store.find(0, "small " + std::to_string(key), 0))
        ++found;
      else
        store.set("small " + std::to_string(key), std::string(1000, 's'));
    }
    return found;
  };
  ask_small();
  REQUIRE(ask_small() == 500);
  for (int i = 0; i < 200; ++i) {
    store.set("large " + std::to_string(i), std::string(60'000, 'l'));
    if (i % 50 == 49) CHECK(ask_small() > 450);
  }
}

TEST_CASE("store: entries as large as the room take turns") {
  Small store(100'000, 90'000);
  for (int i = 0; i < 50; ++i) {
    REQUIRE(store.set(std::to_string(i), std::string(85'000, 'x')) == Store::Result::Stored);
    REQUIRE(store.get(std::to_string(i)).size() == 85'000);
    REQUIRE(store.statistics().entries == 1);
  }
  CHECK(store.statistics().evictions == 49);
  CHECK(store.set("small", "x") == Store::Result::Stored);
  CHECK(store.get("small") == "x");
}

TEST_CASE("store: with another budget what fits stays, and what is asked for often before what is not") {
  Store store;
  store.configure({.bytes = size_t{4} << 20, .entry_bytes = size_t{64} << 10}, 1);
  const std::string value(1000, 'v');
  const auto key = [](int i) { return "key " + std::to_string(i); };
  for (int i = 0; i < 2000; ++i) CHECK(store.put(key(i), value, 1, UINT64_MAX) == Store::Result::Stored);
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 200; ++i) CHECK(store.find(0, key(i), 2));
  const auto found = [&](int from, int to) {
    int count = 0;
    for (int i = from; i < to; ++i) count += store.find(0, key(i), 3) ? 1 : 0;
    return count;
  };
  const Pin pinned = store.find(0, key(0), 2);
  CHECK(store.resize({.bytes = size_t{64} << 20, .entry_bytes = size_t{1} << 20}));
  CHECK(found(0, 2000) == 2000);
  CHECK(store.put("large", std::string(500'000, 'x'), 3, UINT64_MAX) == Store::Result::Stored);
  CHECK(store.resize({.bytes = size_t{1} << 20, .entry_bytes = size_t{64} << 10}));
  const Statistics after = store.statistics();
  CHECK(after.bytes <= size_t{1} << 20);
  CHECK(after.puts == 2001);
  CHECK(found(0, 200) > 190);
  CHECK(found(200, 2000) > 300);
  CHECK(store.put("large", std::string(500'000, 'x'), 3, UINT64_MAX) == Store::Result::TooLarge);
  CHECK(store.resize({.bytes = 0, .entry_bytes = size_t{64} << 10}));
  CHECK(found(0, 2000) == 0);
  CHECK(store.statistics().entries == 0);
  CHECK(pinned.value() == value);
  CHECK(store.resize({.bytes = size_t{1} << 20, .entry_bytes = size_t{64} << 10}));
  CHECK(store.put("a", "b", 4, UINT64_MAX) == Store::Result::Stored);
  CHECK(store.find(0, "a", 5).value() == "b");
}

TEST_CASE("store: readers and writers see no wrong value while the budget changes") {
  Store store;
  store.configure({.bytes = size_t{8} << 20, .entry_bytes = size_t{64} << 10}, 3);
  std::atomic<bool> over = false;
  std::atomic<uint64_t> wrong = 0, hits = 0;
  std::vector<std::thread> threads;
  for (uint32_t lane = 0; lane < 3; ++lane)
    threads.emplace_back([&, lane] {
      for (uint64_t i = lane; !over; ++i) {
        const std::string key = "key " + std::to_string(i % 500);
        if (const Pin pin = store.find(lane, key, 1)) {
          ++hits;
          if (!pin.value().starts_with(key + ":")) ++wrong;
        } else {
          (void)store.put(key, key + ":" + std::string(500, 'v'), 1, UINT64_MAX);
        }
      }
    });
  // The threads may begin late.
  for (size_t i = 0; i < 200 || (hits == 0 && i < 1'000'000); ++i)
    REQUIRE(store.resize({.bytes = (i % 7 + 1) << 19, .entry_bytes = size_t{(i % 3 + 1)} << 14}));
  over = true;
  for (std::thread& each : threads) each.join();
  CHECK(wrong == 0);
  CHECK(hits > 0);
}

TEST_CASE("store: many threads at once never see a value of another key, or half of one") {
  Small store(60'000, 2000);
  std::atomic<bool> wrong = false;
  std::atomic<int> writing = 2;
  const auto value_of = [](int key, uint32_t version) {
    return std::to_string(key) + ":" + std::string(version % 1500, static_cast<char>('a' + version % 26));
  };
  const auto check = [&](int key, std::string_view value) {
    const std::string start = std::to_string(key) + ":";
    if (!value.starts_with(start)) wrong = true;
    const std::string_view rest = value.substr(std::min(start.size(), value.size()));
    if (!rest.empty() && rest.find_first_not_of(rest[0]) != std::string_view::npos) wrong = true;
  };
  std::vector<std::thread> threads;
  for (uint32_t lane = 0; lane < 3; ++lane)
    threads.emplace_back([&, lane] {
      std::mt19937 random(lane);
      std::vector<std::pair<int, Pin>> held;
      while (writing != 0) {
        const auto key = static_cast<int>(random() % 100);
        if (Pin pin = store.find(lane, std::to_string(key), 0)) {
          check(key, pin.value());
          held.emplace_back(key, std::move(pin));
        }
        if (held.size() < 20) continue;
        for (const auto& [number, pin] : held) check(number, pin.value());
        held.clear();
      }
    });
  for (uint32_t writer = 0; writer < 2; ++writer)
    threads.emplace_back([&, writer] {
      std::mt19937 random(100 + writer);
      for (int i = 0; i < 20'000; ++i) {
        const auto key = static_cast<int>(random() % 100);
        const std::string tag = std::to_string(key % 5);
        const std::string_view tags[] = {tag};
        const auto what = random() % 100;
        if (what < 95) {
          store.put(std::to_string(key), value_of(key, static_cast<uint32_t>(random())), 0, kNever, tags);
        } else if (what < 98) {
          store.purge(std::to_string(key));
        } else if (what == 98) {
          store.purge_tag(tag);
        } else {
          store.purge_prefix(std::to_string(key % 10));
        }
        if (store.statistics().bytes > 60'000) wrong = true;
      }
      --writing;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(wrong);
  store.purge_prefix("");
  CHECK(store.statistics().entries == 0);
}

}  // namespace leat::cache
