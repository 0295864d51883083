// LineProtocol: the smallest protocol that there could be, to show that nothing but lib/http1 knows HTTP/1.
//
//   client                 server
//   GET /echo some text    =200 9\nsome text          an answer: its status, its length, its bytes
//   GET /chunks            ~200\n+5\nfirst+0\n          one in pieces; +0 is its end, -0 the end of a cut one
//
// A line is a request: a method, a path and, behind a space, a body. Answers come in the order of requests,
// and the stream of each is an object of its own, as it is for a protocol that has many at a time. Where
// other protocols are spoken as well, a client begins with kLinePreface, unless its transport has agreed on
// the name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "http/protocol.h"
#include "http/service.h"
#include "http/stream.h"

namespace leat::test {

struct LineEnvironment {
  http::WorkerContext& worker;
  http::Service& service;
  transport::OutputMemory memory;
  http::ExchangePool& exchanges;
  uint64_t answer_timeout_ms = 1000;
  size_t output_high_bytes = 4096;
  size_t most_line = 256;
};

class LineProtocol final : public http::Protocol {
 public:
  LineProtocol(LineEnvironment& environment, const http::ProtocolPeer& peer);
  ~LineProtocol() override;

  void feed(std::string_view bytes) override;
  void feed_end() override;
  void peer_ended() override { peer_ended_ = true; }
  void disconnect() override;
  void sent(size_t size) override;
  void resume(http::Exchange& exchange, http::WorkerContext::Resume call, void* argument) override;
  void take_turn() override {}
  void deadline_passed() override;
  void drain(uint64_t idle_until_ms) override;
  void give_up_input() override { disconnect(); }
  void turn_away() override;
  [[nodiscard]] bool half_closed() const override { return peer_ended_ || ended_; }
  [[nodiscard]] size_t footprint() const override { return output_.footprint() + input_.size(); }
  [[nodiscard]] size_t waiting_input() const override { return stream_.open() ? input_.size() : 0; }
  [[nodiscard]] uint64_t owed_since_ms() const override { return UINT64_MAX; }
  [[nodiscard]] uint64_t requests() const override { return requests_; }

 private:
  [[nodiscard]] bool keeps_input() const override {
    return !finished_ && !ended_ && input_.size() < kMostInput;
  }

  static constexpr size_t kMostInput = 4096;

  class LineStream final : public http::Stream {
   public:
    explicit LineStream(LineProtocol& protocol) : protocol_(protocol) {}
    [[nodiscard]] bool open() const { return exchange_ != nullptr; }
    void begin(std::string_view line);
    void end_request();
    void leave();
    [[nodiscard]] http::Exchange& exchange() { return *exchange_; }

    [[nodiscard]] bool fits(const http::Response&) const override { return true; }
    void answer(http::Exchange& exchange, http::AnswerFraming framing, std::string_view body,
                const http::Release* pinned) override;
    void head(http::Exchange& exchange, http::AnswerFraming framing) override;
    bool data(http::Exchange& exchange, std::string_view bytes) override;
    void end(http::Exchange& exchange) override;
    void cut(http::Exchange& exchange, const http::Refusal& why) override;
    void continue_body(http::Exchange&) override {}
    void body_flow(http::Exchange&, http::BodyFlow) override {}
    [[nodiscard]] http::Protocol* protocol() override { return &protocol_; }

   private:
    LineProtocol& protocol_;
    http::Exchange* exchange_ = nullptr;
  };

  void run();
  void close();

  LineEnvironment& env_;
  LineStream stream_{*this};
  std::string input_;
  uint64_t requests_ = 0;
  bool draining_ = false;
  bool ended_ = false;
  bool peer_ended_ = false;
};

inline constexpr std::string_view kLineName = "line/1";
inline constexpr std::string_view kLinePreface = "POST LINES\n";

class LineProtocols final : public http::ProtocolFactory {
 public:
  explicit LineProtocols(LineEnvironment& environment) : environment_(environment) {}
  [[nodiscard]] std::string_view name() const override { return kLineName; }
  [[nodiscard]] std::string_view preface() const override { return kLinePreface; }
  [[nodiscard]] std::unique_ptr<http::Protocol> make(const http::ProtocolPeer& peer) override {
    return std::make_unique<LineProtocol>(environment_, peer);
  }

 private:
  LineEnvironment& environment_;
};

}  // namespace leat::test
