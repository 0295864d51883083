// RFC 9113 as a table: frames in, frames out. Each row names the section that asks for it. What comes before a row's frames is the preface
// with empty SETTINGS, unless the row says that it begins itself.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "support/http2_harness.h"

namespace leat::test {

namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

struct Row {
  std::string_view section;
  std::string_view says;
  std::string in;
  std::string out;      // as H2Reader has it; ? stands for a number
  bool begins = false;  // `in` is all that its client sends
};

const std::string kPing = frame(6, 0, 0, "pingping");
const std::string kDone = " P+";  // it goes on: a PING behind all is answered

// A request whose answer waits for a timer, so that its stream stays half closed.
std::string waiting(uint32_t stream) { return get(stream, "/later"); }
std::string self_dependent(uint32_t stream) { return number_32(stream) + "\x10"; }
std::string trailers(uint32_t stream, h2_fields fields = {{"x-sum", "1"}}, unsigned flags = 5) {
  return headers(stream, hpack(fields), flags);
}
std::string request(h2_fields fields) { return headers(1, hpack(fields)); }
// A request that lacks nothing, and has these fields, too.
std::string with(h2_fields more) { return headers(1, request_block("/", "GET", more)); }

std::vector<Row> connection_rows() {
  return {
      {"3.4", "what does not begin with the preface is no HTTP/2", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
       "S W0:4128769 G0:PROTOCOL_ERROR", true},
      {"3.4", "nor with a part of it", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "S W0:4128769 G0:PROTOCOL_ERROR",
       true},
      {"3.4", "SETTINGS come first", std::string(http2::kPreface) + kPing, "S W0:4128769 G0:PROTOCOL_ERROR",
       true},
      {"3.4", "an acknowledgement is no beginning", std::string(http2::kPreface) + frame(4, 1, 0),
       "S W0:4128769 G0:PROTOCOL_ERROR", true},
      {"3.4", "a request is no beginning", std::string(http2::kPreface) + get(1),
       "S W0:4128769 G0:PROTOCOL_ERROR", true},
      {"3.4", "both ends begin with SETTINGS", hello(), "S W0:4128769 S+", true},
      {"4.1", "a frame that is not known says nothing", frame(0x20, 0xff, 0, "what") + kPing, "P+"},
      {"4.1", "nor does one for a stream", frame(0x20, 0xff, 7, "what") + kPing, "P+"},
      {"4.1", "flags that are not known say nothing", frame(6, 0xfe, 0, "pingping"), "P+"},
      {"4.1", "the reserved bit says nothing", frame(6, 0, 0x8000'0000, "pingping"), "P+"},
      {"4.1", "the reserved bit of a stream says nothing", headers(0x8000'0001, request_block("/")),
       "H1:200 D1:5."},
      {"4.2", "DATA as large as may be", post(1, "/echo") + data(1, std::string(16'384, 'x'), 1),
       "H1:200 D1:16384."},
      {"4.2", "DATA that is larger", post(1, "/echo") + data(1, std::string(16'385, 'x'), 1),
       "G1:FRAME_SIZE_ERROR"},
      {"4.2", "HEADERS that are larger", headers(1, std::string(16'385, 'x')), "G0:FRAME_SIZE_ERROR"},
      {"4.2", "SETTINGS that are larger", settings(std::string(16'386, '\0')), "G0:FRAME_SIZE_ERROR"},
      {"4.2", "a frame of any other kind that is larger", frame(0x20, 0, 0, std::string(16'385, 'x')),
       "G0:FRAME_SIZE_ERROR"},
      {"4.3", "a header block that is none", headers(1, "\x80"), "G0:COMPRESSION_ERROR"},
      {"4.3", "a header block that ends within a field",
       headers(1,
               "\x40\x05"
               "ab"),
       "G0:COMPRESSION_ERROR"},
      {"4.3", "of trailers, too", post(1, "/echo") + headers(1, "\xff\xff\xff"), "G1:COMPRESSION_ERROR"},
      {"4.3", "PRIORITY within a head",
       headers(1, request_block("/"), 1) + frame(2, 0, 1, std::string(5, '\0')), "G0:PROTOCOL_ERROR"},
      {"4.3", "another stream's HEADERS within a head", headers(1, request_block("/"), 1) + get(3),
       "G0:PROTOCOL_ERROR"},
      {"4.3", "another stream's CONTINUATION within a head",
       headers(1, request_block("/"), 1) + frame(9, 4, 3), "G0:PROTOCOL_ERROR"},
      {"5.1", "DATA for a stream that is idle", data(1, "x"), "G0:PROTOCOL_ERROR"},
      {"5.1", "RST_STREAM for a stream that is idle", reset(1), "G0:PROTOCOL_ERROR"},
      {"5.1", "WINDOW_UPDATE for a stream that is idle", window(1, 1), "G0:PROTOCOL_ERROR"},
      {"5.1", "CONTINUATION for a stream that is idle", frame(9, 4, 1, request_block("/")),
       "G0:PROTOCOL_ERROR"},
      {"5.1", "PRIORITY for a stream that is idle", frame(2, 0, 1, std::string(5, '\0')) + kPing, "P+"},
      {"5.1", "DATA behind the request's end", waiting(1) + data(1, "x") + kPing, "R1:STREAM_CLOSED" + kDone},
      {"5.1", "HEADERS behind the request's end", waiting(1) + trailers(1) + kPing,
       "R1:STREAM_CLOSED" + kDone},
      {"5.1", "CONTINUATION behind the request's end", waiting(1) + frame(9, 4, 1), "G1:PROTOCOL_ERROR"},
      {"5.1", "WINDOW_UPDATE behind the request's end", waiting(1) + window(1, 10) + kPing, "P+"},
      {"5.1", "PRIORITY behind the request's end", waiting(1) + frame(2, 0, 1, std::string(5, '\0')) + kPing,
       "P+"},
      {"5.1", "RST_STREAM behind the request's end", waiting(1) + reset(1) + kPing, "P+"},
      {"5.1", "DATA behind the client's own RST_STREAM", post(1, "/echo") + reset(1) + data(1, "x"),
       "G1:STREAM_CLOSED"},
      {"5.1", "HEADERS behind the client's own RST_STREAM", waiting(1) + reset(1) + get(1),
       "G1:STREAM_CLOSED"},
      {"5.1", "CONTINUATION behind the client's own RST_STREAM", waiting(1) + reset(1) + frame(9, 4, 1),
       "G1:PROTOCOL_ERROR"},
      {"5.1", "DATA for a stream that has ended", get(1) + data(1, "x"), "H1:200 D1:5. G1:STREAM_CLOSED"},
      {"5.1", "HEADERS for a stream that has ended", get(1) + get(1), "H1:200 D1:5. G1:STREAM_CLOSED"},
      {"5.1", "CONTINUATION for a stream that has ended", get(1) + frame(9, 4, 1),
       "H1:200 D1:5. G1:PROTOCOL_ERROR"},
      {"5.1", "WINDOW_UPDATE for a stream that has ended", get(1) + window(1, 1) + kPing,
       "H1:200 D1:5." + kDone},
      {"5.1", "PRIORITY for a stream that has ended", get(1) + frame(2, 0, 1, std::string(5, '\0')) + kPing,
       "H1:200 D1:5." + kDone},
      {"5.1", "RST_STREAM for a stream that has ended", get(1) + reset(1) + kPing, "H1:200 D1:5." + kDone},
      {"5.1", "DATA for a stream that this end has broken off",
       post(1, "/early") + data(1, "x") + data(1, "y", 1) + kPing, "H1:403 D1:2. R1:NO_ERROR" + kDone},
      {"5.1", "trailers for a stream that this end has broken off", post(1, "/early") + trailers(1) + kPing,
       "H1:403 D1:2. R1:NO_ERROR" + kDone},
      {"5.1", "a table follows trailers that nobody reads",
       post(1, "/early") + headers(1, "\x40\x01x\x01y"s) + headers(3, request_block("/describe") + "\xbe"s),
       "H1:403 D1:2. R1:NO_ERROR H3:200 D3:48."},
      {"5.1.1", "a stream with an even number", get(2), "G0:PROTOCOL_ERROR"},
      {"5.1.1", "DATA for a stream with an even number", get(5) + data(2, "x"),
       "H5:200 D5:5. G5:PROTOCOL_ERROR"},
      {"5.1.1", "a stream with a smaller number than one before", get(5) + get(3),
       "H5:200 D5:5. G5:PROTOCOL_ERROR"},
      {"5.1.1", "numbers may be left out", get(1) + get(5) + get(2001),
       "H1:200 D1:5. H5:200 D5:5. H2001:200 D2001:5."},
      {"5.1.1", "the largest number", get(0x7fff'ffff), "H2147483647:200 D2147483647:5."},
      {"5.1.2", "one stream too many", waiting(1) + waiting(3) + waiting(5) + waiting(7) + get(9) + kPing,
       "R9:REFUSED_STREAM" + kDone},
      {"5.1.2", "streams that have ended are none", get(1) + get(3) + get(5) + get(7) + get(9),
       "H1:200 D1:5. H3:200 D3:5. H5:200 D5:5. H7:200 D7:5. H9:200 D9:5."},
      {"5.3.2", "HEADERS with a priority", headers(1, "\0\0\0\0\x0f"s + request_block("/"), 0x25),
       "H1:200 D1:5."},
      {"5.3.1", "HEADERS of a stream that depends on itself",
       headers(1, self_dependent(1) + request_block("/"), 0x25), "G0:PROTOCOL_ERROR"},
      {"5.3.1", "PRIORITY of a stream that depends on itself", frame(2, 0, 1, self_dependent(1)),
       "G0:PROTOCOL_ERROR"},
      {"5.5", "an unknown frame within a head", headers(1, request_block("/"), 1) + frame(0x20, 0, 1),
       "G0:PROTOCOL_ERROR"},
  };
}

std::vector<Row> frame_rows() {
  const std::string of_five(5, '\0');
  return {
      {"6.1", "DATA for the connection", data(0, "x"), "G0:PROTOCOL_ERROR"},
      {"6.1", "padding that is as long as all", post(1, "/echo") + frame(0, 9, 1, "\x03xxx"s.substr(0, 3)),
       "G1:PROTOCOL_ERROR"},
      {"6.1", "padding that is longer", post(1, "/echo") + frame(0, 9, 1, "\xffxxx"), "G1:PROTOCOL_ERROR"},
      {"6.1", "padding without its size", post(1, "/echo") + frame(0, 9, 1), "G1:FRAME_SIZE_ERROR"},
      {"6.1", "padding is not of the body", post(1, "/echo") + frame(0, 9, 1, "\x03hey\0\0\0"s),
       "H1:200 D1:3."},
      {"6.1", "all may be padding", post(1, "/echo") + frame(0, 9, 1, "\x02\0\0"s), "H1:200."},
      {"6.1", "pieces of a body",
       post(1, "/echo") + data(1, "ab") + data(1, "") + data(1, "cd") + data(1, "", 1), "H1:200 D1:4."},
      {"6.2", "HEADERS for the connection", get(0), "G0:PROTOCOL_ERROR"},
      {"6.2", "padding that is longer than the block", headers(1, "\xff" + request_block("/"), 0xd),
       "G0:PROTOCOL_ERROR"},
      {"6.2", "padding is not of the block", headers(1, "\x03" + request_block("/") + "\0\0\0"s, 0xd),
       "H1:200 D1:5."},
      {"6.2", "padding without its size", headers(1, "", 0xd), "G0:PROTOCOL_ERROR"},
      {"6.2", "a priority that is not there", headers(1, "\0\0\0\0"s, 0x25), "G0:FRAME_SIZE_ERROR"},
      {"6.3", "PRIORITY for the connection", frame(2, 0, 0, of_five), "G0:PROTOCOL_ERROR"},
      {"6.3", "PRIORITY of four bytes", frame(2, 0, 1, "\0\0\0\0"s), "G0:FRAME_SIZE_ERROR"},
      {"6.3", "PRIORITY of six bytes", frame(2, 0, 1, of_five + "x"), "G0:FRAME_SIZE_ERROR"},
      {"6.4", "RST_STREAM for the connection", reset(0), "G0:PROTOCOL_ERROR"},
      {"6.4", "RST_STREAM of three bytes", waiting(1) + frame(3, 0, 1, "abc"), "G1:FRAME_SIZE_ERROR"},
      {"6.4", "RST_STREAM of five bytes", waiting(1) + frame(3, 0, 1, "abcde"), "G1:FRAME_SIZE_ERROR"},
      {"6.4", "a code that is not known", waiting(1) + reset(1, 0xffff) + kPing, "P+"},
      {"6.5", "an acknowledgement with a payload", frame(4, 1, 0, setting(1, 1)), "G0:FRAME_SIZE_ERROR"},
      {"6.5", "SETTINGS for a stream", frame(4, 0, 1, setting(1, 1)), "G0:PROTOCOL_ERROR"},
      {"6.5", "SETTINGS of a size that is no number of settings", settings("abc"), "G0:FRAME_SIZE_ERROR"},
      {"6.5", "an acknowledgement is not acknowledged", frame(4, 1, 0) + kPing, "P+"},
      {"6.5.2", "ENABLE_PUSH neither on nor off", settings(setting(2, 2)), "G0:PROTOCOL_ERROR"},
      {"6.5.2", "ENABLE_PUSH on", settings(setting(2, 1)), "S+"},
      {"6.5.2", "a window that is too large", settings(setting(4, 0x8000'0000)), "G0:FLOW_CONTROL_ERROR"},
      {"6.5.2", "the largest window", settings(setting(4, 0x7fff'ffff)), "S+"},
      {"6.5.2", "a frame size that is too small", settings(setting(5, 16'383)), "G0:PROTOCOL_ERROR"},
      {"6.5.2", "a frame size that is too large", settings(setting(5, 16'777'216)), "G0:PROTOCOL_ERROR"},
      {"6.5.2", "the largest frame size", settings(setting(5, 16'777'215)), "S+"},
      {"6.5.2", "a setting that is not known", settings(setting(0xff, 7)), "S+"},
      {"6.5.2", "other settings are of no consequence",
       settings(setting(1, 0) + setting(3, 0) + setting(6, 1)), "S+"},
      {"6.5.3", "each is acknowledged", settings() + settings(), "S+ S+"},
      {"6.5.3", "of one that comes twice the last counts", settings(setting(4, 0) + setting(4, 3)) + get(1),
       "S+ H1:200 D1:3"},
      {"6.6", "PUSH_PROMISE of a client", frame(5, 4, 1, number_32(2) + request_block("/")),
       "G0:PROTOCOL_ERROR"},
      {"6.7", "PING is answered with what it says", kPing, "P+"},
      {"6.7", "the answer to one that was not sent", frame(6, 1, 0, "pingping"), ""},
      {"6.7", "PING for a stream", frame(6, 0, 1, "pingping"), "G0:PROTOCOL_ERROR"},
      {"6.7", "PING of seven bytes", frame(6, 0, 0, "pingpin"), "G0:FRAME_SIZE_ERROR"},
      {"6.7", "PING of nine bytes", frame(6, 0, 0, "pingpingp"), "G0:FRAME_SIZE_ERROR"},
      {"6.8", "GOAWAY for a stream", frame(7, 0, 1, of_five + "abc"), "G0:PROTOCOL_ERROR"},
      {"6.8", "GOAWAY that is too short", frame(7, 0, 0, "abcdefg"), "G0:FRAME_SIZE_ERROR"},
      {"6.8", "GOAWAY is answered", frame(7, 0, 0, of_five + "abc"), "G0:NO_ERROR"},
      {"6.8", "what was asked for before is answered", waiting(1) + frame(7, 0, 0, of_five + "abc"),
       "G1:NO_ERROR"},
      {"6.9", "a window of nothing more", window(0, 0), "G0:PROTOCOL_ERROR"},
      {"6.9", "a stream's window of nothing more", waiting(1) + window(1, 0) + kPing,
       "R1:PROTOCOL_ERROR" + kDone},
      {"6.9", "WINDOW_UPDATE of three bytes", frame(8, 0, 0, "abc"), "G0:FRAME_SIZE_ERROR"},
      {"6.9", "WINDOW_UPDATE of five bytes", frame(8, 0, 0, "abcde"), "G0:FRAME_SIZE_ERROR"},
      {"6.9", "the reserved bit says nothing", waiting(1) + window(1, 0x8000'0001) + kPing, "P+"},
      {"6.9.1", "a window of one byte", settings(setting(4, 1)) + get(1), "S+ H1:200 D1:1"},
      {"6.9.1", "it opens little by little", settings(setting(4, 1)) + get(1) + window(1, 2) + window(1, 2),
       "S+ H1:200 D1:1 D1:2 D1:2."},
      {"6.9.1", "the connection's window is too large", window(0, 0x7fff'ffff), "G0:FLOW_CONTROL_ERROR"},
      {"6.9.1", "a stream's window is too large", waiting(1) + window(1, 0x7fff'ffff) + kPing,
       "R1:FLOW_CONTROL_ERROR" + kDone},
      {"6.9.2", "a first window of nothing", settings(setting(4, 0)) + get(1), "S+ H1:200"},
      {"6.9.2", "a first window that opens later", settings(setting(4, 0)) + get(1) + settings(setting(4, 5)),
       "S+ H1:200 S+ D1:5."},
      {"6.9.2", "one that was used and becomes smaller",
       settings(setting(4, 3)) + get(1) + settings(setting(4, 2)) + window(1, 1) + window(1, 1),
       "S+ H1:200 D1:3 S+ D1:1"},
      {"6.9.2", "a change that makes a window too large",
       settings(setting(4, 0)) + waiting(1) + window(1, 0x7fff'ffff) + settings(setting(4, 1)),
       "S+ G1:FLOW_CONTROL_ERROR"},
      {"6.10", "a head in three frames",
       headers(1, request_block("/").substr(0, 9), 1) + frame(9, 0, 1, request_block("/").substr(9, 20)) +
           frame(9, 4, 1, request_block("/").substr(29)),
       "H1:200 D1:5."},
      {"6.10", "frames of nothing", headers(1, "", 1) + frame(9, 0, 1) + frame(9, 4, 1, request_block("/")),
       "H1:200 D1:5."},
      {"6.10", "CONTINUATION of a head that is whole", get(1) + frame(9, 4, 1),
       "H1:200 D1:5. G1:PROTOCOL_ERROR"},
      {"6.10", "CONTINUATION for the connection", headers(1, request_block("/"), 1) + frame(9, 4, 0),
       "G0:PROTOCOL_ERROR"},
      {"6.10", "DATA within a head", post(1, "/echo") + headers(1, "", 1) + data(1, "x"),
       "G1:PROTOCOL_ERROR"},
      {"9218 7.1", "PRIORITY_UPDATE for a stream", frame(16, 0, 1, number_32(1) + "u=1"),
       "G0:PROTOCOL_ERROR"},
      {"9218 7.1", "PRIORITY_UPDATE that is too short", frame(16, 0, 0, "abc"), "G0:FRAME_SIZE_ERROR"},
      {"9218 7.1", "PRIORITY_UPDATE about nothing", frame(16, 0, 0, number_32(0) + "u=1"),
       "G0:PROTOCOL_ERROR"},
      {"9218 7.1", "PRIORITY_UPDATE about a stream that is to come",
       frame(16, 0, 0, number_32(1) + "u=1") + get(1), "H1:200 D1:5."},
      {"9218 2.1", "NO_RFC7540_PRIORITIES neither on nor off", settings(setting(9, 2)), "G0:PROTOCOL_ERROR"},
  };
}

std::vector<Row> message_rows() {
  const std::string broken = "R1:PROTOCOL_ERROR" + kDone;
  std::vector<Row> rows = {
      {"8.1", "a body and trailers", post(1, "/trailers") + data(1, "abc") + trailers(1), "H1:200 D1:10."},
      {"8.1", "trailers without a body", post(1, "/trailers") + trailers(1), "H1:200 D1:10."},
      {"8.1", "HEADERS that do not end the request",
       post(1, "/echo") + data(1, "abc") + trailers(1, {{"x-sum", "1"}}, 4) + kPing, broken},
      {"8.1", "trailers of an answer", get(1, "/chunks"), "H1:200 D1:5 D1:6 H1:-."},
      {"8.1", "an answer before the request has come", post(1, "/early") + kPing,
       "H1:403 D1:2. R1:NO_ERROR" + kDone},
      {"8.1", "one in pieces", post(1, "/early-stream") + kPing, "H1:200 D1:2 D1:0. R1:NO_ERROR" + kDone},
      {"8.1", "an answer of a length that was told", get(1, "/length"), "H1:200 D1:5 D1:0."},
      {"8.1", "an answer that ends too early", get(1, "/short") + kPing,
       "H1:200 D1:8 R1:INTERNAL_ERROR" + kDone},
      {"8.1", "an answer without content", get(1, "/nocontent"), "H1:204."},
      {"8.1", "an answer that is no news", get(1, "/notmodified"), "H1:304."},
      {"8.1", "one without content that says so", get(1, "/reset"), "H1:205."},
      {"8.1", "one without content in pieces", get(1, "/reset-in-pieces"), "H1:205."},
      {"8.1", "HEAD", headers(1, request_block("/", "HEAD")), "H1:200."},
      {"8.1", "HEAD of an answer in pieces", headers(1, request_block("/chunks", "HEAD")), "H1:200."},
      {"8.1", "an answer's head that is too large", get(1, "/large-head"), "H1:500 D1:?."},
      {"8.1", "one in pieces whose head is too large", get(1, "/large-head-in-pieces"), "H1:500 D1:?."},
      {"8.1.1", "a body of the length that was told",
       post(1, "/echo", {{"content-length", "3"}}) + data(1, "ab") + data(1, "c", 1), "H1:200 D1:3."},
      {"8.1.1", "a body that is longer",
       post(1, "/echo", {{"content-length", "1"}}) + data(1, "ab", 1) + kPing, broken},
      {"8.1.1", "a body that is longer, in pieces",
       post(1, "/echo", {{"content-length", "3"}}) + data(1, "ab") + data(1, "cd") + kPing, broken},
      {"8.1.1", "a body that is shorter",
       post(1, "/echo", {{"content-length", "3"}}) + data(1, "ab", 1) + kPing, broken},
      {"8.1.1", "a body that is shorter, with trailers",
       post(1, "/echo", {{"content-length", "3"}}) + data(1, "ab") + trailers(1) + kPing, broken},
      {"8.1.1", "a length and no body",
       headers(1, request_block("/echo", "POST", {{"content-length", "3"}})) + kPing, broken},
      {"8.1.1", "a length of nothing and no body",
       headers(1, request_block("/echo", "POST", {{"content-length", "0"}})), "H1:200."},
      {"8.1.1", "a length of nothing and a body",
       post(1, "/echo", {{"content-length", "0"}}) + data(1, "x", 1) + kPing, broken},
      {"8.1.1", "two lengths", post(1, "/echo", {{"content-length", "1"}, {"content-length", "1"}}) + kPing,
       broken},
      {"8.1.1", "a length that is no number", post(1, "/echo", {{"content-length", "+1"}}) + kPing, broken},
      {"8.1.1", "a length that is no number that there is",
       post(1, "/echo", {{"content-length", "99999999999999999999"}}) + kPing, broken},
      {"8.2.1", "a space at a value's end", with({{"x", "a "}}) + kPing, broken},
      {"8.2.1", "a tab at a value's beginning", with({{"x", "\ta"}}) + kPing, broken},
      {"8.2.2", "TE for trailers", with({{"te", "trailers"}}), "H1:200 D1:5."},
      {"8.2.2", "TE for anything else", with({{"te", "trailers, deflate"}}) + kPing, broken},
      {"8.2.3", "crumbs of a cookie are one",
       headers(1, request_block("/describe", "GET", {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}})),
       "H1:200 D1:66."},
      {"8.3", "a pseudo-field that is not known", with({{":what", "x"}}) + kPing, broken},
      {"8.3", "a pseudo-field of answers",
       request({{":method", "GET"},
                {":scheme", "http"},
                {":path", "/"},
                {":authority", "a"},
                {":status", "200"}}) +
           kPing,
       broken},
      {"8.3", "a pseudo-field that needs an extension",
       request({{":method", "CONNECT"},
                {":scheme", "http"},
                {":path", "/"},
                {":authority", "a"},
                {":extension", "it"}}) +
           kPing,
       broken},
      {"8.3", "a pseudo-field behind others",
       request({{":method", "GET"}, {":scheme", "http"}, {"x", "y"}, {":path", "/"}, {":authority", "a"}}) +
           kPing,
       broken},
      {"8.3", "a pseudo-field among trailers", post(1, "/echo") + trailers(1, {{":method", "GET"}}) + kPing,
       broken},
      {"8.3.1", "no method", request({{":scheme", "http"}, {":path", "/"}, {":authority", "a"}}) + kPing,
       broken},
      {"8.3.1", "a method that is no token",
       request({{":method", "G T"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}) + kPing,
       broken},
      {"8.3.1", "no scheme", request({{":method", "GET"}, {":path", "/"}, {":authority", "a"}}) + kPing,
       broken},
      {"8.3.1", "no path", request({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}}) + kPing,
       broken},
      {"8.3.1", "an empty path", headers(1, request_block("")) + kPing, broken},
      {"8.3.1", "a path that is none", headers(1, request_block("index.html")) + kPing, broken},
      {"8.3.1", "a path that is a whole URI", headers(1, request_block("http://a/")) + kPing, broken},
      {"8.3.1", "a path with a space", headers(1, request_block("/a b")) + kPing, broken},
      {"8.3.1", "a path with a fragment", headers(1, request_block("/a#b")) + kPing, broken},
      {"8.3.1", "a path with a line break", headers(1, request_block("/a\r\nX: b")) + kPing, broken},
      {"8.3.1", "the asterisk", headers(1, request_block("*", "OPTIONS")), "H1:200 D1:5."},
      {"8.3.1", "the asterisk for another method", headers(1, request_block("*")) + kPing, broken},
      {"8.3.1", "no host at all", request({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}),
       "H1:400 D1:?."},
      {"8.3.1", "a host in place of an authority",
       request({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a"}}), "H1:200 D1:5."},
      {"8.3.1", "a host that is the authority", with({{"host", "A"}}), "H1:200 D1:5."},
      {"8.3.1", "a host that is another", with({{"host", "b"}}) + kPing, broken},
      {"8.3.1", "two hosts",
       request({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a"}, {"host", "b"}}) +
           kPing,
       broken},
      {"8.3.1", "an authority with a user",
       request({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "u@a"}}) + kPing,
       broken},
      {"8.3.1", "an empty authority",
       request({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", ""}}) + kPing,
       broken},
      {"8.5", "CONNECT", request({{":method", "CONNECT"}, {":authority", "a:1"}}), "H1:501 D1:?."},
      {"8.5", "CONNECT with a path",
       request({{":method", "CONNECT"}, {":path", "/"}, {":authority", "a:1"}}) + kPing, broken},
      {"8.5", "CONNECT for nobody", request({{":method", "CONNECT"}}) + kPing, broken},
      {"9110 9.1", "a method that is not known", headers(1, request_block("/", "BREW")), "H1:501 D1:?."},
      {"9110 10.1.1", "a client that waits for a 100",
       post(1, "/echo", {{"expect", "100-continue"}}) + kPing + data(1, "x", 1), "H1:100 P+ H1:200 D1:1."},
      {"9110 10.1.1", "one that is answered at once", post(1, "/early", {{"expect", "100-continue"}}) + kPing,
       "H1:403 D1:2. R1:NO_ERROR" + kDone},
      {"9110 10.1.1", "an expectation that is not known", post(1, "/echo", {{"expect", "more"}}),
       "H1:417 D1:?. R1:NO_ERROR"},
      {"9110 15.5.14", "a body that is longer than is taken", post(1, "/small") + data(1, "12345") + kPing,
       "H1:413 D1:?. R1:NO_ERROR" + kDone},
      {"9110 15.5.14", "a length that is longer than is taken",
       post(1, "/small", {{"content-length", "5"}}) + kPing, "H1:413 D1:?. R1:NO_ERROR" + kDone},
      {"9110 15.5.15", "a path that is longer than is taken",
       headers(1, request_block("/" + std::string(8192, 'x'))), "H1:414 D1:?."},
      {"6585 5", "a field that is larger than is taken",
       headers(1, request_block("/", "GET", {{"a", std::string(13'000, 'x')}}), 1) +
           frame(9, 0, 1, hpack({{"b", std::string(14'000, 'x')}})) +
           frame(9, 4, 1, hpack({{"c", std::string(14'500, 'x')}})),
       "H1:431 D1:?."},
  };
  // Section 8.2.1 and 8.2.2, each alike.
  for (const std::string_view name : {"X", "x y", "x:", "", "x\x7f", "x\x80", "\x01"})
    rows.push_back({"8.2.1", "a name that is no name", with({{name, "y"}}) + kPing, broken});
  for (const std::string_view value : {"\0"sv, "a\rb"sv, "a\nb"sv, "a\r\nb: c"sv, "\x7f"sv})
    rows.push_back({"8.2.1", "a value with what must not be in one", with({{"x", value}}) + kPing, broken});
  for (const std::string_view name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
    rows.push_back({"8.2.2", "a field that is about a connection", with({{name, "x"}}) + kPing, broken});
  for (const std::string_view name : {":method", ":scheme", ":path", ":authority"})
    rows.push_back(
        {"8.3", "a pseudo-field that is repeated",
         request(
             {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}, {name, "a"}}) +
             kPing,
         broken});
  for (const std::string_view name : {"transfer-encoding", "connection"})
    rows.push_back(
        {"8.1", "what no trailer may say", post(1, "/echo") + trailers(1, {{name, "x"}}) + kPing, broken});
  return rows;
}

// Whether `said` is as expected.
bool alike(std::string_view said, std::string_view expected) {
  while (!expected.empty() && expected.front() != '?') {
    if (said.empty() || said.front() != expected.front()) return false;
    said.remove_prefix(1);
    expected.remove_prefix(1);
  }
  if (expected.empty()) return said.empty();
  while (!said.empty() && said.front() >= '0' && said.front() <= '9') said.remove_prefix(1);
  return alike(said, expected.substr(1));
}

struct Connection {
  WireService service;
  Http2Harness harness{service};
  H2Reader reader;

  // `piece`: how many bytes come at a time.
  std::string play(const Row& row, size_t piece) {
    harness.options.streams = 4;
    http2::Session session(harness.environment, http::peer_at("192.0.2.1"));
    std::string out;
    const auto feed = [&](std::string_view bytes) {
      for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
        session.feed(bytes.substr(0, piece));
      out += HttpHarness::take(session);
    };
    if (!row.begins) {
      feed(hello());
      (void)reader.read(out);
      out.clear();
    }
    feed(row.in);
    const std::string said = reader.read(out);
    const bool ends = said.contains('G');
    if (ends && !session.finished()) CHECK(said.contains("NO_ERROR"));
    if (session.finished()) CHECK(ends);
    if (ends && !said.contains("NO_ERROR")) CHECK(!reader.goaway().empty());
    session.disconnect();
    session.output().clear();
    return said;
  }
  ~Connection() {
    CHECK(harness.exchanges.out() == 0);
    CHECK(harness.environment.streams.out() == 0);
    CHECK(harness.worker.blocks().out() == 0);
    CHECK(harness.segments.out() == 0);
    CHECK(service.done == service.requests + service.refused);
  }
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows)
    for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{7}}) {
      INFO(row.section << ": " << row.says << ", by " << piece);
      Connection connection;
      const std::string said = connection.play(row, piece);
      INFO(said << " and not " << row.out);
      CHECK(alike(said, row.out));
    }
}

}  // namespace

TEST_CASE("rfc 9113: connections, frames' layout and streams") { check(connection_rows()); }
TEST_CASE("rfc 9113: frames of each kind") { check(frame_rows()); }
TEST_CASE("rfc 9113: messages") { check(message_rows()); }
TEST_CASE("rfc 9113: there are more cases than in the public suite") {
  CHECK(connection_rows().size() + frame_rows().size() + message_rows().size() > 147);
}

}  // namespace leat::test
