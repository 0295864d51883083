// A session of HTTP/2 under any frames, in any pieces, with everything that can happen to it between them.
//
// Checked: the service's contract (by WireService), that every byte that it sends is whole frames in the eyes of nghttp2's client, whose
// HPACK decoder follows, that a session which ends says why, that an idle one holds nothing, and that all memory is back at the end. Blocks are
// read as nghttp2 reads them, right ones and wrong ones, until one was wrong. Some requests become tunnels, of which each is closed once.
//
// Input: a byte that chooses limits and memory, then events: a byte that names one and what it needs. A frame is its type, flags, stream and
// payload, of which the size is put in here, so that most of what comes is well-formed; other bytes come as they are.
#include <nghttp2/nghttp2.h>

#include <string>
#include <vector>

#include "fuzz/choices.h"
#include "http2/hpack_encoder.h"
#include "support/http2_harness.h"

namespace leat::fuzz {

namespace {

// Reads what the session sent as a client would, which has asked for nothing itself: only the layout of frames and fields is looked at.
class Reader {
 public:
  Reader() { ENSURE(nghttp2_hd_inflate_new(&inflater_) == 0); }
  ~Reader() { nghttp2_hd_inflate_del(inflater_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void read(std::string_view bytes) {
    come_ += bytes;
    while (come_.size() >= http2::kFrameHeader) {
      const http2::FrameHeader frame = http2::read_frame_header(come_.data());
      ENSURE(frame.size <= http2::kMostPayload);
      if (come_.size() < http2::kFrameHeader + frame.size) return;
      look(frame, std::string_view(come_).substr(http2::kFrameHeader, frame.size));
      come_.erase(0, http2::kFrameHeader + frame.size);
    }
  }
  [[nodiscard]] bool whole() const { return come_.empty(); }
  bool told_to_go = false;

 private:
  void look(const http2::FrameHeader& frame, std::string_view payload) {
    told_to_go = told_to_go || frame.is(http2::FrameType::GoAway);
    if (!frame.is(http2::FrameType::Headers)) return;
    for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
      nghttp2_nv field;
      const auto used = nghttp2_hd_inflate_hd2(
          inflater_, &field, &flags, reinterpret_cast<const uint8_t*>(payload.data()), payload.size(), 1);
      ENSURE(used >= 0);
      payload.remove_prefix(static_cast<size_t>(used));
    }
    nghttp2_hd_inflate_end_headers(inflater_);
  }
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string come_;
};

struct Count {
  size_t fields = 0, bytes = 0;
  bool field(const http2::TableField& field) {
    ++fields;
    bytes += field.name.size() + field.value.size();
    return true;
  }
};

// Both decoders are asked about the same block, each in a state of its own that the blocks before have made.
class Coders {
 public:
  Coders() { ENSURE(nghttp2_hd_inflate_new(&theirs_) == 0); }
  ~Coders() { nghttp2_hd_inflate_del(theirs_); }
  Coders(const Coders&) = delete;
  Coders& operator=(const Coders&) = delete;

  void compare(std::string_view block) {
    if (spoiled_) return;
    const std::vector<char> copy(block.begin(), block.end());
    Count ours, all;
    const bool good = ours_.decode({copy.data(), copy.size()}, ours) == http2::HpackDecoder::Result::Good;
    bool right = true;
    for (int flags = 0; right && (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
      nghttp2_nv field;
      const auto used = nghttp2_hd_inflate_hd2(
          theirs_, &field, &flags, reinterpret_cast<const uint8_t*>(block.data()), block.size(), 1);
      right = used >= 0;
      if (right) block.remove_prefix(static_cast<size_t>(used));
      if (right && (flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        ++all.fields;
        all.bytes += field.namelen + field.valuelen;
      }
    }
    // nghttp2 bounds texts, which here the frames do.
    ENSURE(right == good);
    if (right) ENSURE(ours.fields == all.fields && ours.bytes == all.bytes);
    spoiled_ = !right;
    if (right) nghttp2_hd_inflate_end_headers(theirs_);
  }

 private:
  BlockPool memory_{256, 4};
  std::vector<char> scratch_;
  http2::HpackDecoder ours_{memory_, scratch_};
  nghttp2_hd_inflater* theirs_ = nullptr;
  bool spoiled_ = false;
};

// The user of a tunnel: it sends back what it gets, ends at a Z, cuts at a Y, and reads no more from an X on.
class Echo final : public http::TunnelUser {
 public:
  explicit Echo(int& open) : open_(open) { ++open_; }
  void on_open(http::Tunnel& tunnel) override { tunnel_ = &tunnel; }
  size_t on_bytes(std::string_view bytes) override {
    (void)tunnel_->write(bytes);
    (void)tunnel_->is_full();
    if (bytes.contains('X')) tunnel_->set_reading(false);
    if (bytes.contains('Y')) tunnel_->cut();
    if (bytes.contains('Z')) tunnel_->end();
    if (bytes.contains('W')) tunnel_->set_deadline(bytes.size());
    return bytes.contains('X') ? bytes.find('X') : bytes.size();
  }
  void on_peer_end() override { tunnel_->end(); }
  void on_writable() override {}
  void on_deadline() override { (void)tunnel_->write("late"); }
  void on_drain(uint64_t) override { tunnel_->end(); }
  void on_starved() override { tunnel_->cut(); }
  void on_closed() override { --open_; }
  [[nodiscard]] size_t footprint() const override { return sizeof(*this); }

 private:
  int& open_;
  http::Tunnel* tunnel_ = nullptr;
};

// The site, and who asks it for another protocol gets that.
class Site final : public http::Service {
 public:
  BodyMode on_request(http::Exchange& exchange) override { return wire.on_request(exchange); }
  void on_body(http::Exchange& exchange, std::string_view piece) override { wire.on_body(exchange, piece); }
  void on_body_end(http::Exchange& exchange) override {
    constexpr std::string_view kLinks[] = {"</a.css>; rel=preload"};
    if (exchange.request.path() == "/describe") exchange.send_hints(kLinks);
    if (!exchange.may_switch_to("echo")) return wire.on_body_end(exchange);
    (void)exchange.switch_to("echo", std::make_unique<Echo>(open), exchange.request.path() == "/later");
  }
  void on_writable(http::Exchange& exchange) override { wire.on_writable(exchange); }
  void on_response(http::Exchange& exchange) override { wire.on_response(exchange); }
  void on_cancel(http::Exchange& exchange) override { wire.on_cancel(exchange); }
  void on_done(http::Exchange& exchange) override { wire.on_done(exchange); }

  test::WireService wire;
  int open = 0;  // tunnels
};

class Run {
 public:
  explicit Run(uint8_t setting)
      : harness_(site_, setting % 2 == 0, setting % 8 == 7 ? 0 : 8, setting % 16 == 9 ? 6 : 256) {
    http::Limits& limits = harness_.limits;
    if (setting & 16) limits.output_high_bytes = 600, limits.output_low_bytes = 100;
    if (setting & 32) limits.pipeline_turn = 2, limits.requests_per_connection = 5;
    if (setting & 64)
      harness_.options.window_bytes = 10, harness_.options.streams = 2,
      harness_.options.waiting_bytes = 70'000;
    if (setting & 128)
      limits.header_count = 4, limits.header_bytes = 200, limits.request_line_bytes = 60,
      limits.body_bytes = 50;
  }

  void play(Choices& choices) {
    http2::Session session(harness_.environment, http::peer_at("192.0.2.1"));
    bool gone = false;
    feed(session, test::hello());
    while (!choices.empty() && !gone) {
      switch (choices.byte() % 20) {
        case 0:
        case 1:
        case 2:
        case 3:
          frame(session, choices);
          break;
        case 4:
        case 5:
        case 6:
          request(session, choices);
          break;
        case 7:
          feed(session, choices.take(choices.byte()));
          break;
        case 8:
        case 9:
          take(session, SIZE_MAX);
          break;
        case 10:
          take(session, choices.byte());
          break;
        case 11:
          harness_.resume_all();
          break;
        case 12:
          session.take_turn();
          break;
        case 13:
          harness_.worker.now_ms += choices.byte() * 100;
          break;
        case 14:
          session.deadline_passed();
          break;
        case 15:
          session.drain(harness_.worker.now_ms + choices.byte() * 10);
          break;
        case 16:
          session.feed_end();
          break;
        case 17:
          session.peer_ended();
          break;
        case 18:
          session.give_up_input();
          break;
        default:
          gone = choices.byte() % 4 == 0;
          break;
      }
      check(session);
    }
    if (!gone) {
      session.feed_end();
      for (int i = 0; i < 1000 && !(session.finished() && session.output().empty()); ++i) {
        take(session, SIZE_MAX);
        session.take_turn();
        harness_.resume_all();
        harness_.worker.now_ms += 1000;
        session.deadline_passed();
      }
      ENSURE(session.finished());
      take(session, SIZE_MAX);
      if (!session.cut()) ENSURE(reader_.whole());
    }
    session.disconnect();
    session.output().clear();
    ENSURE(site_.wire.done == site_.wire.requests + site_.wire.refused);
    ENSURE(site_.open == 0);
    ENSURE(harness_.exchanges.out() == 0);
    ENSURE(harness_.environment.streams.out() == 0);
  }
  // Everything goes back with the session, its input included.
  void check_memory() {
    ENSURE(harness_.worker.blocks().out() == 0);
    ENSURE(harness_.segments.out() == 0);
  }

 private:
  // A copy of its own for each, so that the sanitizer sees a view that is kept.
  static void feed(http2::Session& session, std::string_view bytes) {
    const std::vector<char> copy(bytes.begin(), bytes.end());
    session.feed({copy.data(), copy.size()});
  }
  void frame(http2::Session& session, Choices& choices) {
    const uint8_t type = choices.byte() % 18, flags = choices.byte(), stream = choices.byte() % 16;
    const std::string_view payload = choices.take(choices.byte());
    if (type == 1 && (flags & 0x28) == 0) coders_.compare(payload);
    feed(session, test::frame(type, flags, stream, payload));
  }
  void request(http2::Session& session, Choices& choices) {
    constexpr const char* kPaths[] = {
        "/",      "/echo",     "/stream",   "/chunks",       "/later", "/early", "/nocontent",  "/length",
        "/short", "/trailers", "/describe", "/early-stream", "/small", "/reset", "/large-head", "/twice"};
    const uint8_t what = choices.byte();
    next_ += what % 7 == 0 ? 4 : 2;
    if (what % 16 == 15) return connect(session, choices);
    const bool body = (what & 0x40) != 0;
    feed(session,
         test::headers(next_, test::request_block(kPaths[what % 16], body ? "POST" : "GET"), body ? 4 : 5));
    if (body) feed(session, test::data(next_, choices.take(choices.byte()), (what & 0x20) != 0 ? 1 : 0));
  }
  void connect(http2::Session& session, Choices& choices) {
    const uint8_t what = choices.byte();
    feed(session, test::headers(next_,
                                test::hpack({{":method", "CONNECT"},
                                             {":protocol", what % 8 == 0 ? "other" : "echo"},
                                             {":scheme", "https"},
                                             {":path", what % 2 == 0 ? "/" : "/later"},
                                             {":authority", "a"}}),
                                (what & 16) != 0 ? 5 : 4));
    if ((what & 32) != 0) feed(session, test::data(next_, choices.take(choices.byte()), what >> 6 & 1));
  }
  void take(http2::Session& session, size_t most) {
    std::string_view parts[4];
    while (most != 0 && !session.output().empty()) {
      const size_t count = session.output().gather(parts);
      size_t size = 0;
      for (const std::string_view part : std::span(parts).first(count)) {
        const std::string_view piece = part.substr(0, most - size);
        reader_.read(piece);
        size += piece.size();
      }
      session.sent(size);
      most -= size;
    }
  }
  void check(const http2::Session& session) {
    if (!session.idle()) return;
    ENSURE(harness_.worker.blocks().out() == 0);
    ENSURE(harness_.exchanges.out() == 0);
    ENSURE(reader_.whole());
  }

  Site site_;
  test::Http2Harness harness_;
  Reader reader_;
  Coders coders_;
  uint32_t next_ = UINT32_MAX;  // the next is 1
};

}  // namespace
}  // namespace leat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return leat::fuzz::play<leat::fuzz::Run>(data, size);
}
