// Headers of the PROXY protocol: what each says, whole and cut at every byte, and what is none.
#include "transport/proxy_protocol.h"

#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>
#include <vector>

namespace leat::transport {
namespace {

constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::string_view kFour{"\xc0\x00\x02\x01\x0a\x00\x00\x01\x30\x39\x01\xbb", 12};

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

// Version 2, with a length that is right unless it is given.
std::string binary(int command, int family, std::string_view rest, std::optional<size_t> size = {}) {
  const size_t length = size.value_or(rest.size());
  return std::string(kSignature) +
         bytes({0x20 | command, family, static_cast<int>(length >> 8), static_cast<int>(length & 255)}) +
         std::string(rest);
}
std::string extra(int type, std::string_view value) {
  return bytes({type, static_cast<int>(value.size() >> 8), static_cast<int>(value.size() & 255)}) +
         std::string(value);
}

struct Result {
  ProxyHeaderReader::Step step;
  ProxyHeader header;
  std::string rest;  // that is not the header's
  std::string failure;
};

// In pieces of so many bytes; 0: whole.
Result read(std::string_view text, size_t most = 0) {
  ProxyHeaderReader reader;
  auto step = ProxyHeaderReader::Step::More;
  while (step == ProxyHeaderReader::Step::More && !text.empty()) {
    std::string_view piece = text.substr(0, most == 0 ? text.size() : most);
    const size_t size = piece.size();
    step = reader.read(piece);
    text.remove_prefix(step == ProxyHeaderReader::Step::Done ? size - piece.size() : size);
  }
  return {step, reader.header(), std::string(text), std::string(reader.failure())};
}

// Read to its end, the same whatever pieces it comes in, with what follows left alone.
ProxyHeader good(const std::string& header) {
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\n";
  const Result whole = read(header + std::string(kRequest));
  CHECK(whole.step == ProxyHeaderReader::Step::Done);
  CHECK(whole.rest == kRequest);
  for (const size_t most : {1, 2, 3, 7, 16, 17}) {
    const Result cut = read(header + std::string(kRequest), most);
    CHECK(cut.step == ProxyHeaderReader::Step::Done);
    CHECK(cut.rest == kRequest);
    CHECK(cut.header.client == whole.header.client);
    CHECK(cut.header.alpn == whole.header.alpn);
  }
  for (size_t size = 0; size < header.size(); ++size)
    CHECK(read(std::string_view(header).substr(0, size)).step == ProxyHeaderReader::Step::More);
  return whole.header;
}

std::string bad(const std::string& header) {
  const Result whole = read(header);
  CHECK(whole.step == ProxyHeaderReader::Step::Failed);
  const Result cut = read(header, 1);
  CHECK(cut.step == ProxyHeaderReader::Step::Failed);
  CHECK(cut.failure == whole.failure);
  return whole.failure;
}

std::string text(const HostAddress& address) { return std::string(address.text().view()); }

}  // namespace

TEST_CASE("proxy protocol: version 1 says who has connected to where") {
  const ProxyHeader four = good("PROXY TCP4 192.0.2.1 10.0.0.1 12345 443\r\n");
  CHECK(four.has_client);
  CHECK(text(four.client) == "192.0.2.1");
  CHECK(four.client_port == 12345);
  CHECK(text(four.destination) == "10.0.0.1");
  CHECK(four.destination_port == 443);
  CHECK_FALSE(four.tls);
  const ProxyHeader six = good("PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n");
  CHECK(text(six.client) == "2001:db8::1");
  CHECK(text(six.destination) == "::1");
  CHECK(text(good("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 1 2\r\n").client) == "192.0.2.1");
}

TEST_CASE("proxy protocol: version 1 of who cannot say it has no client") {
  CHECK_FALSE(good("PROXY UNKNOWN\r\n").has_client);
  CHECK_FALSE(good("PROXY UNKNOWN ffff::1 what ever\tthis is\r\n").has_client);
  // The longest line that there may be.
  CHECK_FALSE(good("PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n").has_client);
}

TEST_CASE("proxy protocol: version 1 that is malformed") {
  const std::string malformed = "its header of the PROXY protocol is malformed";
  for (const char* line : {"TCP4 192.0.2.1 10.0.0.1 1",
                           "TCP4 192.0.2.1 10.0.0.1 1 2 ",
                           "TCP4 192.0.2.1 10.0.0.1 1 2 3",
                           "TCP4  192.0.2.1 10.0.0.1 1 2",
                           "TCP4 192.0.2.1 10.0.0.1 1 65536",
                           "TCP4 192.0.2.1 10.0.0.1 01 2",
                           "TCP4 192.0.2.1 10.0.0.1 -1 2",
                           "TCP4 192.0.2.1 10.0.0.1 1 2\t",
                           "TCP4 192.0.2 10.0.0.1 1 2",
                           "TCP4 ::1 10.0.0.1 1 2",
                           "TCP4 ::ffff:192.0.2.1 10.0.0.1 1 2",
                           "TCP6 192.0.2.1 ::1 1 2",
                           "TCP6 ::1 10.0.0.1 1 2",
                           "TCP4 unix: unix: 1 2",
                           "tcp4 192.0.2.1 10.0.0.1 1 2",
                           "UDP4 192.0.2.1 10.0.0.1 1 2",
                           "",
                           "TCP4",
                           "TCP4 192.0.2.1 10.0.0.1 1 2\n",
                           "UNKNOWNS"})
    CHECK(bad("PROXY " + std::string(line) + "\r\n") == malformed);
  CHECK(bad("PROXY UNKNOWN " + std::string(108 - 16, 'x') + "\r\n") ==
        "its header of the PROXY protocol is too long");
  CHECK(bad("PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n" + std::string(107, ' ')) ==
        "its header of the PROXY protocol is too long");
}

TEST_CASE("proxy protocol: what is no header is told at the first byte that is none") {
  const std::string none = "it does not begin with a header of the PROXY protocol";
  for (const std::string& text :
       {std::string("GET / HTTP/1.1\r\n"), std::string("PROXX"), std::string("PROXY\t"),
        std::string("\r\n\r\nG"), std::string("\r\n\r\n\0\r\nQUIT\r", 12), std::string("\x16\x03\x01"),
        std::string("proxy TCP4")}) {
    CHECK(bad(text) == none);
  }
  CHECK(read("PROXY").step == ProxyHeaderReader::Step::More);
}

TEST_CASE("proxy protocol: version 2 says the same in binary") {
  const ProxyHeader four = good(binary(1, 0x11, kFour));
  CHECK(four.has_client);
  CHECK(text(four.client) == "192.0.2.1");
  CHECK(four.client_port == 12345);
  CHECK(text(four.destination) == "10.0.0.1");
  CHECK(four.destination_port == 443);
  std::string six;
  for (int i = 0; i < 2; ++i) six += bytes({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, i + 1});
  const ProxyHeader wide = good(binary(1, 0x21, six + bytes({0, 1, 0, 2})));
  CHECK(text(wide.client) == "2001:db8::1");
  CHECK(text(wide.destination) == "2001:db8::2");
  CHECK(wide.destination_port == 2);
  const ProxyHeader local = good(binary(1, 0x31, std::string(216, '\0')));
  CHECK(local.has_client);
  CHECK(text(local.client) == "unix:");
}

TEST_CASE("proxy protocol: version 2 without a client") {
  CHECK_FALSE(good(binary(0, 0x00, "")).has_client);
  CHECK_FALSE(good(binary(0, 0x11, kFour)).has_client);    // LOCAL: what is said means nothing
  CHECK_FALSE(good(binary(0, 0x11, "short")).has_client);  // ... whatever it is
  CHECK_FALSE(good(binary(1, 0x00, "")).has_client);       // UNSPEC
  CHECK_FALSE(good(binary(1, 0x12, kFour)).has_client);    // datagrams
  CHECK_FALSE(good(binary(1, 0x01, extra(4, "xx"))).has_client);
}

TEST_CASE("proxy protocol: version 2 with more to say") {
  const std::string tls = extra(0x20, bytes({0x01, 0, 0, 0, 0}) + extra(0x21, "TLSv1.3"));
  const ProxyHeader header =
      good(binary(1, 0x11,
                  std::string(kFour) + extra(0x01, "h2") + extra(0x02, "shop.example") + extra(0x05, "id-1") +
                      extra(0x04, "padding") + extra(0xea, "a network") + tls));
  CHECK(header.alpn == "h2");
  CHECK(header.authority == "shop.example");
  CHECK(header.unique_id == "id-1");
  CHECK(header.tls);
  // Over TLS between the two proxies alone.
  CHECK_FALSE(good(binary(1, 0x11, std::string(kFour) + extra(0x20, bytes({0x00, 0, 0, 0, 1})))).tls);
}

TEST_CASE("proxy protocol: the checksum of version 2") {
  // Over the whole header, with zeros in its own place.
  std::string header =
      binary(1, 0x11, std::string(kFour) + extra(0x03, std::string(4, '\0')) + extra(0x04, "x"));
  const size_t at = kSignature.size() + 4 + kFour.size() + 3;
  uint32_t crc = UINT32_MAX;
  for (const char c : header) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0);
  }
  crc = ~crc;
  for (size_t i = 0; i < 4; ++i) header[at + i] = static_cast<char>(crc >> (24 - 8 * i));
  CHECK(text(good(header).client) == "192.0.2.1");
  // The addresses and ports, the sum itself, what is said last.
  for (size_t i = 16; i < header.size(); ++i) {
    const bool within = i < 16 + kFour.size() || (i >= at && i < at + 4) || i + 1 == header.size();
    if (!within) continue;
    std::string changed = header;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK(bad(changed) == "the checksum in its header of the PROXY protocol is wrong");
  }
}

TEST_CASE("proxy protocol: version 2 that is malformed") {
  const std::string malformed = "its header of the PROXY protocol is malformed";
  const std::string four(kFour);
  for (const std::string& header :
       {binary(2, 0x11, kFour), binary(1, 0x41, kFour), binary(1, 0x13, kFour),
        binary(1, 0x11, kFour.substr(1)), binary(1, 0x21, kFour), binary(1, 0x31, kFour),
        binary(1, 0x11, four + "x"), binary(1, 0x11, four + bytes({4, 0})),
        binary(1, 0x11, four + bytes({4, 0, 2, 0})), binary(1, 0x11, four + extra(0x20, "1234")),
        binary(1, 0x11, four + extra(0x20, bytes({1, 0, 0, 0, 0, 0x21}))),
        binary(1, 0x11, four + extra(0x05, std::string(129, 'i'))),
        binary(1, 0x11, four + extra(0x03, "123")),
        std::string(kSignature) + bytes({0x11, 0x11, 0, 12}) + four})
    CHECK(bad(header) == malformed);
  CHECK(bad(binary(1, 0x11, four, 4081)) == "its header of the PROXY protocol is too long");
  CHECK(read(binary(1, 0x11, four, 4080)).step == ProxyHeaderReader::Step::More);
  CHECK(bad(binary(0, 0x00, "", 65'535)) == "its header of the PROXY protocol is too long");
}

TEST_CASE("proxy protocol: a transport that is spent with the header, and gives on what follows it") {
  struct Sink final : PlainSink {
    void plain(std::string_view bytes) override { text += bytes; }
    std::string text;
  } sink;
  ProxyProtocol transport;
  CHECK(transport.state() == Transport::State::Handshake);
  transport.received("PROXY TCP4 192.0.2.1 ", sink);
  CHECK(transport.state() == Transport::State::Handshake);
  CHECK(transport.proxy_header() == nullptr);
  CHECK_FALSE(transport.spent());
  transport.received("10.0.0.1 1 2\r\nGET", sink);
  CHECK(transport.state() == Transport::State::Open);
  CHECK(transport.spent());
  REQUIRE(transport.proxy_header() != nullptr);
  CHECK(text(transport.proxy_header()->client) == "192.0.2.1");
  CHECK(sink.text == "GET");
  transport.received(" /", sink);
  CHECK(sink.text == "GET /");

  ProxyProtocol failed;
  failed.received("GET / HTTP/1.1\r\n", sink);
  CHECK(failed.state() == Transport::State::Failed);
  CHECK(failed.failure() == "it does not begin with a header of the PROXY protocol");
  failed.received("PROXY UNKNOWN\r\n", sink);
  CHECK(failed.state() == Transport::State::Failed);
  CHECK(sink.text == "GET /");
}

}  // namespace leat::transport
