// Session: HTTP/1.1 on one connection, without the connection.
//
// Bytes in, bytes out: a Protocol (http/protocol.h). Inside, one request at a time goes through a table of
// steps (RFC 9112); so the session is the Stream of them all, too:
//
//   Idle -> Head -> Body -> Answer -> Idle ...      (each step may be left for Closing)
//             \-> Held -/       \-> Tunnel           (the service wants the request later; it has switched protocols)
//
// Answers are in order because the next head is not looked at before the last answer is complete; what
// arrives meanwhile waits in the input, and wants_input() asks the owner to stop receiving. A handler that
// answers at once costs nothing of all that: a pipelined batch is one loop over one buffer.
//
// Everything is bounded: heads and bodies by limits, output by its high-water mark (above it neither the
// next request is begun nor a handler's write accepted without saying "wait"), time by deadline_ms().
//
// The parser of a head lies in its exchange's arena, from the first byte on to the request's end. One that is
// known (http/known_heads.h) needs none.
//
// What it does lies in four files: events and time (session.cc), input (session_input.cc), answers with the ends of
// requests (session_answer.cc), and what follows a switch to another protocol (session_tunnel.cc). What of a request's body is not HTTP/1's own is the BodyIntake.
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/body_intake.h"
#include "http/exchange.h"
#include "http/known_heads.h"
#include "http/limits.h"
#include "http/protocol.h"
#include "http/service.h"
#include "http/stream.h"
#include "http1/known_lines.h"
#include "http1/parser.h"
#include "http1/session_tunnel.h"
#include "http1/writer.h"
#include "transport/input.h"
#include "transport/output.h"

namespace leat::http1 {

// What the sessions of one worker share.
struct Environment {
  http::WorkerContext& worker;
  http::Service& service;
  const http::Limits& limits;
  transport::OutputMemory memory;
  http::ExchangePool& exchanges;
  Writer& writer;
  http::KnownHeads* heads = nullptr;  // nullptr: parse every head
  KnownLines* lines = nullptr;        // nullptr: show every line to the parser
};

// Makes the sessions of one worker.
class Sessions final : public http::ProtocolFactory {
 public:
  explicit Sessions(Environment& environment) : environment_(environment) {}
  [[nodiscard]] std::unique_ptr<http::Protocol> make(const http::ProtocolPeer& peer) override;
  [[nodiscard]] std::string_view name() const override { return "http/1.1"; }

 private:
  Environment& environment_;
};

class Session final : public http::Protocol, public http::Stream {
 public:
  Session(Environment& environment, const http::ProtocolPeer& peer);
  // `peer` is the client's address, which must outlive the session.
  Session(Environment& environment, std::string_view peer, uint32_t owner)
      : Session(environment, http::peer_at(peer, owner)) {}
  ~Session() override;  // after disconnect()

  // --- http::Protocol
  void feed(std::string_view bytes) override;
  void feed_end() override;
  void peer_ended() override;
  void disconnect() override;
  void sent(size_t size) override;
  void resume(http::Exchange& exchange, http::WorkerContext::Resume call, void* argument) override;
  void take_turn() override;
  void deadline_passed() override;
  void drain(uint64_t idle_until_ms) override;
  void give_up_input() override;
  void turn_away() override;
  [[nodiscard]] bool half_closed() const override { return ended_since_ms_ != 0; }
  [[nodiscard]] size_t footprint() const override;
  [[nodiscard]] size_t waiting_input() const override { return takes_input_ ? 0 : input_.footprint(); }
  [[nodiscard]] uint64_t owed_since_ms() const override;
  [[nodiscard]] uint64_t requests() const override { return requests_; }

  // --- http::Stream, of the exchange under way
  [[nodiscard]] bool fits(const http::Response& response) const override {
    return env_.writer.fits(response);
  }
  void answer(http::Exchange& exchange, http::AnswerFraming framing, std::string_view body,
              const http::Release* pinned) override;
  void head(http::Exchange& exchange, http::AnswerFraming framing) override;
  bool data(http::Exchange& exchange, std::string_view bytes) override;
  void end(http::Exchange& exchange) override;
  using http::Protocol::cut;
  void cut(http::Exchange& exchange, const http::Refusal& why) override;
  void continue_body(http::Exchange& exchange) override;
  void hints(http::Exchange& exchange, std::span<const std::string_view> links) override;
  void body_flow(http::Exchange& exchange, http::BodyFlow flow) override;
  [[nodiscard]] uint16_t tunnel_status(const http::Exchange& exchange,
                                       std::string_view protocol) const override;
  http::Tunnel* tunnel(http::Exchange& exchange, std::string_view protocol,
                       std::unique_ptr<http::TunnelUser> user) override;
  [[nodiscard]] http::Protocol* protocol() override { return this; }

 private:
  friend class SessionTunnel;
  enum class Step : uint8_t { Idle, Head, Held, Body, Answer, Tunnel, Closing };

  [[nodiscard]] bool keeps_input() const override;
  void run_input();
  size_t run(std::string_view in);
  void read_blank_lines(std::string_view in, size_t& used);
  bool start_request(std::string_view in, size_t& used);
  bool parse_head(std::string_view in, size_t& used);
  http::Exchange* take_exchange();
  void begin_request();
  void ask_service();
  void await_answer();
  bool parse_body(std::string_view in, size_t& used);
  void end_body();
  bool end_answer(bool more);
  void enter_tunnel();
  bool run_tunnel(std::string_view in, size_t& used);
  void end_tunnel();
  void give_exchange();
  void refuse(const http::Refusal& refusal);
  void refuse_head(const http::Refusal& refusal, std::string_view bytes);
  void close(bool linger);
  void cut_answer(const http::Refusal& why);
  enum class Extent : uint8_t { Whole, Pieces };
  Writer::Written write_head(ResponseFraming framing, Extent extent, std::string_view body);
  void answer_pinned(const ResponseFraming& framing, std::string_view body, const http::Release& pinned);
  [[gnu::cold]] void answer_in_its_place(ResponseFraming framing);
  bool append_piece(std::string_view bytes);
  void answer_without_memory();
  [[nodiscard]] bool must_close(Extent extent) const;
  [[nodiscard]] uint64_t body_left() const;
  [[nodiscard]] bool much_body_left() const;
  void end_exchange();
  void give_up();
  void settle();
  // Where memory is filling each has a smaller share of it.
  [[nodiscard]] bool over_high_water() const {
    const size_t size = output_.size();
    if (size < env_.limits.output_low_bytes || size == 0) return false;
    return size >= env_.limits.output_high_bytes || env_.memory.blocks.is_filling();
  }
  [[nodiscard]] uint64_t now_ms() const { return env_.worker.now_ns() / 1'000'000; }
  [[nodiscard]] bool last_request() const;
  [[nodiscard]] bool more_is_there() const;
  [[nodiscard]] uint64_t give_up_ms() const;
  [[nodiscard]] http::StreamSide side() const { return http::StreamSide(*exchange_); }

  Environment& env_;
  transport::Input input_;
  http::Exchange* exchange_ = nullptr;     // from the first byte of a head to the end of its answer
  Parser* parser_ = nullptr;               // of its head and body; null where the head is known
  http::KnownHead* hint_ = nullptr;        // the head that came last
  std::unique_ptr<SessionTunnel> tunnel_;  // from the answer that agrees to it
  uint64_t requests_ = 0;
  uint64_t answer_since_ms_ = 0;  // when the request was complete
  uint64_t head_since_ms_ = 0;
  uint64_t ended_since_ms_ = 0;   // the peer's end, or the last that has left since; 0: it has not ended
  uint64_t idle_until_ms_ = 0;    // of a session that drains
  http::BodyIntake body_;         // of the request that comes
  uint64_t body_overhead_ = 0;    // what it has of chunk framing
  const size_t* used_ = nullptr;  // while it runs: of the input, how much is done with ...
  size_t given_ = 0;              // ... and its size
  Step step_ = Step::Idle;
  bool running_ = false;
  bool ended_ = false;  // feed_end() was called
  bool draining_ = false;
  bool deaf_ = false;  // give_up_input() was called
  bool held_by_output_ = false;
  bool chunked_ = false;     // the answer's framing
  bool asks_head_ = false;   // the head that is read begins like a HEAD request
  uint8_t blank_bytes_ = 0;  // of blank lines before the next request
};

}  // namespace leat::http1
