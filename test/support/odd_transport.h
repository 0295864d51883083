// OddTransport: a Transport that is nothing but awkward, to show that connections above it notice nothing.
//
// Each side XORs what it sends with a key that runs on from byte to byte, so that a byte that is lost, sent
// twice or out of order makes nonsense of all that follow. Plain bytes come to the sink, and are sealed, in
// pieces of odd sizes; before that both sides say some bytes of handshake. What goes over the wire are
// records: a kind, a length of two bytes, the bytes.
//
// OddPeer is the other end for tests: it makes wire bytes from what a client says, and reads what was sealed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "transport/transport.h"

namespace leat::test {

class RunningKey {
 public:
  char next() { return static_cast<char>((state_ = state_ * 1'103'515'245 + 12'345) >> 16); }

 private:
  uint32_t state_ = 42;
};

inline constexpr std::string_view kOddHello = "odd hello";  // the client's; the server answers with the same

class OddTransport final : public transport::Transport {
 public:
  enum class Side : uint8_t { Server, Client };
  explicit OddTransport(Side side = Side::Server, std::string_view alpn = "odd/1")
      : side_(side), alpn_(alpn) {}

  void received(std::string_view wire, transport::PlainSink& sink) override;
  size_t seal(const transport::Output& plain, transport::Output& wire) override;
  void close_notify(transport::Output& wire) override;
  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] std::string_view alpn() const override { return alpn_; }

 private:
  void take(char byte, transport::PlainSink& sink);
  void end_record(transport::PlainSink& sink);
  bool put(transport::Output& wire, char kind, std::string_view plain);

  Side side_;
  std::string_view alpn_;
  State state_ = State::Handshake;
  bool said_hello_ = false;
  bool said_failure_ = false;
  std::string record_;  // that has not come whole
  RunningKey in_;
  RunningKey out_;
  size_t odd_ = 0;
};

// For worker::ListenerOptions::transport.
inline auto odd_transports(std::string_view alpn = "odd/1") {
  return [alpn](const transport::Now&) {
    return [alpn] { return std::make_unique<OddTransport>(OddTransport::Side::Server, alpn); };
  };
}

// Records, as they go over the wire: 'h'andshake, 'd'ata, 'e'nd, 'f'ailure.
class OddPeer {
 public:
  // Handshake, and whatever `bytes` are, as wire bytes.
  std::string says(std::string_view bytes);
  std::string record(char kind, std::string_view plain);
  // Everything that came so far, in plain.
  void hears(std::string_view wire);
  std::string plain;
  bool greeted = false;
  bool ended = false;   // close_notify came
  bool failed = false;  // the other side says so

 private:
  bool said_hello_ = false;
  std::string waiting_;
  RunningKey in_;
  RunningKey out_;
};

}  // namespace leat::test
