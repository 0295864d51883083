#include "http1/writer.h"

#include <charconv>
#include <cstring>

#include "base/check.h"
#include "http/bytes.h"
#include "http/status.h"

namespace leat::http1 {

namespace {

// Copies onto the end of a run of bytes whose room was reserved beforehand.
struct Cursor {
  char* at;
  void put(std::string_view text) { at = http::put_bytes(at, text); }
  template <size_t size>
  void put(const char (&literal)[size]) {
    at = http::put_bytes(at, literal);
  }
  void put(uint64_t number) { at = std::to_chars(at, at + 20, number).ptr; }
};

constexpr char kEnd[] = "\r\n";
constexpr size_t kMostFraming = 96;  // the status line of an unlisted code and all framing fields together

}  // namespace

namespace {

// The usual one without looking for it.
std::string_view line_of(uint16_t status) {
  constexpr std::string_view kOk = http::status_line(200);
  return status == 200 ? kOk : http::status_line(status);
}

}  // namespace

Writer::Writer(std::string_view server) {
  if (!server.empty()) shared_.append("Server: ").append(server).append(kEnd);
  shared_.append("Date: ");
  date_at_ = shared_.size();
  shared_.append("Thu, 01 Jan 1970 00:00:00 GMT").append(kEnd);
}

void Writer::set_date(std::string_view date) {
  ENSURE(date.size() == 29);
  std::memcpy(shared_.data() + date_at_, date.data(), date.size());
}

// Of the head behind its status line; it may take a little less.
size_t Writer::most_bytes(const http::Response& response) const {
  size_t size = shared_.size() + response.content_type.size() + kMostFraming;
  for (const http::Response::Field& field : response.fields())
    size += field.name.size() + field.value.size() + 4;
  return size;
}

bool Writer::fits(const http::Response& response) const {
  return line_of(response.status).size() + most_bytes(response) <= Block::capacity();
}

bool Writer::write_head(transport::Output& output, const http::Response& response,
                        const ResponseFraming& framing, std::string_view body, bool& body_done) const {
  const std::string_view line = line_of(response.status);
  const size_t size = line.size() + most_bytes(response);
  if (size > Block::capacity()) return false;
  body_done = size + body.size() <= Block::capacity();
  char* start = output.reserve(body_done ? size + body.size() : size);
  if (start == nullptr) return false;

  Cursor cursor{start};
  if (line.empty()) {
    // A code without a listed reason: the phrase may be empty, the space before it may not (RFC 9112, 4).
    cursor.put("HTTP/1.1 ");
    cursor.put(uint64_t{response.status});
    cursor.put(" \r\n");
  } else {
    cursor.put(line);
  }
  cursor.put(shared_);
  if (!response.content_type.empty()) {
    cursor.put("Content-Type: ");
    cursor.put(response.content_type);
    cursor.put(kEnd);
  }
  for (const http::Response::Field& field : response.fields()) {
    cursor.put(field.name);
    cursor.put(": ");
    cursor.put(field.value);
    cursor.put(kEnd);
  }
  if (framing.kind == ResponseFraming::Kind::Length) {
    cursor.put("Content-Length: ");
    cursor.put(framing.length);
    cursor.put(kEnd);
  } else if (framing.kind == ResponseFraming::Kind::Chunked) {
    cursor.put("Transfer-Encoding: chunked\r\n");
  }
  if (framing.close) {
    cursor.put("Connection: close\r\n");
  } else if (framing.say_keep_alive) {
    cursor.put("Connection: keep-alive\r\n");
  }
  cursor.put(kEnd);
  if (body_done) cursor.put(body);
  output.commit(static_cast<size_t>(cursor.at - start));
  return true;
}

}  // namespace leat::http1
