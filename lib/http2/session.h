// Session: HTTP/2 on one connection, without the connection (RFC 9113).
//
// Bytes in, bytes out: a Protocol (http/protocol.h) whose requests are Streams (http2/stream.h) with an exchange each. Frames are read one
// after the other; each does all that it can before the next is looked at, so that a request which its handler answers at once has come and
// gone within one frame. Answers are written to the output as they come, as far as the peer's windows let them, nobody else is waiting,
// and the output is short; else they are queued at their stream, and pump() moves them on in the order that their priorities ask for,
// by reference.
//
// A peer that does wrong gets the error and scope that the RFC names: a stream is reset, or the connection ends with GOAWAY and a word about
// why. Everything that a peer can have done is bounded: heads and bodies as anywhere (http::Limits), all else by Options. What a request
// costs it costs until its exchange has ended, so that taking it back gains nothing.
//
// Nothing ends while a handler may be on the stack: streams that something happened to are touched, and tidied when the frame, or the
// event, is over.
//
// It lies in five files: events and time (session.cc), frames (session_frames.cc), requests (session_requests.cc), answers
// (session_answers.cc), and what goes on in another protocol (session_tunnels.cc).
//
// Thread: its worker's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"
#include "http/known_heads.h"
#include "http/limits.h"
#include "http/protocol.h"
#include "http/service.h"
#include "http2/budget.h"
#include "http2/frame.h"
#include "http2/hpack_decoder.h"
#include "http2/options.h"
#include "http2/recent_heads.h"
#include "http2/request_head.h"
#include "http2/schedule.h"
#include "http2/stream.h"
#include "http2/stream_table.h"
#include "http2/writer.h"
#include "transport/input.h"
#include "transport/output.h"

namespace leat::http2 {

// What the sessions of one worker share.
struct Environment {
  http::WorkerContext& worker;
  http::Service& service;
  const http::Limits& limits;
  const Options& options;
  transport::OutputMemory memory;
  http::ExchangePool& exchanges;
  Writer& writer;
  http::KnownHeads* heads = nullptr;  // nullptr: recognise none
  StreamPool streams{memory};
  RequestHead head = {};           // that is being read
  std::vector<char> scratch = {};  // for texts of it
};

// Makes the sessions of one worker.
class Sessions final : public http::ProtocolFactory {
 public:
  explicit Sessions(Environment& environment) : environment_(environment) {}
  [[nodiscard]] std::unique_ptr<http::Protocol> make(const http::ProtocolPeer& peer) override;
  [[nodiscard]] std::string_view name() const override { return "h2"; }
  [[nodiscard]] std::string_view preface() const override { return kPreface; }

 private:
  Environment& environment_;
};

class Session final : public http::Protocol {
 public:
  Session(Environment& environment, const http::ProtocolPeer& peer);
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
  [[nodiscard]] size_t waiting_input() const override;
  [[nodiscard]] uint64_t owed_since_ms() const override;
  [[nodiscard]] uint64_t requests() const override { return requests_; }

 private:
  friend class Stream;  // whose answers these are:
  [[nodiscard]] bool fits(const http::Response& response) const { return env_.writer.fits(response); }
  void answer(Stream& stream, http::AnswerFraming framing, std::string_view body,
              const http::Release* pinned);
  void begin_answer(Stream& stream, http::AnswerFraming framing);
  bool send_piece(Stream& stream, std::string_view bytes);
  void end_answer(Stream& stream);
  void cut_answer(Stream& stream, const http::Refusal& why);
  void continue_body(Stream& stream);
  void send_hints(Stream& stream, std::span<const std::string_view> links);
  [[nodiscard]] bool may_switch(const Stream& stream, std::string_view protocol) const;
  http::Tunnel* open_tunnel(Stream& stream, std::unique_ptr<http::TunnelUser> user);
  friend class StreamTunnel;  // whose peer this is

  // --- Events and time
  [[nodiscard]] bool keeps_input() const override;
  void run_input();
  void settle();
  void tidy();
  void tidy(Stream& stream);
  void touch(Stream& stream);
  void end_exchange(Stream& stream);
  void abandon(Stream& stream, const http::Refusal& why);
  void end_all();
  void close();
  void fail(Code code, std::string_view why);
  void expire(Stream& stream, uint64_t now_ms);
  [[nodiscard]] uint64_t deadline_of(Stream& stream, uint64_t now_ms);
  [[nodiscard]] uint64_t session_deadline_ms() const;
  [[nodiscard]] uint64_t give_up_ms() const;
  void begin_leaving();
  void leave();
  [[nodiscard]] bool is_between_frames() const { return block_.empty() && !in_block_ && !in_data_; }
  [[nodiscard]] uint64_t now_ms() const { return env_.worker.now_ns() / 1'000'000; }

  // --- Frames
  size_t run(std::string_view in);
  bool read_preface(std::string_view in, size_t& used);
  bool read_frame(std::string_view in, size_t& used);
  void on_frame(const FrameHeader& frame, std::string_view payload);
  void on_priority(const FrameHeader& frame, std::string_view payload);
  void on_reset(const FrameHeader& frame, std::string_view payload);
  void on_settings(const FrameHeader& frame, std::string_view payload);
  bool take_setting(Setting setting, uint32_t value);
  void on_ping(const FrameHeader& frame, std::string_view payload);
  void on_goaway(const FrameHeader& frame, std::string_view payload);
  void on_window_update(const FrameHeader& frame, std::string_view payload);
  void on_priority_update(const FrameHeader& frame, std::string_view payload);
  void begin_data(const FrameHeader& frame);
  void read_data(std::string_view in, size_t& used);
  void end_data();
  void on_headers(const FrameHeader& frame, std::string_view payload);
  void on_continuation(const FrameHeader& frame, std::string_view payload);
  void change_windows(int64_t by);
  bool spend_control();
  bool spend_reset();
  // What was done for its client was of use. A tunnel is no answer until it has ended in order.
  [[nodiscard]] static bool is_answered(const Stream& stream) {
    return stream.switched == nullptr && (stream.exchange == nullptr || stream.exchange->finished());
  }
  [[nodiscard]] bool is_idle(uint32_t id) const { return id > streams_.last_id() || id % 2 == 0; }
  void send_frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload);
  void send_code(FrameType type, uint32_t stream, uint32_t value);
  void send_settings();
  void send_goaway(uint32_t last, Code code, std::string_view why);
  void break_stream(uint32_t id, Code code);
  void reset(Stream& stream, Code code);
  void break_off(Stream& stream, Code code, const char* why);

  // --- Requests
  void on_block(std::string_view block);
  bool admit(uint32_t id);
  http::KnownHead* begin_request(uint32_t id, bool ends);
  void begin_known(uint32_t id, const RecentHeads::Recent& recent);
  Stream* open(uint32_t id, bool ends, Priority priority);
  bool show_head(Stream& stream, bool ends);
  void serve(Stream& stream);
  void ask_service(Stream& stream);
  void await_answer(Stream& stream);
  void take_data(Stream& stream, std::string_view piece);
  void give_body(Stream& stream, std::string_view piece);
  void end_request(Stream& stream);
  void take_trailers(Stream& stream);
  void go_on(Stream& stream);
  void refuse(Stream& stream, const http::Refusal& refusal);
  void grant(Stream& stream);
  void grant_connection();

  // --- Answers
  [[nodiscard]] bool may_write(const Stream& stream, size_t size) const;
  [[nodiscard]] bool over_high_water() const;
  [[nodiscard]] bool wants_no_more(const Stream& stream) const;
  Writer::Written write_head(Stream& stream, const http::AnswerFraming& framing, bool ends,
                             std::string_view body);
  [[gnu::cold]] void answer_in_its_place(Stream& stream);
  void answer_without_memory(Stream& stream);
  void enqueue(Stream& stream);
  void count_payload(Stream& stream, size_t size);
  void write_end(Stream& stream);
  void pump();
  void send_queued(Stream& stream);
  void wake_writers();
  void drop_queue(Stream& stream);
  [[nodiscard]] bool take_first() { return std::exchange(first_block_, false); }
  void put_problem(Stream& stream, std::string_view body);
  [[nodiscard]] static http::StreamSide side(Stream& stream) { return http::StreamSide(*stream.exchange); }

  // --- Tunnels
  [[nodiscard]] static bool is_false_success(const Stream& stream) {
    return stream.connects && stream.exchange->response.status / 100 == 2;
  }
  void deny_tunnel(Stream& stream);
  void run_tunnel(Stream& stream);
  void enter_tunnel(Stream& stream);
  void end_tunnel(Stream& stream);
  void make_deaf(Stream& stream);
  void starve_tunnel(Stream& stream);
  void take_tunnel_data(Stream& stream, std::string_view piece);

  // Of the PING by which a peer that is told to go shows that it has heard so.
  static constexpr std::string_view kFarewell = "farewell";

  Environment& env_;
  transport::Input input_;
  HpackDecoder decoder_;
  StreamTable streams_;
  Schedule schedule_;
  Stream* touched_ = nullptr;
  RecentHeads recent_;
  http::KnownHead* hint_ = nullptr;  // the known head that came last
  uint64_t requests_ = 0;

  // The peer's settings, and the windows of the whole connection.
  int64_t peer_window_ = kFirstWindow;  // of each stream at first
  int64_t send_window_ = kFirstWindow;
  int64_t receive_window_ = kFirstWindow;
  uint64_t held_bytes_ = 0;  // of bodies that wait
  // As the peer was told.
  const uint32_t most_streams_;
  const uint32_t header_table_;
  const uint32_t stream_window_;
  const bool tunnels_;
  uint32_t blocked_ = 0;  // streams that are owed on_writable

  // A head that comes in several frames, or the DATA frame that is being read.
  transport::Input block_;
  FrameHeader block_frame_;
  uint32_t block_frames_ = 0;
  Stream* data_stream_ = nullptr;  // null: it is read over
  uint32_t data_left_ = 0;         // of its payload
  uint32_t data_padding_ = 0;      // of that, at its end
  bool data_ends_ = false;
  bool data_padded_ = false;  // the size of its padding has not come yet
  bool in_block_ = false;
  bool in_data_ = false;

  // Priorities of streams that have not come yet.
  struct Announced {
    uint32_t stream = 0;
    Priority priority;
  };
  std::array<Announced, 4> announced_{};
  uint8_t next_announced_ = 0;

  Budget resets_;
  Budget control_;

  uint64_t streams_deadline_ms_ = UINT64_MAX;  // no stream's is earlier
  uint64_t idle_since_ms_;                     // no stream
  uint64_t partial_since_ms_ = 0;              // of a frame or head that has not come whole; 0: there is none
  uint64_t ended_since_ms_ = 0;      // the peer's end, or the last that has left since; 0: it has not ended
  uint64_t no_window_since_ms_ = 0;  // answers wait, and the connection's window is used up; 0: not so
  uint64_t leave_at_ms_ = 0;         // of one that drains: when it does not wait for the peer any more
  uint32_t last_served_ = kLargestStream;  // as the last GOAWAY says; later ones are not looked at
  uint8_t preface_left_ = kPreface.size();
  bool settings_come_ = false;
  bool first_block_ = true;  // no fields were sent yet
  bool running_ = false;
  bool ended_ = false;  // feed_end() was called
  bool closing_ = false;
  bool leaving_ = false;   // GOAWAY was sent
  bool draining_ = false;  // since the server ends, which tunnels are told
  bool held_by_output_ = false;
  bool was_started_ = false;  // an answer that had begun was broken off with the connection
};

}  // namespace leat::http2
