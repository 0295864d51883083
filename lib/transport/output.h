// Output: the bytes that one connection owes its peer, in order.
//
// A queue of segments. Small things are copied into the worker's blocks, one after the other, so that a
// pipelined batch of answers is one contiguous run and leaves with one plain send. Large bodies are pinned:
// the queue refers to them where they lie and runs their release once they have left. When the queue is
// empty it holds no memory at all, which is what keeps an idle connection small.
//
// A block belongs to the last segment in the queue that lies in it; segments leave in order, so when that
// one goes nothing refers to the block any more.
//
// Bytes that were handed to the engine stay where they are until consume(): appending never moves anything.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/block_pool.h"
#include "base/node_pool.h"

namespace leat::transport {

// Called with `context` once pinned bytes have left or the connection has gone. Worker's thread.
struct Release {
  void (*run)(void* context) = nullptr;
  void* context = nullptr;
};

struct OutputSegment {
  OutputSegment* next = nullptr;
  const char* data = nullptr;
  size_t size = 0;
  Block* block = nullptr;  // given back with this segment
  Release release;         // run with this segment
};

// What all output queues of a worker draw from.
struct OutputMemory {
  BlockPool& blocks;
  NodePool<OutputSegment>& segments;
};

class Output {
 public:
  explicit Output(OutputMemory memory) : memory_(memory) {}
  ~Output() { clear(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Room for `size` bytes (at most Block::capacity()) in one piece, to be filled and then committed; nullptr
  // when the worker's memory is out.
  [[nodiscard]] char* reserve(size_t size);
  // The first `size` bytes of what reserve() returned now belong to the queue.
  void commit(size_t size);
  // Copies. False when memory is out; a part may be queued then, so the connection can only be cut.
  [[nodiscard]] bool append(std::string_view bytes);
  // Refers. False, with nothing queued and `release` not run, when memory is out.
  [[nodiscard]] bool append_pinned(std::string_view bytes, Release release);

  // Moves the first `most` bytes of `from`, or all, behind what is here, by reference. How many were moved: fewer when memory is
  // out.
  size_t take_front(Output& from, size_t most);
  // Drops everything. What has been moved to `other` may refer to memory that is still held here: that goes when what is there now has
  // left.
  void drop_behind(Output& other);

  // Whether so many bytes, with a head before them, could be appended now.
  [[nodiscard]] bool has_room(size_t bytes) const {
    return memory_.blocks.has_room((bytes / Block::capacity() + 2) * Block::kSize);
  }
  // Blocks that it holds, in bytes. Walks the queue.
  [[nodiscard]] size_t footprint() const;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] size_t size() const { return size_; }
  // The next bytes to send, as many pieces as fit into `parts`; returns how many were filled.
  size_t gather(std::span<std::string_view> parts) const;
  // The same piece by piece, until `take(piece)` answers false.
  template <class Take>
  void for_each_piece(Take take) const {
    for (const OutputSegment* segment = first_; segment != nullptr; segment = segment->next)
      if (segment->size != 0 && !take(std::string_view(segment->data, segment->size))) return;
  }
  // The first `size` bytes were sent.
  void consume(size_t size);
  // Drops everything, running the releases.
  void clear();

 private:
  OutputSegment* push();
  void append_segment(OutputSegment* segment);
  OutputSegment* unlink_first();
  void pop();

  OutputMemory memory_;
  OutputSegment* first_ = nullptr;
  OutputSegment* last_ = nullptr;
  OutputSegment* open_ = nullptr;  // the newest segment that lies in a block; its block may have room
  size_t size_ = 0;
};

}  // namespace leat::transport
