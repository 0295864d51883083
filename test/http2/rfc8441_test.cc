// Requests that go on in another protocol (RFC 8441): as a table, frames in and frames out, each row whole and cut anywhere; and what the
// user of such a tunnel is told, and when.
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <vector>

#include "http/tunnel.h"
#include "support/http2_harness.h"

namespace leat::test {

namespace {

using namespace std::string_literals;

constexpr std::string_view kTalk = "talk";

// What a tunnel's user was told, and what it does: it sends back what it gets, unless it gets a word that it knows.
struct Told {
  std::string seen;
  http::Tunnel* tunnel = nullptr;  // the latest
  bool reads = true;
  bool blocked = false;
  void note(std::string_view what) { seen += (seen.empty() ? "" : " ") + std::string(what); }
  std::string take() { return std::exchange(seen, {}); }
};

class Talker final : public http::TunnelUser {
 public:
  explicit Talker(Told& told) : told_(told) {}
  void on_open(http::Tunnel& tunnel) override {
    tunnel_ = told_.tunnel = &tunnel;
    told_.note("open");
  }
  size_t on_bytes(std::string_view bytes) override {
    if (!told_.reads) return 0;
    told_.note(bytes.size() > 20 ? std::to_string(bytes.size()) : std::string(bytes));
    if (bytes == "end") {
      tunnel_->end();
    } else if (bytes == "cut") {
      tunnel_->cut();
    } else if (bytes == "stop") {
      told_.reads = false;
      tunnel_->set_reading(false);
    } else {
      CHECK(tunnel_->write(bytes));
      told_.blocked = tunnel_->is_full();
    }
    return bytes.size();
  }
  void on_peer_end() override {
    told_.note("peer_end");
    tunnel_->end();
  }
  void on_writable() override { told_.note("writable"); }
  void on_deadline() override { told_.note("deadline"); }
  void on_drain(uint64_t) override {
    told_.note("drain");
    CHECK(tunnel_->write("bye"));
    tunnel_->end();
  }
  void on_starved() override {
    told_.note("starved");
    tunnel_->end();
  }
  void on_closed() override {
    told_.note("closed");
    if (told_.tunnel == tunnel_) told_.tunnel = nullptr;
  }
  [[nodiscard]] size_t footprint() const override { return sizeof(*this); }

 private:
  Told& told_;
  http::Tunnel* tunnel_ = nullptr;
};

// Agrees to talk at "/talk", stays with its request at "/stay", and knows nothing of that elsewhere.
class Talking final : public http::Service {
 public:
  BodyMode on_request(http::Exchange&) override { return BodyMode::Buffer; }
  void on_body(http::Exchange&, std::string_view) override {}
  void on_body_end(http::Exchange& exchange) override {
    const std::string_view path = exchange.request.path();
    asked = std::string(http::method_name(exchange.request.method())) + " " +
            std::string(exchange.request.header(http::HeaderId::Upgrade));
    if (path == "/later") {
      (void)exchange.suspend();
    } else if (path == "/pieces") {
      exchange.begin(std::nullopt);
      exchange.write("pieces");
      exchange.end();
    } else if (path == "/elsewhere") {
      exchange.response.status = 302;
      exchange.send("go");
    } else if (path == "/plain") {
      exchange.send("plain");
    } else if (exchange.switch_to(kTalk, std::make_unique<Talker>(told), path == "/stay") == nullptr &&
               !exchange.started()) {
      exchange.response.status = 426;
      exchange.send("");
    }
  }
  void on_writable(http::Exchange&) override {}
  void on_response(http::Exchange& exchange) override { exchange.filter_answer(0); }
  void on_cancel(http::Exchange&) override { calls += "cancel "; }
  void on_done(http::Exchange& exchange) override {
    calls +=
        "done:" + std::to_string(exchange.cut() ? exchange.cut().status : exchange.response.status) + " ";
  }
  bool on_tunnel(http::Exchange&, http::TunnelUser&) override { return true; }
  void on_tunnel_end(const pipeline::Route*, http::Exchange* exchange) override {
    REQUIRE(exchange != nullptr);
    calls += "end:" + std::string(exchange->request.target()) + "," +
             std::to_string(exchange->body_received) + "," + std::to_string(exchange->bytes_sent()) + " ";
  }

  Told told;
  std::string calls, asked;
};

std::string connect(uint32_t stream, std::string_view path = "/talk", std::string_view protocol = kTalk,
                    h2_fields more = {}, unsigned flags = 4) {
  return headers(stream,
                 hpack({{":method", "CONNECT"},
                        {":protocol", protocol},
                        {":scheme", "https"},
                        {":path", path},
                        {":authority", "a"}}) +
                     hpack(more),
                 flags);
}

// One session and all it needs; ends with everything given back.
struct TunnelStage {
  Talking service;
  Http2Harness harness{service};
  std::unique_ptr<http2::Session> session;
  H2Reader reader;

  explicit TunnelStage(std::string_view begins = hello()) {
    harness.options.streams = 4;
    start();
    (void)feed(begins);
  }
  void start() {
    session = std::make_unique<http2::Session>(harness.environment, http::peer_at("192.0.2.1"));
  }
  ~TunnelStage() {
    session->disconnect();
    session->output().clear();
    session.reset();
    CHECK(harness.exchanges.out() == 0);
    CHECK(harness.environment.streams.out() == 0);
    CHECK(harness.worker.blocks().out() == 0);
    CHECK(harness.segments.out() == 0);
  }
  std::string take() {
    std::string out = HttpHarness::take(*session);
    while (session->wants_turn()) {
      session->take_turn();
      out += HttpHarness::take(*session);
    }
    return reader.read(out);
  }
  std::string feed(std::string_view bytes) {
    session->feed(bytes);
    return take();
  }
  std::string pass(uint64_t ms) {
    harness.worker.now_ms += ms;
    session->deadline_passed();
    return take();
  }
  std::string told() { return service.told.take(); }
  std::string calls() { return std::exchange(service.calls, {}); }
};

struct Row {
  std::string_view section;
  std::string_view says;
  std::string in;
  std::string out;
  std::string told;
};

std::string with(h2_fields fields, unsigned flags = 4) { return headers(1, hpack(fields), flags); }
const std::string kPing = frame(6, 0, 0, "pingping");

std::vector<Row> rows() {
  return {
      {"4", "CONNECT with a protocol is answered with 200, and DATA carry it", connect(1) + data(1, "hi"),
       "H1:200 D1:2", "open hi"},
      {"4", "as a request that ends at once", connect(1, "/talk", kTalk, {}, 5), "H1:200 D1:0.",
       "open peer_end closed"},
      {"4", "a protocol's name is of any case", connect(1, "/talk", "TALK"), "H1:200", "open"},
      {"4", "what comes with it is its user's", connect(1) + data(1, "one", 1), "H1:200 D1:3.",
       "open one peer_end closed"},
      {"4", "a protocol that nobody speaks", connect(1, "/talk", "other"), "H1:426. R1:NO_ERROR", ""},
      {"4", "success of who knows nothing of it is none", connect(1, "/plain"), "H1:501 D1:*. R1:NO_ERROR",
       ""},
      {"4", "nor in pieces", connect(1, "/pieces"), "H1:501 D1:*. R1:NO_ERROR", ""},
      {"4", "what is no success is as it is", connect(1, "/elsewhere"), "H1:302 D1:2. R1:NO_ERROR", ""},
      {"4", "without a scheme",
       with({{":method", "CONNECT"}, {":protocol", "talk"}, {":path", "/talk"}, {":authority", "a"}}) + kPing,
       "R1:PROTOCOL_ERROR P+", ""},
      {"4", "without a path",
       with({{":method", "CONNECT"}, {":protocol", "talk"}, {":scheme", "https"}, {":authority", "a"}}) +
           kPing,
       "R1:PROTOCOL_ERROR P+", ""},
      {"4", "without an authority",
       with({{":method", "CONNECT"}, {":protocol", "talk"}, {":scheme", "https"}, {":path", "/talk"}}),
       "H1:400 D1:*. R1:NO_ERROR", ""},
      {"4", "a protocol of another method",
       with({{":method", "GET"},
             {":protocol", "talk"},
             {":scheme", "https"},
             {":path", "/"},
             {":authority", "a"}},
            5),
       "R1:PROTOCOL_ERROR", ""},
      {"4", "a protocol that is no token", connect(1, "/talk", "a b"), "R1:PROTOCOL_ERROR", ""},
      {"4", "a protocol that is empty", connect(1, "/talk", ""), "R1:PROTOCOL_ERROR", ""},
      {"4", "a protocol twice",
       with({{":method", "CONNECT"},
             {":protocol", "talk"},
             {":protocol", "talk"},
             {":scheme", "https"},
             {":path", "/talk"},
             {":authority", "a"}}),
       "R1:PROTOCOL_ERROR", ""},
      {"4", "a protocol behind the fields", connect(1, "/talk", kTalk, {{"a", "b"}, {":protocol", "talk"}}),
       "R1:PROTOCOL_ERROR", ""},
      {"4", "a path that is none", connect(1, "talk"), "R1:PROTOCOL_ERROR", ""},
      {"4", "fields about connections", connect(1, "/talk", kTalk, {{"upgrade", "talk"}}),
       "R1:PROTOCOL_ERROR", ""},
      {"9113 8.5", "CONNECT without one", with({{":method", "CONNECT"}, {":authority", "a"}}),
       "H1:501 D1:*. R1:NO_ERROR", ""},
      {"9113 8.5", "with a path", with({{":method", "CONNECT"}, {":authority", "a"}, {":path", "/"}}),
       "R1:PROTOCOL_ERROR", ""},
      {"9113 8.5", "with a length", connect(1, "/talk", kTalk, {{"content-length", "3"}}),
       "R1:PROTOCOL_ERROR", ""},
      {"9113 8.5", "a length of nothing says nothing",
       connect(1, "/talk", kTalk, {{"content-length", "0"}}) + data(1, "hi"), "H1:200 D1:2", "open hi"},
      {"9113 8.5", "HEADERS within it", connect(1) + headers(1, hpack({{"a", "b"}})) + kPing,
       "H1:200 R1:PROTOCOL_ERROR P+", "open closed"},
      {"9113 8.5", "HEADERS before it is answered", connect(1, "/later") + headers(1, hpack({{"a", "b"}})),
       "R1:PROTOCOL_ERROR", ""},
      {"5", "an end of this side, and the peer's",
       connect(1) + data(1, "end") + data(1, "more") + data(1, "", 1), "H1:200 D1:0.", "open end closed"},
      {"5", "an end of the peer's side", connect(1) + data(1, "", 1), "H1:200 D1:0.", "open peer_end closed"},
      {"5", "a reset by the peer", connect(1) + reset(1) + kPing, "H1:200 P+", "open closed"},
      {"5", "a reset by this side", connect(1) + data(1, "cut") + data(1, "more") + kPing,
       "H1:200 R1:CANCEL P+", "open cut closed"},
      {"5", "DATA behind the peer's end", connect(1) + data(1, "end", 1) + data(1, "x"),
       "H1:200 D1:0. G1:STREAM_CLOSED", "open end closed"},
      {"5", "many at a time, each by itself",
       connect(1) + connect(3, "/stay") + data(3, "b") + data(1, "a") + data(3, "", 1) + get(5, "/plain"),
       "H1:200 H3:200 D3:1 D1:1 D3:0. H5:200 D5:5.", "open open b a peer_end closed"},
      {"9113 6.9", "DATA that overruns a window",
       connect(1) + data(1, "stop") + data(1, std::string(16'384, 'x')) + data(1, std::string(16'384, 'x')) +
           data(1, std::string(16'384, 'x')) + data(1, std::string(16'384, 'x')),
       "H1:200 R1:FLOW_CONTROL_ERROR", "open stop closed"},
      {"9113 6.9", "padding is none of it", connect(1) + frame(0, 8, 1, "\x02hi\0\0"s), "H1:200 D1:2",
       "open hi"},
  };
}

// A number of bytes that says nothing.
std::string simple(std::string text) {
  for (size_t at = 0; (at = text.find(" D1:", at)) != std::string::npos; ++at)
    if (const size_t end = text.find_first_of(" .", at + 4); end != std::string::npos && end - at > 6)
      text.replace(at + 4, end - at - 4, "*");
  return text;
}
std::string without_windows(const std::string& text) {
  std::string left;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (text[at] != 'W') left += (left.empty() ? "" : " ") + text.substr(at, end - at);
    at = end + 1;
  }
  return left;
}

}  // namespace

TEST_CASE("rfc8441: the server says that it can") {
  TunnelStage stage({});
  stage.session->feed(hello());
  const std::vector<H2Frame> frames = read_frames(HttpHarness::take(*stage.session));
  REQUIRE(!frames.empty());
  CHECK(frames.front().payload.contains(setting(8, 1)));
}

TEST_CASE("rfc8441: a request for another protocol, whole and cut anywhere") {
  for (const Row& row : rows()) {
    INFO(row.section << ": " << row.says);
    for (size_t cut = 0; cut <= row.in.size(); ++cut) {
      TunnelStage stage;
      std::string out = stage.feed(row.in.substr(0, cut));
      const std::string more = stage.feed(row.in.substr(cut));
      if (!out.empty() && !more.empty()) out += " ";
      INFO("cut at " << cut);
      // What is cut within DATA comes, and is sent back, in two pieces.
      if (cut == 0 || cut == row.in.size()) {
        REQUIRE(simple(without_windows(out + more)) == row.out);
        REQUIRE(stage.told() == row.told);
      }
      const std::string all = without_windows(out + more);
      REQUIRE(all.contains("H1:200") == row.out.contains("H1:200"));
      REQUIRE(all.contains("PROTOCOL_ERROR") == row.out.contains("PROTOCOL_ERROR"));
    }
  }
}

TEST_CASE("rfc8441: where the server has not said so, a protocol is no part of a request") {
  Talking service;
  Http2Harness harness(service);
  harness.options.tunnels = false;
  http2::Session session(harness.environment, http::peer_at("192.0.2.1"));
  H2Reader reader;
  session.feed(hello());
  const std::string first = HttpHarness::take(session);
  CHECK_FALSE(read_frames(first).front().payload.contains(setting(8, 1)));
  session.feed(connect(1));
  CHECK(reader.read(HttpHarness::take(session)) == "R1:PROTOCOL_ERROR");
  session.disconnect();
}

TEST_CASE("rfc8441: a setting that is neither 0 nor 1 is an error") {
  TunnelStage stage({});
  CHECK(stage.feed(hello(setting(8, 2))).ends_with("G0:PROTOCOL_ERROR"));
}

TEST_CASE("rfc8441: who handles it sees what HTTP/1.1 would have shown") {
  TunnelStage stage;
  (void)stage.feed(connect(1));
  CHECK(stage.service.asked == "GET talk");
  CHECK(stage.calls() == "done:200 ");
  CHECK(stage.harness.exchanges.out() == 0);
  (void)stage.feed(data(1, "hello") + data(1, "", 1));
  CHECK(stage.calls().starts_with("end:/talk,"));
}

TEST_CASE("rfc8441: a request that stays with its tunnel ends with it") {
  TunnelStage stage;
  (void)stage.feed(connect(1, "/stay"));
  CHECK(stage.calls().empty());
  CHECK(stage.harness.exchanges.out() == 1);
  (void)stage.feed(reset(1));
  CHECK(stage.calls() == "done:200 ");
}

TEST_CASE("rfc8441: an answer that was remembered is none to who asks for a protocol") {
  TunnelStage stage;
  CHECK(stage.feed(get(1, "/plain") + get(3, "/plain")) == "H1:200 D1:5. H3:200 D3:5.");
  CHECK(stage.feed(connect(5, "/plain", kTalk, {}, 5)).starts_with("H5:501 "));
  CHECK(stage.feed(get(7, "/plain")) == "H7:200 D7:5.");
}

TEST_CASE("rfc8441: what is written together leaves together, also out of no event of its own") {
  TunnelStage stage;
  (void)stage.feed(connect(1));
  http::Tunnel& tunnel = *stage.service.told.tunnel;
  CHECK(tunnel.write("a"));
  CHECK(tunnel.write("bc"));
  CHECK(tunnel.queued() == 3);
  CHECK(stage.take() == "D1:3");
  CHECK(tunnel.queued() == 0);
  tunnel.end();
  CHECK(stage.take() == "D1:0.");
  CHECK(stage.told() == "open closed");
}

TEST_CASE("rfc8441: who does not read is not read for, and its stream's window stays closed") {
  TunnelStage stage;
  (void)stage.feed(connect(1));
  (void)stage.feed(data(1, "stop"));
  CHECK(stage
            .feed(data(1, std::string(16'384, 'x')) + data(1, std::string(16'384, 'y')) +
                  data(1, std::string(16'384, 'z')))
            .empty());
  CHECK(stage.told() == "open stop");
  CHECK(stage.session->wants_input());  // for other streams
  stage.service.told.reads = true;
  stage.service.told.tunnel->set_reading(true);
  const std::string out = stage.take();
  CHECK(stage.told() == "49152");
  CHECK(out.contains("W1:"));
  CHECK(stage.reader.body(1).size() == 49'152);
}

TEST_CASE("rfc8441: who reads is read for without end") {
  TunnelStage stage;
  (void)stage.feed(connect(1));
  std::string all;
  for (int i = 0; i < 200; ++i) {
    const std::string out = stage.feed(data(1, std::string(10'000, 'x')));
    REQUIRE_FALSE(out.contains("FLOW"));
    all += out;
    (void)stage.feed(window(0, 10'000) + window(1, 10'000));
  }
  CHECK(stage.reader.body(1).size() == 2'000'000);
}

TEST_CASE("rfc8441: a peer that takes nothing is waited for, and then no more") {
  TunnelStage stage;
  (void)stage.feed(connect(1));
  http::Tunnel& tunnel = *stage.service.told.tunnel;
  (void)stage.feed(window(0, 10'000'000));
  for (int i = 0; i < 100 && !tunnel.is_full(); ++i) CHECK(tunnel.write(std::string(10'000, 'x')));
  CHECK(tunnel.is_full());
  CHECK(stage.take().contains("D1:"));
  CHECK(stage.reader.body(1).size() == 65'535);
  (void)stage.feed(data(1, "unread"));  // nor is it read for
  CHECK(stage.told() == "open");
  SECTION("it goes on") {
    (void)stage.feed(window(1, 1'000'000));
    CHECK(stage.told() == "writable unread");
    CHECK(stage.service.told.tunnel != nullptr);
  }
  SECTION("it does not") {
    CHECK(stage.pass(stage.harness.options.window_timeout_ms - 1).empty());
    CHECK(stage.pass(1) == "R1:CANCEL");
    CHECK(stage.told() == "closed");
  }
  SECTION("the tunnel ends in order: what was written goes first") {
    const size_t written = stage.reader.body(1).size() + tunnel.queued();
    tunnel.end();
    CHECK(stage.take().empty());
    CHECK(stage.told() == "closed");
    const std::string out = stage.feed(window(1, 1'000'000));
    CHECK(out.ends_with("."));
    CHECK(stage.reader.body(1).size() == written);
  }
}

TEST_CASE("rfc8441: a pinned message is let go in any case") {
  TunnelStage stage;
  (void)stage.feed(connect(1));
  http::Tunnel& tunnel = *stage.service.told.tunnel;
  static constexpr std::string_view kBytes = "lies where it lies";
  int gone = 0;
  const transport::Release release{.run = [](void* count) { ++*static_cast<int*>(count); }, .context = &gone};
  SECTION("sent") {
    CHECK(tunnel.write_pinned(kBytes, release));
    CHECK(stage.take() == "D1:18");
  }
  SECTION("reset before") {
    CHECK(tunnel.write_pinned(kBytes, release));
    stage.session->disconnect();
  }
  SECTION("after its end") {
    tunnel.cut();
    CHECK_FALSE(tunnel.write_pinned(kBytes, release));
    CHECK(stage.take() == "R1:CANCEL");
  }
  CHECK(gone == 1);
}

TEST_CASE("rfc8441: its deadline is its own") {
  TunnelStage stage;
  (void)stage.feed(connect(1) + connect(3));
  stage.service.told.tunnel->set_deadline(stage.harness.worker.now_ms + 500);
  CHECK(stage.session->deadline_ms() == stage.harness.worker.now_ms + 500);
  (void)stage.pass(499);
  CHECK(stage.told() == "open open");
  (void)stage.pass(1);
  CHECK(stage.told() == "deadline");
  (void)stage.pass(600'000);  // otherwise it may be idle for as long as it likes
  CHECK(stage.told().empty());
}

TEST_CASE("rfc8441: a peer that does not end its side is waited for, and then its stream is reset") {
  TunnelStage stage;
  (void)stage.feed(connect(1));
  CHECK(stage.feed(data(1, "end")) == "D1:0.");
  CHECK(stage.feed(data(1, std::string(10'000, 'x'))).empty());
  CHECK(stage.pass(stage.harness.limits.body_timeout_ms - 1).empty());
  CHECK(stage.pass(1) == "R1:NO_ERROR");
  CHECK(stage.feed(data(1, "late") + kPing) == "P+");
}

TEST_CASE("rfc8441: a server that ends tells tunnels, and waits for no peer") {
  TunnelStage stage;
  (void)stage.feed(connect(1));
  stage.session->drain(stage.harness.worker.now_ms + 5'000);
  CHECK(stage.take() == "G2147483647:NO_ERROR P D1:3. R1:NO_ERROR");
  CHECK(stage.told() == "open drain closed");
  CHECK(stage.feed(frame(6, 1, 0, "farewell")) == "G1:NO_ERROR");
  CHECK(stage.session->finished());
}

TEST_CASE("rfc8441: a tunnel that begins while the server ends is told so") {
  TunnelStage stage;
  stage.session->drain(stage.harness.worker.now_ms + 5'000);
  (void)stage.take();
  CHECK(stage.feed(connect(1)) == "H1:200 D1:3. R1:NO_ERROR");
  CHECK(stage.told() == "open drain closed");
}

TEST_CASE("rfc8441: a connection that ends ends its tunnels") {
  TunnelStage stage;
  (void)stage.feed(connect(1) + connect(3, "/stay"));
  (void)stage.told();
  SECTION("in order") {
    stage.session->feed_end();
    CHECK(stage.take() == "D3:0. D1:0.");
    CHECK(stage.told() == "peer_end closed peer_end closed");
    CHECK(stage.session->finished());
  }
  SECTION("by a reset") {
    stage.session->disconnect();
    CHECK(stage.told() == "closed closed");
  }
  SECTION("by a mistake") {
    CHECK(stage.feed(data(0, "x")) == "G3:PROTOCOL_ERROR");
    CHECK(stage.told() == "closed closed");
    CHECK(stage.session->finished());
  }
}

TEST_CASE("rfc8441: where memory is out, a tunnel hears of it, and what comes is dropped") {
  TunnelStage stage;
  (void)stage.feed(connect(1));
  (void)stage.feed(data(1, "stop") + data(1, "more"));
  stage.session->give_up_input();
  CHECK(stage.take() == "D1:0.");
  CHECK(stage.told() == "open stop starved closed");
}

TEST_CASE("rfc8441: tunnels that are opened and reset are work for nothing") {
  TunnelStage stage;
  std::string out;
  uint32_t stream = 1;
  for (int i = 0; i < 100; ++i, stream += 2) out = stage.feed(connect(stream) + reset(stream));
  CHECK_FALSE(out.contains("G"));
  CHECK(stage.feed(connect(stream) + reset(stream)).contains("ENHANCE_YOUR_CALM"));
}

TEST_CASE("rfc8441: tunnels count as requests that are under way") {
  TunnelStage stage;
  (void)stage.feed(connect(1) + connect(3) + connect(5) + connect(7));
  CHECK(stage.feed(connect(9)) == "R9:REFUSED_STREAM");
  (void)stage.feed(data(1, "", 1));
  CHECK(stage.feed(connect(11)) == "H11:200");
}

}  // namespace leat::test
