// The cache of responses under threads that store, find and purge at the same time.
#include "cache/response_cache.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/block_pool.h"

namespace leat::cache {

TEST_CASE("response cache: in a storm of purges nothing is found that was purged before it was asked for") {
  constexpr int kTargets = 8, kRounds = 20'000;
  Store store;
  store.configure({.bytes = 4 << 20, .entry_bytes = 1 << 12}, 2);
  ResponseCache cache(store, [](http::Exchange&, void*) {});
  // What the handlers read, and up to which of that all was purged.
  std::array<std::atomic<int>, kTargets> content{}, purged{};
  std::atomic<bool> wrong = false;
  std::atomic<int> purging = 2, found_good = 0;
  std::vector<std::thread> threads;
  for (uint32_t lane = 0; lane < 2; ++lane)
    threads.emplace_back([&, lane] {
      BlockPool blocks(16, 4);
      Arena arena(blocks, 1 << 16);
      const http::Head head{.bytes = ""};
      http::Request request;
      request.show_head(head);
      for (size_t i = lane; purging != 0; i = (i + 1) % kTargets) {
        arena.reset();
        const std::string target = "/target/" + std::to_string(i);
        const RequestKey key{.key = target, .target = target, .hash = cache.hash(target)};
        const int least = purged[i];
        const ResponseCache::Found found = cache.find(lane, key, request, arena, 1);
        if (found.pin) {
          if (std::stoi(std::string(found.stored.body)) < least) wrong = true;
          ++found_good;
          continue;
        }
        StoredResponse::Header header{
            .status = 200, .fresh_until_ms = UINT64_MAX, .moment = cache.invalidations().moment()};
        const std::string body = std::to_string(content[i]);
        std::vector<uint32_t> slots;
        cache.add_slots("a", target, slots);
        cache.add_tag("tag-" + std::to_string(i), slots);
        if (cache.put(lane, key, request, arena, 4,
                      {.header = header,
                       .content_type = {},
                       .varies_by = {},
                       .fields = {},
                       .body = body,
                       .slots = slots},
                      1) != ResponseCache::Put::Stored)
          wrong = true;
      }
    });
  for (int half = 0; half < 2; ++half)
    threads.emplace_back([&, half] {
      for (int round = 0; round < kRounds; ++round) {
        const auto i = static_cast<size_t>(round % (kTargets / 2) * 2 + half);  // each purges its own
        const int version = ++content[i];
        const std::string target = "/target/" + std::to_string(i);
        const bool by_tag = round % 2 == 0;
        const std::string_view refused =
            round % 1000 == 999 ? cache.purge(PurgeBy::Folder, "/target", true, 1)
                                : cache.purge(by_tag ? PurgeBy::Tag : PurgeBy::Target,
                                              by_tag ? "tag-" + std::to_string(i) : target, true, 1);
        if (!refused.empty()) wrong = true;
        purged[i] = version;
      }
      --purging;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(wrong);
  CHECK(found_good > 0);
}

}  // namespace leat::cache
