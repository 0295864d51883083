// Http2Harness: everything a session of HTTP/2 needs, with neither socket nor thread, and frames as texts that a table of cases can
// hold.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2/hpack_encoder.h"
#include "http2/session.h"
#include "support/http_harness.h"

namespace leat::test {

// --- What a client sends.

using h2_fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

inline std::string frame_header(size_t size, unsigned type, unsigned flags, uint32_t stream) {
  std::string text(http2::kFrameHeader, '\0');
  http2::put_frame_header(text.data(), size, static_cast<http2::FrameType>(type), static_cast<uint8_t>(flags),
                          stream);
  return text;
}
inline std::string frame(unsigned type, unsigned flags, uint32_t stream, std::string_view payload = {}) {
  return frame_header(payload.size(), type, flags, stream).append(payload);
}
inline std::string number_32(uint32_t value) {
  std::string text(4, '\0');
  http2::put_32(text.data(), value);
  return text;
}
inline std::string hpack_text(std::string_view text) {
  std::string coded(8, '\0');
  coded.resize(static_cast<size_t>(http2::put_number(coded.data(), 0, 7, text.size()) - coded.data()));
  return coded.append(text);
}
// Literals that are kept nowhere.
inline std::string hpack(h2_fields fields) {
  std::string block;
  for (const auto& [name, value] : fields)
    block.append(1, '\0').append(hpack_text(name)).append(hpack_text(value));
  return block;
}
inline std::string data(uint32_t stream, std::string_view text, unsigned flags = 0) {
  return frame(0, flags, stream, text);
}
inline std::string headers(uint32_t stream, std::string_view block, unsigned flags = 5) {
  return frame(1, flags, stream, block);
}
inline std::string setting(uint16_t id, uint32_t value) {
  std::string text(2, '\0');
  http2::put_16(text.data(), id);
  return text + number_32(value);
}
inline std::string settings(std::string_view payload = {}) { return frame(4, 0, 0, payload); }
inline std::string reset(uint32_t stream, uint32_t code = 8) { return frame(3, 0, stream, number_32(code)); }
inline std::string window(uint32_t stream, uint32_t more) { return frame(8, 0, stream, number_32(more)); }
inline std::string request_block(std::string_view path, std::string_view method = "GET",
                                 h2_fields more = {}) {
  return hpack({{":method", method}, {":scheme", "http"}, {":path", path}, {":authority", "a"}}) +
         hpack(more);
}
inline std::string get(uint32_t stream, std::string_view path = "/") {
  return headers(stream, request_block(path));
}
// The head of a request whose body follows.
inline std::string post(uint32_t stream, std::string_view path, h2_fields more = {}) {
  return headers(stream, request_block(path, "POST", more), 4);
}
// What a client begins with.
inline std::string hello(std::string_view settings_payload = {}) {
  return std::string(http2::kPreface) + settings(settings_payload);
}

// --- What a server sent.

struct H2Frame {
  http2::FrameHeader header;
  std::string payload;
};
std::vector<H2Frame> read_frames(std::string_view bytes);

// Frames in short, one word each:
//   S S+ P+                     SETTINGS, their acknowledgement, that of a PING
//   H1:200 H1:200.              HEADERS of stream 1, with END_STREAM; H1:- without a status
//   D1:5 D1:5.                  DATA of so many bytes
//   R1:PROTOCOL_ERROR           RST_STREAM
//   G1:NO_ERROR                 GOAWAY, with the last stream
//   W0:10                       WINDOW_UPDATE
// It keeps the table of the server's fields, and what was in DATA and HEADERS.
class H2Reader {
 public:
  std::string read(std::string_view bytes);
  std::string body(uint32_t stream) const;
  // "name: value" lines of the last HEADERS.
  [[nodiscard]] const std::string& fields() const { return fields_; }
  [[nodiscard]] const std::string& goaway() const { return goaway_; }  // what was said with it

 private:
  std::string describe(const H2Frame& frame);

  BlockPool memory_{64, 4};
  std::vector<char> scratch_;
  http2::HpackDecoder decoder_{memory_, scratch_};
  std::vector<std::pair<uint32_t, std::string>> bodies_;
  std::string fields_, goaway_;
};

struct Http2Harness {
  explicit Http2Harness(http::Service& service, bool tables = true, size_t most_exchanges = 256,
                        size_t most_blocks = 4096)
      : worker(most_blocks),
        segments(65'536),
        exchanges(worker, most_exchanges),
        writer("leat"),
        environment{.worker = worker,
                    .service = service,
                    .limits = limits,
                    .options = options,
                    .memory = {worker.blocks(), segments},
                    .exchanges = exchanges,
                    .writer = writer,
                    .heads = tables ? &heads : nullptr} {
    writer.set_date(TestWorker::kDate);
  }

  // Resumes what asked for it, oldest first; stale tickets are dropped.
  void resume_all() {
    std::vector<TestWorker::Waiting> due;
    due.swap(worker.waiting);
    for (const auto& each : due)
      if (http::Exchange* exchange = exchanges.find(each.ticket))
        exchange->stream().protocol()->resume(*exchange, each.resume, each.argument);
  }

  http::Limits limits;
  http2::Options options;
  TestWorker worker;
  NodePool<transport::OutputSegment> segments;
  http::ExchangePool exchanges;
  http2::Writer writer;
  http::KnownHeads heads{1};
  http2::Environment environment;
};

}  // namespace leat::test
