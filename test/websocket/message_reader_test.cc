// RFC 6455 and 7692 as tables: frames in, and what is to be known of them. Each row is read whole, byte by byte and in pieces
// between, since a peer's bytes may be cut anywhere.
#include "websocket/message_reader.h"

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "websocket/frames.h"

namespace leat::test {

namespace {

using websocket::ReaderLimits;

struct Row {
  std::string what;
  std::string bytes;
  std::string events;
  ReaderLimits limits = {};
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(read_in_pieces(row.limits, row.bytes, std::max<size_t>(row.bytes.size(), 1)) == row.events);
    for (const size_t piece : {1U, 2U, 3U, 5U, 7U, 64U, 1000U})
      if (row.bytes.size() <= 5000 || piece > 5)
        CHECK(read_in_pieces(row.limits, row.bytes, piece) == row.events);
  }
}

constexpr ReaderLimits kPacking{.compressed = true};

}  // namespace

TEST_CASE("message_reader: takes messages of all sizes, texts and binary ones") {
  std::vector<Row> rows;
  for (const size_t size :
       {0U, 1U, 2U, 40U, 125U, 126U, 127U, 128U, 1000U, 65'535U, 65'536U, 65'537U, 200'000U}) {
    const std::string payload(size, 'a');
    const std::string said = size > 40 ? std::to_string(size) + "xa" : payload;
    rows.push_back({"a text of " + std::to_string(size), text(payload), "Text(" + said + ")"});
    rows.push_back({"binary of " + std::to_string(size), binary(payload), "Binary(" + said + ")"});
    rows.push_back(
        {"two of them", text(payload) + binary(payload), "Text(" + said + ") Binary(" + said + ")"});
  }
  check(rows);
}

TEST_CASE("message_reader: takes the mask off wherever a piece is cut") {
  std::string payload;
  for (int i = 0; i < 300; ++i) payload += static_cast<char>(i * 7);
  const std::string bytes = binary(payload) + binary(payload.substr(3));
  BlockPool memory{64, 0};
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    websocket::MessageReader reader(memory, {});
    std::vector<std::string> messages;
    for (const std::string_view piece :
         {std::string_view(bytes).substr(0, cut), std::string_view(bytes).substr(cut)})
      for (size_t used = 0; reader.next(piece, used) == websocket::MessageReader::Event::Binary;)
        messages.emplace_back(reader.payload());
    INFO(cut);
    REQUIRE(messages.size() == 2);
    CHECK(messages[0] == payload);
    CHECK(messages[1] == payload.substr(3));
  }
}

TEST_CASE("message_reader: joins fragments, with control frames between them") {
  const std::string kHalf = text("Hel", kFirst);
  check({
      {"two", kHalf + more("lo"), "Text(Hello)"},
      {"three, of which one is empty", kHalf + more("", kFirst) + more("lo"), "Text(Hello)"},
      {"empty ones alone", text("", kFirst) + more("", kFirst) + more(""), "Text()"},
      {"an empty one first", text("", kFirst) + more("Hello"), "Text(Hello)"},
      {"an empty one last", text("Hello", kFirst) + more(""), "Text(Hello)"},
      {"a ping between", kHalf + ping("x") + more("lo"), "Ping(x) Text(Hello)"},
      {"several between", kHalf + ping("x") + pong("y") + ping("") + more("lo"),
       "Ping(x) Pong(y) Ping() Text(Hello)"},
      {"a close between", kHalf + close_frame(1000), "Close(1000)"},
      {"binary", binary("\x01", kFirst) + more("\x02"), std::string("Binary(\x01\x02)")},
      {"another message after it", kHalf + more("lo") + text("x"), "Text(Hello) Text(x)"},
      {"a continuation of nothing", more("x"), "Failed(1002)"},
      {"one that is not the last", more("x", kFirst), "Failed(1002)"},
      {"a continuation after the end", text("x") + more("y"), "Text(x) Failed(1002)"},
      {"a text within a text", kHalf + text("lo"), "Failed(1002)"},
      {"binary within a text", kHalf + binary("lo"), "Failed(1002)"},
      {"a text within a text after a ping", kHalf + ping("") + text("lo"), "Ping() Failed(1002)"},
  });
  std::vector<Row> rows;
  for (const size_t size : {1U, 2U, 3U, 7U, 64U, 1000U}) {
    const std::string whole(5000, 'z');
    std::string bytes;
    for (size_t at = 0; at < whole.size(); at += size) {
      const bool last = at + size >= whole.size();
      bytes += frame(at == 0 ? 1 : 0, std::string_view(whole).substr(at, size), {.last = last});
    }
    rows.push_back({"fragments of " + std::to_string(size), bytes, "Text(5000xz)"});
  }
  check(rows);
}

TEST_CASE("message_reader: bounds control frames") {
  const std::string full(125, 'c');
  std::vector<Row> rows = {
      {"an empty ping", ping(""), "Ping()"},
      {"a ping with payload", ping("abc"), "Ping(abc)"},
      {"a ping of all bytes", ping(std::string("\x00\xff\xfe", 3)), std::string("Ping(\x00\xff\xfe)", 9)},
      {"the longest", ping(full), "Ping(125xc)"},
      {"the longest pong", pong(full), "Pong(125xc)"},
      {"one too long", ping(std::string(126, 'c')), "Failed(1002)"},
      {"much too long", ping(std::string(70'000, 'c')), "Failed(1002)"},
      {"a pong nobody asked for", pong("x") + text("y"), "Pong(x) Text(y)"},
      {"ten pings", ping("1") + ping("2") + ping("3"), "Ping(1) Ping(2) Ping(3)"},
  };
  for (const int opcode : {8, 9, 10})
    rows.push_back({"a fragment", frame(opcode, "", kFirst), "Failed(1002)"});
  for (const int opcode : {8, 9, 10})
    rows.push_back(
        {"a long length of a short one", frame(opcode, "abc", {.length_bytes = 2}), "Failed(1002)"});
  check(rows);
}

TEST_CASE("message_reader: refuses reserved bits and opcodes, wherever they come") {
  std::vector<Row> rows;
  for (const std::string& before : {std::string(), text("ok"), text("a", kFirst), ping("p")}) {
    const std::string seen = before == text("ok") ? "Text(ok) " : before == ping("p") ? "Ping(p) " : "";
    for (int bits = 1; bits < 8; ++bits) {
      const FrameOptions options{.reserved = bits};
      for (const int opcode : {0, 1, 2, 8, 9, 10})
        rows.push_back(
            {"bits " + std::to_string(bits), before + frame(opcode, "", options), seen + "Failed(1002)"});
    }
    for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15})
      for (const std::string_view payload : {"", "x"})
        rows.push_back(
            {"opcode " + std::to_string(opcode), before + frame(opcode, payload), seen + "Failed(1002)"});
  }
  check(rows);
}

TEST_CASE("message_reader: refuses lengths that are not as short as can be, and masks as they must not be") {
  check({
      {"125 in two bytes", text(std::string(125, 'a'), {.length_bytes = 2}), "Failed(1002)"},
      {"0 in two bytes", text("", {.length_bytes = 2}), "Failed(1002)"},
      {"125 in eight bytes", text(std::string(125, 'a'), {.length_bytes = 8}), "Failed(1002)"},
      {"65535 in eight bytes", text(std::string(65'535, 'a'), {.length_bytes = 8}), "Failed(1002)"},
      {"the top bit", text("", {.length_bytes = 8, .said = uint64_t{1} << 63}), "Failed(1002)"},
      {"all bits", text("", {.length_bytes = 8, .said = ~uint64_t{1}}), "Failed(1002)"},
      {"too large, and nothing of it has come", text("", {.length_bytes = 8, .said = uint64_t{1} << 40}),
       "Failed(1009)"},
      {"not masked", text("a", {.masked = false}), "Failed(1002)"},
      {"a ping that is not masked", ping("", {.masked = false}), "Failed(1002)"},
      {"masked, from a server", text("a"), "Failed(1002)", {.masked = false}},
      {"a server's",
       text("a", {.masked = false}) + ping("b", {.masked = false}),
       "Text(a) Ping(b)",
       {.masked = false}},
  });
}

TEST_CASE("message_reader: judges the UTF-8 of texts, however they are cut") {
  struct Sample {
    std::string bytes;
    bool good;
  };
  std::vector<Sample> samples = {
      {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", true},
      {"\xc2\x80", true},
      {"\xdf\xbf", true},
      {"\xe0\xa0\x80", true},
      {"\xed\x9f\xbf", true},
      {"\xee\x80\x80", true},
      {"\xef\xbf\xbf", true},
      {"\xf0\x90\x80\x80", true},
      {"\xf4\x8f\xbf\xbf", true},
      {std::string("\0", 1), true},
      {"\x7f", true},
      {"\x80", false},  // a byte of another character's
      {"\xbf", false},
      {"\xc0\x80", false},  // longer than it has to be
      {"\xc1\xbf", false},
      {"\xe0\x80\x80", false},
      {"\xe0\x9f\xbf", false},
      {"\xf0\x80\x80\x80", false},
      {"\xf0\x8f\xbf\xbf", false},
      {"\xed\xa0\x80", false},  // surrogates
      {"\xed\xbf\xbf", false},
      {"\xf4\x90\x80\x80", false},  // beyond U+10FFFF
      {"\xf5\x80\x80\x80", false},
      {"\xf8\x88\x80\x80\x80", false},
      {"\xfe", false},
      {"\xff", false},
      {"\xc2", false},  // cut off
      {"\xe1\xbd", false},
      {"\xf0\x9f\x98", false},
      {"\xc2\x41", false},
      {"\xe1\x41\xbd", false},
      {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64", false},
  };
  // Each first byte with each second one, judged by the other reader that there is.
  for (int first = 0x80; first < 0x100; ++first)
    for (int second = 0x40; second < 0x100; second += 0x10)
      samples.push_back(
          {std::string{static_cast<char>(first), static_cast<char>(second), '\x80', '\x80'}, false});
  for (Sample& sample : samples)
    if (sample.bytes.size() == 4 && !sample.good) sample.good = is_utf8(sample.bytes);
  std::vector<Row> rows;
  for (const auto& [bytes, good] : samples)
    for (const std::string& around : {std::string(), std::string("ab"), std::string(40, 'x')}) {
      const std::string whole = around + bytes + around;
      const std::string shown =
          whole.size() > 40 ? std::to_string(whole.size()) + "x" + whole.substr(0, 1) : whole;
      const std::string events = good ? "Text(" + shown + ")" : "Failed(1007)";
      rows.push_back({"whole", text(whole), events});
      rows.push_back({"packed", text(packed(whole), {.reserved = 4}), events, kPacking});
      for (size_t cut = 0; cut <= whole.size(); cut += 1 + whole.size() / 8)
        rows.push_back(
            {"cut in two frames",
             text(std::string_view(whole).substr(0, cut), kFirst) + more(std::string_view(whole).substr(cut)),
             events});
      rows.push_back({"as binary", binary(whole), "Binary(" + shown + ")"});
    }
  check(rows);
}

TEST_CASE("message_reader: finds out that a text is none as soon as it can be known") {
  BlockPool memory{64, 0};
  websocket::MessageReader reader(memory, {});
  // Of a frame of 1000 bytes the first ten.
  const std::string bytes = text("abc\xf4\x90" + std::string(995, 'x')).substr(0, 8 + 5);
  size_t used = 0;
  CHECK(reader.next(bytes, used) == websocket::MessageReader::Event::Failed);
  CHECK(reader.code() == 1007);
}

TEST_CASE("message_reader: takes the codes and reasons that a Close may have") {
  std::vector<Row> rows = {
      {"none", frame(8, ""), "Close(1005)"},
      {"a reason", close_frame(1000, "bye"), "Close(1000 bye)"},
      {"the longest reason", close_frame(1000, std::string(123, 'r')), "Close(1000 123xr)"},
      {"half a code", frame(8, "\x03"), "Failed(1002)"},
      {"a reason too long", close_frame(1000, std::string(124, 'r')), "Failed(1002)"},
      {"a reason that is not UTF-8", close_frame(1000, "\xff"), "Failed(1007)"},
      {"a reason that is cut off", close_frame(1000, "a\xe1\xbd"), "Failed(1007)"},
  };
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999})
    rows.push_back(
        {"a code", close_frame(static_cast<uint16_t>(code)), "Close(" + std::to_string(code) + ")"});
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 65'535})
    rows.push_back({"no code", close_frame(static_cast<uint16_t>(code)), "Failed(1002)"});
  check(rows);
}

TEST_CASE("message_reader: bounds messages and frames") {
  const ReaderLimits small{.message_bytes = 1000, .frame_bytes = 600};
  const std::string half(500, 'a');
  check({
      {"a frame as large as can be", text(std::string(600, 'a')), "Text(600xa)", small},
      {"one larger", text(std::string(601, 'a')), "Failed(1009)", small},
      {"a message as large as can be", text(half, kFirst) + more(half), "Text(1000xa)", small},
      {"one larger", text(half, kFirst) + more(half, kFirst) + more("a"), "Failed(1009)", small},
      {"one that says so", text(half, kFirst) + more("", {.said = 501}), "Failed(1009)", small},
      {"two as large as can be", text(half, kFirst) + more(half) + text(half, kFirst) + more(half),
       "Text(1000xa) Text(1000xa)", small},
      {"nothing may be sent", text("a"), "Failed(1009)", {.message_bytes = 0}},
      {"but that", text("") + ping("x"), "Text() Ping(x)", {.message_bytes = 0}},
  });
}

TEST_CASE("message_reader: takes no frames without end") {
  std::string bytes = text("", kFirst);
  const std::string empty = more("", kFirst);
  for (int i = 0; i < 70'000; ++i) bytes += empty;
  CHECK(read_in_pieces({}, bytes, bytes.size()) == "Failed(1009)");
}

TEST_CASE("message_reader: keeps memory for what has come and not for what was announced") {
  BlockPool memory{1024, 0};
  websocket::MessageReader reader(memory, {});
  const std::string head =
      binary(std::string(1000, 'a'), {.length_bytes = 8, .said = 1'000'000}).substr(0, 500);
  size_t used = 0;
  CHECK(reader.next(head, used) == websocket::MessageReader::Event::More);
  CHECK(used == head.size());
  CHECK(memory.charged() <= Block::kSize);
  CHECK(reader.within());
}

TEST_CASE("message_reader: says that memory is out") {
  BlockPool memory{1, 0};
  websocket::MessageReader reader(memory, {});
  const std::string bytes = binary(std::string(100'000, 'a'));
  size_t used = 0;
  CHECK(reader.next(bytes, used) == websocket::MessageReader::Event::Failed);
  CHECK(reader.code() == 1013);
  CHECK(memory.charged() == 0);
}

TEST_CASE("message_reader: unpacks messages, each by itself") {
  const FrameOptions kPacked{.reserved = 4};
  const FrameOptions kPackedFirst{.last = false, .reserved = 4};
  std::string repeating;
  for (int i = 0; i < 20'000; ++i) repeating += "abcdefgh"[i % 7];
  const std::string hello = packed("Hello");
  std::vector<Row> rows = {
      {"RFC 7692, section 7.2.3.1", text(std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7), kPacked),
       "Text(Hello)", kPacking},
      {"in two fragments",
       text(std::string("\xf2\x48\xcd", 3), kPackedFirst) + more(std::string("\xc9\xc9\x07\x00", 4)),
       "Text(Hello)", kPacking},
      {"a stored block (7.2.3.3)",
       text(std::string("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11), kPacked), "Text(Hello)",
       kPacking},
      {"a last block (7.2.3.4)", text(std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8), kPacked),
       "Text(Hello)", kPacking},
      {"two blocks (7.2.3.5)",
       text(std::string("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13), kPacked), "Text(Hello)",
       kPacking},
      {"empty", text(std::string("\x00", 1), kPacked), "Text()", kPacking},
      {"no byte at all", text("", kPacked), "Text()", kPacking},
      {"binary", binary(packed(repeating), kPacked), "Binary(20000xa)", kPacking},
      {"one, plain, and another", text(hello, kPacked) + text("plain") + text(hello, kPacked),
       "Text(Hello) Text(plain) Text(Hello)", kPacking},
      {"a ping between its fragments",
       text(hello.substr(0, 2), kPackedFirst) + ping("p") + more(hello.substr(2)), "Ping(p) Text(Hello)",
       kPacking},
      {"RSV1 on a continuation", text("a", kFirst) + more("b", kPacked), "Failed(1002)", kPacking},
      {"RSV1 on a ping", ping("", kPacked), "Failed(1002)", kPacking},
      {"RSV1 on a close", frame(8, "", kPacked), "Failed(1002)", kPacking},
      {"RSV2", text("", {.reserved = 2}), "Failed(1002)", kPacking},
      {"not agreed on", text(hello, kPacked), "Failed(1002)"},
      {"no such block", text("\xff\xff\xff", kPacked), "Failed(1007)", kPacking},
      {"a length that contradicts itself", text(std::string("\x00\x05\x00\x05\x00Hello", 10), kPacked),
       "Failed(1007)", kPacking},
      {"a distance before the beginning", text(std::string("\x03\x02\x00", 3), kPacked), "Failed(1007)",
       kPacking},
  };
  for (const size_t size : {0U, 1U, 10U, 100U, 65'535U, 65'536U, 65'537U, 131'072U, 131'073U, 500'000U}) {
    const std::string payload(size, 'q');
    const std::string shown = size > 40 ? std::to_string(size) + "xq" : payload;
    rows.push_back({"unpacked " + std::to_string(size), text(packed(payload), kPacked), "Text(" + shown + ")",
                    kPacking});
  }
  check(rows);
}

TEST_CASE("message_reader: bounds what is unpacked, and the work of it") {
  const FrameOptions kPacked{.reserved = 4};
  const ReaderLimits small{.message_bytes = 10'000, .compressed = true};
  const std::string bomb = packed(std::string(10'000'000, '\0'));
  REQUIRE(bomb.size() < 10'000);
  check({
      {"as large as can be", binary(packed(std::string(10'000, 'x')), kPacked), "Binary(10000xx)", small},
      {"a byte more", binary(packed(std::string(10'001, 'x')), kPacked), "Failed(1009)", small},
      {"a bomb", binary(bomb, kPacked), "Failed(1009)", small},
  });
  // Blocks that say they are the last, each of which costs a copy of the window.
  std::string lasts = packed(std::string(40'000, 'x'));
  for (int i = 0; i < 1000; ++i) lasts += std::string("\x03\x00", 2);
  CHECK(read_in_pieces({.compressed = true}, binary(lasts, kPacked), SIZE_MAX / 2) == "Failed(1007)");
}

}  // namespace leat::test
