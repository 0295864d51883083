// PROXY protocol, versions 1 and 2: a header before all else, in which a proxy that passes bytes on says whose they
// are (HAProxy's proxy-protocol.txt, 2020/03/05).
//
// What follows it passes as it is, so that this transport is spent then and its connection goes on without it.
// Whether a peer may say such things at all is for whoever makes one to know: the header is believed. It must be
// there. One that is taken where it happens to come would let clients write it themselves, through any proxy that
// does not.
//
// ProxyHeaderReader is the parser alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/host_address.h"
#include "transport/transport.h"

namespace leat::transport {

// What a header says.
struct ProxyHeader {
  // False: nothing of the addresses. The proxy has connected for itself (LOCAL), or cannot say for whom (UNKNOWN,
  // UNSPEC, and what no stream of bytes comes by).
  bool has_client = false;
  HostAddress client;  // unix: a client of the proxy's unix socket
  uint16_t client_port = 0;
  HostAddress destination;  // that the client has connected to
  uint16_t destination_port = 0;
  // Of version 2, where the proxy says it:
  bool tls = false;       // the client has come by TLS
  std::string alpn;       // what the client and the proxy have agreed on
  std::string authority;  // the name that the client has asked for (SNI)
  std::string unique_id;  // the connection's, by the proxy; any bytes
};

class ProxyHeaderReader {
 public:
  enum class Step : uint8_t { More, Done, Failed };
  // Longer headers fail: addresses, and some KiB of what else proxies may say (TLVs).
  static constexpr size_t kMostBytes = 4096;

  // With Done, the header's bytes are gone from the front of `bytes`; with More, all of them are kept.
  Step read(std::string_view& bytes);
  [[nodiscard]] const ProxyHeader& header() const { return header_; }
  // Why it failed, as the end of a sentence: "its header is ...".
  [[nodiscard]] std::string_view failure() const { return failure_; }

 private:
  Step fail(std::string_view why);
  Step read_text();
  Step read_binary();
  bool read_line(std::string_view line);
  bool read_addresses(std::string_view addresses, uint8_t family);
  bool read_extras(std::string_view extras, std::string_view whole);
  bool read_extra(uint8_t type, std::string_view value, std::string_view whole);

  std::string taken_;
  size_t size_ = 0;  // of the header, once it is known
  ProxyHeader header_;
  std::string_view failure_;
};

class ProxyProtocol final : public Transport {
 public:
  void received(std::string_view wire, PlainSink& sink) override;
  [[nodiscard]] size_t seal(const Output&, Output&) override { return 0; }  // nothing is, before it is spent
  void close_notify(Output&) override {}
  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] bool spent() const override { return state_ == State::Open; }
  [[nodiscard]] std::string_view alpn() const override { return reader_.header().alpn; }
  [[nodiscard]] const ProxyHeader* proxy_header() const override {
    return state_ == State::Open ? &reader_.header() : nullptr;
  }
  [[nodiscard]] std::string_view failure() const override { return reader_.failure(); }

 private:
  ProxyHeaderReader reader_;
  State state_ = State::Handshake;
};

}  // namespace leat::transport
