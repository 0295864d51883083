// Connection: where bytes meet HTTP. One accepted socket, its protocol, and the operations in flight for it.
//
//   engine completions -> Connection (-> Transport) -> Protocol::feed / sent
//   Protocol::output (-> Transport) -> Connection -> engine send        (once a turn, in settle())
//
// Its protocol is made when it is known: at once where its listener has but one and no transport; otherwise
// when the transport is open, or the first bytes tell (Undecided stands in until then).
//
// It is in one of these states and only moves forward, but for one that was turned away, which is
// Open again once it has asked:
//   TurnedAway there was no room for it: what it asks for will be answered with a 503
//   Open       serving
//   Lingering  all is sent, our side is shut down; what the peer still sends is read and dropped
//   Closing    no new operation; waits for those in flight to complete (close is a join)
//   Free       the slot may be used again; its generation has moved on, so late completions are recognised
//
// At most one receive and one send are in flight. A poll takes the receive's place while the connection is
// idle; and another kind of it, which looks for the peer's end alone, while bytes wait that cannot be used
// yet, so that a peer which leaves them behind is noticed. Everything that happens to a connection in a turn
// is acted on once, at the turn's end, by settle(): one gathered send, the receive started or stopped, the
// next deadline.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/host_address.h"
#include "http/protocol.h"
#include "net/loop.h"
#include "net/socket.h"
#include "transport/transport.h"
#include "worker/listeners.h"

namespace leat::worker {

class Connections;
class Undecided;

class Connection {
 public:
  // `trusted`: its peer is a proxy whose word counts, and has no share of the connections.
  Connection(Connections& table, net::SocketId id, Fd fd, const HostAddress& peer, bool trusted, bool counted,
             std::shared_ptr<const Listener> listener);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void on_completion(const net::Completion& completion);
  // The turn's end: acts on what the turn brought. True when the connection has ended and can be freed.
  [[nodiscard]] bool settle();
  // Finishes what was begun, then closes.
  void drain(uint64_t idle_until_ms);
  // Closes now, whatever is under way.
  void abandon() { begin_close(false); }
  // Goes on with what one turn had no time for.
  void take_turn();
  // Before it has received anything: what it asks for is answered with a 503, and it gives its place to
  // others.
  void turn_away();
  // Since when it could be given up for another, in the loop's milliseconds; UINT64_MAX: it could not.
  [[nodiscard]] uint64_t idle_since_ms() const;
  // Whether nothing has come that is not received yet.
  [[nodiscard]] bool silent() const { return socket_.silent(); }

  // Memory that is held for a peer who lets us wait: an answer that is not read, or a request of which the
  // rest does not come.
  struct HeldMemory {
    enum class Holds : uint8_t { Nothing, Answer, Request } holds = Holds::Nothing;
    uint64_t since_ms = 0;  // without progress
    size_t bytes = 0;
  };
  [[nodiscard]] HeldMemory held_memory() const;
  // Takes that memory back: the answer is cut, or the request refused.
  void give_up(HeldMemory::Holds what);

  // Counts against the limits.
  [[nodiscard]] bool counted() const { return counted_; }
  // Tries to, where its address had too many connections. False: it still has. `crowded`: few places are left.
  bool enter(bool crowded = false);
  // The address whose share of the connections it is of (HostAddress::group), and for people.
  [[nodiscard]] uint64_t group() const { return group_; }
  [[nodiscard]] std::string_view client() const {
    return behind_ != nullptr ? behind_->client.view() : peer_.view();
  }
  [[nodiscard]] http::Protocol& protocol() { return *protocol_; }
  [[nodiscard]] net::SocketId id() const { return {socket_.slot(), socket_.generation()}; }
  // The number of the listening socket that it came by.
  [[nodiscard]] uint32_t listener() const { return listener_->number; }
  [[nodiscard]] const std::shared_ptr<const ListenerCounts>& listener_counts() const {
    return listener_->options->counts;
  }
  bool dirty = false;         // in the table's list for this turn's end
  bool waiting_turn = false;  // in the table's list for the next turn
  bool turned_away = false;   // one of those that the table counts as such

 private:
  enum class State : uint8_t { TurnedAway, Open, Lingering, Closing };
  struct Deadline : net::Timer {
    explicit Deadline(Connection& owner);
    Connection& connection;
  };

  // What a proxy has said of it.
  struct Behind {
    HostAddressText client;
    std::string destination;
    bool tls = false;
  };

  class Sink;

  void on_received(const net::Completion& completion);
  void on_bytes(std::string_view bytes);
  void unseal(std::string_view wire);
  void on_plain(std::string_view bytes);
  void on_plain_end();
  [[nodiscard]] http::ProtocolPeer peer_of_protocol() const;
  std::unique_ptr<http::Protocol> first_protocol();
  void learn_client(bool asks);
  void decide(std::string_view bytes, bool last);
  void look_at_channel();
  void on_sent(int32_t result);
  void on_polled(int32_t events);
  void on_timer();
  void begin_close(bool reset);
  void leave();
  void finish();
  void send_output();
  [[nodiscard]] bool all_sent();
  // Nothing is asked for, and nothing is owed.
  [[nodiscard]] bool idle() const { return protocol_->idle() && (channel_ == nullptr || channel_->empty()); }
  // What a proxy says before all else is yet to come, and a transport behind it.
  [[nodiscard]] bool in_header() const {
    return listener_->options->proxy_protocol && listener_->transport && behind_ == nullptr;
  }
  [[nodiscard]] bool in_handshake() const {
    return channel_ != nullptr && channel_->state() == transport::Transport::State::Handshake;
  }
  [[nodiscard]] uint64_t deadline_ms() const;
  [[nodiscard]] size_t footprint() const {
    return protocol_->footprint() + (channel_ == nullptr ? 0 : channel_->footprint());
  }
  void steer_receive();
  void watch_end();
  [[nodiscard]] uint64_t watch_end_ms() const;
  void set_timer();

  Connections& table_;
  net::Socket socket_;
  State state_ = State::Open;
  bool counted_;
  bool watching_ = false;    // the poll in flight is for the peer's end alone
  bool dozing_ = false;      // idle for long: a poll instead of a receive
  bool peer_ended_ = false;  // end of file was received
  uint64_t send_since_ms_ = 0;
  uint64_t idle_since_ms_ = 0;
  uint64_t linger_until_ms_ = 0;
  const uint64_t opened_ms_;
  uint64_t unread_since_ms_ = 0;  // no receive is wanted; 0: one is
  Deadline timer_;
  const HostAddressText peer_;
  uint64_t group_;
  std::unique_ptr<const Behind> behind_;  // null: no proxy has said anything
  bool trusted_;                          // who is nearest is a proxy whose fields are believed
  const std::shared_ptr<const Listener> listener_;
  std::unique_ptr<transport::Channel> channel_;  // null: the socket is plain
  Undecided* undecided_ = nullptr;               // protocol_, until it is known which one it is to be
  std::unique_ptr<http::Protocol> protocol_;
  bool direct_;  // what is received is the protocol's
};

// For people: a peer, who may have left before its address was known.
inline std::string_view or_somebody(std::string_view peer) {
  return peer.empty() ? "somebody who has left" : peer;
}

}  // namespace leat::worker
