// Writer: response heads as bytes.
//
// One per worker. It keeps what nearly all answers of one second begin with (the status line of a 200, "Server"
// and "Date") ready made, so that an ordinary head is two copies and a number.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/message.h"
#include "transport/output.h"

namespace leat::http1 {

// How the end of a response's body is told (RFC 9112, section 6.3).
struct ResponseFraming {
  enum class Kind : uint8_t { None, Length, Chunked, UntilClose, Switch };  // Switch: to `protocol`
  Kind kind = Kind::None;
  uint64_t length = 0;          // with Length
  bool close = false;           // this is the connection's last answer
  bool say_keep_alive = false;  // HTTP/1.0 wants to be told
  std::string_view protocol;    // with Switch
};

class Writer {
 public:
  // `server` is the value of the Server field; empty leaves it out.
  explicit Writer(std::string_view server);

  // Another value of the Server field, with the Date that there is.
  void set_server(std::string_view server);
  // The Date of the answers from now on: an IMF-fixdate of 29 bytes.
  void set_date(std::string_view date);

  // Whether the head can be written at all: it goes into one block.
  [[nodiscard]] bool fits(const http::Response& response) const;

  // A 103 with these for the values of Link fields. Nothing is queued where they do not fit, or memory is out.
  static void write_hints(transport::Output& output, std::span<const std::string_view> links);

  // Nothing: memory is out, or the head does not fit.
  enum class Written : uint8_t { Nothing, Head, HeadAndBody };
  // Queues the head and, where it fits beside it, `body`, in one piece.
  [[nodiscard]] Written write_head(transport::Output& output, const http::Response& response,
                                   const ResponseFraming& framing, std::string_view body) const;

 private:
  void begin(std::string_view server, std::string_view date);
  [[nodiscard]] size_t most_bytes(const http::Response& response) const;

  std::string usual_;  // "HTTP/1.1 200 OK\r\nServer: x\r\nDate: ...\r\n"
  size_t date_at_ = 0;
};

}  // namespace leat::http1
