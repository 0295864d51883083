// The client's end of HTTP/2 against nghttp2's server, in memory: random calls, bodies, windows and answers, with bytes that come in random
// pieces. What nghttp2 takes for wrong ends the test.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "client/http2_session.h"
#include "support/output_memory.h"

namespace leat::client::test {

namespace {

// nghttp2's side of a connection: it answers with what it got.
class Server {
 public:
  explicit Server(std::mt19937& random) : random_(random) {
    nghttp2_session_callbacks* calls = nullptr;
    REQUIRE(nghttp2_session_callbacks_new(&calls) == 0);
    nghttp2_session_callbacks_set_on_header_callback(
        calls, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                  const uint8_t* value, size_t value_size, uint8_t, void* self) {
          Stream& stream = static_cast<Server*>(self)->streams_[frame->hd.stream_id];
          const std::string_view field(reinterpret_cast<const char*>(name), name_size);
          const std::string_view text(reinterpret_cast<const char*>(value), value_size);
          if (field == ":path") stream.path = text;
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        calls, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* self) {
          static_cast<Server*>(self)->streams_[id].body.append(reinterpret_cast<const char*>(bytes), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        calls, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
              (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
            static_cast<Server*>(self)->answer(frame->hd.stream_id);
          return 0;
        });
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        calls, [](nghttp2_session*, const nghttp2_frame*, int code, void* self) {
          static_cast<Server*>(self)->wrong = nghttp2_strerror(code);
          return 0;
        });
    REQUIRE(nghttp2_session_server_new(&session_, calls, this) == 0);
    nghttp2_session_callbacks_del(calls);
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000 + static_cast<uint32_t>(random_() % 100'000)},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1 + static_cast<uint32_t>(random_() % 20)}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries, 2);
  }
  ~Server() { nghttp2_session_del(session_); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string says() {
    std::string all;
    const uint8_t* bytes = nullptr;
    for (ssize_t size = 1; size > 0;) {
      size = nghttp2_session_mem_send(session_, &bytes);
      REQUIRE(size >= 0);
      all.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    }
    return all;
  }
  void hears(std::string_view bytes) {
    REQUIRE(nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                     bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  void leave() {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), 0,
                          nullptr, 0);
  }

  std::string wrong;

 private:
  struct Stream {
    std::string path, body, out;
    size_t sent = 0;
  };

  static nghttp2_nv pair(std::string_view name, std::string_view value) {
    return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
            NGHTTP2_NV_FLAG_NONE};
  }
  void answer(int32_t id) {
    Stream& stream = streams_[id];
    stream.out = stream.path + " " + stream.body;
    if (random_() % 3 == 0) {
      const nghttp2_nv interim[] = {pair(":status", "103"), pair("link", "x")};
      nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, interim, 2, nullptr);
    }
    const std::string length = std::to_string(stream.out.size()), more(random_() % 40, 'v');
    std::vector<nghttp2_nv> head = {pair(":status", "200"), pair("content-length", length),
                                    pair("x-more", more), pair("server", "nghttp2")};
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session* session, int32_t stream_id, uint8_t* at, size_t room,
                                uint32_t* flags, nghttp2_data_source*, void* self) {
      auto& server = *static_cast<Server*>(self);
      Stream& of = server.streams_[stream_id];
      const size_t size = std::min({room, of.out.size() - of.sent, 1 + server.random_() % 20'000});
      std::memcpy(at, of.out.data() + of.sent, size);
      of.sent += size;
      if (of.sent != of.out.size()) return static_cast<ssize_t>(size);
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (stream_id % 4 == 1) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const nghttp2_nv trailer[] = {pair("x-sum", "1")};
        nghttp2_submit_trailer(session, stream_id, trailer, 1);
      }
      return static_cast<ssize_t>(size);
    };
    REQUIRE(nghttp2_submit_response(session_, id, head.data(), head.size(), &provider) == 0);
  }

  std::mt19937& random_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Stream> streams_;
};

}  // namespace

TEST_CASE("http2 client: nghttp2's server understands it, and is understood") {
  std::mt19937 random(Catch::getSeed());
  for (int round = 0; round < 30; ++round) {
    leat::test::Memory memory(4096, 65'536);
    const UpstreamOptions options;
    Arena arena(memory.pool, size_t{200} << 20);
    {
      Http2Session session(options, true, memory.both);
      Server server(random);
      struct Asked {
        Http2Call call;
        std::string target, body;
        bool over = false;
      };
      std::vector<std::unique_ptr<Asked>> asked;
      size_t over = 0, taken_back = 0;
      const auto exchange = [&] {
        for (int turn = 0; turn < 200; ++turn) {
          std::string said;
          while (!session.output().empty() && (random() % 4 != 0 || said.empty())) {
            std::string_view part;
            session.output().gather({&part, 1});
            const size_t size = 1 + random() % part.size();
            said += part.substr(0, size);
            session.output().consume(size);
            session.sent();
          }
          server.hears(said);
          REQUIRE(server.wrong.empty());
          const std::string back = server.says();
          std::string_view left = back;
          while (!left.empty()) {
            const size_t size = std::min<size_t>(left.size(), 1 + random() % 5000);
            session.feed(left.substr(0, size), 1);
            left.remove_prefix(size);
          }
          while (Http2Call* const call = session.take_over()) {
            auto& its = *static_cast<Asked*>(call->owner);
            INFO(its.target);
            REQUIRE(call->end == Http2Call::End::Answered);
            CHECK(call->answer.code() == 200);
            CHECK(call->answer.body() == its.target + " " + its.body);
            its.over = true;
            ++over;
          }
          REQUIRE_FALSE(session.failed());
          if (said.empty() && back.empty()) return;
        }
      };
      exchange();
      for (int i = 0; i < 60; ++i) {
        if (session.has_room()) {
          auto& its = *asked.emplace_back(std::make_unique<Asked>());
          its.target = "/" + std::to_string(random() % 1000);
          its.body = random() % 2 == 0 ? "" : std::string(random() % 150'000, 'b');
          its.call.owner = &its;
          its.call.body = its.body;
          its.call.answer.reset(arena, options, false);
          const std::string head =
              (its.body.empty() ? "GET " : "POST ") + its.target +
              " HTTP/1.1\r\nHost: a\r\nX-Some: " + std::string(random() % 90, 's') + "\r\n" +
              (its.body.empty() ? "" : "Content-Length: " + std::to_string(its.body.size()) + "\r\n") +
              "\r\n";
          REQUIRE(session.begin(its.call, head));
        }
        if (random() % 3 == 0) exchange();
        Asked& any = *asked[random() % asked.size()];
        if (random() % 8 == 0 && !any.over) {
          session.cancel(any.call);
          any.over = true;
          ++taken_back;
        }
      }
      for (int i = 0; i < 100 && over + taken_back < asked.size(); ++i) exchange();
      CHECK(over + taken_back == asked.size());
      server.leave();
      exchange();
      CHECK(session.done());
      session.output().clear();
    }
    arena.reset();
  }
}

}  // namespace leat::client::test
