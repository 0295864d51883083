// Http2Session: the client's end of one HTTP/2 connection, without the connection (RFC 9113): bytes in, bytes out, many calls at a time.
//
// A call is one request with its answer (Http2Call); who asks owns it, until it is over or taken back. The session begins a stream for
// each, sends what the peer's windows let it, and collects answers. Nobody is called: calls that are over are asked for with
// take_over(), when feed() has returned, since who is told may begin the next.
//
// The peer is believed in nothing. What it may have kept or make this end do is bounded: answers by their upstream's limits, a head's
// frames, the frames that say nothing (Budget), what may come before it is used by windows. It pushes nothing. A mistake about one call ends
// that call, one about the connection all of them; each gets the error that the RFC names.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "client/http2_answer.h"
#include "http2/budget.h"
#include "http2/frame.h"
#include "http2/hpack_decoder.h"
#include "transport/input.h"
#include "transport/output.h"

namespace leat::client {

struct Http2Call {
  // Refused: the peer has not looked at it, so that it may be asked elsewhere. Broken: the connection ended first.
  enum class End : uint8_t { None, Answered, Failed, Refused, Broken };

  void* owner = nullptr;  // who asks
  Http2Answer answer;     // made ready by that one
  std::string_view body;  // of the request; stays until it is over
  End end = End::None;
  FetchStatus failure = FetchStatus::Failed;  // with Failed
  std::string_view why;                       // with Failed, Refused and Broken: a literal, or the session's

  // The session's.
  uint32_t stream = 0;
  int64_t send_window = 0;
  int64_t receive_window = 0;
  size_t sent = 0;  // of the body
  [[nodiscard]] bool all_sent() const { return sent == body.size(); }
};

class Http2Session {
 public:
  // Of an answer that may come before any of it is used, and of all together. What comes is collected at once, so that these are for
  // a long way, not for memory, which the upstream's limits bound.
  static constexpr int64_t kWindow = int64_t{1} << 20;
  static constexpr int64_t kConnectionWindow = int64_t{4} << 20;

  // The options outlive it. The preface waits in output().
  Http2Session(const UpstreamOptions& options, bool secure, transport::OutputMemory memory);
  ~Http2Session();  // no call is left
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Whether the peer takes one more call now.
  [[nodiscard]] bool has_room() const { return !leaving_ && calls_.size() < most_calls_; }
  // `request`: its head, as HTTP/1.1 has it, "GET / HTTP/1.1" and fields, of which the first is Host. False: the call is over,
  // and nothing of it was sent.
  bool begin(Http2Call& call, std::string_view request);
  // Takes a call back that is not over; nothing is said of it any more.
  void cancel(Http2Call& call);

  void feed(std::string_view bytes, uint64_t now_ms);
  // The peer sends no more.
  void feed_end(std::string_view why);
  [[nodiscard]] transport::Output& output() { return output_; }
  // Some of output() has left, and was consumed.
  void sent();
  // A call that is over, oldest first; null: there is none that was not taken.
  [[nodiscard]] Http2Call* take_over();

  // It begins no more calls; and there is none left, so that the connection is to be closed when output() has left.
  void stop() { leaving_ = true; }
  [[nodiscard]] bool leaving() const { return leaving_; }
  [[nodiscard]] bool done() const { return leaving_ && calls_.empty(); }
  // The peer, or memory, has failed: what is left in output() is all that there is to be said.
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] size_t calls() const { return calls_.size(); }
  // How often anything was received.
  [[nodiscard]] uint64_t heard() const { return heard_; }
  // A call is over that was not taken.
  [[nodiscard]] bool has_over() const { return !over_.empty(); }

 private:
  using Code = http2::Code;
  using FrameHeader = http2::FrameHeader;
  // What a block of fields is for: an answer, or nobody, who was taken back.
  struct Block {
    FrameHeader frame;
    uint32_t frames = 0;
    bool open = false;
  };

  size_t run(std::string_view in);
  void on_frame(const FrameHeader& frame, std::string_view payload);
  void on_data(const FrameHeader& frame, std::string_view payload);
  void on_headers(const FrameHeader& frame, std::string_view payload);
  void on_continuation(const FrameHeader& frame, std::string_view payload);
  void on_block(std::string_view block);
  void on_reset(const FrameHeader& frame, std::string_view payload);
  void on_settings(const FrameHeader& frame, std::string_view payload);
  void take_setting(http2::Setting setting, uint32_t value);
  void on_ping(const FrameHeader& frame, std::string_view payload);
  void on_goaway(const FrameHeader& frame, std::string_view payload);
  void on_window_update(const FrameHeader& frame, std::string_view payload);
  void change_windows(int64_t by);
  bool spend();
  void look(Http2Call& call);
  void break_off(Http2Call& call, Code code, std::string_view why);
  void end(Http2Call& call, Http2Call::End end, std::string_view why);
  void end_all(Http2Call::End end, std::string_view why);
  void fail(Code code, std::string_view why);
  void grant();
  void pump();
  bool send_some(Http2Call& call);
  bool put_request(std::string_view request);
  void send_head(uint32_t stream, bool ends);
  void send_frame(http2::FrameType type, uint8_t flags, uint32_t stream, std::string_view payload);
  void send_code(http2::FrameType type, uint32_t stream, uint32_t value);
  [[nodiscard]] Http2Call* find(uint32_t stream) const;
  [[nodiscard]] bool is_idle(uint32_t stream) const { return stream >= next_stream_ || stream % 2 == 0; }

  const UpstreamOptions& options_;
  const bool secure_;
  transport::Output output_;
  transport::Input input_;
  std::vector<char> scratch_;  // for texts that are decoded
  std::vector<char> written_;  // the fields of the request that begins
  http2::HpackDecoder decoder_;
  std::vector<Http2Call*> calls_;  // under way, by their streams' numbers
  std::vector<Http2Call*> over_;   // not taken yet
  size_t turn_ = 0;                // whose body goes on next
  transport::Input block_;
  Block reading_;
  http2::Budget control_;
  uint64_t now_ms_ = 0;
  uint64_t heard_ = 0;
  uint32_t next_stream_ = 1;
  uint32_t most_calls_;
  uint64_t most_head_ = UINT64_MAX;  // that the peer takes, as a table would count
  int64_t peer_window_ = http2::kFirstWindow;
  int64_t send_window_ = http2::kFirstWindow;
  int64_t receive_window_ = http2::kFirstWindow;
  bool settings_come_ = false;
  bool leaving_ = false;
  bool failed_ = false;
};

}  // namespace leat::client
