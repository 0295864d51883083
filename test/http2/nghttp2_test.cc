// The session against nghttp2's client, in memory: random requests, windows and priorities, with bytes that come in random pieces. What
// nghttp2 takes for wrong ends the test.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/http2_harness.h"

namespace leat::test {

namespace {

struct Ask {
  std::string path, method = "GET", body;
  size_t sent = 0;  // of the body
  std::string status, answer;
  uint32_t error = 0;
  bool taken_back = false, closed = false, has_body = false;
};

// nghttp2's side of a connection.
class Peer {
 public:
  explicit Peer(std::mt19937& random)
      : window(random() % 2 == 0 ? 65'535 : static_cast<uint32_t>(2000 + random() % 5000)), random_(random) {
    nghttp2_session_callbacks* calls = nullptr;
    REQUIRE(nghttp2_session_callbacks_new(&calls) == 0);
    nghttp2_session_callbacks_set_on_header_callback(
        calls, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                  const uint8_t* value, size_t value_size, uint8_t, void* self) {
          if (std::string_view(reinterpret_cast<const char*>(name), name_size) == ":status")
            static_cast<Peer*>(self)->asks[frame->hd.stream_id].status.assign(
                reinterpret_cast<const char*>(value), value_size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        calls, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* self) {
          static_cast<Peer*>(self)->asks[id].answer.append(reinterpret_cast<const char*>(bytes), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        calls, [](nghttp2_session*, int32_t id, uint32_t code, void* self) {
          static_cast<Peer*>(self)->asks[id].closed = true;
          static_cast<Peer*>(self)->asks[id].error = code;
          return 0;
        });
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        calls, [](nghttp2_session*, const nghttp2_frame*, int code, void* self) {
          static_cast<Peer*>(self)->wrong = nghttp2_strerror(code);
          return 0;
        });
    REQUIRE(nghttp2_session_client_new(&session_, calls, this) == 0);
    nghttp2_session_callbacks_del(calls);
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, static_cast<uint32_t>(random_() % 5000)}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries, 2);
  }
  ~Peer() { nghttp2_session_del(session_); }

  void ask(Ask ask) {
    const std::string priority = "u=" + std::to_string(random_() % 8) + (random_() % 2 == 0 ? ", i" : "");
    std::vector<std::pair<std::string, std::string>> fields = {{":method", ask.method},
                                                               {":scheme", "http"},
                                                               {":authority", "a"},
                                                               {":path", ask.path},
                                                               {"priority", priority}};
    if (ask.has_body && random_() % 2 == 0)
      fields.emplace_back("content-length", std::to_string(ask.body.size()));
    for (size_t i = random_() % 4; i > 0; --i)
      fields.emplace_back("x-" + std::to_string(random_() % 9), std::string(random_() % 60, 'v'));
    std::vector<nghttp2_nv> pairs;
    for (auto& [name, value] : fields)
      pairs.push_back({reinterpret_cast<uint8_t*>(name.data()), reinterpret_cast<uint8_t*>(value.data()),
                       name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = [](nghttp2_session*, int32_t id, uint8_t* at, size_t room, uint32_t* flags,
                                nghttp2_data_source*, void* self) {
      Ask& of = static_cast<Peer*>(self)->asks[id];
      const size_t size =
          std::min({room, of.body.size() - of.sent, size_t{1} + static_cast<Peer*>(self)->random_() % 9000});
      std::memcpy(at, of.body.data() + of.sent, size);
      of.sent += size;
      if (of.sent == of.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(size);
    };
    const bool has_body = ask.has_body;
    const int32_t id = nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(),
                                              has_body ? &provider : nullptr, nullptr);
    REQUIRE(id > 0);
    asks[id] = std::move(ask);
  }
  void take_back(int32_t id) {
    asks[id].taken_back = true;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  }
  std::string to_send() {
    std::string all;
    const uint8_t* bytes = nullptr;
    while (true) {
      const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
      REQUIRE(size >= 0);
      if (size == 0) return all;
      all.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    }
  }
  void receive(std::string_view bytes) {
    REQUIRE(nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                     bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }

  std::map<int32_t, Ask> asks;
  std::string wrong;
  const uint32_t window;

 private:
  std::mt19937& random_;
  nghttp2_session* session_ = nullptr;
};

}  // namespace

TEST_CASE("nghttp2: whatever its client asks for it gets, in any pieces") {
  std::mt19937 random(Catch::getSeed());
  size_t answered = 0;
  for (int connection = 0; connection < 60; ++connection) {
    WireService service;
    Http2Harness harness(service, connection % 2 == 0);
    {
      http2::Session session(harness.environment, http::peer_at("192.0.2.1"));
      Peer peer(random);
      for (int step = 0; step < 400; ++step) {
        if (step < 200 && random() % 3 == 0 && peer.asks.size() < 60) {
          constexpr const char* kPaths[] = {"/",      "/echo",      "/stream",  "/chunks",   "/later",
                                            "/early", "/nocontent", "/missing", "/describe", "/length"};
          Ask ask{.path = kPaths[random() % std::size(kPaths)]};
          ask.has_body = random() % 2 == 0;
          ask.method = ask.has_body ? "POST" : random() % 6 == 0 ? "HEAD" : "GET";
          if (ask.has_body)
            ask.body.assign(random() % 3 == 0 ? random() % 150'000 : random() % 50,
                            static_cast<char>('a' + random() % 26));
          peer.ask(std::move(ask));
        }
        if (random() % 20 == 0 && !peer.asks.empty() && !std::prev(peer.asks.end())->second.closed)
          peer.take_back(std::prev(peer.asks.end())->first);
        std::string bytes = peer.to_send();
        for (std::string_view left = bytes; !left.empty();) {
          const size_t size = std::min<size_t>(left.size(), 1 + random() % 3000);
          const std::vector<char> copy(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(size));
          session.feed({copy.data(), size});
          left.remove_prefix(size);
          while (session.wants_turn()) session.take_turn();
        }
        if (random() % 3 == 0) harness.resume_all();
        for (int i = 0; i < 3 && !session.output().empty(); ++i) {
          std::string_view part;
          REQUIRE(session.output().gather({&part, 1}) == 1);
          part = part.substr(0, 1 + random() % 20'000);
          peer.receive(part);
          session.sent(part.size());
        }
        REQUIRE(!session.finished());
      }
      for (int i = 0; i < 3000; ++i) {
        session.feed(peer.to_send());
        harness.resume_all();
        peer.receive(HttpHarness::take(session));
      }
      CHECK(peer.wrong.empty());
      for (const auto& [id, ask] : peer.asks) {
        INFO(ask.method << " " << ask.path << " " << ask.body.size() << " of which " << ask.sent << " sent, "
                        << ask.answer.size() << " answered; window " << peer.window);
        CHECK(ask.closed);
        if (ask.taken_back) continue;
        ++answered;
        CHECK((ask.error == NGHTTP2_NO_ERROR || ask.error == NGHTTP2_INTERNAL_ERROR));
        if (ask.error != NGHTTP2_NO_ERROR) continue;
        const bool head = ask.method == "HEAD";
        if (ask.path == "/echo" || ask.path == "/stream") CHECK(ask.answer == (head ? "" : ask.body));
        if (ask.path == "/chunks") CHECK(ask.answer == (head ? "" : "firstsecond"));
        CHECK(ask.status == (ask.path == "/nocontent" ? "204"
                             : ask.path == "/missing" ? "404"
                             : ask.path == "/early"   ? "403"
                                                      : "200"));
      }
      CHECK(session.idle());
      session.disconnect();
      session.output().clear();
    }
    CHECK(harness.exchanges.out() == 0);
    CHECK(harness.worker.blocks().out() == 0);
    CHECK(harness.segments.out() == 0);
    CHECK(service.done == service.requests + service.refused);
  }
  CHECK(answered > 500);
}

}  // namespace leat::test
