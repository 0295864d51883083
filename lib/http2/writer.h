// Writer: response heads as HEADERS frames.
//
// One per worker. It keeps what nearly all answers of one second have in common ("server" and "date") ready made, so that an ordinary
// head is one copy, a type and a number. Frames are written into one block: so a head is never more than one frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/message.h"
#include "http2/frame.h"
#include "transport/output.h"

namespace leat::http2 {

class Writer {
 public:
  // `server` is the value of the server field; empty leaves it out.
  explicit Writer(std::string_view server);

  // Another value of it, with the date that there is.
  void set_server(std::string_view server);
  // The date of the answers from now on: an IMF-fixdate of 29 bytes.
  void set_date(std::string_view date);

  // Whether the head can be written at all: it goes into one block.
  [[nodiscard]] bool fits(const http::Response& response) const {
    return most_bytes(response) <= Block::capacity();
  }

  struct Framing {
    uint32_t stream = 0;
    std::optional<uint64_t> length = {};  // of the body, where it is told
    bool ends = false;                    // no body follows, and no trailers
    bool first = false;                   // nothing with fields was sent on this connection before
  };
  // Nothing: memory is out, or the head does not fit.
  enum class Written : uint8_t { Nothing, Head, HeadAndBody };
  // Queues the head and, where it is given and fits beside it, the whole body as a DATA frame that ends the stream.
  [[nodiscard]] Written write_head(transport::Output& output, const http::Response& response,
                                   const Framing& framing, std::string_view body) const;
  // A 103 with these for the values of link fields. False: they do not fit, or memory is out, and nothing is queued.
  [[nodiscard]] static bool write_hints(transport::Output& output, std::span<const std::string_view> links,
                                        uint32_t stream, bool first);
  // Fields behind a body. False: memory is out, or they do not fit.
  [[nodiscard]] static bool write_trailers(transport::Output& output, const http::Response& trailers,
                                           uint32_t stream, bool first);
  // An answer without content that needs no exchange: a 100, or a 503 that ends the stream. False: memory is out.
  enum class Ready : uint8_t { Continue, Unavailable };
  [[nodiscard]] static bool write_ready(transport::Output& output, Ready what, uint32_t stream, bool first);

 private:
  void begin(std::string_view server, std::string_view date);
  [[nodiscard]] size_t most_bytes(const http::Response& response) const;

  std::string common_;  // the fields server and date
  size_t date_at_ = 0;
};

}  // namespace leat::http2
