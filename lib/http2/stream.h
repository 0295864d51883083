// Stream: one request on an HTTP/2 connection, from its first frame to the last of its answer (RFC 9113, section 5).
//
// It is the http::Stream of one exchange, and what its session knows of it: both directions' states and windows, what of the request
// must wait, and what of the answer cannot be sent yet. The exchange goes when it was answered; the stream stays for as long as
// something of the answer is queued. What it does is its session's business (http2/session.h), who owns it from take() to
// give(); nobody else looks inside.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "http/body_intake.h"
#include "http/exchange.h"
#include "http/stream.h"
#include "http2/frame.h"
#include "http2/priority.h"
#include "http2/stream_tunnel.h"
#include "transport/input.h"
#include "transport/output.h"

namespace leat::http2 {

class Session;

class Stream final : public http::Stream {
 public:
  explicit Stream(transport::OutputMemory memory) : queue(memory), held(memory.blocks) {}

  // --- http::Stream: these go to the session, in whose files they are.
  [[nodiscard]] bool fits(const http::Response& response) const override;
  void answer(http::Exchange& exchange, http::AnswerFraming framing, std::string_view body,
              const http::Release* pinned) override;
  void head(http::Exchange& exchange, http::AnswerFraming framing) override;
  bool data(http::Exchange& exchange, std::string_view bytes) override;
  void end(http::Exchange& exchange) override;
  void cut(http::Exchange& exchange, const http::Refusal& why) override;
  void continue_body(http::Exchange& exchange) override;
  void hints(http::Exchange& exchange, std::span<const std::string_view> links) override;
  void body_flow(http::Exchange& exchange, http::BodyFlow flow) override;
  [[nodiscard]] uint16_t tunnel_status(const http::Exchange& exchange,
                                       std::string_view protocol) const override;
  http::Tunnel* tunnel(http::Exchange& exchange, std::string_view protocol,
                       std::unique_ptr<http::TunnelUser> user) override;
  [[nodiscard]] http::Protocol* protocol() override;

  // --- For its session.

  // Where the request is. Held: its service wants it later.
  enum class Step : uint8_t { Head, Held, Body, Answer, Tunnel };

  Session* session = nullptr;
  http::Exchange* exchange = nullptr;  // null once it has ended
  uint32_t id = 0;
  Step step = Step::Head;

  bool receives = false;    // the request's end has not come
  bool body_ended = false;  // its last frame has come; it may not have been given to the handler yet
  bool head_sent = false;
  bool ends = false;      // nothing follows what is queued, but perhaps trailers ...
  bool trailers = false;  // ... which the exchange has
  bool end_sent = false;
  bool reset = false;    // by either end: nothing more is sent or read
  bool blocked = false;  // the handler is owed on_writable

  bool connects = false;                   // it asks to go on in another protocol, or has
  bool deaf = false;                       // what comes for its tunnel is dropped
  std::unique_ptr<StreamTunnel> switched;  // from the answer that agrees to it until it ends
  uint64_t linger_until_ms = 0;  // its tunnel has ended, and until then the peer's end of it is waited for

  int64_t send_window = 0;     // what the peer takes of it; may be negative (section 6.9.2)
  int64_t receive_window = 0;  // what the peer may send of it
  int64_t most_window = 0;     // what that is at most at present
  uint64_t received = 0;       // payload of the body
  uint64_t expected = 0;       // as its head says; UINT64_MAX: it does not
  http::BodyIntake body;
  transport::Output queue;  // of the answer
  transport::Input held;    // of the request's body

  std::span<const http::HeaderSlot> trailer_slots;  // of the request, in the exchange's arena
  std::string_view trailer_text;

  uint64_t stalled_since_ms = 0;  // its window is used up, or nearly nothing was sent since
  size_t progress = 0;            // what was sent since then
  Priority priority;

  // Links of its session's lists.
  Stream* older = nullptr;
  Stream* newer = nullptr;
  Stream* next_in_bucket = nullptr;
  Stream* before = nullptr;  // in the schedule
  Stream* behind = nullptr;
  bool scheduled = false;
  Stream* next_touched = nullptr;
  bool touched = false;
};

// The streams of one worker's sessions. Kept for the next ones; what they are in memory is counted.
class StreamPool {
 public:
  explicit StreamPool(transport::OutputMemory memory) : memory_(memory) {}
  ~StreamPool();  // every stream must be back
  StreamPool(const StreamPool&) = delete;
  StreamPool& operator=(const StreamPool&) = delete;

  // As good as new; null when memory is out.
  [[nodiscard]] Stream* take(Session& session, uint32_t id);
  // Its queue and what it held are empty, its exchange has ended.
  void give(Stream& stream);
  [[nodiscard]] size_t out() const { return out_; }

 private:
  transport::OutputMemory memory_;
  std::vector<std::unique_ptr<Stream>> idle_;
  size_t out_ = 0;
};

}  // namespace leat::http2
