#include "plugin/suspension.h"

#include <bit>
#include <new>

namespace leat::plugin {
namespace {

enum State : uint64_t { kFree, kWaiting, kClaimed, kReady, kOrphaned };

constexpr unsigned kStateBits = 3;
constexpr uint64_t word_of(uint64_t generation, State state) { return generation << kStateBits | state; }
constexpr State state_of(uint64_t word) { return static_cast<State>(word & ((1u << kStateBits) - 1)); }
constexpr uint64_t generation_of(uint64_t word) { return word >> kStateBits; }

}  // namespace

SuspensionTable::~SuspensionTable() {
  for (unsigned i = 0; i < chunk_count_; ++i) delete[] chunks_[i].load(std::memory_order_relaxed);
}

uint64_t SuspensionTable::generation(const Slot& slot) {
  return generation_of(slot.word.load(std::memory_order_relaxed));
}

SuspensionTable::Slot* SuspensionTable::find(uint32_t index) {
  const uint64_t shifted = uint64_t{index} + kFirstChunk;
  const unsigned chunk = static_cast<unsigned>(std::bit_width(shifted) - std::bit_width(kFirstChunk));
  if (chunk >= kChunks) return nullptr;
  Slot* slots = chunks_[chunk].load(std::memory_order_acquire);
  return slots == nullptr ? nullptr : slots + (shifted - (uint64_t{kFirstChunk} << chunk));
}

bool SuspensionTable::grow() {
  if (chunk_count_ == kChunks) return false;
  const uint32_t count = kFirstChunk << chunk_count_;
  Slot* slots = new (std::nothrow) Slot[count];
  if (slots == nullptr) return false;
  for (uint32_t i = count; i-- > 0;) {
    slots[i].word.store(word_of(first_generation_, kFree), std::memory_order_relaxed);
    slots[i].index = count - kFirstChunk + i;
    slots[i].next = free_;
    free_ = slots + i;
  }
  chunks_[chunk_count_++].store(slots, std::memory_order_release);
  return true;
}

SuspensionTable::Slot* SuspensionTable::suspend(http::WorkerContext& worker, http::Ticket ticket) {
  if (free_ == nullptr) free_ = freed_elsewhere_.exchange(nullptr, std::memory_order_acquire);
  if (free_ == nullptr && !grow()) return nullptr;
  Slot* slot = free_;
  free_ = slot->next;
  slot->ticket = ticket;
  slot->worker = &worker;
  slot->work = nullptr;
  const uint64_t next = generation(*slot) + 1;
  slot->word.store(word_of(next, kWaiting), std::memory_order_release);
  return slot;
}

bool SuspensionTable::complete(uint32_t index, uint64_t generation, Completion completion,
                               http::WorkerContext::Resume resume) {
  Slot* slot = find(index);
  if (slot == nullptr) return false;
  uint64_t word = word_of(generation, kWaiting);
  if (!slot->word.compare_exchange_strong(word, word_of(generation, kClaimed), std::memory_order_acq_rel))
    return false;
  // Copied now: once Ready, the slot can be freed and used again at any moment.
  const http::Ticket ticket = slot->ticket;
  http::WorkerContext& worker = *slot->worker;
  slot->completion = completion;
  word = word_of(generation, kClaimed);
  if (!slot->word.compare_exchange_strong(word, word_of(generation, kReady), std::memory_order_acq_rel)) {
    free_by_any_thread(*slot);
    return false;
  }
  if (worker.resume_from_any_thread(ticket, resume, slot)) return true;
  // Not posted. Either the request has just ended, and whoever ended it delivers; or memory is out, and the
  // request may be completed again.
  word = word_of(generation, kReady);
  return !slot->word.compare_exchange_strong(word, word_of(generation, kWaiting), std::memory_order_acq_rel);
}

bool SuspensionTable::waits(uint32_t index, uint64_t generation) {
  const Slot* slot = find(index);
  return slot != nullptr && slot->word.load(std::memory_order_acquire) == word_of(generation, kWaiting);
}

bool SuspensionTable::release(Slot& slot, Completion* completion) {
  uint64_t word = slot.word.load(std::memory_order_acquire);
  for (;;) {
    const uint64_t generation = generation_of(word);
    const State state = state_of(word);
    // Read before the exchange makes the slot reusable; only meaningful if it succeeds from Ready.
    const bool ready = state == kReady;
    const uint64_t next = word_of(generation, state == kClaimed ? kOrphaned : kFree);
    if (!slot.word.compare_exchange_weak(word, next, std::memory_order_acq_rel)) continue;
    if (ready) *completion = slot.completion;
    if (state != kClaimed) free_by_worker(slot);
    return ready;
  }
}

void SuspensionTable::free_by_worker(Slot& slot) {
  slot.next = free_;
  free_ = &slot;
}

void SuspensionTable::free_by_any_thread(Slot& slot) {
  slot.next = freed_elsewhere_.load(std::memory_order_relaxed);
  while (!freed_elsewhere_.compare_exchange_weak(slot.next, &slot, std::memory_order_release)) {
  }
}

}  // namespace leat::plugin
