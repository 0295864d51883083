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

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/host_address.h"
#include "base/metrics.h"
#include "http/limits.h"
#include "http/protocol.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/socket.h"
#include "transport/transport.h"
#include "worker/options.h"

namespace leat::worker {

class Connections;
class Undecided;
struct MemoryHolders;

// A listening socket, as the connections know it that came by it.
struct Listener {
  uint32_t number;
  std::shared_ptr<const ListenerOptions> options;
  std::vector<http::ProtocolFactory*> protocols;  // at least one
  // Where this worker counts its bytes; null where nobody does.
  std::atomic<uint64_t>* received = nullptr;
  std::atomic<uint64_t>* sent = nullptr;
};

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
  Undecided* undecided_ = nullptr;  // protocol_, until it is known which one it is to be
  std::unique_ptr<http::Protocol> protocol_;
  std::unique_ptr<transport::Channel> channel_;  // null: the socket is plain
  bool direct_;                                  // what is received is the protocol's
};

// All connections of a worker, by slot, and their work lists. Slots are recycled; a token's generation tells
// whether a completion is for who is there now.
//
// Places are limited, and what a client gets that comes when all are taken is: the place of the connection
// that has been idle for the longest; where none is idle, a 503 with Retry-After, for which it is let in,
// without a place; and where there are too many of those, a wait in the kernel's backlog. That is what helps
// it most. The client of an idle connection opens another when it needs one, as it must after any idle
// timeout. A 503 says at once what a wait would never say, and a proxy asks elsewhere. It is sent when the
// client has said something, since not all understand an answer that comes before, and the connection
// lingers, so that no reset overtakes it.
class Connections {
 public:
  // `protocols` are those that the worker has, of which listeners may choose. All must outlive this.
  Connections(net::Loop& loop, std::span<http::ProtocolFactory* const> protocols,
              transport::OutputMemory memory, const http::Limits& limits, const ConnectionOptions& options);
  ~Connections();  // all must have ended
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Takes over a socket that the listening one of this number accepted. Whether it can stay is seen at the
  // turn's end.
  void open(Fd fd, uint32_t number = 0);

  // What a reload brings: other numbers and times ...
  void take_up(const ConnectionOptions& options);
  [[nodiscard]] const ConnectionOptions& options() const { return options_; }
  // ... a listening socket that is new, or that has other options for those who come from now on ...
  void set_listener(uint32_t number, std::shared_ptr<const ListenerOptions> options);
  // ... or of which a worker that hands on its clients was told earlier than this one ...
  void hear_of(uint32_t number, std::shared_ptr<const ListenerOptions> options);
  [[nodiscard]] std::shared_ptr<const ListenerOptions> listener_options(uint32_t number);
  // ... and one that is no more. Its connections, and those of it that others still hand on, end in order, as with
  // drain_all(), and are closed at `until_ms`.
  void end_listener(uint32_t number, uint64_t idle_until_ms, uint64_t until_ms);
  // Gives up `count` idle connections at most, for want of descriptors; returns how many.
  size_t give_up_idle(size_t count);
  // Lets go of the descriptors that are kept for this, so that some clients can be taken to be turned away,
  // as all are from now on. False where that is so already.
  bool use_reserve();
  // Takes them back; false as long as that fails, and everyone is turned away.
  bool restore_reserve();
  void on_completion(const net::Completion& completion);
  // Settles every connection that this turn touched; then lets parked ones receive if buffers are free. When
  // memory is short, whoever holds it without need has to go before.
  void on_turn_end();
  // Ends all in order; those between two requests stay for the next one up to `idle_until_ms`, of the loop's
  // clock.
  void drain_all(uint64_t idle_until_ms);
  void abandon_all();
  // The owner of a protocol (each belongs to a connection of its worker) wants to be settled this turn.
  void touch(const http::Protocol& protocol);

  [[nodiscard]] size_t count() const { return sockets_.count(); }
  // No more can be taken, not even to turn them away.
  [[nodiscard]] bool full() const {
    return turned_away_ >= options_.most_turned_away && places_ >= options_.most;
  }
  // The last quarter of places is for clients that have few.
  [[nodiscard]] bool crowded() const { return places_ >= options_.most - options_.most / 4; }
  [[nodiscard]] size_t turned_away() const { return turned_away_; }
  [[nodiscard]] uint32_t worker() const { return options_.worker; }
  [[nodiscard]] uint64_t opened() const { return opened_; }

 private:
  friend class Connection;
  struct Idle {
    uint64_t since_ms;
    net::SocketId id;
  };
  // Some of those that are idle for the longest: of all, or of one client address.
  struct IdleList {
    std::vector<Idle> found;  // the longest last
    uint64_t group = 0;       // of net::PeerAddress; 0: all
    uint64_t look_ms = 0;     // when to look for more
  };

  void touch(Connection& connection) {
    if (connection.dirty) return;
    connection.dirty = true;
    dirty_.push_back(connection.id().slot);
  }
  void settle_dirty();
  void make_room();
  void seek_place(Connection& connection);
  bool give_up_one(IdleList& list);
  void find_idle(IdleList& list);
  void turn_away(Connection& connection);
  void give_turns();
  void wait_turn(Connection& connection);
  void watch_memory();
  void relieve();
  void tell_of_memory(const MemoryHolders& relief);
  void free(uint32_t slot);

  net::Loop& loop_;
  transport::OutputMemory memory_;
  const http::Limits& limits_;
  ConnectionOptions options_;
  std::span<http::ProtocolFactory* const> protocols_;
  struct Known {
    std::shared_ptr<const Listener> listener;
    bool ended = false;
    uint64_t idle_until_ms = 0, until_ms = 0;  // of one that has ended
  };
  Known* find_listener(uint32_t number);
  void drain_if_due(Connection& connection);
  void close_ended();
  std::vector<Known> listeners_;
  uint32_t heard_of_ = 0;  // no number below it is new
  net::SocketTable<Connection> sockets_;
  std::vector<uint32_t> dirty_;     // settled at this turn's end
  std::vector<uint32_t> settling_;  // the same, while it is walked
  size_t places_ = 0;               // taken
  size_t turned_away_ = 0;          // those that were, and have not ended
  bool turning_all_away_ = false;
  std::vector<Fd> reserve_;
  std::vector<uint32_t> newcomers_;  // of this turn, for whom there was no place
  IdleList idle_;
  IdleList idle_of_one_;
  uint64_t opened_ = 0;
  // Runs in the next turn, at once: for connections that had more to do than one turn allows.
  struct NextTurnTimer : net::Timer {
    explicit NextTurnTimer(Connections& owner);
    Connections& table;
  } soon_;
  std::vector<uint32_t> waiting_turn_;
  // While memory is filling: looks again, though nothing happens.
  struct MemoryCheckTimer : net::Timer {
    explicit MemoryCheckTimer(Connections& owner);
  } look_;
  // Ends what is left of listening sockets that are no more, when it is time.
  struct EndedTimer : net::Timer {
    explicit EndedTimer(Connections& owner);
    Connections& table;
  } ended_;
  bool some_drain_ = false;  // connections of such a socket, or all:
  std::optional<uint64_t> draining_until_ms_;
  bool filling_ = false;
  uint64_t swept_ms_ = 0;
  uint64_t relieved_ms_ = 0;
  uint64_t told_ms_ = 0;
  size_t refusals_told_ = 0;
  size_t given_up_ = 0;  // since it was told of the last time
};

}  // namespace leat::worker
