// NodePool: recycled objects of one small type, for nodes of lists that grow and shrink all the time.
//
// Nodes come from the allocator in slabs and go back to a free list (last in, first out); slabs live as
// long as the pool. Grows up to a bound, then answers nullptr. One worker's thread only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>

#include "base/check.h"

namespace leat {

template <class T>
class NodePool {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  explicit NodePool(size_t most) : most_(most) {}
  ~NodePool() {
    ENSURE(out_ == 0);
    while (slabs_ != nullptr) {
      Slab* next = slabs_->next;
      std::free(slabs_);
      slabs_ = next;
    }
  }
  NodePool(const NodePool&) = delete;
  NodePool& operator=(const NodePool&) = delete;

  // A value-initialised T, or nullptr at the bound or without memory.
  [[nodiscard]] T* take() noexcept {
    if (free_ == nullptr && !grow()) return nullptr;
    Node* node = free_;
    free_ = node->next;
    ++out_;
    return new (node) T{};
  }
  void give(T* value) noexcept {
    ENSURE(out_ > 0);
    --out_;
    Node* node = new (value) Node{free_};
    free_ = node;
  }
  // Another bound. What was made beyond a smaller one stays.
  void set_most(size_t most) { most_ = most; }
  [[nodiscard]] size_t out() const { return out_; }

 private:
  union alignas(T) Node {
    Node* next;
    std::byte value[sizeof(T)];
  };
  // 64 nodes of some 64 bytes are a page: fewer slabs than that would fragment, more would hoard.
  static constexpr size_t kSlabNodes = 64;
  struct Slab {
    Slab* next;
    Node nodes[kSlabNodes];
  };

  bool grow() noexcept {
    if (made_ >= most_) return false;
    const size_t count = std::min(kSlabNodes, most_ - made_);
    auto* slab = static_cast<Slab*>(std::malloc(sizeof(Slab)));
    if (slab == nullptr) return false;
    slab->next = slabs_;
    slabs_ = slab;
    made_ += count;
    for (size_t i = count; i-- > 0;) free_ = new (&slab->nodes[i]) Node{free_};
    return true;
  }

  Node* free_ = nullptr;
  Slab* slabs_ = nullptr;
  size_t out_ = 0;
  size_t made_ = 0;
  size_t most_;
};

}  // namespace leat
