#include "logging/sinks.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"

namespace leat::logging {

namespace {

// Without a line for so many periods the writer sleeps, and looks once a second: a worker that has seen it awake a
// moment before does not wake it, and its line shall not wait for the next one.
constexpr uint32_t kQuietPeriods = 10;
constexpr int kAsleepMs = 1000;
// How soon what was refused is tried again where nobody says when there is room.
constexpr uint64_t kAgainMs = 1000;
// What was dropped is told at once, and then so often.
constexpr uint64_t kTellMs = 10'000;
constexpr uint64_t kLookMs = 1000;
// How long the end waits for a reader that stalls.
constexpr uint64_t kLastMs = 1000;

uint64_t records_in(std::string_view bytes, char terminator) {
  return static_cast<uint64_t>(std::ranges::count(bytes, terminator));
}

size_t size_of(const std::vector<iovec>& pieces) {
  size_t size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  return size;
}

std::string_view view(const iovec& piece) {
  return {static_cast<const char*>(piece.iov_base), piece.iov_len};
}

}  // namespace

Sink::Sink(Sinks& sinks, Target target, uint32_t workers)
    : sinks_(sinks), target_(std::move(target)), hand_over_(Sinks::kHandOver) {
  for (uint32_t i = 0; i < workers; ++i)
    buffers_.push_back(std::make_unique<LineBuffer>(target_.buffer_bytes));
}

bool Sink::empty() const {
  return std::ranges::all_of(buffers_, [](const auto& buffer) { return buffer->waiting() == 0; });
}

bool Sink::is_full() const {
  const size_t enough = hand_over_.load(std::memory_order_relaxed);
  return std::ranges::any_of(buffers_, [&](const auto& buffer) { return buffer->waiting() >= enough; });
}

uint64_t Sink::dropped() const {
  uint64_t all = 0;
  for (const auto& buffer : buffers_) all += buffer->dropped() + buffer->lost();
  return all;
}

uint64_t Sink::lines() const {
  uint64_t all = 0;
  for (const auto& buffer : buffers_) all += buffer->lines();
  return all;
}

// What its buffers hold now is written, as far as it is taken. What comes meanwhile can wait: it would be little.
void Sink::write(uint64_t now_ms) {
  std::vector<iovec> pieces;
  std::vector<size_t> owners;
  for (size_t i = 0; i < buffers_.size() && pieces.size() + 2 <= IOV_MAX; ++i) {
    const size_t owner = (first_ + i) % buffers_.size();
    iovec two[2];
    const size_t count = buffers_[owner]->gather(two);
    for (size_t piece = 0; piece < count; ++piece) {
      pieces.push_back(two[piece]);
      owners.push_back(owner);
    }
  }
  if (pieces.empty()) return;
  const Outlet::Written done = outlet_->write(pieces);
  size_t left = done.bytes;
  for (size_t i = 0; i < pieces.size() && left != 0; ++i) {
    const size_t taken = std::min(left, pieces[i].iov_len);
    buffers_[owners[i]]->consume(taken);
    left -= taken;
    if (taken == pieces[i].iov_len) continue;
    first_ = owners[i];
    torn_ = view(pieces[i])[taken - 1] != target_.terminator();
  }
  if (done.bytes == size_of(pieces)) torn_ = false;
  if (done.lost != 0) buffers_[first_]->count_lost(done.lost);
  const bool new_reason = done.why.number != 0 && done.why.number != EAGAIN && done.why.number != why_.number;
  why_ = done.why;
  if (new_reason)
    log::limited(log::Level::Warn, {target_.path},
                 "{} cannot be written at the moment: {}: its lines wait, as far as there is room",
                 target_.text(), why_.text());
  wait_for_ = done.wait_for;
  again_at_ms_ = why_.number != 0 && wait_for_ < 0 ? now_ms + kAgainMs : 0;
  // Until it is taken again nobody needs to say that there is much.
  hand_over_.store(why_.number != 0 ? SIZE_MAX : Sinks::kHandOver, std::memory_order_relaxed);
}

// What is left of a line that has gone in part, to where nobody will look for the rest.
void Sink::give_up_torn() {
  if (!torn_) return;
  torn_ = false;
  LineBuffer& buffer = *buffers_[first_];
  iovec pieces[2];
  const size_t count = buffer.gather(pieces);
  if (count == 0) return;
  const std::string_view text = view(pieces[0]);
  buffer.consume(std::min(text.find(target_.terminator()), text.size() - 1) + 1);
  buffer.count_lost(1);
}

// What could not be written before the end is lost.
void Sink::give_up() {
  for (const auto& buffer : buffers_) {
    iovec pieces[2];
    for (size_t count = buffer->gather(pieces); count != 0; count = buffer->gather(pieces)) {
      size_t bytes = 0;
      for (size_t i = 0; i < count; ++i) {
        buffer->count_lost(records_in(view(pieces[i]), target_.terminator()));
        bytes += pieces[i].iov_len;
      }
      buffer->consume(bytes);
    }
  }
}

void Sink::tell(uint64_t now_ms, bool last) {
  const uint64_t all = dropped();
  if (all == told_ || (!last && told_at_ms_ != 0 && now_ms - told_at_ms_ < kTellMs)) return;
  const std::string why = why_.number == EAGAIN ? "its reader does not keep up"
                          : why_.number != 0    ? why_.text()
                                                : "they came faster than they can be written";
  log::warn("{} of {} {} dropped: {}", counted(all - told_, "line"), target_.text(),
            all - told_ == 1 ? "was" : "were", why);
  told_ = all;
  told_at_ms_ = now_ms;
}

void Sink::look() {
  if (outlet_ == nullptr) return;
  if (const std::string remark = outlet_->look(); !remark.empty())
    log::limited(log::Level::Warn, {target_.path}, "{}", remark);
}

void Sink::reopen() {
  give_up_torn();
  if (const auto opened = outlet_->reopen(); !opened)
    log::error("{} goes on in the file that was open: {}", target_.text(), opened.error().text());
  again_at_ms_ = 0;
}

Sinks::Sinks() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Sinks::~Sinks() { stop(); }

std::expected<std::shared_ptr<Sink>, std::string> Sinks::open(const Target& target, uint32_t workers) {
  const std::lock_guard lock(mutex_);
  const auto same = [&](const auto& sink) { return sink->target_ == target && sink->workers() >= workers; };
  if (const auto found = std::ranges::find_if(sinks_, same); found != sinks_.end()) return give_out(*found);
  const auto fail = [&](const Error& why) {
    return std::unexpected(target.text() + " cannot be written: " + why.text());
  };
  const std::shared_ptr<Sink> sink(new Sink(*this, target, workers));
  if (started_) {
    auto outlet = Outlet::open(target);
    if (!outlet) return fail(outlet.error());
    sink->outlet_ = std::move(*outlet);
    sinks_.push_back(sink);
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  } else if (const auto possible = Outlet::examine(target); !possible) {
    return fail(possible.error());
  }
  return give_out(sink);
}

// With the last of these whoever uses it has written its last line, which the writer sees then.
std::shared_ptr<Sink> Sinks::give_out(const std::shared_ptr<Sink>& sink) {
  sink->users_.fetch_add(1, std::memory_order_relaxed);
  return {sink.get(), [sink](Sink* used) { used->users_.fetch_sub(1, std::memory_order_release); }};
}

void Sinks::start() {
  const std::lock_guard lock(mutex_);
  ENSURE(!started_ && wake_);
  started_ = true;
}

void Sinks::stop() {
  std::thread ending;
  {
    const std::lock_guard lock(mutex_);
    started_ = false;
    ending = std::move(thread_);
  }
  if (!ending.joinable()) return;
  stopping_ = true;
  wake();
  ending.join();
}

void Sinks::reopen() {
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) return;
  reopen_ = true;
  wake();
}

Sinks::Counts Sinks::counts() {
  const std::lock_guard lock(mutex_);
  Counts all = gone_;
  for (const auto& sink : sinks_) all.add(*sink);
  return all;
}

void Sinks::Counts::add(const Sink& sink) {
  lines += sink.lines();
  dropped += sink.dropped();
  writes += sink.outlet_ != nullptr ? sink.outlet_->writes() : 0;
}

void Sinks::wake() {
  if (signalled_.load(std::memory_order_relaxed) || signalled_.exchange(true)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

// Waits until somebody wakes it, an outlet has room, or the time is over.
void Sinks::wait(uint64_t ms) {
  std::vector<pollfd> events = {{wake_.get(), POLLIN, 0}};
  for (const auto& sink : in_use_)
    if (sink->wait_for_ >= 0) events.push_back({sink->wait_for_, POLLOUT, 0});
  ::poll(events.data(), events.size(), static_cast<int>(ms));
  if ((events[0].revents & POLLNVAL) != 0) descriptor_lost("what wakes the access log");
  uint64_t count = 0;
  [[maybe_unused]] const auto read = ::read(wake_.get(), &count, sizeof count);
  signalled_ = false;
  for (size_t i = 1, next = 0; i < events.size(); ++i) {
    while (in_use_[next]->wait_for_ < 0) ++next;
    in_use_[next++]->ready_ = events[i].revents != 0;
  }
}

// Takes up sinks that are new, and lets go of those that nobody has any more.
void Sinks::renew() {
  const std::lock_guard lock(mutex_);
  in_use_.clear();
  std::erase_if(sinks_, [this](const std::shared_ptr<Sink>& sink) {
    if (sink->users_.load(std::memory_order_acquire) != 0 || !sink->empty()) return false;
    sink->tell(monotonic_ms(), true);
    gone_.add(*sink);
    return true;
  });
  in_use_ = sinks_;
}

void Sinks::run() {
  ::pthread_setname_np(::pthread_self(), "leat-access");
  uint64_t next_ms = monotonic_ms() + kPeriodMs;
  uint32_t quiet = 0;
  while (!stopping_) {
    const uint64_t before = monotonic_ms();
    wait(asleep() ? kAsleepMs : next_ms > before ? next_ms - before : 0);
    const uint64_t now = monotonic_ms();
    renew();
    if (asleep()) {
      const bool nothing = std::ranges::all_of(in_use_, [](const auto& sink) { return sink->empty(); });
      if (nothing && !reopen_) {
        look(now);
        continue;
      }
      asleep_ = false;
      quiet = 0;
      next_ms = now + kPeriodMs;
    }
    const bool reopens = reopen_.exchange(false);
    const bool over = now >= next_ms;
    bool any = false;
    for (const auto& sink : in_use_) {
      if (sink->outlet_ == nullptr) continue;
      if (sink->empty()) {
        if (reopens) sink->reopen();
        continue;
      }
      any = true;
      const bool hindered = sink->why_.number != 0 && !sink->ready_ && now < sink->again_at_ms_;
      if (reopens || sink->ready_ || (over && !hindered) || sink->is_full()) sink->write(now);
      if (reopens) sink->reopen();
      sink->ready_ = false;
    }
    for (const auto& sink : in_use_) sink->tell(now, false);
    look(now);
    if (!over) continue;
    next_ms = now + kPeriodMs;
    quiet = any ? 0 : quiet + 1;
    if (quiet >= kQuietPeriods) asleep_ = true;
  }
  end();
}

void Sinks::look(uint64_t now_ms) {
  if (now_ms < look_at_ms_) return;
  look_at_ms_ = now_ms + kLookMs;
  for (const auto& sink : in_use_) sink->look();
}

void Sinks::end() {
  const uint64_t until_ms = monotonic_ms() + kLastMs;
  for (;;) {
    renew();
    const uint64_t now = monotonic_ms();
    bool all = true;
    for (const auto& sink : in_use_) {
      sink->write(now);
      all = all && sink->empty();
    }
    if (all || now >= until_ms) break;
    wait(std::min<uint64_t>(until_ms - now, kPeriodMs / 2));
  }
  for (const auto& sink : in_use_) {
    sink->give_up();
    sink->tell(monotonic_ms(), true);
  }
}

}  // namespace leat::logging
