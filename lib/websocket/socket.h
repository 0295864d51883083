// Socket: one WebSocket on the server's side, from the answer to its handshake to its end (RFC 6455).
//
// It is the TunnelUser of a request that switched protocols: bytes in, messages out, and back. Pings, the closing handshake,
// limits and time are its own; what messages mean is its SocketUser's, which is told of them one by one.
//
//   Open -> Closing  our Close has been sent, the peer's is waited for; its messages count no longer
//        \-> Closed  nothing is to be expected any more; the tunnel ends, or has ended
//
// Always holds: SocketUser::on_close() is called exactly once, last, and never from within a call of its own to the socket.
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "http/tunnel.h"
#include "http/worker_context.h"
#include "websocket/broadcast.h"
#include "websocket/counts.h"
#include "websocket/handshake.h"
#include "websocket/message_reader.h"
#include "websocket/options.h"

namespace leat::websocket {

class Socket;

// What somebody does with a socket, which owns it.
class SocketUser {
 public:
  virtual ~SocketUser() = default;
  virtual void on_open(Socket& socket) = 0;
  // `message` ends with the call.
  virtual void on_message(Socket& socket, Kind kind, std::string_view message) = 0;
  // There is room again after send() answered Blocked.
  virtual void on_writable(Socket& socket) = 0;
  // The time of set_timer() has come.
  virtual void on_timer(Socket& socket) = 0;
  // It has ended. The code is the peer's, or ours where we have ended it; 1005: a Close without one; 1006: the connection has
  // gone without any.
  virtual void on_close(Socket& socket, uint16_t code, std::string_view reason) = 0;
  // Memory that it has, in bytes.
  [[nodiscard]] virtual size_t footprint() const = 0;
};

class Socket final : public http::TunnelUser {
 public:
  // Null where memory is out: it is counted. `counts` outlives it.
  static std::unique_ptr<Socket> make(http::WorkerContext& worker, const Options& options,
                                      const Compression& compression, const Counts& counts,
                                      std::unique_ptr<SocketUser> user);
  ~Socket() override;

  // Blocked: it was taken, and more shall wait for on_writable(). Full: it was not taken, so much waits. Closed: nobody will
  // get it. NotText: it is not UTF-8.
  enum class Sent : uint8_t { Done, Blocked, Full, Closed, NotText };
  Sent send(Kind kind, std::string_view message);
  // The same of a message that others get, too; it is not copied.
  Sent send_shared(const Broadcast& message);
  // Begins the closing handshake; nothing is received any more. `code` as is_close_code() has it, or kNone for none;
  // `reason` of at most 123 bytes. Nothing where it is closing already.
  void close(uint16_t code, std::string_view reason);

  // Whether messages are received; they are at first. What has come of one is kept.
  void set_reading(bool reading);
  // When on_timer() is called, in place of what was said before, on the clock of WorkerContext::now_ns() in milliseconds;
  // UINT64_MAX: never.
  void set_timer(uint64_t ms);

  [[nodiscard]] bool open() const { return state_ == State::Open; }
  [[nodiscard]] http::WorkerContext& worker() { return worker_; }
  [[nodiscard]] SocketUser& user() { return *user_; }
  // Bytes that wait to be sent.
  [[nodiscard]] size_t queued() const { return tunnel_ != nullptr ? tunnel_->queued() : 0; }

  // --- http::TunnelUser
  void on_open(http::Tunnel& tunnel) override;
  size_t on_bytes(std::string_view bytes) override;
  void on_peer_end() override;
  void on_writable() override;
  void on_deadline() override;
  void on_drain(uint64_t until_ms) override;
  void on_starved() override;
  void on_closed() override;
  [[nodiscard]] size_t footprint() const override;
  // For who has just switched to it: it can be sent to from here on.
  void attach(http::Tunnel& tunnel) { tunnel_ = &tunnel; }

 private:
  enum class State : uint8_t { Open, Closing, Closed };

  Socket(http::WorkerContext& worker, const Options& options, const Compression& compression,
         const Counts& counts, std::unique_ptr<SocketUser> user);
  void on_event(MessageReader::Event event);
  void on_peer_close();
  bool send_frame(Opcode opcode, std::string_view payload, bool compressed);
  bool send_message(Opcode opcode, std::string_view message);
  [[nodiscard]] bool has_room(size_t bytes);
  Sent note_sent(size_t bytes);
  void send_close(uint16_t code, std::string_view reason);
  void fail(uint16_t code, std::string_view why);
  void finish(uint16_t code, std::string_view reason);
  void break_off(const http::Refusal& why);
  void take_token();
  bool look_at_peer(uint64_t now);
  void set_deadline();
  void steer();
  [[nodiscard]] bool reads() const {
    return state_ == State::Closing || (state_ == State::Open && reading_ && tokens_from_ms_ == 0);
  }
  [[nodiscard]] uint64_t now_ms() const { return worker_.now_ns() / 1'000'000; }

  http::WorkerContext& worker_;
  const Options options_;
  const Compression compression_;
  const Counts& counts_;
  const std::unique_ptr<SocketUser> user_;
  http::Tunnel* tunnel_ = nullptr;  // until it ends
  MessageReader reader_;
  State state_ = State::Open;
  bool reading_ = true;
  bool blocked_ = false;            // on_writable() is owed
  bool pinged_ = false;             // and nothing has come since
  uint16_t code_ = 0;               // of our Close
  uint64_t heard_ms_;               // the last byte from the peer
  uint64_t active_ms_;              // the last message of either
  uint64_t closing_ms_ = 0;         // since when the peer's Close is waited for
  uint64_t drain_ms_ = UINT64_MAX;  // when it is told that the server goes
  uint64_t timer_ms_ = UINT64_MAX;  // the user's
  uint64_t paid_until_ns_ = 0;      // by the rate of messages, those that came are spread up to here
  uint64_t tokens_from_ms_ = 0;     // reading goes on then, by that; 0: it goes on
};

}  // namespace leat::websocket
