// What is chosen at set-up, by trying, never by the version of the kernel:
//  - The rings' flags: the first of kModes that the kernel takes. SINGLE_ISSUER and DEFER_TASKRUN let it run
//    completions in batches, when this thread asks, without a lock.
//  - The ring's own descriptor is registered, so that entering it looks nothing up.
//  - Deadlines are absolute where the kernel takes them so; else wait() reads the clock for a relative one.
//  - NO_IOWAIT, without which a core that only waits is accounted as busy with input and output.
//
// Receive buffers reach the kernel through a ring that it uses in turn, first in, first out. With all of them
// in it, light traffic would go through all their memory. So only kFirstPublished are in it at first, and
// twice as many each time that a turn finds less than half of them left; the pool behind it is last in, first
// out.
//
// A multishot receive hands over 33 buffers of one socket at most before it is the turn of the next. `len`
// makes only the pieces smaller, not fewer, and the limit on all bytes of newer kernels ends the receive:
// neither is used.
//
// Rejected after measurement: direct descriptors, bundles, incremental buffers, a minimal wait, SQPOLL,
// skipping the completions of sends that succeed.
#include "net/uring_engine.h"

#include <fmt/core.h>
#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/fd.h"

// Of kernels newer than the header may be.
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif
#ifndef IORING_ENTER_ABS_TIMER
#define IORING_ENTER_ABS_TIMER (1U << 5)
#endif
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif

namespace leat::net {

namespace {

constexpr uint16_t kBufferGroup = 0;
constexpr uint32_t kFirstPublished = 32;
// WAITALL lets the kernel go on with a long send by itself when the peer makes room.
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_WAITALL;
constexpr Token kCancelToken(Op::Cancel, 0, 0);

struct Mode {
  UringOptions::TaskRun task_run;
  unsigned flags;
  const char* name;
};

constexpr unsigned kBaseFlags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
constexpr std::array kModes = {
    Mode{UringOptions::TaskRun::Defer, kBaseFlags | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
         "defer_taskrun"},
    Mode{UringOptions::TaskRun::Cooperative,
         kBaseFlags | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, "coop_taskrun"},
    Mode{UringOptions::TaskRun::Interrupt, kBaseFlags, "default task run"},
};

constexpr unsigned kNeededFeatures = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL |
                                     IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
constexpr std::array kNeededOperations = {IORING_OP_ACCEPT,  IORING_OP_RECV,     IORING_OP_SEND,
                                          IORING_OP_SENDMSG, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
                                          IORING_OP_CONNECT};

std::unexpected<Error> failure(const char* what, int result) { return std::unexpected(Error{what, -result}); }

// The heads of gathered sends, which the kernel reads when they are submitted and not later.
struct Gathered {
  static constexpr size_t kMostParts = 4096;  // of all gathered sends between two submissions
  static constexpr size_t kMostHeads = 1024;

  std::array<msghdr, kMostHeads> heads;
  std::array<iovec, kMostParts> parts;
};

class UringEngine final : public Engine {
 public:
  explicit UringEngine(BufferPool pool)
      : pool_(std::move(pool)), gathered_(std::make_unique_for_overwrite<Gathered>()) {}
  ~UringEngine() override;

  Expected<void> set_up(const UringOptions& options);

  void accept(Token token, int listener) override;
  void accept_one(Token token, int listener) override;
  void connect(Token token, int fd, const sockaddr* address, socklen_t size) override;
  void receive(Token token, int fd) override;
  void send(Token token, int fd, std::span<const iovec> parts) override;
  void poll(Token token, int fd) override;
  void poll_end(Token token, int fd) override;
  void cancel(Token target) override;
  void release(uint32_t buffer) override;
  [[nodiscard]] uint32_t free_buffers() const override { return pool_.count() - lent_; }
  size_t wait(std::span<Completion> out, uint64_t deadline_ns) override;
  [[nodiscard]] std::string_view description() const override { return description_; }

 private:
  Expected<const Mode*> set_up_ring(const UringOptions& options);
  Expected<void> set_up_buffers();
  Expected<void> try_out();
  Expected<void> try_socket_pair(int near, int far);
  [[nodiscard]] bool takes_absolute_deadlines();

  io_uring_sqe& next_entry(Token token);
  void submit();
  int enter(unsigned least, uint64_t deadline_ns);
  void publish_buffers();
  size_t reap(std::span<Completion> out);
  bool finish_accept(Completion& completion);
  Buffer lend(uint32_t id, int32_t size);

  // A turn touches these, in about this order.
  io_uring ring_{};
  unsigned enter_flags_ = IORING_ENTER_GETEVENTS;
  bool absolute_deadlines_ = false;
  uint32_t published_ = 0;   // buffers in the kernel's ring
  uint32_t publish_to_ = 0;  // how many there shall be
  uint32_t lent_ = 0;        // buffers at the owners of receives
  io_uring_buf_ring* buffers_ = nullptr;
  uint32_t buffer_mask_ = 0;
  BufferPool pool_;
  size_t heads_ = 0;  // used of gathered_
  size_t parts_ = 0;
  std::unique_ptr<Gathered> gathered_;
  struct Shared {
    Token token;
    int listener;
  };
  std::vector<Shared> shared_;  // accept_one()s under way

  std::string description_;
};

UringEngine::~UringEngine() {
  if (ring_.ring_fd <= 0) return;
  if (buffers_ != nullptr) io_uring_free_buf_ring(&ring_, buffers_, buffer_mask_ + 1, kBufferGroup);
  io_uring_queue_exit(&ring_);
}

// --- Asking for operations

io_uring_sqe& UringEngine::next_entry(Token token) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) [[unlikely]] {
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  entry->user_data = token.bits();
  return *entry;
}

void UringEngine::accept(Token token, int listener) {
  io_uring_prep_multishot_accept(&next_entry(token), listener, nullptr, nullptr,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void UringEngine::accept_one(Token token, int listener) {
  shared_.push_back({token, listener});
  io_uring_prep_poll_add(&next_entry(token), listener, POLLIN);
}

// The listening socket of an accept_one() has become readable: false if another was faster, and it is waited
// for anew. An accept of the ring's would wait alone in the kernel's queue, see accept_one().
bool UringEngine::finish_accept(Completion& completion) {
  const auto found = std::ranges::find(shared_, completion.token, &Shared::token);
  if (found == shared_.end()) return true;
  if (completion.result >= 0) {
    const int accepted = ::accept4(found->listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    completion.result = accepted >= 0 ? accepted : -errno;
    if (accepted < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) {
      io_uring_prep_poll_add(&next_entry(found->token), found->listener, POLLIN);
      return false;
    }
  }
  shared_.erase(found);
  return true;
}

void UringEngine::connect(Token token, int fd, const sockaddr* address, socklen_t size) {
  io_uring_prep_connect(&next_entry(token), fd, address, size);
}

void UringEngine::receive(Token token, int fd) {
  io_uring_sqe& entry = next_entry(token);
  io_uring_prep_recv_multishot(&entry, fd, nullptr, 0, 0);
  entry.flags = IOSQE_BUFFER_SELECT;
  entry.buf_group = kBufferGroup;
}

void UringEngine::send(Token token, int fd, std::span<const iovec> parts) {
  ENSURE(!parts.empty() && parts.size() <= kMostParts);
  if (parts.size() == 1) {
    io_uring_prep_send(&next_entry(token), fd, parts[0].iov_base, parts[0].iov_len, kSendFlags);
    return;
  }
  while (heads_ == Gathered::kMostHeads || parts_ + parts.size() > Gathered::kMostParts) [[unlikely]]
    submit();
  io_uring_sqe& entry = next_entry(token);
  iovec* copy = &gathered_->parts[parts_];
  std::ranges::copy(parts, copy);
  parts_ += parts.size();
  msghdr& head = gathered_->heads[heads_++];
  head = {};
  head.msg_iov = copy;
  head.msg_iovlen = parts.size();
  io_uring_prep_sendmsg(&entry, fd, &head, kSendFlags);
}

void UringEngine::poll(Token token, int fd) {
  io_uring_prep_poll_add(&next_entry(token), fd, POLLIN | POLLRDHUP);
}

void UringEngine::poll_end(Token token, int fd) { io_uring_prep_poll_add(&next_entry(token), fd, POLLRDHUP); }

void UringEngine::cancel(Token target) {
  io_uring_sqe& entry = next_entry(kCancelToken);
  io_uring_prep_cancel64(&entry, target.bits(), 0);
  entry.flags = IOSQE_CQE_SKIP_SUCCESS;  // and its failures are dropped by reap()
}

void UringEngine::release(uint32_t buffer) {
  ENSURE(lent_ > 0);
  --lent_;
  pool_.give(buffer);
}

// --- A turn

// Hands what was asked for to the kernel, waiting for nothing: the submission queue is full.
void UringEngine::submit() {
  const unsigned flags = std::exchange(enter_flags_, enter_flags_ & ~unsigned{IORING_ENTER_GETEVENTS});
  enter(0, 0);
  enter_flags_ = flags;
}

// Submits, and waits for `least` completions (0 or 1). Returns a negated errno value that passes by itself.
int UringEngine::enter(unsigned least, uint64_t deadline_ns) {
  io_uring_sq& queue = ring_.sq;
  io_uring_smp_store_release(queue.ktail, queue.sqe_tail);
  const unsigned pending = queue.sqe_tail - *queue.khead;

  int result;
  if (least == 0 || deadline_ns == UINT64_MAX) {
    result = io_uring_enter2(ring_.enter_ring_fd, pending, least, enter_flags_, nullptr, 0);
  } else {
    unsigned flags = enter_flags_ | IORING_ENTER_EXT_ARG;
    if (absolute_deadlines_) {
      flags |= IORING_ENTER_ABS_TIMER;
    } else {
      const uint64_t now = now_ns();
      deadline_ns = deadline_ns > now ? deadline_ns - now : 0;
    }
    __kernel_timespec timeout;
    timeout.tv_sec = static_cast<long long>(deadline_ns / 1'000'000'000);
    timeout.tv_nsec = static_cast<long long>(deadline_ns % 1'000'000'000);
    io_uring_getevents_arg argument{};
    argument.ts = reinterpret_cast<uintptr_t>(&timeout);
    result = io_uring_enter2(ring_.enter_ring_fd, pending, least, flags,
                             reinterpret_cast<sigset_t*>(&argument), sizeof argument);
  }
  if (queue.sqe_tail == *queue.khead) heads_ = parts_ = 0;
  return result;
}

// Tops the kernel's ring of buffers up from the pool, with one store to its tail.
void UringEngine::publish_buffers() {
  int added = 0;
  for (; published_ < publish_to_ && !pool_.empty(); ++published_) {
    const uint32_t id = pool_.take();
    io_uring_buf_ring_add(buffers_, pool_.data(id), pool_.size(), static_cast<uint16_t>(id),
                          static_cast<int>(buffer_mask_), added++);
  }
  if (added != 0) io_uring_buf_ring_advance(buffers_, added);
}

Buffer UringEngine::lend(uint32_t id, int32_t size) {
  --published_;
  if (size <= 0) [[unlikely]] {  // taken, but nothing came
    pool_.give(id);
    return {};
  }
  ++lent_;
  return {pool_.data(id), static_cast<uint32_t>(size), id};
}

size_t UringEngine::reap(std::span<Completion> out) {
  io_uring_cq& queue = ring_.cq;
  unsigned head = *queue.khead;
  const unsigned tail = io_uring_smp_load_acquire(queue.ktail);
  size_t count = 0;
  for (; head != tail && count < out.size(); ++head) {
    const io_uring_cqe& entry = queue.cqes[head & queue.ring_mask];
    Completion& completion = out[count];
    completion.token = Token::from_bits(entry.user_data);
    completion.result = entry.res;
    completion.armed = (entry.flags & IORING_CQE_F_MORE) != 0;
    completion.buffer = (entry.flags & IORING_CQE_F_BUFFER) != 0
                            ? lend(entry.flags >> IORING_CQE_BUFFER_SHIFT, entry.res)
                            : Buffer{};
    if (!shared_.empty() && completion.token.op() == Op::Accept && !finish_accept(completion)) continue;
    count += completion.token != kCancelToken;
  }
  io_uring_smp_store_release(queue.khead, head);
  if (published_ < publish_to_ / 2) publish_to_ = std::min(publish_to_ * 2, pool_.count());
  return count;
}

size_t UringEngine::wait(std::span<Completion> out, uint64_t deadline_ns) {
  publish_buffers();
  // What did not fit into `out` last time waits already; the kernel is entered all the same, to submit and to
  // let it move what overflowed its queue.
  const bool idle = *ring_.cq.khead == io_uring_smp_load_acquire(ring_.cq.ktail);
  const int result = enter(idle && deadline_ns != 0 ? 1 : 0, deadline_ns);
  if (result == -EBADF || result == -EOPNOTSUPP) descriptor_lost("the ring");
  // The deadline, a signal, or want of memory, after which the rest is submitted next time.
  ENSURE(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN || result == -EBUSY ||
         result == -ENOMEM);
  return reap(out);
}

// --- Set-up

Expected<void> UringEngine::set_up(const UringOptions& options) {
  const auto mode = set_up_ring(options);
  if (!mode) return std::unexpected(mode.error());
  if (auto ready = set_up_buffers(); !ready) return ready;
  absolute_deadlines_ = takes_absolute_deadlines();
  if (auto works = try_out(); !works) return works;
  description_ =
      fmt::format("io_uring ({}, {} buffers of {} bytes)", (*mode)->name, pool_.count(), pool_.size());
  return {};
}

Expected<const Mode*> UringEngine::set_up_ring(const UringOptions& options) {
  const Mode* mode = std::ranges::find(kModes, options.task_run, &Mode::task_run);
  int result = -EINVAL;
  io_uring_params params;
  for (; mode != kModes.end(); ++mode) {
    params = {};
    params.flags = mode->flags;
    params.cq_entries = options.completions;
    result = io_uring_queue_init_params(options.submissions, &ring_, &params);
    if (result != -EINVAL) break;
  }
  if (result < 0) {
    ring_.ring_fd = -1;
    return failure("io_uring_setup", result);
  }
  if ((params.features & kNeededFeatures) != kNeededFeatures)
    return std::unexpected(Error{"io_uring lacks features of Linux 6.0", ENOTSUP});
  if ((params.features & IORING_FEAT_NO_IOWAIT) != 0) enter_flags_ |= IORING_ENTER_NO_IOWAIT;
  if (io_uring_register_ring_fd(&ring_) == 1) enter_flags_ |= IORING_ENTER_REGISTERED_RING;

  const std::unique_ptr<io_uring_probe, decltype(&io_uring_free_probe)> probe(io_uring_get_probe_ring(&ring_),
                                                                              io_uring_free_probe);
  if (!probe) return std::unexpected(Error{"io_uring cannot list its operations", ENOTSUP});
  for (const auto operation : kNeededOperations)
    if (!io_uring_opcode_supported(probe.get(), operation))
      return std::unexpected(Error{"io_uring lacks operations of Linux 6.0", ENOTSUP});
  return mode;
}

Expected<void> UringEngine::set_up_buffers() {
  const uint32_t entries = std::bit_ceil(pool_.count());
  int result = 0;
  buffers_ = io_uring_setup_buf_ring(&ring_, entries, kBufferGroup, 0, &result);
  if (buffers_ == nullptr) return failure("io_uring buffer ring", result);
  buffer_mask_ = entries - 1;
  publish_to_ = std::min(kFirstPublished, pool_.count());
  publish_buffers();
  return {};
}

// An absolute time that has long passed: a kernel that does not know the flag says EINVAL.
bool UringEngine::takes_absolute_deadlines() {
  absolute_deadlines_ = true;
  return enter(1, 1) == -ETIME;
}

Expected<void> UringEngine::try_out() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
    return system_error("socketpair");
  const Fd near(pair[0]);
  const Fd far(pair[1]);
  return try_socket_pair(near.get(), far.get());
}

// Sends two parts to a multishot receive, then cancels it: with that, every promise that could fail on a
// kernel or in a sandbox has been seen to be kept.
Expected<void> UringEngine::try_socket_pair(int near, int far) {
  constexpr uint64_t kPatienceNs = 2'000'000'000;  // an answer takes microseconds; only a hang takes longer
  constexpr Token kReceive(Op::Receive, 0, 0);
  const uint64_t deadline = now_ns() + kPatienceNs;
  char text[] = "leat";
  const std::array parts = {iovec{text, 2}, iovec{text + 2, 2}};
  receive(kReceive, near);
  send(Token(Op::Send, 0, 0), far, parts);

  bool received = false;
  for (bool armed = true; armed;) {
    std::array<Completion, 4> out;
    const size_t count = wait(out, deadline);
    if (count == 0 && now_ns() >= deadline) return std::unexpected(Error{"io_uring self-test", ETIMEDOUT});
    for (const Completion& completion : std::span(out).first(count)) {
      if (completion.buffer.size != 0) release(completion.buffer.id);
      if (completion.token.op() == Op::Send) {
        if (completion.result != 4) return failure("io_uring send", completion.result);
        continue;
      }
      armed = completion.armed;
      if (completion.result == 4 && armed) {
        received = true;
        cancel(kReceive);
      } else if (completion.result != -ECANCELED) {
        return failure("io_uring multishot receive", completion.result);
      }
    }
  }
  if (!received) return std::unexpected(Error{"io_uring multishot receive", ENOTSUP});
  return {};
}

}  // namespace

Expected<std::unique_ptr<Engine>> create_uring_engine(const UringOptions& options) {
  auto pool = BufferPool::create(options.buffers);
  if (!pool) return std::unexpected(pool.error());
  auto engine = std::make_unique<UringEngine>(std::move(*pool));
  if (auto ready = engine->set_up(options); !ready) return std::unexpected(ready.error());
  return engine;
}

}  // namespace leat::net
