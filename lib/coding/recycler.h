// Recycler: the memory of one encoder or decoder, for libraries that ask for it by a function.
//
// A stream asks for the same few pieces as the one before it, and gives them back at its end. What is given back
// stays here for the next one, so that a stream in steady state takes nothing from the heap, also with a library whose
// state cannot be set back and is made anew each time (brotli). Pieces are few and of few sizes: they are looked for
// one by one.
//
// Thread: its owner's.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <utility>

namespace leat::coding {

class Recycler {
 public:
  Recycler() = default;
  ~Recycler() { drop_idle(); }
  Recycler(const Recycler&) = delete;
  Recycler& operator=(const Recycler&) = delete;

  // Null where memory is out, or more than `limit` would be held.
  [[nodiscard]] void* allocate(size_t size) {
    Piece** best = nullptr;
    for (Piece** at = &idle_; *at != nullptr; at = &(*at)->next) {
      const size_t room = (*at)->size;
      // One that is much too large is somebody else's.
      if (room >= size && room - size <= size / 4 && (best == nullptr || room < (*best)->size)) best = at;
      if (room == size) break;
    }
    if (best != nullptr) {
      Piece* const piece = *best;
      *best = piece->next;
      return piece + 1;
    }
    if (size > limit_ || held_ > limit_ - size) drop_idle();
    if (size > limit_ || held_ > limit_ - size) return nullptr;
    auto* const piece = static_cast<Piece*>(std::malloc(sizeof(Piece) + size));
    if (piece == nullptr) return nullptr;
    piece->size = size;
    held_ += size;
    return piece + 1;
  }
  void free(void* memory) {
    if (memory == nullptr) return;
    Piece* const piece = static_cast<Piece*>(memory) - 1;
    piece->next = std::exchange(idle_, piece);
  }
  // Bytes that are out or kept.
  [[nodiscard]] size_t held() const { return held_; }
  void set_limit(size_t limit) { limit_ = limit; }
  void drop_idle() {
    while (idle_ != nullptr) {
      Piece* const piece = std::exchange(idle_, idle_->next);
      held_ -= piece->size;
      std::free(piece);
    }
  }

  // As zlib and brotli ask for it.
  static void* allocate_items(void* recycler, unsigned items, unsigned size) {
    return static_cast<Recycler*>(recycler)->allocate(size_t{items} * size);
  }
  static void* allocate_bytes(void* recycler, size_t size) {
    return static_cast<Recycler*>(recycler)->allocate(size);
  }
  static void free_bytes(void* recycler, void* memory) { static_cast<Recycler*>(recycler)->free(memory); }

 private:
  struct alignas(std::max_align_t) Piece {
    Piece* next;
    size_t size;
  };
  Piece* idle_ = nullptr;
  size_t held_ = 0;
  size_t limit_ = SIZE_MAX;
};

}  // namespace leat::coding
