// The parser's limits to the byte, and what it makes of a head's parts. Whether all ways of reading agree is
// the fuzz targets' question.
#include "http1/parser.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "base/block_pool.h"
#include "http/known_heads.h"

namespace leat::test {

namespace {

using http::Head;
using http::HeaderId;
using http::KnownHead;
using http::KnownHeads;
using http::Limits;
using http1::KnownLines;
using http1::Parser;

// A parser with its memory.
struct Bench {
  BlockPool pool{1024, 1024};
  Arena arena{pool, size_t{1} << 20};
  Limits limits;
  Parser parser;

  Parser::Step read(std::string_view text, KnownLines* lines = nullptr) {
    arena.reset();
    parser.reset(arena, limits, lines);
    return parser.parse_head(text);
  }
  // 0 for a head that is taken, else the refusal's status.
  int status(std::string_view text, KnownLines* lines = nullptr) {
    const Parser::Step step = read(text, lines);
    REQUIRE(step != Parser::Step::More);
    return step == Parser::Step::Refused ? parser.refusal().status : 0;
  }
};

std::string head(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

std::string fields(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += "X-" + std::to_string(i) + ": y\r\n";
  return text;
}

}  // namespace

TEST_CASE("parser: a request line may have as many bytes as the limit says, line ending included") {
  Bench bench;
  const auto line_of = [](size_t size) { return "GET /" + std::string(size - 16, 'x') + " HTTP/1.1\r\n"; };
  REQUIRE(line_of(8192).size() == 8192);
  CHECK(bench.status(line_of(8192) + "Host: a\r\n\r\n") == 0);
  CHECK(bench.status(line_of(8193) + "Host: a\r\n\r\n") == 414);
  CHECK(bench.status(std::string("GET /") + std::string(8188, 'x')) == 414);
  CHECK(bench.read(std::string("GET /") + std::string(8187, 'x')) == Parser::Step::More);
}

TEST_CASE("parser: the header section may have as many bytes as the limit says, blank line included") {
  Bench bench;
  const bool tables = GENERATE(false, true);
  KnownLines lines;
  const auto section_of = [](size_t size) {
    const std::string start = "GET / HTTP/1.1\r\n";
    return start + "Host: a\r\nX: " + std::string(size - 16, 'y') + "\r\n\r\n";
  };
  REQUIRE(section_of(32'768).size() == 32'768 + 16);
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.status(section_of(32'768), tables ? &lines : nullptr) == 0);
    CHECK(bench.status(section_of(32'769), tables ? &lines : nullptr) == 431);
  }
}

TEST_CASE("parser: lines that are known count against the limits like others") {
  Bench bench;
  KnownLines lines;
  bench.limits.header_bytes = 200;
  for (int i = 0; i < 3; ++i) {
    std::string most = "Host: a\r\n";
    int field = 0;
    while (most.size() + 2 + 10 <= 200) most += "X-" + std::to_string(100 + field++) + ": y\r\n";
    CHECK(bench.status("GET / HTTP/1.1\r\n" + most + "\r\n", &lines) == 0);
    CHECK(bench.status("GET / HTTP/1.1\r\n" + most + "X-999: y\r\n\r\n", &lines) == 431);
  }
}

TEST_CASE("parser: the preface of HTTP/2 is refused as that, also before lines that are known and too many") {
  Bench bench;
  KnownLines lines;
  for (int i = 0; i < 4; ++i) REQUIRE(bench.status(head(fields(9)), &lines) == 0);
  bench.limits.header_count = 4;
  CHECK(bench.status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &lines) == 505);
  CHECK(bench.status("PRI * HTTP/1.0\r\nHost: a\r\n" + fields(9) + "\r\n", &lines) == 505);
  CHECK(bench.status("PRI * HTTP/1.0\r\nHost: a\r\n" + fields(9) + "\r\n") == 505);
}

TEST_CASE("parser: there may be as many header fields as the limit says") {
  Bench bench;
  const bool tables = GENERATE(false, true);
  KnownLines lines;
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.status(head(fields(99)), tables ? &lines : nullptr) == 0);
    CHECK(bench.parser.head().slot_count == 100);
    CHECK(bench.status(head(fields(100)), tables ? &lines : nullptr) == 431);
  }
}

TEST_CASE("parser: what is malformed within the limits is said before that a limit is passed") {
  Bench bench;
  CHECK(bench.status("GET /\x01" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n") == 400);
  CHECK(bench.status(head("X : y\r\nZ: " + std::string(33'000, 'z') + "\r\n")) == 400);
  CHECK(bench.status(head(fields(99) + "X : y\r\n")) == 400);
}

TEST_CASE("parser: a head larger than its memory is 503, and so are its fields") {
  Bench bench;
  bench.arena.set_limit(GENERATE(size_t{0}, Block::kSize));
  CHECK(bench.status(head("X: " + std::string(20'000, 'y') + "\r\n")) == 503);
}

TEST_CASE("parser: tells a field's name, value and number, without white space around the value") {
  Bench bench;
  REQUIRE(bench.status(
              "GET /a?b HTTP/1.1\r\nhOST:\t a:80 \t\r\nX-Own:\r\nContent-Type:x/y; z\r\nAge:   \r\n\r\n") ==
          0);
  const Head& read = bench.parser.head();
  REQUIRE(read.slot_count == 4);
  CHECK(read.slots[0].id == HeaderId::Host);
  CHECK(read.view(read.slots[0].name) == "hOST");
  CHECK(read.view(read.slots[0].value) == "a:80");
  CHECK(read.slots[1].id == HeaderId::Unknown);
  CHECK(read.view(read.slots[1].name) == "X-Own");
  CHECK(read.view(read.slots[1].value).empty());
  CHECK(read.slots[2].id == HeaderId::ContentType);
  CHECK(read.view(read.slots[2].value) == "x/y; z");
  CHECK(read.view(read.slots[3].value).empty());
  CHECK(read.view(read.host) == "a:80");
  CHECK(read.view(read.path) == "/a");
  CHECK(read.view(read.query) == "b");
  CHECK(read.has_query);
}

TEST_CASE("parser: hosts that could be taken for something else are refused") {
  Bench bench;
  for (const char* good : {"a",
                           "a.example",
                           "a.example:8080",
                           "a.example:",
                           "a:0",
                           "a:65535",
                           "127.0.0.1",
                           "[::]",
                           "[::1]",
                           "[::1]:80",
                           "[1:2:3:4:5:6:7:8]",
                           "[1::8]",
                           "[1::]",
                           "[FE80::a:b]",
                           "[::ffff:192.0.2.1]",
                           "[1:2:3:4:5:6:192.0.2.1]",
                           "xn--bcher-kva.example",
                           "a_b",
                           "a%20b",
                           "a%c3%A9",
                           "a!$&'()*+;=~b",
                           ""}) {
    INFO(good);
    CHECK(bench.status("GET / HTTP/1.1\r\nHost: " + std::string(good) + "\r\n\r\n") == 0);
  }
  for (const char* bad : {"a b",
                          "a/b",
                          "a@b",
                          "a,b",
                          "a?b",
                          "a#b",
                          "a\\b",
                          "a:b",
                          "a:123456",
                          "a:65536",
                          "a:+1",
                          "a:1:2",
                          "[::1",
                          "[::1]x",
                          "[::1]:x",
                          "a\"b",
                          "a<b",
                          "a|b",
                          "a\x80",
                          "[a]b:1",
                          "a]",
                          "a%",
                          "a%2",
                          "a%zz",
                          "a%2g",
                          "[]",
                          "[:]",
                          "[:::]",
                          "[1:2]",
                          "[g::1]",
                          "[1::2::3]",
                          "[12345::]",
                          "[::1%25eth0]",
                          "[1:2:3:4:5:6:7:8:9]",
                          "[1:2:3:4:5:6:7::8]:",
                          "[1:2:3:4:5:6:7:8::]",
                          "[1:]",
                          "[:1]",
                          "[192.0.2.1]",
                          "[::192.0.2]",
                          "[::192.0.2.256]",
                          "[::192.0.2.01]",
                          "[192.0.2.1::]",
                          "[v1.a]",
                          ":80",
                          ":"}) {
    INFO(bad);
    CHECK(bench.status("GET / HTTP/1.1\r\nHost: " + std::string(bad) + "\r\n\r\n") == 400);
    if (std::string_view(bad).find_first_of("/?") != std::string_view::npos) continue;  // a path, a query
    CHECK(bench.status("GET http://" + std::string(bad) + "/ HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  }
}

TEST_CASE("parser: the four forms of a target") {
  Bench bench;
  struct Case {
    const char* line;
    int status;
    const char* path;
    const char* query;
    const char* host;
  };
  const Case cases[] = {
      {"GET /", 0, "/", "", "a"},
      {"GET /x?", 0, "/x", "", "a"},
      {"GET /x?y?z", 0, "/x", "y?z", "a"},
      {"GET //x", 0, "//x", "", "a"},
      {"GET http://b", 0, "/", "", "b"},
      {"GET HTTP://b:1", 0, "/", "", "b:1"},
      {"GET https://b/c?d", 0, "/c", "d", "b"},
      {"GET http://b?d", 0, "/", "d", "b"},
      {"OPTIONS *", 0, "*", "", "a"},
      {"OPTIONS http://b", 0, "/", "", "b"},
      {"GET *", 400, "", "", ""},
      {"GET /x#y", 400, "", "", ""},
      {"GET ftp://b/", 400, "", "", ""},
      {"GET http:///x", 400, "", "", ""},
      {"GET http://b@c/", 400, "", "", ""},
      {"GET x", 400, "", "", ""},
      {"CONNECT b:1", 501, "", "", ""},
  };
  for (const Case& each : cases) {
    INFO(each.line);
    REQUIRE(bench.status(std::string(each.line) + " HTTP/1.1\r\nHost: a\r\n\r\n") == each.status);
    if (each.status != 0) continue;
    const Head& read = bench.parser.head();
    CHECK(read.view(read.path) == each.path);
    CHECK(read.view(read.query) == each.query);
    CHECK(read.view(read.host) == each.host);
    CHECK(read.has_query == (std::string_view(each.line).find('?') != std::string_view::npos));
  }
}

TEST_CASE("parser: every method of the list is told, others are refused") {
  Bench bench;
  for (unsigned i = 0; i < http::kMethodCount; ++i) {
    const auto method = static_cast<http::Method>(i);
    INFO(http::method_name(method));
    const int wanted = method == http::Method::Connect ? 501 : 0;
    REQUIRE(bench.status(std::string(http::method_name(method)) + " / HTTP/1.1\r\nHost: a\r\n\r\n") ==
            wanted);
    if (wanted == 0) CHECK(bench.parser.head().method == method);
    CHECK(http::find_method(http::method_name(method)) == method);
  }
  for (const char* other :
       {"PRI", "SOURCE", "DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "TEARDOWN", "FLUSH", "BREW"}) {
    INFO(other);
    const int status = bench.status(std::string(other) + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(status == (std::string_view(other) == "PRI" ? 505 : 501));
  }
}

TEST_CASE("parser: who asks by an absolute target is shown no other host, with known lines and without") {
  Bench bench;
  KnownLines lines;
  const std::string rest = " HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n";
  for (int i = 0; i < 5; ++i) {
    for (KnownLines* tables : {static_cast<KnownLines*>(nullptr), &lines}) {
      REQUIRE(bench.status("GET http://b.example:81/x" + rest, tables) == 0);
      const Head& absolute = bench.parser.head();
      CHECK(absolute.view(absolute.host) == "b.example:81");
      CHECK(absolute.view(absolute.slots[0].value) == "b.example:81");
      CHECK(absolute.view(absolute.slots[1].value) == "*/*");
      REQUIRE(bench.status("GET /x" + rest, tables) == 0);
      const Head& origin = bench.parser.head();
      CHECK(origin.view(origin.host) == "a.example");
      CHECK(origin.view(origin.slots[0].value) == "a.example");
    }
  }
}

TEST_CASE("parser: what is wrong with a head is said in the same words whether its lines are known or not") {
  Bench bench;
  KnownLines lines;
  const std::string secret = "Cookie: session=1234567890\r\n";
  for (int i = 0; i < 5; ++i) REQUIRE(bench.status(head(secret), &lines) == 0);
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& wrong :
       {secret + " folded\r\n\r\n", secret + "\tfolded\r\n\r\n", secret + "\n", secret + "\rx",
        secret + "X\r\n\r\n", secret + ": x\r\n\r\n", "X : y\r\n" + secret, "X: \x01\r\n" + secret + "\r\n",
        fields(98) + secret + "X-100: y\r\nX-101: y\r\n\r\n", fields(99) + secret + "\r\n",
        "X: " + std::string(32'741, 'y') + "\r\n" + secret + "\r\n",
        fields(99) + "X: " + std::string(31'500, 'y') + "\r\n" + secret + "\r\n"}) {
    INFO(wrong.substr(0, 60));
    REQUIRE(bench.read(start + wrong) == Parser::Step::Refused);
    const http::Refusal unknown = bench.parser.refusal();
    REQUIRE(bench.read(start + wrong, &lines) == Parser::Step::Refused);
    CHECK(bench.parser.refusal().status == unknown.status);
    CHECK(bench.parser.refusal().detail == unknown.detail);
  }
}

TEST_CASE("chunks: sizes that are none, or too large, are refused") {
  for (const std::string_view bad : {"", "-1", "+1", "0x1", "g", "10000000000000000", "ffffffffffffffffff"}) {
    INFO(bad);
    http1::ChunkReader reader;
    size_t used = 0;
    CHECK(reader.read(std::string(bad) + "\r\n", used) == http1::ChunkReader::Step::Refused);
  }
  http1::ChunkReader reader;
  size_t used = 0;
  CHECK(reader.read("0000000000000000000fFfFfFfFfFfFfFf\r\nx", used) == http1::ChunkReader::Step::Data);
  CHECK(reader.piece() == "x");
}

TEST_CASE("parser: trailers have the limits of headers, and no say in framing") {
  Bench bench;
  bench.limits.header_count = 3;
  bench.limits.header_bytes = 100;
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto read = [&](std::string_view trailers) {
    REQUIRE(bench.status(start) == 0);
    const std::string body = "0\r\n" + std::string(trailers) + "\r\n";
    size_t used = 0;
    const Parser::Step step = bench.parser.parse_body(body, used);
    if (step == Parser::Step::End) CHECK(used == body.size());
    return step;
  };
  CHECK(read("X-Sum: 1\r\nContent-Length: 5\r\n") == Parser::Step::Refused);
  CHECK(bench.parser.refusal().status == 400);
  REQUIRE(read("X-Sum: 1 \r\nUpgrade: x\r\nY:\r\n") == Parser::Step::End);
  const auto trailers = bench.parser.trailers();
  REQUIRE(trailers.size() == 2);
  const auto view = [&](http::Span span) {
    return bench.parser.trailer_bytes().substr(span.offset, span.size);
  };
  CHECK(view(trailers[0].name) == "X-Sum");
  CHECK(view(trailers[0].value) == "1");
  CHECK(view(trailers[1].name) == "Y");
  CHECK(view(trailers[1].value).empty());
  REQUIRE(read("Host: b\r\nConnection: close\r\n") == Parser::Step::End);
  CHECK(bench.parser.trailers().empty());
  CHECK(read("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n") == Parser::Step::Refused);
  CHECK(bench.parser.refusal().status == 431);
  CHECK(read("A: " + std::string(99, 'x') + "\r\n") == Parser::Step::End);
  CHECK(read("A: " + std::string(100, 'x') + "\r\n") == Parser::Step::Refused);
  CHECK(bench.parser.refusal().status == 431);
}

TEST_CASE("parser: a known line of framing's is used only where it means nothing") {
  Bench bench;
  KnownLines lines;
  for (int i = 0; i < 4; ++i) {
    REQUIRE(bench.status(head("Connection: keep-alive\r\n"), &lines) == 0);
    CHECK(bench.parser.head().keep_alive);
    REQUIRE(bench.status("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &lines) == 0);
    CHECK(bench.parser.head().keep_alive);
    REQUIRE(bench.status("GET / HTTP/1.0\r\n\r\n", &lines) == 0);
    CHECK_FALSE(bench.parser.head().keep_alive);
    REQUIRE(bench.status(head("Connection: close\r\n"), &lines) == 0);
    CHECK_FALSE(bench.parser.head().keep_alive);
    REQUIRE(bench.status(head("Connection: keep-alive\r\nConnection: close\r\n"), &lines) == 0);
    CHECK_FALSE(bench.parser.head().keep_alive);
    REQUIRE(bench.status(head("Content-Length: 3\r\n"), &lines) == 0);
    CHECK(bench.parser.head().content_length == 3);
    CHECK(bench.status(head("Content-Length: 3\r\nContent-Length: 3\r\n"), &lines) == 400);
    CHECK(bench.status(head("Host: a\r\n"), &lines) == 400);
  }
}

TEST_CASE("known lines: a line enters when it is seen again, and is matched whole") {
  KnownLines lines;
  const std::string line = "Accept: text/html\r\n";
  const http::HeaderSlot slot{.name = {0, 6}, .value = {8, 9}, .id = HeaderId::Accept};
  CHECK(lines.match(line, nullptr) == nullptr);
  lines.offer(line, slot);
  CHECK(lines.match(line, nullptr) == nullptr);
  lines.offer(line, slot);
  const http1::KnownLine* known = lines.match(line + "Host: a\r\n", nullptr);
  REQUIRE(known != nullptr);
  CHECK(known->size == line.size());
  CHECK(known->id == HeaderId::Accept);
  CHECK(lines.match(line.substr(0, line.size() - 1), nullptr) == nullptr);
  CHECK(lines.match("Accept: text/htmk\r\n", nullptr) == nullptr);
  CHECK(lines.match("accept: text/html\r\n", nullptr) == nullptr);
  CHECK(lines.match("", nullptr) == nullptr);
}

TEST_CASE("known lines: neither long lines nor those that steer the parser enter") {
  KnownLines lines;
  const auto offered = [&](const std::string& line) {
    const size_t colon = line.find(':');
    const http::HeaderSlot slot{
        .name = {0, static_cast<uint32_t>(colon)},
        .value = {static_cast<uint32_t>(colon) + 2, static_cast<uint32_t>(line.size() - colon - 4)},
        .id = http::find_header(line.substr(0, colon))};
    for (int i = 0; i < 4; ++i) lines.offer(line, slot);
    return lines.match(line, nullptr) != nullptr;
  };
  CHECK(offered("X: " + std::string(251, 'y') + "\r\n"));
  CHECK_FALSE(offered("X: " + std::string(252, 'y') + "\r\n"));
  CHECK_FALSE(offered("Content-Length: 3\r\n"));
  CHECK_FALSE(offered("transfer-encoding: chunked\r\n"));
  CHECK_FALSE(offered("Connection: close\r\n"));
  CHECK_FALSE(offered("Upgrade: h2c\r\n"));
  CHECK_FALSE(offered("Proxy-Connection: keep-alive\r\n"));
}

TEST_CASE("known lines: far more lines than there is room for leave those that are found right") {
  KnownLines lines;
  for (int round = 0; round < 3; ++round) {
    const http1::KnownLine* hint = nullptr;
    for (int i = 0; i < 5000; ++i) {
      const std::string line = "X-" + std::to_string(i) + ": " + std::to_string(i * 7) + "\r\n";
      const auto colon = static_cast<uint32_t>(line.find(':'));
      const http::HeaderSlot slot{.name = {0, colon},
                                  .value = {colon + 2, static_cast<uint32_t>(line.size()) - colon - 4}};
      lines.offer(line, slot);
      lines.offer(line, slot);
      const http1::KnownLine* known = lines.match(line, hint);
      REQUIRE(known != nullptr);
      REQUIRE(std::string_view(known->bytes, known->size) == line);
      hint = known;
    }
  }
}

// What a browser's head is like: a section that is a run; what varies, and what is in no run, follows. Which
// lines a table remembers depends on the seed of this process: one in a hundred has two of the lines keep
// each other out. So the section is one of several, whichever is remembered.
std::string section_of(int number) {
  const std::string n = std::to_string(number);
  return "Host: example" + n +
         ".org\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; " + n +
         ")\r\nAccept: application/json;v=" + n + "\r\nAccept-Language: en-GB,en;q=0." + n + "\r\n";
}
std::string behind(int number) { return "Cookie: id=" + std::to_string(number) + "\r\n"; }
std::string longer_section_of(int number) {
  return section_of(number) + "Sec-Fetch-Mode: mode" + std::to_string(number) + "\r\n";
}

int remembered_number() {
  static const int kFound = [] {
    for (int number = 1; number < 10; ++number) {
      Bench bench;
      KnownLines lines;
      const std::string section = section_of(number), longer = longer_section_of(number);
      for (int i = 0; i < 6; ++i)
        for (const std::string& fields : {section + behind(number), section, longer})
          REQUIRE(bench.status("GET / HTTP/1.1\r\n" + fields + "\r\n", &lines) == 0);
      const http1::KnownRun* run = lines.runs().match(section + behind(number));
      const http1::KnownRun* other = lines.runs().match(longer);
      if (run != nullptr && other != nullptr && run != other) return number;
    }
    return 0;
  }();
  REQUIRE(kFound != 0);
  return kFound;
}

// As text, so that readings can be compared.
std::string described(const http::Head& head) {
  std::string text = std::to_string(head.size) + (head.keep_alive ? " keep " : " close ") +
                     std::string(head.view(head.host)) + " " + std::string(head.view(head.target)) + "\n";
  for (const http::HeaderSlot& slot : head.headers())
    text += std::string(http::header_name(slot.id)) + "|" + std::string(head.view(slot.name)) + "|" +
            std::string(head.view(slot.value)) + "\n";
  return text;
}

TEST_CASE("known runs: a head that begins with one is read as without") {
  int remembered = 0;
  for (int of = 1; of < 10; ++of) {
    Bench with;
    Bench without;
    KnownLines lines;
    const std::string section = section_of(of);
    CHECK(lines.runs().match(section) == nullptr);
    for (int i = 0; i < 8; ++i) {
      const std::string number = std::to_string(i * 1111);
      const bool last = i == 7;
      const std::string text = "GET /" + number + " HTTP/1.1\r\n" + section + "X-Id: " + number + "\r\n" +
                               behind(of) + (last ? "Expect: 100-continue\r\n" : "") + "\r\n";
      REQUIRE(with.status(text, &lines) == 0);
      REQUIRE(without.status(text) == 0);
      CHECK(described(with.parser.head()) == described(without.parser.head()));
      CHECK(with.parser.head().expect_continue == last);
    }
    const http1::KnownRun* run = lines.runs().match(section + behind(of));
    if (run == nullptr || run->count != 5) continue;
    ++remembered;
    CHECK(std::string_view(run->bytes, run->size) == section);
    CHECK(lines.runs().match(section.substr(0, section.size() - 1)) == nullptr);
  }
  CHECK(remembered >= 1);
}

TEST_CASE("known runs: what they hold counts as what it is") {
  const std::string section = section_of(remembered_number());
  Bench bench;
  KnownLines lines;
  const auto status = [&](const std::string& version, const std::string& more) {
    return bench.status("GET / HTTP/" + version + "\r\n" + section + more + "\r\n", &lines);
  };
  for (int i = 0; i < 6; ++i) REQUIRE(status("1.1", "") == 0);
  REQUIRE(lines.runs().match(section) != nullptr);
  // A second Host, persistence of HTTP/1.0, framing behind it.
  CHECK(status("1.1", "Host: example.org\r\n") == 400);
  CHECK(status("1.0", "") == 0);
  CHECK(bench.parser.head().keep_alive);
  CHECK(status("1.1", "Connection: close\r\n") == 0);
  CHECK_FALSE(bench.parser.head().keep_alive);
  CHECK(status("1.1", "Content-Length: 3\r\n") == 0);
  CHECK(bench.parser.head().content_length == 3);
  CHECK(status("1.1", "Content-Length: x\r\n") == 400);
  CHECK(status("1.1", " folded\r\n") == 400);
  // The limits.
  bench.limits.header_count = 5;
  CHECK(status("1.1", "") == 0);
  CHECK(status("1.1", "X: y\r\n") == 431);
  bench.limits.header_count = 4;
  CHECK(status("1.1", "") == 431);
  bench.limits.header_count = 100;
  bench.limits.header_bytes = static_cast<uint32_t>(section.size()) + 2;
  CHECK(status("1.1", "") == 0);
  --bench.limits.header_bytes;
  CHECK(status("1.1", "") == 431);
  bench.limits.header_bytes = static_cast<uint32_t>(section.size()) - 1;
  CHECK(status("1.1", "") == 431);
}

TEST_CASE("known runs: the longest is taken, and far more than there is room for do no harm") {
  const std::string section = section_of(remembered_number());
  Bench bench;
  KnownLines lines;
  const std::string longer = longer_section_of(remembered_number());
  for (int i = 0; i < 6; ++i) {
    REQUIRE(bench.status("GET / HTTP/1.1\r\n" + section + "\r\n", &lines) == 0);
    REQUIRE(bench.status("GET / HTTP/1.1\r\n" + longer + "\r\n", &lines) == 0);
  }
  const http1::KnownRun* run = lines.runs().match(longer);
  REQUIRE(run != nullptr);
  CHECK(run->size == longer.size());
  for (int i = 0; i < 1000; ++i) {
    const std::string other =
        "Host: " + std::to_string(i) + ".org\r\n" + section.substr(section.find('\n') + 1);
    for (int again = 0; again < 5; ++again) {
      REQUIRE(bench.status("GET / HTTP/1.1\r\n" + other + "\r\n", &lines) == 0);
      REQUIRE(bench.parser.head().view(bench.parser.head().host) == std::to_string(i) + ".org");
    }
  }
}

TEST_CASE("known heads: one that is in use is not replaced, and keeps its views") {
  Bench bench;
  KnownHeads heads;
  const auto offer = [&](const std::string& text) {
    REQUIRE(bench.status(text) == 0);
    for (int i = 0; i < 8; ++i) heads.offer(bench.parser.head());
  };
  const std::string first = "GET /0123456789 HTTP/1.1\r\nHost: first.example\r\n\r\n";
  offer(first);
  KnownHead* pinned = heads.match_and_pin(first + "GET", nullptr);
  REQUIRE(pinned != nullptr);
  CHECK(heads.match_and_pin(first.substr(0, first.size() - 1), nullptr) == nullptr);
  // The same first bytes put them all into one set.
  for (int i = 0; i < 100; ++i)
    offer("GET /0123456789 HTTP/1.1\r\nHost: other" + std::to_string(i) + "\r\n\r\n");
  CHECK(pinned->head.view(pinned->head.host) == "first.example");
  CHECK(heads.match_and_pin(first, nullptr) == pinned);
  CHECK(heads.match_and_pin(first, pinned) == pinned);
  for (int i = 0; i < 3; ++i) KnownHeads::unpin(*pinned);
  CHECK(pinned->pins == 0);
  for (int i = 0; i < 100; ++i)
    offer("GET /0123456789 HTTP/1.1\r\nHost: again" + std::to_string(i) + "\r\n\r\n");
  CHECK(heads.match_and_pin(first, nullptr) == nullptr);
  CHECK(heads.match_and_pin(first, pinned) == nullptr);
}

TEST_CASE("known heads: what is too large, too short or has too many fields stays out") {
  Bench bench;
  KnownHeads heads;
  const auto enters = [&](const std::string& text) {
    REQUIRE(bench.status(text) == 0);
    for (int i = 0; i < 64; ++i) heads.offer(bench.parser.head());
    KnownHead* known = heads.match_and_pin(text, nullptr);
    if (known != nullptr) KnownHeads::unpin(*known);
    return known != nullptr;
  };
  CHECK(enters("GET / HTTP/1.1\r\nHost:\r\n\r\n"));
  CHECK_FALSE(enters("GET / HTTP/1.0\r\n\r\n"));
  const size_t around = head("X: \r\n").size();
  CHECK(enters(head("X: " + std::string(2048 - around, 'y') + "\r\n")));
  CHECK_FALSE(enters(head("X: " + std::string(2049 - around, 'z') + "\r\n")));
  CHECK(enters(head(fields(31))));
  CHECK_FALSE(enters(head(fields(32))));
}

}  // namespace leat::test
