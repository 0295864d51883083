#include "e2e/http2_client.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cctype>
#include <chrono>
#include <cstring>

#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

std::string_view text(const uint8_t* at, size_t size) { return {reinterpret_cast<const char*>(at), size}; }

nghttp2_nv pair_of(const std::pair<std::string, std::string>& field) {
  const auto bytes = [](const std::string& of) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(of.data()));
  };
  return {bytes(field.first), bytes(field.second), field.first.size(), field.second.size(),
          NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

Http2Client::Http2Client(const std::string& address) : client_(address) {
  nghttp2_session_callbacks* calls = nullptr;
  REQUIRE(nghttp2_session_callbacks_new(&calls) == 0);
  nghttp2_session_callbacks_set_on_header_callback(
      calls, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                const uint8_t* value, size_t value_size, uint8_t, void* self) {
        Answer& answer = static_cast<Http2Client*>(self)->answers_[frame->hd.stream_id];
        Response& response = answer.response;
        const std::string_view field = text(name, name_size);
        if (field != ":status") {
          (answer.headed            ? response.trailers
           : response.status >= 200 ? response.fields
                                    : answer.hints)
              .emplace_back(field, text(value, value_size));
          return 0;
        }
        if (response.status >= 100 && response.status < 200) response.interim.push_back(response.status);
        response.status = std::stoi(std::string(text(value, value_size)));
        return 0;
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      calls, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* self) {
        Answer& answer = static_cast<Http2Client*>(self)->answers_[id];
        answer.response.body.append(text(bytes, size));
        return 0;
      });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      calls, [](nghttp2_session*, int32_t id, uint32_t code, void* self) {
        Answer& answer = static_cast<Http2Client*>(self)->answers_[id];
        answer.ended = true;
        answer.error = code;
        answer.whole = code == NGHTTP2_NO_ERROR && answer.response.status >= 200;
        return 0;
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      calls, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
        auto& client = *static_cast<Http2Client*>(self);
        if (frame->hd.type == NGHTTP2_GOAWAY) client.last_served_ = frame->goaway.last_stream_id;
        if (frame->hd.type == NGHTTP2_HEADERS) {
          Answer& answer = client.answers_[frame->hd.stream_id];
          answer.headed = answer.response.status >= 200;
        }
        return 0;
      });
  REQUIRE(nghttp2_session_client_new(&session_, calls, this) == 0);
  nghttp2_session_callbacks_del(calls);
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
}

Http2Client::~Http2Client() { nghttp2_session_del(session_); }

int32_t Http2Client::begin(std::string_view method, std::string_view target, const Fields& fields,
                           std::string_view body, bool sized) {
  Fields all = {{":method", std::string(method)},
                {":scheme", "http"},
                {":authority", "test"},
                {":path", std::string(target)}};
  bool announced = false;
  for (const auto& [name, value] : fields) {
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    announced = announced || (lower == "content-length" && value != "0");
    all.emplace_back(lower, value);
  }
  if (!body.empty() && sized) all.emplace_back("content-length", std::to_string(body.size()));
  const int32_t id = submit(std::move(all), !body.empty() || announced);
  bodies_[id] = {.bytes = std::string(body)};
  turn(0);
  return id;
}

int32_t Http2Client::submit(Fields fields, bool has_body) {
  std::vector<nghttp2_nv> pairs;
  std::ranges::transform(fields, std::back_inserter(pairs), pair_of);
  nghttp2_data_provider provider{};
  provider.read_callback = [](nghttp2_session*, int32_t id, uint8_t* at, size_t room, uint32_t* flags,
                              nghttp2_data_source*, void* self) {
    Body& of = static_cast<Http2Client*>(self)->bodies_[id];
    const size_t size = std::min(room, of.bytes.size() - of.sent);
    if (size == 0 && (of.open || of.bytes.empty()) && !of.ends)
      return static_cast<ssize_t>(NGHTTP2_ERR_DEFERRED);
    if (size != 0) std::memcpy(at, of.bytes.data() + of.sent, size);
    of.sent += size;
    if (of.sent == of.bytes.size() && !of.open) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  };
  const int32_t id = nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(),
                                            has_body ? &provider : nullptr, nullptr);
  REQUIRE(id > 0);
  answers_[id] = {};
  return id;
}

int32_t Http2Client::connect(std::string_view protocol, std::string_view target, const Fields& fields) {
  REQUIRE(wait_until([&] {
    turn(1);
    return told(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
  }));
  Fields all = {{":method", "CONNECT"},
                {":protocol", std::string(protocol)},
                {":scheme", "http"},
                {":authority", "test"},
                {":path", std::string(target)}};
  all.insert(all.end(), fields.begin(), fields.end());
  const int32_t id = submit(std::move(all), true);
  bodies_[id] = {.open = true};
  turn(0);
  return id;
}

void Http2Client::say(int32_t stream, std::string_view bytes) {
  bodies_[stream].bytes.append(bytes);
  nghttp2_session_resume_data(session_, stream);
  turn(0);
}

void Http2Client::end_side(int32_t stream) {
  bodies_[stream].open = false;
  bodies_[stream].ends = true;
  nghttp2_session_resume_data(session_, stream);
  turn(0);
}

std::string Http2Client::hear(int32_t stream, size_t size) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  Answer& answer = answers_[stream];
  while (answer.response.body.size() < size && !answer.ended && turn(20) &&
         std::chrono::steady_clock::now() < until) {
  }
  std::string heard = answer.response.body.substr(0, size);
  answer.response.body.erase(0, heard.size());
  return heard;
}

void Http2Client::take_back(int32_t stream) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
  turn(0);
}

bool Http2Client::turn(int wait_ms) {
  const auto send = [&] {
    std::string all;
    const uint8_t* bytes = nullptr;
    for (ssize_t size = 1; size > 0;) {
      size = nghttp2_session_mem_send(session_, &bytes);
      REQUIRE(size >= 0);
      all.append(text(bytes, static_cast<size_t>(size)));
    }
    if (!all.empty() && !client_.try_send(all)) ended_ = true;
  };
  send();
  const std::string come = client_.read_some(wait_ms);
  if (!come.empty())
    REQUIRE(nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(come.data()), come.size()) ==
            static_cast<ssize_t>(come.size()));
  send();
  ended_ = ended_ || client_.at_end();
  return !ended_;
}

Http2Client::Answer Http2Client::finish(int32_t stream) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!answers_[stream].ended && turn(20) && std::chrono::steady_clock::now() < until) {
  }
  Answer answer = std::move(answers_[stream]);
  answer.bytes = answer.response.body.size();
  answers_.erase(stream);
  bodies_.erase(stream);
  return answer;
}

bool Http2Client::wait_for_end() {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (turn(20) && std::chrono::steady_clock::now() < until) {
  }
  return ended_;
}

}  // namespace leat::e2e
