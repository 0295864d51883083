// The client's end of HTTP/2 as a table: what a server sends, right or wrong, and what becomes of the call and the connection; each row whole
// and byte by byte. Then what a session does by itself: windows, order, many calls at a time.
#include "client/http2_session.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/http2_harness.h"
#include "support/output_memory.h"

namespace leat::client::test {

namespace {

using namespace std::string_literals;
using namespace leat::test;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: up.example\r\nX-A: b\r\n\r\n";

struct Asked : Http2Call {
  explicit Asked(Arena& arena, const UpstreamOptions& limits, bool head = false) {
    answer.reset(arena, limits, head);
  }
};

// "200 hello", "failed: why", "refused", "broken", or "waits".
std::string outcome(const Http2Call& call) {
  switch (call.end) {
    case Http2Call::End::None:
      return "waits";
    case Http2Call::End::Answered:
      return std::to_string(call.answer.code()) + " " + std::string(call.answer.body());
    case Http2Call::End::Failed:
      return "failed: " + std::string(call.why);
    case Http2Call::End::Refused:
      return "refused";
    case Http2Call::End::Broken:
      return "broken";
  }
  return "?";
}

struct Stage {
  Memory memory;
  UpstreamOptions options{.head_bytes = 1000, .fields = 8, .body_bytes = 3'000'000};
  Arena arena{memory.pool, size_t{16} << 20};
  std::unique_ptr<Http2Session> session = std::make_unique<Http2Session>(options, true, memory.both);
  std::vector<std::unique_ptr<Asked>> calls;
  H2Reader reader;
  uint64_t now_ms = 1;
  bool greeted = false;

  ~Stage() {
    for (const auto& call : calls) session->cancel(*call);
    while (session->take_over() != nullptr) {
    }
    session.reset();
    arena.reset();
  }
  Asked& ask(std::string_view request = kGet, std::string_view body = {}) {
    Asked& call = *calls.emplace_back(std::make_unique<Asked>(arena, options, request.starts_with("HEAD")));
    call.body = body;
    (void)session->begin(call, request);
    return call;
  }
  // What it has sent, as words.
  std::string says() {
    std::string all;
    while (!session->output().empty()) {
      std::string_view parts[8];
      size_t size = 0;
      for (size_t i = 0, count = session->output().gather(parts); i < count; ++i) {
        all.append(parts[i]);
        size += parts[i].size();
      }
      session->output().consume(size);
      session->sent();
    }
    if (!greeted && all.starts_with(http2::kPreface)) {
      greeted = true;
      all.erase(0, http2::kPreface.size());
    }
    return reader.read(all);
  }
  std::string hears(std::string_view bytes, size_t piece = SIZE_MAX) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
      session->feed(bytes.substr(0, piece), now_ms);
    while (session->take_over() != nullptr) {
    }
    return says();
  }
};

// A server's head, with END_HEADERS, and END_STREAM where `flags` have it.
std::string head(std::string_view status, h2_fields more = {}, unsigned flags = 4, uint32_t stream = 1) {
  return headers(stream, hpack({{":status", status}}) + hpack(more), flags);
}
const std::string kHello = settings();
const std::string kPing = frame(6, 0, 0, "pingping");

struct Row {
  std::string_view section;
  std::string_view says;
  std::string in;            // behind the server's SETTINGS
  std::string_view becomes;  // of the call
  std::string_view out;      // behind what it says by itself
};

std::vector<Row> rows() {
  const std::string ten(10, 'x');
  std::string crumbs = headers(1, hpack({{":status", "200"}}), 0);
  for (int i = 0; i < 9; ++i) crumbs += frame(9, 0, 1, "\x00\x01x\x01y"s);
  return {
      {"8.1", "an answer", head("200") + data(1, "hello", 1), "200 hello", ""},
      {"8.1", "in pieces, with padding", head("200") + data(1, "he") + frame(0, 9, 1, "\x02llo\0\0"s),
       "200 hello", ""},
      {"8.1", "without a body", head("204", {}, 5), "204 ", ""},
      {"8.1", "with trailers", head("200") + data(1, "a") + headers(1, hpack({{"x-sum", "1"}}), 5), "200 a",
       ""},
      {"8.1", "trailers that do not end it",
       head("200") + data(1, "a") + headers(1, hpack({{"x-sum", "1"}}), 4),
       "failed: the answer's trailers do not end it", "R1:PROTOCOL_ERROR"},
      {"8.1", "trailers with a status", head("200") + data(1, "a") + head("200", {}, 5),
       "failed: the answer has a pseudo-field that it cannot have", "R1:PROTOCOL_ERROR"},
      {"8.1", "interim answers before it",
       head("100") + head("103", {{"link", "x"}}) + head("200", {{"a", "b"}}, 5), "200 ", ""},
      {"8.1", "an interim answer that ends it", head("100", {}, 5),
       "failed: an interim answer ends the request", "R1:PROTOCOL_ERROR"},
      {"8.6", "switching protocols", head("101"), "failed: the answer has a status that nobody asked for",
       "R1:PROTOCOL_ERROR"},
      {"8.3.2", "no status", headers(1, hpack({{"a", "b"}}), 5), "failed: the answer has no status",
       "R1:PROTOCOL_ERROR"},
      {"8.3.2", "two", headers(1, hpack({{":status", "200"}, {":status", "200"}}), 5),
       "failed: the answer has a pseudo-field that it cannot have", "R1:PROTOCOL_ERROR"},
      {"8.3.2", "one that is none", head("2x0", {}, 5),
       "failed: the answer has a status that nobody asked for", "R1:PROTOCOL_ERROR"},
      {"8.3.2", "one out of range", head("999", {}, 5),
       "failed: the answer has a status that nobody asked for", "R1:PROTOCOL_ERROR"},
      {"8.3", "a status behind fields", headers(1, hpack({{"a", "b"}, {":status", "200"}}), 5),
       "failed: the answer has a pseudo-field that it cannot have", "R1:PROTOCOL_ERROR"},
      {"8.3", "a pseudo-field of requests", headers(1, hpack({{":status", "200"}, {":path", "/"}}), 5),
       "failed: the answer has a pseudo-field that it cannot have", "R1:PROTOCOL_ERROR"},
      {"8.2.1", "a name in capitals", head("200", {{"Name", "x"}}, 5),
       "failed: the answer has a field that HTTP/2 does not allow", "R1:PROTOCOL_ERROR"},
      {"8.2.1", "a value with a line's end", head("200", {{"a", "b\r\nc: d"}}, 5),
       "failed: the answer has a field that HTTP/2 does not allow", "R1:PROTOCOL_ERROR"},
      {"8.2.2", "a field about the connection", head("200", {{"transfer-encoding", "chunked"}}, 5),
       "failed: the answer has a field that HTTP/2 does not allow", "R1:PROTOCOL_ERROR"},
      {"8.1.1", "a body that is shorter than was announced",
       head("200", {{"content-length", "6"}}) + data(1, "hello", 1),
       "failed: the answer's body has another length than was announced", "R1:PROTOCOL_ERROR"},
      {"8.1.1", "a length that is none", head("200", {{"content-length", "x"}}, 5),
       "failed: the answer's Content-Length is not one decimal number", "R1:PROTOCOL_ERROR"},
      {"8.1.1", "two lengths", head("200", {{"content-length", "1"}, {"content-length", "2"}}, 5),
       "failed: the answer's Content-Length is not one decimal number", "R1:PROTOCOL_ERROR"},
      {"8.1", "a body before its head", data(1, "x"), "failed: the answer has a body before its head",
       "R1:PROTOCOL_ERROR"},
      {"8.1", "a body with a status that has none", head("304") + data(1, "x", 1),
       "failed: the answer has a body that it cannot have", "R1:PROTOCOL_ERROR"},
      {"limits", "a head that is too large", head("200", {{"a", std::string(1000, 'x')}}, 5),
       "failed: the answer's header fields are beyond the limit", "R1:CANCEL"},
      {"limits", "too many fields",
       head("200",
            {{"a", "1"},
             {"a", "1"},
             {"a", "1"},
             {"a", "1"},
             {"a", "1"},
             {"a", "1"},
             {"a", "1"},
             {"a", "1"},
             {"a", "1"}},
            5),
       "failed: the answer has more header fields than the limit", "R1:CANCEL"},
      {"limits", "a body that is announced too large", head("200", {{"content-length", "3000001"}}),
       "failed: the answer's body is beyond the limit", "R1:CANCEL"},
      {"limits", "and goes on without anybody",
       head("200", {{"a", std::string(1000, 'x')}}) + data(1, "x") + kPing,
       "failed: the answer's header fields are beyond the limit", "R1:CANCEL P+"},
      {"3.4", "what is no HTTP/2", "HTTP/1.1 400 Bad Request\r\n\r\n",
       "failed: it sent a frame that is larger than was allowed", "G0:FRAME_SIZE_ERROR"},
      {"4.2", "a frame that is too large", frame(0x20, 0, 0, std::string(16'385, 'x')),
       "failed: it sent a frame that is larger than was allowed", "G0:FRAME_SIZE_ERROR"},
      {"4.3", "fields that cannot be read", headers(1, "\x80", 5),
       "failed: it sent fields that cannot be read", "G0:COMPRESSION_ERROR"},
      {"4.3", "a head that is interrupted", headers(1, hpack({{":status", "200"}}), 0) + kPing,
       "failed: it interrupted a head by another frame", "G0:PROTOCOL_ERROR"},
      {"6.10", "a head in two frames",
       headers(1, hpack({{":status", "200"}}), 1) + frame(9, 4, 1, hpack({{"a", "b"}})), "200 ", ""},
      {"6.10", "a head in too many", crumbs,
       "failed: it sent a head that is too large, or in too many frames", "G0:ENHANCE_YOUR_CALM"},
      {"6.10", "a head that is too large in frames",
       headers(1, hpack({{":status", "200"}}), 0) + frame(9, 0, 1, std::string(2001, '\0')),
       "failed: it sent a head that is too large, or in too many frames", "G0:ENHANCE_YOUR_CALM"},
      {"6.10", "CONTINUATION of nothing", frame(9, 4, 1, "x"), "failed: it continued a head that is over",
       "G0:PROTOCOL_ERROR"},
      {"8.4", "a push", frame(5, 4, 1, "\0\0\0\x02"s + hpack({{":path", "/"}})),
       "failed: it pushed what nobody had asked for", "G0:PROTOCOL_ERROR"},
      {"5.1", "DATA for a stream that is not there", data(3, "x"),
       "failed: it sent DATA for a stream that is not there", "G0:PROTOCOL_ERROR"},
      {"5.1", "HEADERS for one", head("200", {}, 5, 3),
       "failed: it sent HEADERS for a stream that is not there", "G0:PROTOCOL_ERROR"},
      {"5.1", "HEADERS for one of its own", head("200", {}, 5, 2),
       "failed: it sent HEADERS for a stream that is not there", "G0:PROTOCOL_ERROR"},
      {"5.1", "RST_STREAM for one", reset(3), "failed: it sent RST_STREAM for a stream that is not there",
       "G0:PROTOCOL_ERROR"},
      {"5.1", "WINDOW_UPDATE for one", window(3, 1),
       "failed: it sent WINDOW_UPDATE for a stream that is not there", "G0:PROTOCOL_ERROR"},
      {"6.1", "more padding than payload", head("200") + frame(0, 8, 1, "\x05x"),
       "failed: it sent DATA with more padding than payload", "G0:PROTOCOL_ERROR"},
      {"6.2", "a head with padding and a priority",
       headers(1, "\x01\0\0\0\0\x10"s + hpack({{":status", "204"}}) + "\0"s, 0x2d), "204 ", ""},
      {"6.2", "a head with more padding than payload", headers(1, "\x09x", 0xd),
       "failed: it sent HEADERS with more padding than payload", "G0:PROTOCOL_ERROR"},
      {"6.2", "a head without room for its priority", headers(1, "xx", 0x25),
       "failed: it sent HEADERS without room for a priority", "G0:FRAME_SIZE_ERROR"},
      {"6.3", "PRIORITY says nothing", frame(2, 0, 1, std::string(5, '\0')) + kPing, "waits", "P+"},
      {"6.3", "PRIORITY for no stream", frame(2, 0, 0, std::string(5, '\0')),
       "failed: it sent PRIORITY for no stream", "G0:PROTOCOL_ERROR"},
      {"6.4", "RST_STREAM", reset(1, 2), "failed: it broke the answer off", ""},
      {"6.4", "a request that is refused", reset(1, 7), "refused", ""},
      {"6.4", "RST_STREAM that has not four bytes", frame(3, 0, 1, "xxx"),
       "failed: it sent RST_STREAM that has not four bytes", "G0:FRAME_SIZE_ERROR"},
      {"6.5", "SETTINGS again", settings(setting(4, 100) + setting(0x77, 7)), "waits", "S+"},
      {"6.5", "SETTINGS for a stream", frame(4, 0, 1), "failed: it sent SETTINGS for a stream",
       "G0:PROTOCOL_ERROR"},
      {"6.5", "SETTINGS of a size that they cannot have", settings("xxx"),
       "failed: it sent SETTINGS of a size that they cannot have", "G0:FRAME_SIZE_ERROR"},
      {"6.5.2", "a server that wants to be pushed to", settings(setting(2, 1)),
       "failed: it wants to be pushed to", "G0:PROTOCOL_ERROR"},
      {"6.5.2", "a window that is too large", settings(setting(4, 0x8000'0000)),
       "failed: it sent a window that is too large", "G0:FLOW_CONTROL_ERROR"},
      {"6.5.2", "frames that are too small", settings(setting(5, 16'383)),
       "failed: it sent a size of frames that is out of its range", "G0:PROTOCOL_ERROR"},
      {"8441 3", "a setting that is neither 0 nor 1", settings(setting(8, 2)),
       "failed: it sent a setting that is neither 0 nor 1", "G0:PROTOCOL_ERROR"},
      {"6.7", "PING", kPing, "waits", "P+"},
      {"6.7", "PING that has not eight bytes", frame(6, 0, 0, "ping"),
       "failed: it sent PING that has not eight bytes", "G0:FRAME_SIZE_ERROR"},
      {"6.7", "PING for a stream", frame(6, 0, 1, "pingping"), "failed: it sent PING for a stream",
       "G0:PROTOCOL_ERROR"},
      {"6.8", "GOAWAY before the request was looked at", frame(7, 0, 0, number_32(0) + number_32(0)),
       "refused", ""},
      {"6.8", "GOAWAY after it was, and then the answer",
       frame(7, 0, 0, number_32(1) + number_32(0)) + head("200") + data(1, "hello", 1), "200 hello", ""},
      {"6.8", "GOAWAY for a stream", frame(7, 0, 1, number_32(0) + number_32(0)),
       "failed: it sent GOAWAY for a stream", "G0:PROTOCOL_ERROR"},
      {"6.8", "GOAWAY that is too short", frame(7, 0, 0, "xxxx"),
       "failed: it sent GOAWAY that has less than eight bytes", "G0:FRAME_SIZE_ERROR"},
      {"6.9", "WINDOW_UPDATE that adds nothing", window(1, 0),
       "failed: it sent WINDOW_UPDATE that adds nothing", "R1:PROTOCOL_ERROR"},
      {"6.9", "to the connection", window(0, 0), "failed: it sent WINDOW_UPDATE that adds nothing",
       "G0:PROTOCOL_ERROR"},
      {"6.9.1", "a window that is too large", window(1, 0x7fff'ffff), "failed: it made a window too large",
       "R1:FLOW_CONTROL_ERROR"},
      {"6.9.1", "of the connection", window(0, 0x7fff'ffff), "failed: it made a window too large",
       "G0:FLOW_CONTROL_ERROR"},
      {"6.9", "WINDOW_UPDATE that has not four bytes", frame(8, 0, 0, "xxx"),
       "failed: it sent WINDOW_UPDATE that has not four bytes", "G0:FRAME_SIZE_ERROR"},
      {"5.5", "a frame that is not known", frame(0x20, 0xff, 7, ten) + kPing, "waits", "P+"},
      {"5.4.1", "nothing is read behind a mistake", window(0, 0) + head("200", {}, 5),
       "failed: it sent WINDOW_UPDATE that adds nothing", "G0:PROTOCOL_ERROR"},
  };
}

}  // namespace

TEST_CASE("http2 client: what a server sends, whole and byte by byte") {
  for (const Row& row : rows())
    for (const size_t piece : {SIZE_MAX, size_t{1}}) {
      INFO(row.section << ": " << row.says << ", by " << piece);
      Stage stage;
      const Asked& call = stage.ask();
      CHECK(stage.says() == "S W0:4128769 H1:-.");
      CHECK(stage.hears(kHello) == "S+");
      CHECK(stage.hears(row.in, piece) == row.out);
      CHECK(outcome(call) == row.becomes);
      CHECK(stage.session->failed() == row.out.starts_with("G"));
    }
}

TEST_CASE("http2 client: a server begins with SETTINGS") {
  for (const std::string& first : {kPing, frame(4, 1, 0), head("200", {}, 5)}) {
    Stage stage;
    const Asked& call = stage.ask();
    (void)stage.says();
    CHECK(stage.hears(first) == "G0:PROTOCOL_ERROR");
    CHECK(outcome(call) == "failed: it does not speak HTTP/2");
  }
}

TEST_CASE("http2 client: a request is what HTTP/1.1 would have said") {
  Stage stage;
  stage.ask(
      "POST /a?b=c HTTP/1.1\r\nHost: up.example:8443\r\nAuthorization: Basic eA==\r\nX-Empty: \r\nX-Blank:  "
      "a b \r\nKeep-Alive: 5\r\n"
      "Content-Length: 2\r\n\r\n",
      "hi");
  CHECK(stage.says() == "S W0:4128769 H1:- D1:2.");
  CHECK(
      stage.reader.fields() ==
      ":method: POST\n:scheme: https\n:path: /a?b=c\n:authority: up.example:8443\nauthorization: Basic eA==\n"
      "x-empty: \nx-blank: a b\ncontent-length: 2\n");
  CHECK(stage.reader.body(1) == "hi");
}

TEST_CASE(
    "http2 client: a head that is larger than a frame is continued, and not sent where it is too large for "
    "the server") {
  Stage stage;
  const std::string large = "GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + std::string(20'000, 'x') + "\r\n\r\n";
  (void)stage.says();
  (void)stage.ask(large);
  std::string sent;
  stage.session->output().for_each_piece([&](std::string_view piece) {
    sent += piece;
    return true;
  });
  const std::vector<H2Frame> frames = read_frames(sent);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].header.is(http2::FrameType::Headers));
  CHECK(frames[0].header.flags == http2::flag::kEndStream);
  CHECK(frames[1].header.is(http2::FrameType::Continuation));
  CHECK(frames[1].header.flags == http2::flag::kEndHeaders);
  stage.session->output().clear();
  (void)stage.hears(settings(setting(6, 10'000)));
  const Asked& refused = stage.ask(large);
  CHECK(outcome(refused) == "failed: the request's fields are larger than the server takes");
  CHECK(stage.says().empty());
  CHECK(outcome(stage.ask()) == "waits");
}

TEST_CASE("http2 client: many calls at a time, answered in any order, as many as the server takes") {
  Stage stage;
  (void)stage.hears(settings(setting(3, 3)));
  Asked& one = stage.ask();
  Asked& two = stage.ask();
  Asked& three = stage.ask();
  CHECK_FALSE(stage.session->has_room());
  (void)stage.hears(head("200", {}, 4, 5) + head("200", {}, 4, 1) + data(5, "three", 1) + data(1, "one", 1));
  CHECK(outcome(one) == "200 one");
  CHECK(outcome(two) == "waits");
  CHECK(outcome(three) == "200 three");
  CHECK(stage.session->has_room());
  // A server that takes fewer from now on has what it has.
  (void)stage.hears(settings(setting(3, 0)));
  CHECK_FALSE(stage.session->has_room());
  (void)stage.hears(head("204", {}, 5, 3));
  CHECK(outcome(two) == "204 ");
}

TEST_CASE("http2 client: calls are told of in the order in which they are over, also the next one's") {
  Stage stage;
  (void)stage.hears(kHello);
  Asked& one = stage.ask();
  Asked& two = stage.ask();
  stage.session->feed(head("204", {}, 5, 3) + head("204", {}, 5, 1), 1);
  CHECK(stage.session->take_over() == &two);
  Asked& three = stage.ask();  // by who was told
  stage.session->cancel(one);  // likewise
  CHECK(stage.session->take_over() == nullptr);
  CHECK(outcome(three) == "waits");
}

TEST_CASE("http2 client: a body goes as far as both windows let it, and those of several in turn") {
  Stage stage;
  const std::string body(100'000, 'b');
  (void)stage.hears(settings(setting(4, 30'000)));
  (void)stage.says();
  constexpr std::string_view kPost = "POST / HTTP/1.1\r\nHost: a\r\n\r\n";
  stage.ask(kPost, body);
  stage.ask(kPost, body);
  CHECK(stage.says() == "H1:- D1:16384 D1:13616 H3:- D3:16384 D3:13616");
  SECTION("the connection's") {
    (void)stage.hears(window(1, 100'000));
    CHECK(stage.reader.body(1).size() == 30'000 + 5'535);  // of 65,535
    (void)stage.hears(window(3, 100'000) + window(0, 40'000));
    CHECK(stage.reader.body(1).size() + stage.reader.body(3).size() == 105'535);
    CHECK(stage.reader.body(3).size() > 45'000);
    (void)stage.hears(window(0, 1'000'000));
    CHECK(stage.reader.body(1) == body);
    CHECK(stage.reader.body(3) == body);
  }
  SECTION("smaller ones by a setting: nothing until they are open again") {
    CHECK(stage.hears(settings(setting(4, 0)) + window(1, 20'000)) == "S+");
    CHECK(stage.hears(window(1, 20'000)) == "D1:5535");  // the connection's
  }
  SECTION("too large ones by a setting") {
    (void)stage.hears(window(1, 0x7fff'ffff - 30'000));
    CHECK(stage.hears(settings(setting(4, 0x7fff'ffff))).ends_with("G0:FLOW_CONTROL_ERROR"));
  }
  SECTION("no more of it once it is answered") {
    CHECK(stage.hears(head("413", {}, 5, 1)) == "R1:CANCEL");
    CHECK(stage.hears(window(0, 10'000)).empty());
  }
}

TEST_CASE(
    "http2 client: a large answer has windows opened for it, and one that overruns them is broken off") {
  Stage stage;
  (void)stage.hears(kHello);
  Asked& call = stage.ask();
  (void)stage.says();
  (void)stage.hears(head("200"));
  std::string out;
  for (int i = 0; i < 150; ++i) out += stage.hears(data(1, std::string(16'384, 'x'))) + " ";
  CHECK(out.contains("W1:"));
  CHECK(out.contains("W0:"));
  (void)stage.hears(data(1, "end", 1));
  CHECK(call.answer.body().size() == 150 * 16'384 + 3);
}

TEST_CASE("http2 client: a call that is taken back is reset, and what still comes for it is read over") {
  Stage stage;
  (void)stage.hears(kHello);
  Asked& call = stage.ask();
  Asked& other = stage.ask();
  (void)stage.says();
  stage.session->cancel(call);
  CHECK(stage.says() == "R1:CANCEL");
  // The table follows what nobody reads.
  CHECK(stage
            .hears(headers(1, "\x88\x40\x01x\x01y"s, 4) + data(1, "x") + data(1, "", 1) + window(1, 5) +
                   reset(1))
            .empty());
  CHECK(stage.hears(headers(3, "\x88\xbe"s, 5)).empty());
  REQUIRE(outcome(other) == "200 ");
  REQUIRE(other.answer.fields().size() == 1);
  CHECK(other.answer.fields()[0].value == "y");
}

TEST_CASE(
    "http2 client: a server that goes is asked for nothing more, and one that has gone has broken what it "
    "owes") {
  Stage stage;
  (void)stage.hears(kHello);
  Asked& one = stage.ask();
  Asked& two = stage.ask();
  Asked& three = stage.ask();
  (void)stage.hears(frame(7, 0, 0, number_32(3) + number_32(0)));
  CHECK(outcome(three) == "refused");
  CHECK_FALSE(stage.session->has_room());
  CHECK_FALSE(stage.session->done());
  (void)stage.hears(head("204", {}, 5, 1));
  CHECK(outcome(one) == "204 ");
  stage.session->feed_end("gone");
  CHECK(outcome(two) == "broken");
  CHECK(stage.session->done());
}

TEST_CASE(
    "http2 client: what a server may do that carries nothing is bounded, and time gives some of it back") {
  const std::vector<std::string> kinds = {
      kPing,        frame(4, 1, 0),    settings(),
      window(0, 1), frame(0x20, 0, 0), frame(2, 0, 1, std::string(5, '\0')),
      head("103"),  data(1, "")};
  for (const std::string& kind : kinds) {
    INFO(frame_header(0, static_cast<unsigned char>(kind[3]), 0, 0)[3] + 0);
    Stage stage;
    Asked& call = stage.ask();
    (void)stage.hears(kHello);
    if (kind == kinds.back()) (void)stage.hears(head("200"));
    int sent = 0;
    for (; sent < 5'000 && !stage.session->failed(); ++sent) (void)stage.hears(kind);
    CHECK(sent > 900);
    CHECK(sent < 1'100);
    CHECK(outcome(call) == "failed: it sent too many frames that carry nothing");
  }
  Stage patient;
  Asked& call = patient.ask();
  (void)patient.hears(kHello);
  for (int i = 0; i < 5'000; ++i, patient.now_ms += 20) (void)patient.hears(kPing);
  CHECK(outcome(call) == "waits");
}

TEST_CASE("http2 client: where memory is out a call fails, and nothing is left") {
  Memory memory(4, 64);
  const UpstreamOptions options;
  Arena arena(memory.pool, size_t{16} << 20);
  const std::string body(200'000, 'b');
  {
    Http2Session session(options, false, memory.both);
    Asked call(arena, options);
    call.body = body;
    session.feed(kHello + settings(setting(4, 1'000'000)) + window(0, 1'000'000), 1);
    (void)session.begin(call, "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(session.failed());
    CHECK(session.take_over() == &call);
    CHECK(outcome(call) == "failed: there is no memory for the request");
    session.output().clear();
  }
  arena.reset();
}

}  // namespace leat::client::test
