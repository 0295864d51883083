// What an Output draws from, in a test of its own, and what it holds as text.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "transport/output.h"

namespace leat::test {

struct Memory {
  explicit Memory(size_t blocks = 1024, size_t nodes = 4096) : pool(blocks, 64), segments(nodes) {}
  ~Memory() {
    CHECK(pool.out() == 0);
    CHECK(segments.out() == 0);
  }
  BlockPool pool;
  NodePool<transport::OutputSegment> segments;
  transport::OutputMemory both{pool, segments};
};

inline std::string contents(const transport::Output& output) {
  std::vector<std::string_view> parts(10'000);
  std::string text;
  const size_t count = output.gather(parts);
  for (size_t i = 0; i < count; ++i) text += parts[i];
  return text;
}

}  // namespace leat::test
