// Arena, BlockPool and NodePool: what they give, what they refuse, and that all of it comes back. Memory files.
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/block_pool.h"
#include "base/counted_text.h"
#include "base/memory_file.h"
#include "base/node_pool.h"

namespace leat::test {

TEST_CASE("block pool: gives up to its bound, keeps what it was told to, and counts") {
  BlockPool pool(3, 2);
  Block* blocks[] = {pool.take(), pool.take(), pool.take()};
  CHECK(pool.take() == nullptr);
  CHECK(pool.out() == 3);
  blocks[2]->begin = 5;
  pool.give(blocks[0]);
  pool.give(blocks[1]);
  pool.give(blocks[2]);  // one more than it keeps
  CHECK(pool.out() == 0);
  CHECK(pool.idle() == 2);
  CHECK(pool.peak() == 3 * Block::kSize);
  Block* again = pool.take();
  CHECK(again == blocks[1]);  // the last that came back, which is warm
  CHECK(again->begin == 0);
  CHECK(again->next == nullptr);
  pool.give(again);
}

TEST_CASE("block pool: what lies elsewhere counts like its blocks, and what it keeps gives way to it") {
  BlockPool pool(4, 4);
  Block* blocks[] = {pool.take(), pool.take(), pool.take()};
  CHECK(pool.used() == 3 * Block::kSize);
  CHECK_FALSE(pool.charge(Block::kSize + 1));
  CHECK(pool.refusals() == 1);
  CHECK(pool.charge(Block::kSize));
  CHECK(pool.take() == nullptr);
  CHECK(pool.used() == 4 * Block::kSize);
  CHECK(pool.peak() == 4 * Block::kSize);
  pool.refund(Block::kSize);
  for (Block* block : blocks) pool.give(block);
  CHECK(pool.idle() == 3);
  CHECK(pool.charge(2 * Block::kSize));
  CHECK(pool.idle() == 2);
  CHECK_FALSE(pool.charge(SIZE_MAX));
  CHECK(pool.charge(2 * Block::kSize));
  CHECK(pool.idle() == 0);
  pool.refund(4 * Block::kSize);
  CHECK(pool.used() == 0);
}

TEST_CASE("block pool: the memory of another thread's pool counts in its account") {
  BlockPool account(4, 4);
  {
    BlockPool other(100, account);
    Block* const one = other.take();
    REQUIRE(one != nullptr);
    CHECK(other.charge(Block::kSize));
    CHECK(account.used() == 2 * Block::kSize);
    CHECK_FALSE(account.charge(3 * Block::kSize));
    CHECK(account.charge(2 * Block::kSize));
    CHECK(other.take() == nullptr);
    CHECK_FALSE(other.charge(1));
    account.refund(2 * Block::kSize);
    other.refund(Block::kSize);
    other.give(one);
    CHECK(other.idle() == 0);
  }
  CHECK(account.used() == 0);
}

TEST_CASE("block pool: trimmed it keeps a quarter, and its floor, and whoever keeps memory lets it go") {
  BlockPool pool(64, 64);
  std::vector<Block*> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(pool.take());
  for (Block* block : blocks) pool.give(block);
  CHECK(pool.trim(4) == 30 * Block::kSize);
  CHECK(pool.idle() == 10);
  CHECK(pool.trim(4) == 6 * Block::kSize);
  CHECK(pool.trim(4) == 0);
  CHECK(pool.returned() == 36 * Block::kSize);

  struct Keeper final : BlockPool::Keeper {
    explicit Keeper(BlockPool& from) : pool(from) {}
    void let_go() noexcept override { pool.refund(std::exchange(bytes, 0)); }
    BlockPool& pool;
    size_t bytes = 0;
  } keeper(pool);
  pool.set_keeper(&keeper);
  keeper.bytes = 60 * Block::kSize;
  REQUIRE(pool.charge(keeper.bytes));
  CHECK(pool.has_room(4 * Block::kSize));
  CHECK(keeper.bytes != 0);
  CHECK(pool.has_room(5 * Block::kSize));
  CHECK(keeper.bytes == 0);
}

TEST_CASE("counted text: grows within its bound and the pool's, and gives all of it back") {
  BlockPool pool(1, 1);
  {
    CountedText text;
    CHECK(text.append(pool, "0123456789", 1000));
    CHECK(text.append(pool, std::string(500, 'x'), 1000));
    CHECK_FALSE(text.append(pool, std::string(500, 'y'), 1000));
    CHECK(text.view() == "0123456789" + std::string(500, 'x'));
    CHECK_FALSE(text.append(pool, std::string(2 * Block::kSize, 'z'), SIZE_MAX));
    CHECK(text.size() == 510);
    CHECK(pool.used() >= 510);
    text.reset(2000);
    CHECK(pool.used() >= 510);
    text.reset(100);
    CHECK(pool.used() == 0);
    CHECK(text.append(pool, "again", 10));
  }
  CHECK(pool.used() == 0);
}

TEST_CASE("arena: what it gives is aligned, apart from all else, and stays until the reset") {
  const uint32_t seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  BlockPool pool(1000, 10);
  Arena arena(pool, size_t{64} << 20);
  for (int round = 0; round < 20; ++round) {
    struct Piece {
      char* at;
      size_t size;
      char mark;
    };
    std::vector<Piece> pieces;
    for (int i = 0; i < 200; ++i) {
      const size_t align = size_t{1} << (random() % 5);
      const size_t size = random() % (random() % 10 == 0 ? 40'000 : 200);
      auto* at = static_cast<char*>(arena.allocate(size, align));
      REQUIRE(at != nullptr);
      REQUIRE(reinterpret_cast<uintptr_t>(at) % align == 0);
      pieces.push_back({at, size, static_cast<char>(i)});
      std::memset(at, pieces.back().mark, size);
    }
    for (const Piece& piece : pieces)
      REQUIRE(std::string_view(piece.at, piece.size) == std::string(piece.size, piece.mark));
    if (round % 2 == 0) {
      arena.reset();
      CHECK(arena.footprint() == 0);
      CHECK(pool.out() == 0);
    } else {
      arena.rewind();
      CHECK(pool.out() <= 1);
    }
  }
}

TEST_CASE("arena: rewound it keeps its one block; after more than that it keeps none") {
  BlockPool pool(10, 10);
  Arena arena(pool, SIZE_MAX);
  void* first = arena.allocate(100);
  arena.rewind();
  CHECK(pool.out() == 1);
  CHECK(arena.allocate(100) == first);
  REQUIRE(arena.allocate(Block::capacity()) != nullptr);
  arena.rewind();
  CHECK(pool.out() == 0);
  REQUIRE(arena.allocate(Block::capacity() + 1) != nullptr);
  arena.rewind();
  CHECK(arena.footprint() == 0);
}

TEST_CASE("arena: past its limit, or the pool's, it says so, and what it gave stays good") {
  BlockPool pool(2, 2);
  SECTION("its own limit") {
    Arena arena(pool, Block::kSize);
    const std::string_view kept = arena.copy("kept");
    CHECK_FALSE(arena.refused());
    CHECK(arena.allocate(Block::capacity()) == nullptr);
    CHECK(arena.refused());
    CHECK_FALSE(arena.pool_was_out());
    CHECK(pool.arenas().refused == 1);
    CHECK(arena.allocate(size_t{1} << 40) == nullptr);
    CHECK(arena.allocate(SIZE_MAX) == nullptr);
    CHECK(arena.allocate_array<uint64_t>(SIZE_MAX / 4) == nullptr);
    CHECK(arena.allocate(10) != nullptr);
    CHECK(kept == "kept");
    CHECK(arena.refused());
    CHECK(pool.arenas().refused == 3);
    CHECK(pool.arenas().blocks == 1);
    CHECK(pool.arenas().largest == Block::kSize);
    arena.rewind();
    CHECK_FALSE(arena.refused());
    CHECK(arena.allocate(size_t{1} << 40) == nullptr);
    CHECK(arena.refused());
    CHECK(pool.arenas().refused == 4);
  }
  SECTION("the pool's") {
    Arena arena(pool, SIZE_MAX);
    REQUIRE(arena.allocate(Block::capacity()) != nullptr);
    REQUIRE(arena.allocate(Block::capacity()) != nullptr);
    CHECK(arena.allocate(1) == nullptr);
    CHECK(arena.pool_was_out());
    CHECK(arena.copy("text").data() == nullptr);
    CHECK(arena.copy("").data() != nullptr);
  }
}

TEST_CASE("arena: the newest piece grows in place, an older one moves with its bytes") {
  BlockPool pool(10, 10);
  Arena arena(pool, SIZE_MAX);
  auto* piece = static_cast<char*>(arena.allocate(4, 1));
  std::memcpy(piece, "abcd", 4);
  CHECK(arena.grow(piece, 4, 100, 1) == piece);
  CHECK(arena.grow(piece, 100, 50, 1) == piece);
  CHECK(arena.allocate(1, 1) == piece + 100);
  auto* moved = static_cast<char*>(arena.grow(piece, 100, 200, 1));
  REQUIRE(moved != nullptr);
  CHECK(moved != piece);
  CHECK(std::string_view(moved, 4) == "abcd");
}

TEST_CASE("node pool: recycles, is bounded, and gives fresh values") {
  struct Node {
    int value = 7;
    char padding[40];
  };
  NodePool<Node> pool(100);
  std::vector<Node*> nodes;
  for (int i = 0; i < 100; ++i) {
    nodes.push_back(pool.take());
    REQUIRE(nodes.back() != nullptr);
    CHECK(nodes.back()->value == 7);
    nodes.back()->value = i;
  }
  CHECK(pool.take() == nullptr);
  for (int i = 0; i < 100; ++i) CHECK(nodes[static_cast<size_t>(i)]->value == i);
  for (Node* node : nodes) pool.give(node);
  CHECK(pool.out() == 0);
  Node* again = pool.take();
  CHECK(again == nodes.back());
  CHECK(again->value == 7);
  pool.give(again);
}

TEST_CASE("memory file: is read by its path, and has no other") {
  const std::string bytes = std::string("\x7f\0ELF", 5) + std::string(300'000, 'x');
  const auto file = memory_file("a name", bytes);
  REQUIRE(file.has_value());
  const std::string path = "/proc/self/fd/" + std::to_string(file->get());
  std::ifstream stream(path, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(stream), {}) == bytes);
  CHECK(std::filesystem::read_symlink(path) == "/memfd:a name (deleted)");
}

TEST_CASE("memory file: what the kernel refuses is told") {
  const auto refused = memory_file("a name", "bytes", 0x4000'0000);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text() == "memfd_create: Invalid argument");
}

}  // namespace leat::test
