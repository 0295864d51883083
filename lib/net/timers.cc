#include "net/timers.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include "base/check.h"

namespace leat::net {

Timer::~Timer() { ENSURE(!running()); }

TimerWheel::TimerWheel(uint64_t now_ms) : now_ms_(now_ms) {}

TimerWheel::~TimerWheel() { ENSURE(running_ == 0); }

void TimerWheel::place(Timer& timer) {
  if (timer.running()) {
    unlink(timer);
  } else {
    ++running_;
  }
  insert(timer);
}

void TimerWheel::stop(Timer& timer) {
  if (!timer.running()) return;
  unlink(timer);
  --running_;
}

void TimerWheel::insert(Timer& timer) {
  timer.placed_ms_ = std::max(timer.deadline_ms_, now_ms_);
  const uint64_t differing = (timer.placed_ms_ ^ now_ms_) | 1;
  const unsigned level = static_cast<unsigned>(std::bit_width(differing) - 1) / kBits;
  const unsigned slot = (timer.placed_ms_ >> (level * kBits)) % kSlots;

  Timer*& head = slots_[level][slot];
  timer.next_ = head;
  timer.link_ = &head;
  if (head != nullptr) head->link_ = &timer.next_;
  head = &timer;
  occupied_[level] |= uint64_t{1} << slot;
}

void TimerWheel::unlink(Timer& timer) {
  Timer** link = timer.link_;
  *link = timer.next_;
  if (timer.next_ != nullptr) {
    timer.next_->link_ = link;
  } else {
    // The last of a list: when what points to it is a slot, the slot is empty now. It may also be another
    // timer, or the list of due timers in advance(), which lie outside the array.
    Timer** first = &slots_[0][0];
    if (std::less_equal<>()(first, link) && std::less<>()(link, first + size_t{kLevels} * kSlots)) {
      const auto index = static_cast<size_t>(link - first);
      occupied_[index / kSlots] &= ~(uint64_t{1} << (index % kSlots));
    }
  }
  timer.next_ = nullptr;
  timer.link_ = nullptr;
}

// Empties a slot and returns its list, whose timers are then neither filed nor stopped.
Timer* TimerWheel::take(unsigned level, unsigned slot) {
  occupied_[level] &= ~(uint64_t{1} << slot);
  return std::exchange(slots_[level][slot], nullptr);
}

uint64_t TimerWheel::next_ms() const {
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const auto slot = static_cast<uint64_t>(std::countr_zero(occupied_[level]));
    const unsigned shift = level * kBits;
    return ((now_ms_ >> shift & ~uint64_t{kSlots - 1}) | slot) << shift;
  }
  return UINT64_MAX;
}

void TimerWheel::advance(uint64_t now_ms) {
  if (next_ms() > now_ms) {
    now_ms_ = std::max(now_ms_, now_ms);
    return;
  }

  // First gather what is due, then run it: a callback sees a wheel at rest, in the present.
  Timer* due = nullptr;
  Timer** tail = &due;
  for (uint64_t tick = next_ms(); tick <= now_ms; tick = next_ms()) {
    now_ms_ = tick;
    // The slots that begin at this tick are present ones now: file what they hold one level or more lower.
    for (unsigned level = kLevels - 1; level > 0; --level) {
      const unsigned shift = level * kBits;
      if ((tick & ((uint64_t{1} << shift) - 1)) != 0) continue;
      for (Timer* timer = take(level, (tick >> shift) % kSlots); timer != nullptr;) {
        Timer* next = timer->next_;
        insert(*timer);
        timer = next;
      }
    }
    for (Timer* timer = take(0, tick % kSlots); timer != nullptr;) {
      Timer* next = timer->next_;
      if (timer->deadline_ms_ > tick) {
        insert(*timer);  // moved since it was filed
      } else {
        timer->next_ = nullptr;
        timer->link_ = tail;
        *tail = timer;
        tail = &timer->next_;
      }
      timer = next;
    }
  }
  now_ms_ = std::max(now_ms_, now_ms);

  while (due != nullptr) {
    Timer& timer = *due;
    unlink(timer);
    if (timer.deadline_ms_ > now_ms_) {
      insert(timer);  // moved by the callback of another
      continue;
    }
    --running_;
    timer.callback_(timer);
  }
}

}  // namespace leat::net
