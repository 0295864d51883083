// Writer: heads as bytes.
#include "http1/writer.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "support/output_memory.h"

namespace leat::test {

using transport::Output;
using Written = http1::Writer::Written;

namespace {

std::string written(const http::Response& response, const http1::ResponseFraming& framing,
                    std::string_view body = {}) {
  Memory memory;
  Output output(memory.both);
  http1::Writer writer("leat");
  writer.set_date("Mon, 23 Nov 2026 12:00:00 GMT");
  CHECK(writer.write_head(output, response, framing, body) == Written::HeadAndBody);
  return contents(output);
}

using Kind = http1::ResponseFraming::Kind;
constexpr std::string_view kShared = "Server: leat\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n";

}  // namespace

TEST_CASE("writer: writes heads for every framing") {
  http::Response response;
  const std::string ok = "HTTP/1.1 200 OK\r\n" + std::string(kShared);
  CHECK(written(response, {.kind = Kind::None}) == ok + "\r\n");
  CHECK(written(response, {.kind = Kind::UntilClose, .close = true}) == ok + "Connection: close\r\n\r\n");
  CHECK(written(response, {.kind = Kind::Chunked}) == ok + "Transfer-Encoding: chunked\r\n\r\n");
  CHECK(written(response, {.kind = Kind::Length, .length = 3, .say_keep_alive = true}, "abc") ==
        ok + "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nabc");
  CHECK(written(response, {.kind = Kind::Length, .length = UINT64_MAX}) ==
        ok + "Content-Length: 18446744073709551615\r\n\r\n");
  response.status = 299;
  response.content_type = "text/plain";
  REQUIRE(response.add("X-A", ""));
  REQUIRE(response.add("X-B", "1"));
  CHECK(written(response, {.kind = Kind::Length, .length = 0}) ==
        "HTTP/1.1 299 \r\n" + std::string(kShared) +
            "Content-Type: text/plain\r\nX-A: \r\nX-B: 1\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("writer: leaves out Server when it has no name, and a body that does not fit beside the head") {
  Memory memory;
  Output output(memory.both);
  http1::Writer writer("");
  const std::string body(Block::capacity(), 'x');
  CHECK(writer.write_head(output, {}, {.kind = Kind::Length, .length = body.size()}, body) == Written::Head);
  CHECK(contents(output).find("Server") == std::string::npos);
  CHECK(contents(output).ends_with("\r\n\r\n"));
}

TEST_CASE("writer: a head larger than a block is refused with nothing queued") {
  Memory memory;
  Output output(memory.both);
  const http1::Writer writer("leat");
  http::Response response;
  const std::string large(Block::capacity(), 'x');
  REQUIRE(response.add("X", large));
  CHECK(writer.write_head(output, response, {}, {}) == Written::Nothing);
  CHECK(output.empty());
}

TEST_CASE("writer: the largest head that is taken fits its block") {
  // Every size around a block's end: what was reserved must hold what is written.
  for (size_t size = Block::capacity() - 400; size < Block::capacity(); ++size) {
    Memory memory;
    Output output(memory.both);
    const http1::Writer writer("leat");
    http::Response response;
    response.status = 599;
    response.content_type = "a/b";
    const std::string value(size, 'x');
    REQUIRE(response.add("X", value));
    const Written done = writer.write_head(
        output, response, {.kind = Kind::Length, .length = UINT64_MAX, .say_keep_alive = true}, "body");
    CHECK(output.empty() == (done == Written::Nothing));
  }
}

}  // namespace leat::test
