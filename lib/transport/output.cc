#include "transport/output.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace leat::transport {

char* Output::reserve(size_t size) {
  ENSURE(size <= Block::capacity());
  if (open_ != nullptr && open_->block->room() >= size) {
    Block* block = open_->block;
    if (open_ != last_) {
      // A pinned body came in between: go on in the same block, which changes hands.
      OutputSegment* segment = push();
      if (segment == nullptr) return nullptr;
      segment->data = block->bytes() + block->end;
      segment->block = block;
      open_->block = nullptr;
      open_ = segment;
    }
    return block->bytes() + block->end;
  }
  Block* block = memory_.blocks.take();
  if (block == nullptr) return nullptr;
  OutputSegment* segment = push();
  if (segment == nullptr) {
    memory_.blocks.give(block);
    return nullptr;
  }
  segment->data = block->bytes();
  segment->block = block;
  open_ = segment;
  return block->bytes();
}

void Output::commit(size_t size) {
  ENSURE(open_ != nullptr && open_ == last_ && open_->block->room() >= size);
  open_->block->end += static_cast<uint32_t>(size);
  open_->size += size;
  size_ += size;
}

bool Output::append(std::string_view bytes) {
  while (!bytes.empty()) {
    size_t piece = std::min(bytes.size(), Block::capacity());
    if (open_ != nullptr && open_->block->room() > 0) piece = std::min(bytes.size(), open_->block->room());
    char* room = reserve(piece);
    if (room == nullptr) return false;
    std::memcpy(room, bytes.data(), piece);
    commit(piece);
    bytes.remove_prefix(piece);
  }
  return true;
}

bool Output::append_pinned(std::string_view bytes, Release release) {
  OutputSegment* segment = push();
  if (segment == nullptr) return false;
  segment->data = bytes.data();
  segment->size = bytes.size();
  segment->release = release;
  size_ += bytes.size();
  return true;
}

size_t Output::gather(std::span<std::string_view> parts) const {
  size_t count = 0;
  for (const OutputSegment* segment = first_; segment != nullptr && count < parts.size();
       segment = segment->next)
    if (segment->size != 0) parts[count++] = {segment->data, segment->size};
  return count;
}

size_t Output::footprint() const {
  size_t bytes = 0;
  for (const OutputSegment* segment = first_; segment != nullptr; segment = segment->next)
    if (segment->block != nullptr) bytes += Block::kSize;
  return bytes;
}

void Output::consume(size_t size) {
  ENSURE(size <= size_);
  size_ -= size;
  while (first_ != nullptr) {
    const size_t piece = std::min(size, first_->size);
    first_->data += piece;
    first_->size -= piece;
    size -= piece;
    if (first_->size != 0) return;
    pop();
  }
}

void Output::clear() {
  size_ = 0;
  while (first_ != nullptr) pop();
}

size_t Output::take_front(Output& from, size_t most) {
  size_t taken = 0;
  while (taken < most && from.first_ != nullptr) {
    OutputSegment* segment = from.first_;
    const size_t size = std::min(segment->size, most - taken);
    if (size == segment->size) {
      append_segment(from.unlink_first());
    } else {
      OutputSegment* const slice = push();
      if (slice == nullptr) break;
      slice->data = segment->data;
      slice->size = size;
      segment->data += size;
      segment->size -= size;
    }
    from.size_ -= size;
    size_ += size;
    taken += size;
  }
  return taken;
}

void Output::drop_behind(Output& other) {
  while (first_ != nullptr && other.first_ != nullptr) {
    OutputSegment* const segment = unlink_first();
    segment->size = 0;
    other.append_segment(segment);
  }
  clear();
}

OutputSegment* Output::push() {
  OutputSegment* segment = memory_.segments.take();
  if (segment != nullptr) append_segment(segment);
  return segment;
}

void Output::append_segment(OutputSegment* segment) {
  (last_ != nullptr ? last_->next : first_) = segment;
  last_ = segment;
}

// The first one, which is nobody's any more.
OutputSegment* Output::unlink_first() {
  OutputSegment* const segment = first_;
  first_ = segment->next;
  if (first_ == nullptr) last_ = nullptr;
  if (open_ == segment) open_ = nullptr;
  segment->next = nullptr;
  return segment;
}

void Output::pop() {
  OutputSegment* const segment = unlink_first();
  if (segment->block != nullptr) memory_.blocks.give(segment->block);
  const Release release = segment->release;
  memory_.segments.give(segment);
  if (release.run != nullptr) release.run(release.context);
}

}  // namespace leat::transport
