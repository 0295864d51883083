// What a peer can do to a session that costs it little: each row is bounded by counts of work and of bytes, never by time.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "support/http2_harness.h"

namespace leat::test {

namespace {

using namespace std::string_literals;

struct Victim {
  WireService service;
  Http2Harness harness{service};
  http2::Session session{harness.environment, http::peer_at("192.0.2.1")};
  H2Reader reader;

  explicit Victim(std::string_view client_settings = {}) { (void)feed(hello(client_settings)); }
  ~Victim() {
    session.disconnect();
    session.output().clear();
    CHECK(harness.exchanges.out() == 0);
    CHECK(harness.environment.streams.out() == 0);
    CHECK(harness.worker.blocks().out() == 0);
    CHECK(harness.segments.out() == 0);
  }
  std::string feed(std::string_view bytes) {
    session.feed(bytes);
    return reader.read(HttpHarness::take(session));
  }
  std::string pass(uint64_t ms) {
    harness.worker.now_ms += ms;
    session.deadline_passed();
    return reader.read(HttpHarness::take(session));
  }
  // Sends `frames(i)` until the connection ends; how often that was.
  template <class Frames>
  size_t flood(size_t most, Frames frames) {
    size_t sent = 0;
    for (; sent < most && !session.finished(); ++sent) session.feed(frames(static_cast<uint32_t>(sent)));
    said = reader.read(HttpHarness::take(session));
    return sent;
  }
  [[nodiscard]] bool ends_calmly() const {
    return session.finished() && said.ends_with(":ENHANCE_YOUR_CALM");
  }
  std::string said;
};

uint32_t id(uint32_t i) { return i * 2 + 1; }

}  // namespace

TEST_CASE("attack: requests that are taken back are counted, and hold their place until they have ended") {
  Victim victim;
  const size_t sent = victim.flood(1000, [](uint32_t i) { return get(id(i), "/later") + reset(id(i)); });
  CHECK(victim.ends_calmly());
  CHECK(sent == victim.harness.options.resets + 1);
  CHECK(victim.service.requests == sent);
  CHECK(victim.service.cancelled == sent);
}

TEST_CASE("attack: requests that make this end break them off are counted as well") {
  const auto spoil = [](std::string_view how, uint32_t stream) {
    if (how == "window") return get(stream, "/later") + window(stream, 0);
    if (how == "overrun") return get(stream, "/later") + window(stream, 0x7fff'ffff);
    if (how == "data") return get(stream, "/later") + data(stream, "x");
    if (how == "length") return post(stream, "/echo", {{"content-length", "1"}}) + data(stream, "ab");
    return headers(stream, hpack({{":method", "GET"}}));
  };
  for (const std::string_view how : {"window", "overrun", "data", "length", "malformed"}) {
    INFO(how);
    Victim victim;
    CHECK(victim.flood(1000, [&](uint32_t i) { return spoil(how, id(i)); }) ==
          victim.harness.options.resets + 1);
    CHECK(victim.ends_calmly());
  }
  // And those beyond what may be under way at a time.
  Victim victim;
  const uint32_t most = victim.harness.options.streams;
  CHECK(victim.flood(1000, [](uint32_t i) { return get(id(i), "/later"); }) ==
        most + victim.harness.options.resets + 1);
  CHECK(victim.ends_calmly());
  CHECK(victim.service.requests == most);
}

TEST_CASE("attack: who has answers, may take requests back as well") {
  Victim victim;
  CHECK(victim.flood(1000, [](uint32_t i) {
    return i % 2 == 0 ? get(id(i)) : get(id(i), "/later") + reset(id(i));
  }) == 1000);
  CHECK(!victim.session.finished());
}

TEST_CASE("attack: fields that are small on the way and large in memory") {
  Victim victim;
  const std::string large = "\x40\x01x\x7f\xa1\x1e"s + std::string(4000, 'y');  // kept in the table
  // Each byte behind it is 4,000 more; nothing of it is kept.
  const std::string bomb = request_block("/") + large + std::string(12'000, '\xbe');
  const size_t before = victim.harness.worker.blocks().peak();
  (void)victim.feed(headers(1, bomb));
  CHECK(victim.session.finished());
  CHECK(victim.reader.goaway() == "A head is too large.");
  CHECK(victim.harness.worker.blocks().peak() <= before + 64 * 1024);
  CHECK(victim.service.requests == 0);
  // A little too much is told so.
  Victim told;
  CHECK(told.feed(headers(1, request_block("/") + large + std::string(11, '\xbe'))).starts_with("H1:431"));
  CHECK(!told.session.finished());
}

TEST_CASE("attack: crumbs of cookies count as fields") {
  Victim victim;
  std::string crumbs = request_block("/");
  for (int i = 0; i < 101; ++i) crumbs += hpack({{"cookie", ""}});
  CHECK(victim.feed(headers(1, crumbs)).starts_with("H1:431"));
  for (int i = 0; i < 101; ++i) crumbs += hpack({{"cookie", ""}});
  (void)victim.feed(headers(3, crumbs));
  CHECK(victim.session.finished());
}

TEST_CASE("attack: heads in many frames") {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{16'000}}) {
    Victim victim;
    (void)victim.feed(headers(1, request_block("/"), 1));
    const std::string piece = frame(9, 0, 1, hpack({{"x", std::string(size, 'y')}}));
    CHECK(victim.flood(1000, [&](uint32_t) { return piece; }) <= victim.harness.options.continuations + 1);
    CHECK(victim.ends_calmly());
    CHECK(victim.harness.worker.blocks().peak() < 512 * 1024);
  }
}

TEST_CASE("attack: frames that carry nothing") {
  const auto flood = [](std::string_view what, std::string_view before, std::string_view frame) {
    INFO(what);
    Victim victim;
    (void)victim.feed(before);
    const std::string each(frame);
    const size_t sent = victim.flood(100'000, [&](uint32_t) { return each; });
    CHECK(victim.ends_calmly());
    CHECK(sent <= victim.harness.options.control_frames + 1);
  };
  flood("PING", "", frame(6, 0, 0, "pingping"));
  flood("PING's answer", "", frame(6, 1, 0, "pingping"));
  flood("SETTINGS", "", settings());
  flood("SETTINGS' answer", "", frame(4, 1, 0));
  flood("SETTINGS of much", "", settings(std::string(6 * 1000, '\0')));
  flood("empty DATA", post(1, "/echo"), data(1, ""));
  flood("padding alone", post(1, "/echo"), frame(0, 8, 1, std::string(1, '\0')));
  flood("PRIORITY", "", frame(2, 0, 1, std::string(5, '\0')));
  flood("PRIORITY_UPDATE", "", frame(16, 0, 0, number_32(1) + "u=1"));
  flood("WINDOW_UPDATE", "", window(0, 1));
  flood("a stream's WINDOW_UPDATE", get(1, "/later"), window(1, 1));
  flood("RST_STREAM of one that has ended", get(1), reset(1));
  flood("DATA for one that was broken off", post(1, "/early"), data(1, ""));
  flood("trailers for one that was broken off", post(1, "/early"), headers(1, ""));
  flood("frames that are not known", "", frame(0x20, 0, 0, "x"));
}

TEST_CASE("attack: time gives some of these back, and so do answers that need them") {
  Victim victim;
  const std::string ping = frame(6, 0, 0, "pingping");
  for (int second = 0; second < 100; ++second) {
    for (int i = 0; i < 90; ++i) (void)victim.feed(ping);
    victim.harness.worker.now_ms += 1000;
  }
  CHECK(!victim.session.finished());
}

TEST_CASE("attack: a peer that does not read what it asks for") {
  Victim victim;
  const std::string ping = frame(6, 0, 0, "pingping");
  victim.harness.options.control_frames = 1'000'000;
  Http2Harness& harness = victim.harness;
  http2::Session deaf(harness.environment, http::peer_at("192.0.2.2"));
  deaf.feed(hello());
  size_t fed = 0;
  while (deaf.wants_input() && fed < 1'000'000) {
    deaf.feed(ping);
    ++fed;
  }
  CHECK(deaf.output().size() <= 300 * 1024);
  CHECK(!deaf.finished());
  // Once it reads it goes on.
  (void)HttpHarness::take(deaf);
  CHECK(deaf.wants_input());
  deaf.disconnect();
  deaf.output().clear();
}

TEST_CASE("attack: answers for which no window opens") {
  Victim victim(setting(4, 0));
  for (uint32_t i = 0; i < 100; ++i) CHECK(victim.feed(get(id(i))) == "H" + std::to_string(id(i)) + ":200");
  CHECK(victim.harness.exchanges.out() == 0);  // only what they are waits
  CHECK(victim.session.deadline_ms() <=
        victim.harness.worker.now_ms + victim.harness.options.window_timeout_ms);
  const std::string broken = victim.pass(victim.harness.options.window_timeout_ms);
  CHECK(std::ranges::count(broken, 'R') == 100);
  CHECK(broken.starts_with("R1:CANCEL"));
  CHECK(victim.harness.environment.streams.out() == 0);
  CHECK(!victim.session.finished());
}

TEST_CASE("attack: a connection's window that does not open") {
  Victim victim(setting(4, 1 << 20));
  std::string said;
  for (uint32_t i = 0; i < 5; ++i)
    said = victim.feed(headers(id(i), request_block("/echo", "POST"), 4) +
                       data(id(i), std::string(16'000, 'x'), 1));
  CHECK(said == "H9:200 D9:1535");
  CHECK(victim.pass(victim.harness.options.window_timeout_ms - 1).empty());
  CHECK(victim.pass(1) == "G9:ENHANCE_YOUR_CALM");
}

TEST_CASE("attack: windows that open by a byte at a time") {
  Victim victim(setting(4, 0));
  (void)victim.feed(post(1, "/echo") + data(1, std::string(10'000, 'x'), 1));
  CHECK(victim.flood(100'000, [](uint32_t) { return window(1, 1); }) <=
        victim.harness.options.control_frames);
  CHECK(victim.ends_calmly());
  // Slowly, it is not enough either.
  Victim slow(setting(4, 0));
  (void)slow.feed(post(1, "/echo") + data(1, std::string(10'000, 'x'), 1));
  std::string said;
  for (int i = 0; i < 40 && !said.starts_with("R1"); ++i) {
    CHECK(slow.feed(window(1, 1)) == "D1:1");
    said = slow.pass(1000);
  }
  CHECK(said == "R1:CANCEL");
}

TEST_CASE("attack: heads and frames that do not come whole") {
  for (const std::string& begun :
       {headers(1, request_block("/"), 1), get(1).substr(0, 20), get(1).substr(0, 3)}) {
    Victim victim;
    (void)victim.feed(begun);
    CHECK(!victim.session.idle());
    CHECK(victim.session.owed_since_ms() == victim.harness.worker.now_ms);
    CHECK(victim.session.deadline_ms() ==
          victim.harness.worker.now_ms + victim.harness.limits.head_timeout_ms);
    CHECK(victim.pass(victim.harness.limits.head_timeout_ms - 1).empty());
    CHECK(victim.pass(1) == "G0:ENHANCE_YOUR_CALM");
  }
}

TEST_CASE("attack: bodies that do not come") {
  Victim victim;
  (void)victim.feed(post(1, "/echo") + post(3, "/echo"));
  CHECK(victim.pass(5'000).empty());
  CHECK(victim.feed(data(3, std::string(5000, 'x'))).empty());
  CHECK(victim.pass(5'000).starts_with("H1:408 "));  // the other one has come on
  CHECK(victim.feed(data(3, "x", 1)) == "H3:200 D3:5001.");
  // A little each time is too little.
  (void)victim.feed(post(5, "/echo"));
  std::string said;
  for (int i = 0; i < 30 && said.empty(); ++i) said = victim.feed(data(5, "x")) + victim.pass(1000);
  CHECK(said.starts_with("H5:408 "));
}

TEST_CASE("attack: bodies that nobody reads are bounded together") {
  Victim victim;
  victim.harness.options.waiting_bytes = 256 * 1024;
  struct Pausing final : http::Service {
    BodyMode on_request(http::Exchange& exchange) override {
      exchange.pause_body();
      exchange.suspend();
      return BodyMode::Stream;
    }
    void on_body(http::Exchange&, std::string_view) override {}
    void on_body_end(http::Exchange& exchange) override { exchange.send("ok"); }
    void on_writable(http::Exchange&) override {}
    void on_response(http::Exchange&) override {}
    void on_cancel(http::Exchange&) override {}
    void on_done(http::Exchange&) override {}
  } service;
  Http2Harness harness(service);
  harness.options.waiting_bytes = 256 * 1024;
  {
    http2::Session session(harness.environment, http::peer_at("192.0.2.1"));
    H2Reader reader;
    session.feed(hello());
    uint64_t may = 65'535, sent = 0;
    const auto take = [&] {
      const std::string said = reader.read(HttpHarness::take(session));
      if (const size_t at = said.find("W0:"); at != std::string::npos)
        may += std::stoull(said.substr(at + 3));
      return said;
    };
    (void)take();
    // It sends whatever windows let it: 64 KiB for each stream.
    for (uint32_t i = 0; i < 20 && may > sent; ++i) {
      session.feed(post(id(i), "/"));
      for (int piece = 0; piece < 4 && may - sent >= 16'000; ++piece) {
        session.feed(data(id(i), std::string(16'000, 'x')));
        sent += 16'000;
        (void)take();
      }
      if (may - sent < 16'000) break;
    }
    CHECK(sent <= 256 * 1024);
    CHECK(sent > 200 * 1024);
    CHECK(session.waiting_input() > sent);
    CHECK(harness.worker.blocks().used() < 2 * 1024 * 1024);
    // Who overruns it all the same is not listened to any more.
    session.feed(post(99, "/") + data(99, std::string(16'000, 'x')) + data(99, std::string(16'000, 'x')) +
                 data(99, std::string(16'000, 'x')));
    CHECK(take().ends_with("G99:FLOW_CONTROL_ERROR"));
    session.disconnect();
    session.output().clear();
  }
  CHECK(harness.exchanges.out() == 0);
  CHECK(harness.worker.blocks().out() == 0);
}

TEST_CASE("attack: without memory a request is refused, and its connection goes on") {
  WireService service;
  Http2Harness harness(service, true, 2);
  {
    http2::Session session(harness.environment, http::peer_at("192.0.2.1"));
    H2Reader reader;
    session.feed(hello() + get(1, "/later") + get(3, "/later"));
    (void)reader.read(HttpHarness::take(session));
    session.feed(get(5) + post(7, "/echo") + data(7, "x", 1));
    CHECK(reader.read(HttpHarness::take(session)) == "H5:503. H7:503. R7:NO_ERROR");
    CHECK(reader.fields() == ":status: 503\nretry-after: 1\n");
    harness.resume_all();
    CHECK(reader.read(HttpHarness::take(session)) == "H1:200 D1:5. H3:200 D3:5.");
    session.feed(get(9));
    CHECK(reader.read(HttpHarness::take(session)) == "H9:200 D9:5.");
    session.disconnect();
    session.output().clear();
  }
  CHECK(service.done == 3);
}

}  // namespace leat::test
