// Http2Client: a client that speaks HTTP/2 with the daemon by prior knowledge, by nghttp2: it shares no code with the daemon, so that the
// two cannot agree on the same mistake. Every wait ends after kPatience.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "e2e/client.h"

namespace leat::e2e {

class Http2Client {
 public:
  explicit Http2Client(const std::string& address);
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  using Fields = std::vector<std::pair<std::string, std::string>>;
  // A request; `sized`: its body's length is told. Where a field says another length and there is no body, none comes. Its number.
  int32_t begin(std::string_view method, std::string_view target, const Fields& fields = {},
                std::string_view body = {}, bool sized = true);
  void take_back(int32_t stream);
  // A request that goes on in another protocol (RFC 8441), and what is said on it then. Its number.
  int32_t connect(std::string_view protocol, std::string_view target, const Fields& fields = {});
  void say(int32_t stream, std::string_view bytes);
  // Its side ends with what was said.
  void end_side(int32_t stream);
  // Waits for so many bytes on it; fewer where it has ended.
  std::string hear(int32_t stream, size_t size);

  struct Answer {
    Response response;
    bool whole = false;
    uint32_t error = 0;  // why it is not
    bool ended = false;
    size_t bytes = 0;     // of its body
    Fields hints = {};    // of the interim answers before it
    bool headed = false;  // its head has come
  };
  // Waits until it has come whole, or will not.
  Answer finish(int32_t stream);
  Answer ask(std::string_view method, std::string_view target, const Fields& fields = {},
             std::string_view body = {}, bool sized = true) {
    return finish(begin(method, target, fields, body, sized));
  }
  // Waits until the daemon has ended the connection; false if it did not.
  bool wait_for_end();
  // The last stream that the daemon says it has served, in its last GOAWAY; -1: there was none.
  [[nodiscard]] int32_t last_served() const { return last_served_; }
  // What the daemon has set, and the connection's window for what is sent to it.
  [[nodiscard]] uint32_t told(nghttp2_settings_id id) const {
    return nghttp2_session_get_remote_settings(session_, id);
  }
  [[nodiscard]] int32_t window() const { return nghttp2_session_get_remote_window_size(session_); }
  // Sends what is to be sent and takes what there is, within `wait_ms`. False: the connection has ended.
  bool turn(int wait_ms);

 private:
  struct Body {
    std::string bytes;
    size_t sent = 0;
    bool open = false;  // more of it may come
    bool ends = false;  // nothing more does
  };
  int32_t submit(Fields fields, bool has_body);
  Client client_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Answer> answers_;
  std::map<int32_t, Body> bodies_;
  int32_t last_served_ = -1;
  bool ended_ = false;
};

}  // namespace leat::e2e
