// Engine: the seam between the loop and whatever moves bytes: io_uring, epoll, or a test's script.
//
// An engine is asked for operations and later reports completions; it knows descriptors, not connections.
// Each operation carries a Token that comes back with every completion of it. Tokens hold a generation, so
// that a completion which arrives after its owner has gone is recognised and dropped by the loop, and the
// owner's slot can be used again at once.
//
// A second implementation only has to honour these promises:
//  - An operation asked for is queued; nothing need reach the kernel before the next wait().
//  - Every operation completes at least once, also after cancel(); the last completion of a multishot one
//    has `armed == false`. Nothing of an operation is touched after its last completion.
//  - wait() returns completions in the order in which they happened for one descriptor and direction.
//  - Nothing is called back: completions are values, run by the loop at its own pace.
//
// The interface is virtual because the engine is chosen when the daemon starts (io_uring is often blocked
// in containers). A turn makes a handful of calls through it for some hundred microseconds of work.
//
// Thread: an engine belongs to the worker that created it.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace leat::net {

enum class Op : uint8_t { Accept, Receive, Send, Poll, Wake, Cancel, Connect };

// Names one operation of one owner. 8 bits op, 24 bits generation, 32 bits slot.
class Token {
 public:
  constexpr Token() = default;
  constexpr Token(Op op, uint32_t slot, uint32_t generation)
      : bits_(uint64_t{static_cast<uint8_t>(op)} << 56 | uint64_t{generation & 0xffffff} << 32 | slot) {}
  static constexpr Token from_bits(uint64_t bits) {
    Token token;
    token.bits_ = bits;
    return token;
  }
  [[nodiscard]] constexpr uint64_t bits() const { return bits_; }
  [[nodiscard]] constexpr Op op() const { return static_cast<Op>(bits_ >> 56); }
  [[nodiscard]] constexpr uint32_t generation() const {
    return static_cast<uint32_t>(bits_ >> 32) & 0xffffff;
  }
  [[nodiscard]] constexpr uint32_t slot() const { return static_cast<uint32_t>(bits_); }
  constexpr bool operator==(const Token&) const = default;

 private:
  uint64_t bits_ = 0;
};

// Received bytes in a buffer lent by the engine. They stay valid until release(id), which the owner calls
// in the same turn: a buffer kept is a buffer that no other connection can receive into.
struct Buffer {
  static constexpr uint32_t kNone = UINT32_MAX;
  const char* data = nullptr;
  uint32_t size = 0;
  uint32_t id = kNone;
};

struct Completion {
  Token token;
  int32_t result = 0;  // bytes, or a descriptor for Accept, or -errno
  bool armed = false;  // a multishot operation that goes on
  Buffer buffer;       // Receive with result > 0
};

class Engine {
 public:
  virtual ~Engine() = default;

  // Accepts on a listening socket until it fails or is cancelled. result: a non-blocking, close-on-exec
  // descriptor that the caller owns.
  virtual void accept(Token token, int listener) = 0;
  // Accepts one, for who shares a listening socket with others: all that ask are woken, and the first that
  // turns gets it. With accept() a kernel may wake always the same one, also while that one does not turn.
  virtual void accept_one(Token token, int listener) = 0;

  // Connects a non-blocking socket. The address must stay until the completion. result: 0 or -errno. Nothing
  // else may be asked for on `fd` meanwhile.
  virtual void connect(Token token, int fd, const sockaddr* address, socklen_t size) = 0;

  // Receives until end of file (result 0), an error, cancel(), or -ENOBUFS when every buffer is lent out.
  // After -ENOBUFS it is over: ask again when free_buffers() says so, not at once. A kernel may also end it
  // after bytes (result > 0, not armed): then ask again at once. The same goes for accept().
  virtual void receive(Token token, int fd) = 0;

  // Sends the parts in order as one gathered write. `parts` may go when send() returns; the bytes must stay
  // until the completion. result: bytes sent, possibly fewer than asked. At most one send a descriptor.
  // At most kMostParts parts.
  virtual void send(Token token, int fd, std::span<const iovec> parts) = 0;

  // Completes once when `fd` is readable or hung up. result: events of poll(2). Holds less kernel memory than
  // a receive, for connections that are idle.
  virtual void poll(Token token, int fd) = 0;

  // Completes once when the peer of `fd` has ended its side or has gone, whatever there is to read before
  // that: for connections that are not received from. result: events of poll(2), with POLLHUP or POLLERR if
  // it has gone. At most one poll of either kind a descriptor.
  virtual void poll_end(Token token, int fd) = 0;

  // Asks the operation that carries `target` to end; it then completes (-ECANCELED, or what came first).
  // The cancellation itself reports nothing.
  virtual void cancel(Token target) = 0;

  // Gives a receive buffer back.
  virtual void release(uint32_t buffer) = 0;
  [[nodiscard]] virtual uint32_t free_buffers() const = 0;

  // Submits what was asked for, waits until something completes, `deadline_ns` (CLOCK_MONOTONIC; 0: do not
  // wait, UINT64_MAX: no deadline) passes or a signal arrives, and fills `out`. Returns how many; what did
  // not fit comes with the next call.
  virtual size_t wait(std::span<Completion> out, uint64_t deadline_ns) = 0;

  // The clock of wait()'s deadlines: CLOCK_MONOTONIC, except where a test makes its own time.
  [[nodiscard]] virtual uint64_t now_ns() const;

  // What was chosen and why, for the log and for `leat status`: "io_uring (defer_taskrun, 512 buffers)".
  [[nodiscard]] virtual std::string_view description() const = 0;

  // A gathered write longer than this is cut by the caller: the kernel copies this many iovecs on the
  // stack without allocating (UIO_FASTIOV is 8), and more than 64 is never worth one call.
  static constexpr size_t kMostParts = 64;
};

}  // namespace leat::net
