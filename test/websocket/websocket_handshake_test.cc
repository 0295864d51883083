// The handshake, as a table of what clients say and what becomes of it (RFC 6455, section 4.2; RFC 7692, section 7.1).
#include "websocket/handshake.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "support/http_harness.h"

namespace leat::test {

namespace {

const std::string kGood =
    "Host: a.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

// Judges a request with these fields.
class Judge final : public http::Service {
 public:
  BodyMode on_request(http::Exchange& exchange) override {
    seen = websocket::judge(exchange.request, offer, keyed, exchange.arena());
    accept = seen.accept;
    protocol = seen.protocol;
    extensions = seen.extensions;
    exchange.send({});
    return BodyMode::Discard;
  }
  void on_body(http::Exchange&, std::string_view) override {}
  void on_body_end(http::Exchange&) override {}
  void on_writable(http::Exchange&) override {}
  void on_response(http::Exchange&) override {}
  void on_cancel(http::Exchange&) override {}
  void on_done(http::Exchange&) override {}

  uint16_t judge(const std::string& fields) {
    HttpHarness harness(*this);
    http1::Session session(harness.environment, "192.0.2.7", 0);
    session.feed("GET / HTTP/1.1\r\n" + fields + "\r\n");
    session.disconnect();
    return seen.status;
  }

  websocket::Offer offer;
  bool keyed = true;
  websocket::Handshake seen;
  std::string accept, protocol, extensions;
};

}  // namespace

TEST_CASE("handshake: proves that it was read") {
  Judge judge;
  CHECK(judge.judge(kGood) == 0);
  CHECK(judge.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455, section 1.3
  judge.keyed = false;
  CHECK(judge.judge("Host: a\r\nSec-WebSocket-Version: 13\r\n") == 0);
  CHECK(judge.accept.empty());
}

TEST_CASE("handshake: refuses what is none") {
  const std::string host = "Host: a.example\r\n", version = "Sec-WebSocket-Version: 13\r\n";
  struct Row {
    std::string fields;
    uint16_t status;
  };
  const std::vector<Row> rows = {
      {host + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426},
      {host + "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426},
      {host + "Sec-WebSocket-Version: 013\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426},
      {host + version + version + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426},
      {host + version, 400},
      {host + version + "Sec-WebSocket-Key: \r\n", 400},
      {host + version + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n", 400},
      {host + version + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n", 400},
      {host + version + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", 400},
      {host + version + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=\r\n", 400},
      {host + version + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==\r\n", 400},
      {kGood + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400},
      {kGood + "Sec-WebSocket-Protocol: a b\r\n", 400},
      {kGood + "Sec-WebSocket-Protocol: a;b\r\n", 400},
      {kGood + "Sec-WebSocket-Protocol: chat\r\n", 0},
      {kGood + "Sec-WebSocket-Extensions: what ever; it=is\r\n", 0},
  };
  Judge judge;
  for (const Row& row : rows) {
    INFO(row.fields);
    CHECK(judge.judge(row.fields) == row.status);
  }
}

TEST_CASE("handshake: chooses the first subprotocol of the client's that is spoken") {
  constexpr std::string_view kSpoken[] = {"chat.v1", "chat.v2"};
  Judge judge;
  judge.offer.protocols = kSpoken;
  const auto chosen = [&](const std::string& fields) {
    CHECK(judge.judge(kGood + fields) == 0);
    return judge.protocol;
  };
  CHECK(chosen("").empty());
  CHECK(chosen("Sec-WebSocket-Protocol: chat.v3\r\n").empty());
  CHECK(chosen("Sec-WebSocket-Protocol: chat.v2\r\n") == "chat.v2");
  CHECK(chosen("Sec-WebSocket-Protocol: chat.v3, chat.v2, chat.v1\r\n") == "chat.v2");
  CHECK(chosen("Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: chat.v1\r\n") == "chat.v1");
  CHECK(chosen("Sec-WebSocket-Protocol: CHAT.V1\r\n").empty());
}

TEST_CASE("handshake: lets pages of its own host connect, or those that are named") {
  Judge judge;
  const auto status = [&](const std::string& origin) { return judge.judge(kGood + origin); };
  CHECK(status("") == 0);
  CHECK(status("Origin: https://a.example\r\n") == 0);
  CHECK(status("Origin: http://A.Example\r\n") == 0);
  CHECK(status("Origin: https://a.example:8080\r\n") == 403);
  CHECK(status("Origin: https://b.example\r\n") == 403);
  CHECK(status("Origin: https://a.example.b.example\r\n") == 403);
  CHECK(status("Origin: null\r\n") == 403);
  CHECK(status("Origin: a.example\r\n") == 403);
  CHECK(status("Origin: https://a.example\r\nOrigin: https://a.example\r\n") == 403);
  constexpr std::string_view kOthers[] = {"https://b.example"};
  judge.offer.origins = kOthers;
  CHECK(status("") == 0);
  CHECK(status("Origin: https://b.example\r\n") == 0);
  CHECK(status("Origin: https://a.example\r\n") == 403);
  constexpr std::string_view kAll[] = {"*"};
  judge.offer.origins = kAll;
  CHECK(status("Origin: null\r\n") == 0);
}

TEST_CASE("handshake: agrees to compression as it can be had") {
  const std::string plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  struct Row {
    std::string offers;
    std::string agreed;
    int window = 15;
  };
  const std::vector<Row> rows = {
      {"permessage-deflate", plain},
      {"permessage-deflate; client_max_window_bits", plain},
      {"permessage-deflate; client_max_window_bits=10", plain},
      {"permessage-deflate; client_max_window_bits=\"10\"", plain},
      {"permessage-deflate; server_no_context_takeover; client_no_context_takeover", plain},
      {"permessage-deflate; server_max_window_bits=10", plain + "; server_max_window_bits=10", 10},
      {"permessage-deflate; server_max_window_bits=15", plain + "; server_max_window_bits=15"},
      {"permessage-deflate; server_max_window_bits=9", plain + "; server_max_window_bits=9", 9},
      {"permessage-deflate; server_max_window_bits=8", ""},
      {"permessage-deflate; server_max_window_bits=8, permessage-deflate", plain},
      {"permessage-deflate; server_max_window_bits", ""},
      {"permessage-deflate; server_max_window_bits=16", ""},
      {"permessage-deflate; server_max_window_bits=7", ""},
      {"permessage-deflate; server_max_window_bits=010", ""},
      {"permessage-deflate; client_max_window_bits=16", ""},
      {"permessage-deflate; client_max_window_bits=x", ""},
      {"permessage-deflate; server_no_context_takeover=1", ""},
      {"permessage-deflate; client_no_context_takeover; client_no_context_takeover", ""},
      {"permessage-deflate; unheard_of", ""},
      {"permessage-deflate; unheard_of, permessage-deflate; client_max_window_bits", plain},
      {"permessage-bzip2, permessage-deflate", plain},
      {"x-webkit-deflate-frame", ""},
  };
  Judge judge;
  for (const Row& row : rows) {
    INFO(row.offers);
    CHECK(judge.judge(kGood + "Sec-WebSocket-Extensions: " + row.offers + "\r\n") == 0);
    CHECK(judge.extensions == row.agreed);
    CHECK(judge.seen.compression.agreed == !row.agreed.empty());
    CHECK(judge.seen.compression.window_bits == row.window);
  }
  judge.offer.compression = false;
  CHECK(judge.judge(kGood + "Sec-WebSocket-Extensions: permessage-deflate\r\n") == 0);
  CHECK(judge.extensions.empty());
}

}  // namespace leat::test
