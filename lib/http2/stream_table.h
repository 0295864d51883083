// StreamTable: the streams of one connection, by number and by age, and what is still known of those that have ended.
//
// Of the latest 64 numbers a bit each tells whether a request came by it, and whether this end broke it off; frames that were on their
// way then are no mistake of the peer's (RFC 9113, section 5.1).
#pragma once

#include <array>
#include <cstdint>

#include "http2/stream.h"

namespace leat::http2 {

class StreamTable {
 public:
  [[nodiscard]] Stream* find(uint32_t id) const {
    Stream* stream = buckets_[bucket_of(id)];
    while (stream != nullptr && stream->id != id) stream = stream->next_in_bucket;
    return stream;
  }
  // Of those that there are.
  [[nodiscard]] uint32_t count() const { return count_; }
  [[nodiscard]] Stream* oldest() const { return oldest_; }
  // The largest number that was used; 0: none was.
  [[nodiscard]] uint32_t last_id() const { return last_id_; }

  // A request comes by that number, which is larger than all before, whatever becomes of it.
  void note_opened(uint32_t id) {
    const uint32_t steps = (id - last_id_ + (last_id_ == 0 ? 1 : 0)) / 2;
    opened_ = steps < 64 ? opened_ << steps : 0;
    broken_ = steps < 64 ? broken_ << steps : 0;
    opened_ |= 1;
    last_id_ = id;
  }
  void note_broken(uint32_t id) {
    if (const uint32_t age = (last_id_ - id) / 2; age < 64) broken_ |= uint64_t{1} << age;
  }
  // Of a number that is not larger than last_id(). Where that is too long ago, yes.
  [[nodiscard]] bool was_opened(uint32_t id) const { return bit_of(opened_, id); }
  [[nodiscard]] bool was_broken(uint32_t id) const { return bit_of(broken_, id); }

  void add(Stream& stream) {
    Stream*& bucket = buckets_[bucket_of(stream.id)];
    stream.next_in_bucket = bucket;
    bucket = &stream;
    stream.older = newest_;
    (newest_ != nullptr ? newest_->newer : oldest_) = &stream;
    newest_ = &stream;
    ++count_;
  }
  void remove(Stream& stream) {
    Stream** link = &buckets_[bucket_of(stream.id)];
    while (*link != &stream) link = &(*link)->next_in_bucket;
    *link = stream.next_in_bucket;
    (stream.older != nullptr ? stream.older->newer : oldest_) = stream.newer;
    (stream.newer != nullptr ? stream.newer->older : newest_) = stream.older;
    --count_;
  }

 private:
  // A few for each where there are many: twice as many would cost each connection what few have a use for.
  static constexpr uint32_t kBuckets = 16;

  static uint32_t bucket_of(uint32_t id) { return id / 2 % kBuckets; }
  [[nodiscard]] bool bit_of(uint64_t bits, uint32_t id) const {
    const uint32_t age = (last_id_ - id) / 2;
    return age >= 64 || (bits >> age & 1) != 0;
  }

  std::array<Stream*, kBuckets> buckets_{};
  Stream* oldest_ = nullptr;
  Stream* newest_ = nullptr;
  uint32_t count_ = 0;
  uint32_t last_id_ = 0;
  uint64_t opened_ = 0;
  uint64_t broken_ = 0;
};

}  // namespace leat::http2
