// The client's end of HTTP/2 under any frames of a server, in any pieces, with calls that are begun and taken back between them.
//
// Checked: every byte that it sends is whole frames in the eyes of nghttp2's server, whose HPACK decoder follows; an answer that is taken is
// within its upstream's limits; each call is over once, or is taken back; and all memory is back at the end.
//
// Input: a byte that chooses limits and memory, then events: a byte that names one and what it needs.
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <vector>

#include "client/http2_session.h"
#include "fuzz/choices.h"
#include "support/http2_harness.h"

namespace leat::fuzz {

namespace {

using client::Http2Call;
using client::Http2Session;

class Run {
 public:
  explicit Run(uint8_t setting) : memory_(setting % 8 == 7 ? 6 : 256, 0) {
    if ((setting & 16) != 0) options_.head_bytes = 100, options_.fields = 4, options_.body_bytes = 50;
    ENSURE(nghttp2_hd_inflate_new(&inflater_) == 0);
  }
  ~Run() { nghttp2_hd_inflate_del(inflater_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void play(Choices& choices) {
    Http2Session session(options_, true, {memory_, segments_});
    feed(session, choices.byte() % 8 == 0 ? "" : test::settings());
    while (!choices.empty()) {
      switch (choices.byte() % 12) {
        case 0:
        case 1:
        case 2: {
          const uint8_t type = choices.byte() % 12, flags = choices.byte(), stream = choices.byte() % 16;
          feed(session, test::frame(type, flags, stream, choices.take(choices.byte())));
          break;
        }
        case 3:
        case 4:
          answer(session, choices);
          break;
        case 5:
          feed(session, choices.take(choices.byte()));
          break;
        case 6:
        case 7:
          ask(session, choices);
          break;
        case 8:
          if (!calls_.empty()) session.cancel(*calls_[choices.byte() % calls_.size()]);
          break;
        case 9:
          now_ms_ += choices.byte() * 10;
          break;
        case 10:
          if (choices.byte() % 8 == 0) session.stop();
          break;
        default:
          take(session, choices.byte());
          break;
      }
      take_over(session);
    }
    session.feed_end("gone");
    take_over(session);
    ENSURE(session.done() && session.calls() == 0);
    const bool whole = !session.failed();
    take(session, SIZE_MAX);
    if (whole) ENSURE(come_.empty());
  }
  void check_memory() {
    arena_.reset();
    ENSURE(memory_.out() == 0 && segments_.out() == 0);
  }

 private:
  void feed(Http2Session& session, std::string_view bytes) {
    const std::vector<char> copy(bytes.begin(), bytes.end());
    session.feed({copy.data(), copy.size()}, now_ms_);
  }
  // A head of the kind that comes, and a body.
  void answer(Http2Session& session, Choices& choices) {
    const uint8_t what = choices.byte(), stream = choices.byte() % 16;
    const char* const status = what % 4 == 0 ? "204" : what % 4 == 1 ? "103" : "200";
    feed(session, test::headers(stream, test::hpack({{":status", status}, {"a", choices.take(what % 32)}}),
                                (what & 64) != 0 ? 5 : 4));
    if ((what & 128) != 0) feed(session, test::data(stream, choices.take(choices.byte()), what >> 5 & 1));
  }
  void ask(Http2Session& session, Choices& choices) {
    if (!session.has_room()) return;
    const uint8_t what = choices.byte();
    auto& call = *calls_.emplace_back(std::make_unique<Http2Call>());
    call.answer.reset(arena_, options_, what % 8 == 1);
    call.body = std::string_view(kBody).substr(0, what % 4 == 0 ? what * 400u : 0);
    (void)session.begin(call, what % 8 == 1 ? "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                                            : "POST /a?b HTTP/1.1\r\nHost: a\r\nX-Some: thing\r\n\r\n");
  }
  void take_over(Http2Session& session) {
    while (Http2Call* const call = session.take_over()) {
      ENSURE(call->end != Http2Call::End::None);
      if (call->end != Http2Call::End::Answered) continue;
      ENSURE(call->answer.code() >= 200 && call->answer.code() <= 599);
      ENSURE(call->answer.fields().size() <= options_.fields &&
             call->answer.body().size() <= options_.body_bytes);
    }
  }
  void take(Http2Session& session, size_t most) {
    std::string_view parts[4];
    while (most != 0 && !session.output().empty()) {
      const size_t count = session.output().gather(parts);
      size_t size = 0;
      for (const std::string_view part : std::span(parts).first(count)) {
        const std::string_view piece = part.substr(0, most - size);
        come_ += piece;
        size += piece.size();
      }
      session.output().consume(size);
      session.sent();
      most -= size;
    }
    read();
  }
  void read() {
    if (!begun_ && come_.size() >= http2::kPreface.size()) {
      ENSURE(come_.starts_with(http2::kPreface));
      come_.erase(0, http2::kPreface.size());
      begun_ = true;
    }
    while (begun_ && come_.size() >= http2::kFrameHeader) {
      const http2::FrameHeader frame = http2::read_frame_header(come_.data());
      ENSURE(frame.size <= http2::kMostPayload);
      if (come_.size() < http2::kFrameHeader + frame.size) return;
      if (frame.is(http2::FrameType::Headers))
        look(std::string_view(come_).substr(http2::kFrameHeader, frame.size));
      come_.erase(0, http2::kFrameHeader + frame.size);
    }
  }
  void look(std::string_view block) {
    for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
      nghttp2_nv field;
      const auto used = nghttp2_hd_inflate_hd2(
          inflater_, &field, &flags, reinterpret_cast<const uint8_t*>(block.data()), block.size(), 1);
      ENSURE(used >= 0);
      block.remove_prefix(static_cast<size_t>(used));
    }
    nghttp2_hd_inflate_end_headers(inflater_);
  }

  static inline const std::string kBody = std::string(110'000, 'b');
  client::UpstreamOptions options_{.body_bytes = 100'000};
  BlockPool memory_;
  NodePool<transport::OutputSegment> segments_{4096};
  Arena arena_{memory_, size_t{4} << 20};
  std::vector<std::unique_ptr<Http2Call>> calls_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string come_;
  uint64_t now_ms_ = 1;
  bool begun_ = false;
};

}  // namespace
}  // namespace leat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return leat::fuzz::play<leat::fuzz::Run>(data, size);
}
