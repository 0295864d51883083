// TlsTransport: TLS between a socket and a protocol, by an SSL of OpenSSL's.
//
//   wire bytes -> BIO -> SSL_read -> the worker's memory -> PlainSink
//   the protocol's output -> SSL_write -> BIO -> wire Output
//
// The BIO is its own: it reads the bytes that were lent for the call, and writes where they are sent from, so that a
// connection at rest holds no buffers beside OpenSSL's state. What TLS says by itself while nobody sends (its part of a
// handshake, an alert) waits in `said_`, which is bounded by what a handshake needs.
//
// The SSL is made with the first bytes, or, of a client, with the first turn to speak: who connects and says nothing has none.
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "transport/tls/context.h"
#include "transport/tls/openssl.h"
#include "transport/transport.h"

namespace leat::tls {

class TlsTransport final : public transport::Transport {
 public:
  explicit TlsTransport(std::shared_ptr<Context> context) : context_(std::move(context)) {}
  ~TlsTransport() override;

  void received(std::string_view wire, transport::PlainSink& sink) override;
  [[nodiscard]] size_t seal(const transport::Output& plain, transport::Output& wire) override;
  void close_notify(transport::Output& wire) override;
  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] bool wants_turn() const override { return waits_; }
  void take_turn(transport::PlainSink& sink) override;
  [[nodiscard]] std::string_view alpn() const override;
  [[nodiscard]] bool secure() const override { return true; }
  [[nodiscard]] const transport::TlsFacts* tls() const override {
    return facts_.version.empty() ? nullptr : &facts_;
  }
  [[nodiscard]] bool carries(std::string_view host) const override {
    return ssl_ == nullptr || context_->carries(ssl_.get(), host);
  }
  [[nodiscard]] std::string_view failure() const override { return failure_; }

 private:
  // A bucket of what costs more than it looks: key updates and attempts to renegotiate.
  struct Allowance {
    static constexpr uint32_t kMost = 10;  // at once, and in a second
    uint32_t left = kMost;
    uint64_t since_ns = 0;
    [[nodiscard]] bool take(uint64_t now_ns);
  };

  static const BIO_METHOD* bio_method();
  static int bio_read(BIO* bio, char* to, size_t size, size_t* got);
  static int bio_write(BIO* bio, const char* bytes, size_t size, size_t* written);
  static long bio_ctrl(BIO* bio, int command, long number, void* pointer);
  static void see_message(int sent, int version, int type, const void* bytes, size_t size, SSL* ssl, void*);

  bool begin();
  bool wait(std::string_view wire);
  void run(std::string_view wire, transport::PlainSink& sink);
  bool shake_hands();
  void read(transport::PlainSink& sink);
  bool say(transport::Output& wire);
  size_t seal_record(std::string_view bytes, transport::Output& wire);
  void fail(std::string why, Failure kind = Failure::Other);
  void end_handshake();
  void hold_memory(size_t bytes);

  const std::shared_ptr<Context> context_;
  Ssl ssl_;
  State state_ = State::Handshake;
  bool answered_ = false;              // the expensive part of its handshake is done
  bool shakes_hands_ = false;          // it counts among the context's handshakes
  bool waits_ = false;                 // for a turn in which that may begin
  bool deaf_ = false;                  // it asked for too much: nothing of it is read any more
  std::string_view in_;                // wire bytes, in a call
  transport::Output* wire_ = nullptr;  // in a call
  std::string said_;
  std::string waiting_;
  std::string failure_;
  transport::TlsFacts facts_;                 // empty until it is open
  std::unique_ptr<const ProvenPeer> proven_;  // whose certificate is in there
  Allowance allowance_;
  size_t memory_ = 0;     // that is counted for it
  uint64_t records_ = 0;  // sealed with the present key
};

}  // namespace leat::tls
