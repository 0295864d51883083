// A WebSocket on a session of HTTP/1.1, in memory: the handshake on the wire, messages both ways, every way in which one ends,
// time, limits and back-pressure.
#include "websocket/socket.h"

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string>

#include "support/http_harness.h"
#include "websocket/frames.h"

namespace leat::test {

namespace {

using websocket::Kind;
using websocket::Socket;

const std::string kAsk =
    "GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const std::string kAgreed =
    "HTTP/1.1 101 Switching Protocols\r\nServer: leat\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

// What a server sends.
std::string sent(int opcode, std::string_view payload) { return frame(opcode, payload, {.masked = false}); }
std::string sent_text(std::string_view payload) { return sent(1, payload); }
std::string sent_close(uint16_t code, std::string_view reason = {}) {
  return close_frame(code, reason, {.masked = false});
}

// Notes what it is told, and answers by `message`.
struct Notes {
  std::string seen;
  std::function<void(Socket&, Kind, std::string_view)> message =
      [](Socket& socket, Kind kind, std::string_view text) { (void)socket.send(kind, text); };
  std::function<void(Socket&)> open = [](Socket&) {}, writable = [](Socket&) {}, timer = [](Socket&) {};
  void add(const std::string& what) { seen += (seen.empty() ? "" : " ") + what; }
  std::string take() { return std::exchange(seen, {}); }
};

class Noting final : public websocket::SocketUser {
 public:
  explicit Noting(Notes& notes) : notes_(notes) {}
  void on_open(Socket& socket) override {
    notes_.add("open");
    notes_.open(socket);
  }
  void on_message(Socket& socket, Kind kind, std::string_view message) override {
    notes_.add((kind == Kind::Text ? "text:" : "binary:") +
               (message.size() > 40 ? std::to_string(message.size()) : std::string(message)));
    notes_.message(socket, kind, message);
  }
  void on_writable(Socket& socket) override {
    notes_.add("writable");
    notes_.writable(socket);
  }
  void on_timer(Socket& socket) override {
    notes_.add("timer");
    notes_.timer(socket);
  }
  void on_close(Socket&, uint16_t code, std::string_view reason) override {
    notes_.add("close:" + std::to_string(code) + (reason.empty() ? "" : "," + std::string(reason)));
  }
  [[nodiscard]] size_t footprint() const override { return sizeof(*this); }

 private:
  Notes& notes_;
};

// Accepts each request.
class Accepting final : public http::Service {
 public:
  BodyMode on_request(http::Exchange&) override { return BodyMode::Buffer; }
  void on_body(http::Exchange&, std::string_view) override {}
  void on_body_end(http::Exchange& exchange) override {
    const websocket::Handshake handshake =
        websocket::judge(exchange.request, {.compression = options.compress}, true, exchange.arena());
    if (!exchange.may_switch_to(websocket::kProtocol) || handshake.status != 0) {
      exchange.send_problem(handshake.status == 0 ? 426 : handshake.status, handshake.detail);
      return;
    }
    CHECK(exchange.response.add("Sec-WebSocket-Accept", handshake.accept));
    if (!handshake.extensions.empty())
      CHECK(exchange.response.add("Sec-WebSocket-Extensions", handshake.extensions));
    auto made = Socket::make(exchange.worker(), options, handshake.compression, counts,
                             std::make_unique<Noting>(notes));
    REQUIRE(made != nullptr);
    socket = made.get();
    http::Tunnel* const tunnel = exchange.switch_to(websocket::kProtocol, std::move(made), stays);
    if (tunnel != nullptr) {
      socket->attach(*tunnel);
    } else {
      socket = nullptr;
    }
  }
  void on_writable(http::Exchange&) override {}
  void on_response(http::Exchange& exchange) override { exchange.filter_answer(0); }
  void on_cancel(http::Exchange&) override { calls += "cancel "; }
  void on_done(http::Exchange& exchange) override {
    calls +=
        "done:" + std::to_string(exchange.cut() ? exchange.cut().status : exchange.response.status) + " ";
  }
  bool on_tunnel(http::Exchange&, http::TunnelUser&) override { return records; }
  void on_tunnel_end(const pipeline::Route*, http::Exchange* exchange) override {
    calls += "end";
    if (exchange != nullptr) {
      calls += ":" + std::string(exchange->request.target()) + "," + std::string(exchange->request.host()) +
               "," + std::string(exchange->request.peer()) + "," + std::to_string(exchange->response.status) +
               "," + std::to_string(exchange->cut().status) + "," +
               std::to_string(exchange->request.head().size + exchange->body_received) + "," +
               std::to_string(exchange->bytes_sent());
    }
    calls += " ";
  }

  websocket::Options options{.ping_interval_ms = 30'000, .compress = false};
  websocket::Counts counts;
  Notes notes;
  std::string calls;
  Socket* socket = nullptr;
  bool stays = false;
  bool records = false;
};

struct Stage {
  Accepting service;
  HttpHarness harness{service};
  std::optional<http1::Session> session;

  http1::Session& open(const std::string& ask = kAsk) {
    session.emplace(harness.environment, "192.0.2.7", 0);
    session->feed(ask);
    return *session;
  }
  // Opened, with what was said for that seen.
  Notes& opened() {
    open();
    CHECK(take() == kAgreed);
    CHECK(service.notes.take() == "open");
    return service.notes;
  }
  std::string take() {
    while (session->wants_turn()) session->take_turn();
    return HttpHarness::take(*session);
  }
  std::string say(const std::string& bytes) {
    session->feed(bytes);
    return take();
  }
  std::string pass(uint64_t ms) {
    harness.worker.now_ms += ms;
    if (session->deadline_ms() <= harness.worker.now_ms) session->deadline_passed();
    return take();
  }
  ~Stage() {
    if (!session) return;
    session->disconnect();
    session.reset();
    CHECK(harness.exchanges.out() == 0);
    CHECK(harness.worker.blocks().out() == 0);
    CHECK(harness.worker.blocks().charged() == harness.exchanges.idle_bytes());
  }
};

}  // namespace

TEST_CASE("socket: opens by an answer of 101, and nothing of a request is left") {
  Stage stage;
  stage.opened();
  CHECK(stage.service.calls == "done:101 ");
  CHECK(stage.harness.exchanges.out() == 0);
  CHECK(stage.harness.worker.blocks().out() == 0);
  CHECK(stage.session->wants_input());
  CHECK_FALSE(stage.session->idle());
  stage.session->disconnect();
  CHECK(stage.service.notes.take() == "close:1006");
  CHECK(stage.service.calls == "done:101 end ");
}

TEST_CASE("socket: is a request like any other where it is not asked for rightly") {
  const auto without = [](std::string text, std::string_view what, std::string_view instead) {
    return text.replace(text.find(what), what.size(), instead);
  };
  for (const std::string& ask :
       {without(kAsk, "keep-alive, Upgrade", "keep-alive"),
        without(kAsk, "Upgrade: WebSocket", "Upgrade: h2c"), without(kAsk, "GET", "PUT"),
        without(kAsk, "HTTP/1.1", "HTTP/1.0"), without(kAsk, "\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx")}) {
    INFO(ask);
    Stage stage;
    stage.open(ask);
    CHECK(stage.take().starts_with("HTTP/1.1 426 "));
    CHECK(stage.service.notes.seen.empty());
  }
  Stage stage;
  stage.open(without(kAsk, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 7"));
  CHECK(stage.take().starts_with("HTTP/1.1 426 "));
  CHECK(stage.session->wants_input());  // for the next request
}

TEST_CASE("socket: takes what came with the request's own bytes, cut anywhere") {
  const std::string all =
      kAsk + text("one") + text("two", kFirst) + ping("p") + more("!") + close_frame(1000, "bye");
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    INFO(cut);
    Stage stage;
    std::string out;
    stage.session.emplace(stage.harness.environment, "192.0.2.7", 0);
    out += stage.say(all.substr(0, cut));
    if (cut != all.size()) out += stage.say(all.substr(cut));
    CHECK(out == kAgreed + sent_text("one") + sent(10, "p") + sent_text("two!") + sent_close(1000));
    CHECK(stage.service.notes.take() == "open text:one text:two! close:1000,bye");
    CHECK(stage.session->finished());
    CHECK(stage.session->linger());
    CHECK_FALSE(stage.session->cut());
  }
}

TEST_CASE("socket: ends wherever its client is reset") {
  const std::string all = kAsk + text("one") + text("two", kFirst) + more("!");
  for (size_t cut = 0; cut <= all.size(); ++cut)
    for (const bool in_order : {false, true}) {
      Stage stage;
      stage.session.emplace(stage.harness.environment, "192.0.2.7", 0);
      stage.say(all.substr(0, cut));
      if (in_order)
        stage.session->feed_end();
      else
        stage.session->disconnect();
      stage.take();
      INFO(cut);
      const std::string seen = stage.service.notes.take();
      CHECK((seen.empty() || seen.ends_with("close:1006")));
      CHECK(seen.empty() == (cut < kAsk.size()));
    }
}

TEST_CASE("socket: can be sent to from the moment on that it is accepted, and from outside of its events") {
  Stage stage;
  stage.service.notes.open = [](Socket& socket) {
    CHECK(socket.send(Kind::Text, "hi") == Socket::Sent::Done);
  };
  stage.open();
  CHECK(stage.take() == kAgreed + sent_text("hi"));
  CHECK(stage.service.socket->send(Kind::Binary, "later") == Socket::Sent::Done);
  CHECK(stage.take() == sent(2, "later"));
  CHECK(stage.service.socket->send(Kind::Text, "\xff") == Socket::Sent::NotText);
  CHECK(stage.take().empty());
}

TEST_CASE("socket: closes by a handshake, whoever begins") {
  SECTION("the client, with a code") {
    Stage stage;
    Notes& notes = stage.opened();
    CHECK(stage.say(close_frame(4000, "enough") + text("late")) == sent_close(4000));
    CHECK(notes.take() == "close:4000,enough");
    CHECK(stage.session->finished());
  }
  SECTION("the client, without") {
    Stage stage;
    Notes& notes = stage.opened();
    CHECK(stage.say(frame(8, "")) == sent(8, ""));
    CHECK(notes.take() == "close:1005");
  }
  SECTION("the server, and what comes before the answer is not a message any more") {
    Stage stage;
    Notes& notes = stage.opened();
    stage.service.socket->close(4001, "go");
    CHECK(stage.service.socket->send(Kind::Text, "x") == Socket::Sent::Closed);
    CHECK(stage.take() == sent_close(4001, "go"));
    CHECK_FALSE(stage.session->finished());
    CHECK(stage.say(text("on its way") + ping("p")).empty());
    CHECK(notes.take().empty());
    CHECK(stage.say(close_frame(4001)).empty());
    CHECK(notes.take() == "close:4001");
    CHECK(stage.session->finished());
  }
  SECTION("the server, and no answer") {
    Stage stage;
    Notes& notes = stage.opened();
    stage.service.socket->close(1000, {});
    stage.take();
    stage.pass(4'999);
    CHECK(notes.take().empty());
    stage.pass(1);
    CHECK(notes.take() == "close:1006");
    CHECK(stage.session->cut());
  }
  SECTION("within a message") {
    Stage stage;
    Notes& notes = stage.opened();
    notes.message = [](Socket& socket, Kind, std::string_view) { socket.close(1000, {}); };
    CHECK(stage.say(text("a") + text("b")) == sent_close(1000));
    CHECK(notes.take() == "text:a");
    stage.say(close_frame(1000));
    CHECK(notes.take() == "close:1000");
  }
  SECTION("the client just leaves") {
    Stage stage;
    Notes& notes = stage.opened();
    stage.session->feed_end();
    stage.take();
    CHECK(notes.take() == "close:1006");
    CHECK(stage.session->finished());
  }
}

TEST_CASE("socket: tells its client what it did wrong, and reads no more") {
  struct Row {
    std::string bytes;
    uint16_t code;
  };
  for (const Row& row :
       {Row{text("a", {.reserved = 2}), 1002}, Row{text("\xff"), 1007}, Row{more("x"), 1002},
        Row{text("", {.length_bytes = 8, .said = 1 << 21}), 1009}, Row{close_frame(1005), 1002}}) {
    Stage stage;
    Notes& notes = stage.opened();
    stage.service.records = true;
    const std::string out = stage.say(row.bytes + text("more"));
    CHECK(out.substr(2, 2) == code_bytes(row.code));
    CHECK(notes.take().starts_with("close:" + std::to_string(row.code)));
    CHECK(stage.session->finished());
    CHECK_FALSE(stage.session->cut());
  }
}

TEST_CASE("socket: tells at its end what it was, as an exchange of the pool's") {
  Stage stage;
  stage.service.records = true;
  stage.opened();
  stage.say(text("abc"));
  stage.service.calls.clear();
  stage.say(close_frame(1000));
  // The request's head, then 6 bytes of head and mask, twice; 2 of each head that is sent.
  CHECK(stage.service.calls ==
        "end:/chat,a.example,192.0.2.7,101,0," + std::to_string(kAsk.size() + 9 + 8) + ",9 ");
}

TEST_CASE("socket: says so where it did not end in order") {
  Stage stage;
  stage.service.records = true;
  stage.opened();
  stage.service.calls.clear();
  stage.session->disconnect();
  CHECK(stage.service.calls ==
        "end:/chat,a.example,192.0.2.7,101,499," + std::to_string(kAsk.size()) + ",0 ");
}

TEST_CASE("socket: may keep its request, which ends with it") {
  Stage stage;
  stage.service.stays = true;
  stage.opened();
  CHECK(stage.service.calls.empty());
  CHECK(stage.harness.exchanges.out() == 1);
  CHECK(stage.say(text("x")) == sent_text("x"));
  stage.say(close_frame(1000));
  CHECK(stage.service.calls == "done:101 ");
  CHECK(stage.harness.exchanges.out() == 0);
}

TEST_CASE("socket: asks whether its client is there, and gives up where nothing comes") {
  Stage stage;
  Notes& notes = stage.opened();
  CHECK(stage.pass(29'999).empty());
  CHECK(stage.pass(1) == sent(9, ""));
  CHECK(stage.pass(19'999).empty());
  CHECK(stage.say(pong("")).empty());
  CHECK(stage.pass(29'999).empty());
  CHECK(stage.pass(1) == sent(9, ""));
  CHECK(stage.pass(20'000).empty());
  CHECK(notes.take() == "close:1006");
  CHECK(stage.session->cut());
}

TEST_CASE("socket: does not ask who is not read from") {
  Stage stage;
  Notes& notes = stage.opened();
  stage.service.socket->set_reading(false);
  stage.take();
  CHECK(stage.pass(300'000).empty());
  CHECK(notes.take().empty());
  stage.service.socket->set_reading(true);
  stage.take();
  CHECK(stage.pass(29'999).empty());
  CHECK(stage.pass(1) == sent(9, ""));
}

TEST_CASE("socket: closes where nobody says anything for long") {
  Stage stage;
  stage.service.options.idle_timeout_ms = 10'000;
  Notes& notes = stage.opened();
  stage.pass(9'000);
  stage.say(text("x"));
  stage.pass(9'999);
  CHECK(notes.take() == "text:x");
  CHECK(stage.pass(1) == sent_close(1000, "nothing was said for long"));
  stage.say(close_frame(1000));
  CHECK(notes.take() == "close:1000");
}

TEST_CASE("socket: has a timer for its user") {
  Stage stage;
  Notes& notes = stage.opened();
  stage.service.socket->set_timer(stage.harness.worker.now_ms + 100);
  stage.pass(99);
  CHECK(notes.take().empty());
  stage.pass(1);
  CHECK(notes.take() == "timer");
  stage.pass(1000);
  CHECK(notes.take().empty());
  stage.service.socket->set_timer(stage.harness.worker.now_ms + 100);
  stage.service.socket->set_timer(UINT64_MAX);
  stage.pass(1000);
  CHECK(notes.take().empty());
}

TEST_CASE("socket: tells that the server goes, at a moment of its own") {
  Stage stage;
  Notes& notes = stage.opened();
  stage.session->drain(stage.harness.worker.now_ms + 2'000);
  CHECK_FALSE(stage.session->finished());
  CHECK(stage.pass(2'000) == sent_close(1001));
  CHECK(stage.say(close_frame(1001)).empty());
  CHECK(notes.take() == "close:1001");
  CHECK(stage.session->finished());
}

TEST_CASE("socket: tells it at once where there is no time left") {
  Stage stage;
  Notes& notes = stage.opened();
  stage.service.socket->on_drain(0);
  CHECK(stage.take() == sent_close(1001));
  CHECK(notes.take() == "close:1001");
  CHECK(stage.session->finished());
}

TEST_CASE("socket: reads no more than its user takes") {
  Stage stage;
  Notes& notes = stage.opened();
  notes.message = [](Socket& socket, Kind, std::string_view) { socket.set_reading(false); };
  stage.say(text("1") + text("2") + text("3"));
  CHECK(notes.take() == "text:1");
  CHECK_FALSE(stage.session->wants_input());
  stage.service.socket->set_reading(true);
  stage.take();
  CHECK(notes.take() == "text:2");
  stage.service.socket->set_reading(true);
  stage.take();
  CHECK(notes.take() == "text:3");
  CHECK(stage.session->waiting_input() == 0);
}

TEST_CASE("socket: ends where its client has gone whom nobody reads") {
  Stage stage;
  Notes& notes = stage.opened();
  stage.service.socket->set_reading(false);
  stage.take();
  stage.session->peer_ended();
  stage.pass(stage.harness.limits.half_closed_timeout_ms);
  CHECK(notes.take() == "close:1006");
  CHECK(stage.session->finished());
}

TEST_CASE("socket: has its user wait for a client that does not read, and reads nothing meanwhile") {
  Stage stage;
  stage.harness.limits.output_high_bytes = 100'000;
  stage.harness.limits.output_low_bytes = 50'000;
  Notes& notes = stage.opened();
  Socket& socket = *stage.service.socket;
  const std::string large(60'000, 'x');
  CHECK(socket.send(Kind::Text, large) == Socket::Sent::Done);
  CHECK(socket.send(Kind::Text, large) == Socket::Sent::Blocked);
  stage.session->feed(text("not yet"));
  CHECK(notes.take().empty());
  CHECK_FALSE(stage.session->wants_input());
  CHECK(stage.take().size() > 120'000);
  CHECK(notes.take() == "writable text:not yet");
  CHECK(stage.session->wants_input());
}

TEST_CASE("socket: takes no more than may wait") {
  Stage stage;
  stage.service.options.queue_bytes = 100'000;
  stage.opened();
  Socket& socket = *stage.service.socket;
  CHECK(socket.send(Kind::Text, std::string(150'000, 'x')) ==
        Socket::Sent::Done);  // alone, whatever its size
  CHECK(socket.send(Kind::Text, "x") == Socket::Sent::Full);
  const std::string out = stage.take();
  CHECK(out == sent_text(std::string(150'000, 'x')));
  CHECK(socket.send(Kind::Text, "x") == Socket::Sent::Done);
}

TEST_CASE("socket: answers the pings of who reads, and keeps none for who does not") {
  Stage stage;
  stage.harness.limits.output_high_bytes = 1'000;
  stage.harness.limits.output_low_bytes = 100;
  stage.opened();
  CHECK(stage.say(ping("a") + ping("b")) == sent(10, "a") + sent(10, "b"));
  const std::string long_ping = ping(std::string(125, 'p'));
  for (int i = 0; i < 1000; ++i) stage.session->feed(long_ping);
  CHECK(stage.session->output().size() < 2'000);
}

TEST_CASE("socket: slows down who sends more than its rate") {
  Stage stage;
  stage.service.options.messages_per_second = 10;
  Notes& notes = stage.opened();
  notes.message = [](Socket&, Kind, std::string_view) {};
  std::string many;
  for (int i = 0; i < 30; ++i) many += text("m");
  stage.say(many);
  const auto count = [&] {
    size_t messages = 0;
    for (size_t at = 0; (at = notes.seen.find("text:m", at)) != std::string::npos; ++at) ++messages;
    return messages;
  };
  CHECK(count() == 11);  // a second's, and the one that was one too many
  stage.pass(1'000);
  CHECK(count() >= 12);
  CHECK(count() <= 22);
  for (int i = 0; i < 30; ++i) stage.pass(1'000);
  CHECK(count() == 30);
}

TEST_CASE("socket: packs what is large enough, where that was agreed on") {
  Stage stage;
  stage.service.options.compress = true;
  std::string ask = kAsk;
  ask.insert(ask.size() - 2, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  stage.open(ask);
  CHECK(
      stage.take().contains("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                            "client_no_context_takeover\r\n"));
  const std::string large(10'000, 'x'), huge(300'000, 'y');
  CHECK(stage.say(text(packed("tiny"), {.reserved = 4})) == sent_text("tiny"));
  for (const std::string& payload : {large, huge}) {
    const std::string out = stage.say(text(packed(payload), {.reserved = 4}));
    CHECK(out.size() < 1'000);
    const auto length = std::to_string(payload.size()) + "x" + payload.substr(0, 1);
    CHECK(read_in_pieces({.masked = false, .compressed = true}, out, out.size()) == "Text(" + length + ")");
  }
  // What cannot be made smaller is sent as it is.
  std::string noise;
  for (uint32_t i = 0, x = 1; i < 2'000; ++i)
    noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  CHECK(stage.say(binary(noise)) == sent(2, noise));
}

TEST_CASE("socket: gives up what memory is out for") {
  Stage stage;
  Notes& notes = stage.opened();
  stage.say(text(std::string(50'000, 'x'), kFirst));
  stage.session->give_up_input();
  CHECK(stage.take().substr(2, 2) == code_bytes(1013));
  CHECK(notes.take().starts_with("close:1013"));
}

}  // namespace leat::test
