// BodyIntake: the body of a request on its way in, whichever protocol carries it.
//
// How much of it has come, how long the rest may take, whether it is to wait, and where its pieces go: to the service one by
// one, collected, or nowhere. How it is framed is its protocol's business.
//
// Thread: its worker's. Of one request at a time.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/exchange.h"
#include "http/limits.h"
#include "http/refusal.h"
#include "http/service.h"
#include "http/stream.h"

namespace leat::http {

inline constexpr Refusal kBodyTooLarge{413, "The request's body is larger than this resource takes."};

class BodyIntake {
 public:
  // For the next request. Nothing of its body has come, and it flows.
  void reset() {
    bytes_ = 0;
    flow_ = BodyFlow::Flowing;
    begun_ = false;
  }
  // The request's head is complete, and there is a body.
  void begin(Service::BodyMode mode, uint64_t now_ms) {
    mode_ = mode;
    since_ms_ = read_ms_ = now_ms;
    held_since_ms_ = 0;
  }

  // --- What comes.

  // Its client sends it, or was told to: from here on it is not asked to go on (100 Continue).
  void set_begun() { begun_ = true; }
  [[nodiscard]] bool begun() const { return begun_; }
  // Bytes of it have come, of payload or of framing.
  void note_arrival(uint64_t now_ms) { read_ms_ = now_ms; }
  // So much payload has come.
  void count(Exchange& exchange, size_t bytes) {
    bytes_ += bytes;
    StreamSide(exchange).count_received(bytes);
  }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  // Gives a piece to whoever wants it. False: memory is out.
  [[nodiscard]] bool give(Service& service, Exchange& exchange, std::string_view piece) const {
    if (exchange.finished()) return true;
    if (mode_ == Service::BodyMode::Stream) service.on_body(exchange, piece);
    return mode_ != Service::BodyMode::Buffer || exchange.started() || StreamSide(exchange).keep_body(piece);
  }

  // --- Whether it is to wait.

  void set_flow(BodyFlow flow) { flow_ = flow; }
  // It is, and there is still use for it.
  [[nodiscard]] bool waits(const Exchange& exchange) const {
    return flow_ != BodyFlow::Flowing && !exchange.finished();
  }

  // --- Time. After each event one of these two is called, by whether it waits.

  // The time that it waits is not its client's.
  void stop_clock(uint64_t now_ms) {
    if (held_since_ms_ == 0) held_since_ms_ = now_ms;
  }
  // When its client is late with it: at once where it has sent less than the least rate, once the first interval is over.
  [[nodiscard]] uint64_t due_ms(uint64_t now_ms, const Limits& limits) {
    if (held_since_ms_ != 0) {
      since_ms_ += now_ms - held_since_ms_;
      read_ms_ = now_ms;
      held_since_ms_ = 0;
    }
    const uint64_t elapsed_ms = now_ms - since_ms_;
    const bool slow =
        elapsed_ms > limits.body_timeout_ms && bytes_ * 1000 < uint64_t{limits.body_rate_bytes} * elapsed_ms;
    return slow ? now_ms : read_ms_ + limits.body_timeout_ms;
  }
  // Until when it may wait before its answer begins; UINT64_MAX: for as long as its handler likes.
  [[nodiscard]] uint64_t held_until_ms(uint32_t answer_timeout_ms) const {
    return flow_ == BodyFlow::Held ? held_since_ms_ + answer_timeout_ms : UINT64_MAX;
  }
  // Since when it waits.
  [[nodiscard]] uint64_t held_since_ms() const { return held_since_ms_; }
  // When something of it came last.
  [[nodiscard]] uint64_t read_ms() const { return read_ms_; }

 private:
  uint64_t since_ms_ = 0;
  uint64_t read_ms_ = 0;
  uint64_t held_since_ms_ = 0;  // 0: it flows
  uint64_t bytes_ = 0;
  Service::BodyMode mode_ = Service::BodyMode::Discard;
  BodyFlow flow_ = BodyFlow::Flowing;
  bool begun_ = false;
};

}  // namespace leat::http
