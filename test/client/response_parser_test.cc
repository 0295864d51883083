// Answers of upstreams: what is taken, what is refused, and that pieces change nothing.
#include <fmt/core.h>

#include "client/response_parser.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace leat::client {
namespace {

struct Script {
  const char* name;
  std::string bytes;
  // "200 [body] fields=N keep|close" or "failed: message"
  std::string expected;
  bool ended = false;  // by the connection's end
  bool head = false;   // the answer to a HEAD request
};

const UpstreamOptions kLimits = {.head_bytes = 300, .fields = 5, .body_bytes = 100};

std::string long_text(size_t size) { return std::string(size, 'x'); }

const Script kScripts[] = {
    {"a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 [hello] fields=1 keep"},
    {"chunks and trailers",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n",
     "200 [abcde] fields=2 keep"},
    {"no body", "HTTP/1.1 204 No Content\r\n\r\n", "204 [] fields=0 keep"},
    {"not modified, with a length that is none here",
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "304 [] fields=1 keep"},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", "200 [] fields=1 keep", false, true},
    {"closed by request", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
     "200 [ok] fields=2 close"},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 [ok] fields=1 close"},
    {"ended by the close", "HTTP/1.1 200 OK\r\n\r\nall of it", "200 [all of it] fields=0 close", true},
    {"interim answers",
     "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
     "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
     "201 [x] fields=1 keep"},
    {"an empty value", "HTTP/1.1 200 OK\r\nA:\r\nB:  c \r\nContent-Length: 0\r\n\r\n",
     "200 [] fields=3 keep"},
    {"cut in the head", "HTTP/1.1 200 OK\r\nContent-",
     "failed: the connection was closed before the answer was complete", true},
    {"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
     "failed: the connection was closed before the answer was complete", true},
    {"cut before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
     "failed: the connection was closed before the answer was complete", true},
    {"nothing at all", "", "failed: the connection was closed before the answer was complete", true},
    {"no HTTP", "SSH-2.0-OpenSSH\r\n", "failed: the answer is not well-formed HTTP"},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     "failed: the answer is not well-formed HTTP"},
    {"a length beside chunks",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "failed: the answer is not well-formed HTTP"},
    {"an upgrade that nobody asked for",
     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
     "failed: the answer has a status that nobody asked for"},
    {"a status beyond all", "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
     "failed: the answer has a status that nobody asked for"},
    {"a body as large as allowed", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + long_text(100),
     "200 [" + long_text(100) + "] fields=1 keep"},
    {"a body that announces too much", "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
     "failed: the answer's body is beyond the limit"},
    {"a body that becomes too much", "HTTP/1.1 200 OK\r\n\r\n" + long_text(101),
     "failed: the answer's body is beyond the limit"},
    {"a head that is too much", "HTTP/1.1 200 OK\r\nA: " + long_text(300) + "\r\n\r\n",
     "failed: the answer's header fields are beyond the limit"},
    {"too many fields", "HTTP/1.1 200 OK\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\nf: 1\r\n\r\n",
     "failed: the answer has more header fields than the limit"},
};

// Reads a script in pieces of that size, each in memory of its own.
std::string read(const Script& script, size_t piece) {
  static BlockPool pool(256, 256);
  Arena arena(pool, size_t{1} << 20);
  ResponseParser parser;
  parser.reset(arena, kLimits, script.head);
  auto step = ResponseParser::Step::More;
  std::string_view left = script.bytes;
  while (step == ResponseParser::Step::More && !left.empty()) {
    const std::string part(left.substr(0, piece));
    left.remove_prefix(part.size());
    step = parser.feed(part);
  }
  if (step == ResponseParser::Step::More && script.ended) step = parser.end();
  if (step == ResponseParser::Step::More) return "more";
  if (step == ResponseParser::Step::Failed) return "failed: " + std::string(parser.message());
  return fmt::format("{} [{}] fields={} {}", parser.code(), parser.body(), parser.fields().size(),
                     parser.reusable() ? "keep" : "close");
}

}  // namespace

TEST_CASE("response parser: each script comes out as it should, in pieces of any size") {
  for (const Script& script : kScripts) {
    for (size_t piece = 1; piece <= script.bytes.size() + 1; ++piece) {
      INFO(script.name << " in pieces of " << piece);
      REQUIRE(read(script, piece) == script.expected);
    }
  }
}

TEST_CASE("response parser: fields are told as received, without white space around their values") {
  BlockPool pool(16, 16);
  Arena arena(pool, size_t{1} << 20);
  ResponseParser parser;
  parser.reset(arena, kLimits, false);
  const std::string bytes =
      "HTTP/1.1 200 OK\r\nX-One: \t a b \t\r\nEmpty:\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200";
  REQUIRE(parser.feed(bytes) == ResponseParser::Step::Done);
  CHECK(parser.used() == bytes.size() - 12);
  REQUIRE(parser.fields().size() == 3);
  CHECK(parser.fields()[0].name == "X-One");
  CHECK(parser.fields()[0].value == "a b");
  CHECK(parser.fields()[1].name == "Empty");
  CHECK(parser.fields()[1].value.empty());
  CHECK(parser.fields()[2].value == "2");
}

TEST_CASE("response parser: an arena that is too small fails the answer, wherever it is lacking") {
  for (size_t limit = 0; limit < 4096; limit += 64) {
    BlockPool pool(16, 16);
    Arena arena(pool, limit);
    ResponseParser parser;
    const UpstreamOptions limits;
    parser.reset(arena, limits, false);
    const auto step = parser.feed("HTTP/1.1 200 OK\r\nA: " + long_text(900) +
                                  "\r\nContent-Length: 1200\r\n\r\n" + long_text(1200));
    INFO(limit);
    CHECK((step == ResponseParser::Step::Done || parser.failure() == FetchStatus::Memory));
    if (limit < 900) CHECK(step == ResponseParser::Step::Failed);
  }
}

}  // namespace leat::client
