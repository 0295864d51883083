// What is behind a Host and the requests it makes: one worker of a daemon, on the thread of the test.
//
//   Host::Impl     configuration, plugins and site, put together as server/serve.cc does; clock and memory
//   Pending::Run   one connection with one request, and the client at its other end
//
// A run makes progress by events: a piece of the request that is fed, bytes of the answer that the client
// takes, a completion, a timer. Host::Impl::next() makes exactly one happen; all waiting and exploring is a
// loop over it. A Host that goes ends its runs, which stay with their Pending.
//
// Thread: the test's. Only lines of the log come from others.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "client/response_parser.h"
#include "config/config.h"
#include "http/forwarding.h"
#include "http1/session.h"
#include "pipeline/pipeline.h"
#include "server/testhost/client_session.h"
#include "server/testhost/leat/testhost.hpp"
#include "server/testhost/setup.h"
#include "server/testhost/upstreams.h"
#include "server/testhost/virtual_worker.h"
#include "websocket/message_reader.h"

namespace leat::testing {

// The lines that are logged while it lives, on any thread. Several see the same ones.
class LogListener {
 public:
  LogListener();
  ~LogListener();
  LogListener(const LogListener&) = delete;
  LogListener& operator=(const LogListener&) = delete;

  [[nodiscard]] std::vector<std::string> lines() const;
  [[nodiscard]] std::vector<std::string> problems() const;
  void add_problem(std::string text);
  void forget_problems();
  // Lines are no problems while it is expected that something goes wrong.
  void expect_problems(bool expected);

 private:
  static void on_line(log::Level level, std::string_view line);

  std::vector<std::string> lines_, problems_;  // of both: under the mutex of all listeners
  bool expected_ = false;
};

struct Pending::Run {
  Run(Host::Impl& host, const Request& request);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // One event of this connection; false when it is the turn of others.
  bool step();
  void read();
  // The client leaves, or has no more to do here.
  void leave();
  [[nodiscard]] Reply reply() const;
  [[nodiscard]] bool done() const { return reply_.has_value() || !session; }

  Host::Impl* host;   // null once it is closed
  std::string title;  // "GET /notes"
  std::string peer, client, scheme;
  Request::Certificate certificate;  // views of which are in what follows
  transport::PeerCertificate shown;
  transport::TlsFacts tls;
  std::optional<http1::Session> session;

 private:
  void finish(client::ResponseParser::Step step);
  // What the request says, with the cookie of its session.
  std::vector<std::string> pieces_of(const Request& request);

  ClientSession kept_;               // by the client
  std::vector<std::string> pieces_;  // what the client sends
  size_t next_piece_ = 0;
  size_t read_at_most_;
  BlockPool memory_{65'536, 0};
  Arena arena_{memory_, SIZE_MAX};
  client::UpstreamOptions limits_;
  client::ResponseParser parser_;
  std::vector<std::string> hints_;
  std::optional<Reply> reply_;
};

struct WebSocket::Line {
  Line(Host::Impl& host, std::string_view target,
       const std::vector<std::pair<std::string, std::string>>& headers);
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  // One event of this connection; false when it is the turn of others.
  bool step();
  void say(websocket::Opcode opcode, std::string_view payload);
  // The client leaves.
  void leave();

  Host::Impl* host;  // null once it is closed
  std::optional<http1::Session> session;
  std::string to_send;
  std::string head;  // of the answer
  std::deque<std::string> messages;
  int close_code = 0;
  std::string close_reason;

 private:
  void read(std::string_view bytes);

  bool said_close_ = false;
  BlockPool memory_{65'536, 0};
  websocket::MessageReader reader_{memory_,
                                   {.message_bytes = UINT32_MAX, .frame_bytes = UINT32_MAX, .masked = false}};
};

struct Host::Impl {
  Impl(const PluginSource& plugin, const Setup& setup);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Makes one thing happen, for whichever request: what is ready first; else what other threads complete
  // within the time until the next timer; else that timer. False when nothing ever will.
  bool next();
  // All that can happen without waiting.
  void settle();
  void advance(uint64_t ms);
  // After a client left: what its work on the pool brings back. A problem where that takes too long.
  void wait_for_work();
  // All that can happen without moving the clock, what is waited for on other threads as well.
  void wait_at_once();
  void close();

  LogListener log;  // first, so that it hears of the loading
  Loaded loaded;
  const config::Settings& settings = loaded.config.settings;
  http::Limits limits = settings.worker.limits;
  std::chrono::milliseconds patience;
  VirtualWorker worker;
  ScriptedUpstreams upstreams;
  NodePool<transport::OutputSegment> segments;
  http::ExchangePool exchanges;
  http1::Writer writer;
  http::KnownHeads heads;
  http1::KnownLines lines;
  std::optional<pipeline::Pipeline> pipeline;
  std::optional<http1::Environment> environment;
  std::list<Pending::Run*> runs;
  std::list<WebSocket::Line*> lines_of_sockets;
  bool closed = false;

 private:
  bool next_now();
  // When the next timer or deadline is due, UINT64_MAX for never.
  uint64_t next_due_ms();
  bool run_due();
  bool others_work();
  void start();
};

}  // namespace leat::testing
