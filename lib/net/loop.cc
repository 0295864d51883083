#include "net/loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/quick_clock.h"

namespace leat::net {

namespace {

constexpr Token kWakeToken(Op::Wake, 0, 0);

constexpr uint64_t to_ms(uint64_t ns) { return ns / 1'000'000; }

}  // namespace

Expected<std::unique_ptr<Loop>> Loop::create(Engine& engine) {
  Fd wake_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_fd) return system_error("eventfd");
  return std::unique_ptr<Loop>(new Loop(engine, std::move(wake_fd)));
}

Loop::Loop(Engine& engine, Fd wake_fd)
    : engine_(engine),
      wake_fd_(std::move(wake_fd)),
      now_ns_(engine.now_ns()),
      now_ms_(to_ms(now_ns_)),
      timers_(now_ms_) {
  engine_.poll(kWakeToken, wake_fd_.get());
}

Loop::~Loop() {
  engine_.cancel(kWakeToken);
  while (inbox_.load(std::memory_order_relaxed) != nullptr) run_inbox();
}

void Loop::run(LoopClient& client) {
  while (!stopping_.load(std::memory_order_relaxed)) turn(client, UINT64_MAX);
}

void Loop::turn(LoopClient& client, uint64_t deadline_ns) {
  ENSURE(busy_since_ns_.load(std::memory_order_relaxed) == 0);  // not from within one
  const uint64_t timer_ms = timers_.next_ms();
  if (timer_ms < UINT64_MAX / 1'000'000) deadline_ns = std::min(deadline_ns, timer_ms * 1'000'000);

  // Either the poster sees that the loop sleeps, or the loop sees what was posted: both sides write first and
  // then read, sequentially consistent.
  sleeping_.store(true);
  if (inbox_.load() != nullptr || stopping_.load()) deadline_ns = 0;
  const uint64_t waits_ns = quick_ns();
  const size_t count = engine_.wait(completions_, deadline_ns);
  busy_.waited(waits_ns, std::max(waits_ns, quick_ns()));
  sleeping_.store(false, std::memory_order_relaxed);
  ENSURE(count <= completions_.size());

  turns_.store(turns() + 1, std::memory_order_relaxed);
  const uint64_t now_ns = engine_.now_ns();
  ENSURE(now_ns >= now_ns_);
  now_ns_ = now_ns;
  now_ms_ = to_ms(now_ns_);
  busy_since_ns_.store(now_ns_, std::memory_order_release);
  for (const Completion& completion : std::span(completions_).first(count)) {
    if (completion.token.op() == Op::Wake) [[unlikely]] {
      on_wake(completion);
    } else {
      client.on_completion(completion);
    }
  }
  run_inbox();
  timers_.advance(now_ms());
  client.on_turn_end();
  busy_since_ns_.store(0, std::memory_order_release);
}

void Loop::post(Task& task) {
  ENSURE(task.run != nullptr);
  task.next = inbox_.load(std::memory_order_relaxed);
  while (!inbox_.compare_exchange_weak(task.next, &task)) {
  }
  wake();
}

void Loop::stop() {
  stopping_.store(true);
  wake();
}

void Loop::wake() {
  // The first of many posters wakes the loop, the others see that this was done.
  if (!sleeping_.exchange(false)) return;
  const int saved = errno;  // a signal handler leaves errno as it was
  const uint64_t one = 1;
  // It fails only when the counter is full, and then it is readable already.
  if (::write(wake_fd_.get(), &one, sizeof one) < 0 && errno == EBADF) descriptor_lost("what wakes a worker");
  errno = saved;
}

void Loop::on_wake(const Completion& completion) {
  if (completion.result == -ECANCELED) return;  // the goodbye of a loop that used this engine before
  uint64_t count;
  [[maybe_unused]] const auto got = ::read(wake_fd_.get(), &count, sizeof count);
  engine_.poll(kWakeToken, wake_fd_.get());
}

void Loop::run_inbox() {
  if (inbox_.load(std::memory_order_relaxed) == nullptr) return;
  Task* newest = inbox_.exchange(nullptr, std::memory_order_acquire);
  Task* oldest = nullptr;
  while (newest != nullptr) {
    Task* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    Task& task = *std::exchange(oldest, oldest->next);
    task.run(task);
  }
}

}  // namespace leat::net
