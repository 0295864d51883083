#include "http1/writer.h"

#include <array>
#include <cstring>
#include <span>

#include "base/check.h"
#include "base/date.h"
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
  // Most are short, and std::to_chars() takes longer to count their digits than this to write them.
  void put(uint64_t number) {
    std::array<char, 20> digits;
    size_t first = digits.size();
    do {
      digits[--first] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    put({&digits[first], digits.size() - first});
  }
};

constexpr char kEnd[] = "\r\n";
constexpr size_t kMostFraming = 96;  // the status line of an unlisted code and all framing fields together

constexpr uint16_t kUsualStatus = 200;
constexpr std::string_view kUsualLine = http::status_line(kUsualStatus);

void put_line(Cursor& cursor, uint16_t status) {
  const std::string_view line = http::status_line(status);
  if (!line.empty()) return cursor.put(line);
  // A code without a listed reason: the phrase may be empty, the space before it may not (RFC 9112, 4).
  cursor.put("HTTP/1.1 ");
  cursor.put(uint64_t{status});
  cursor.put(" \r\n");
}

}  // namespace

Writer::Writer(std::string_view server) { begin(server, "Thu, 01 Jan 1970 00:00:00 GMT"); }

void Writer::begin(std::string_view server, std::string_view date) {
  usual_ = kUsualLine;
  if (!server.empty()) usual_.append("Server: ").append(server).append(kEnd);
  usual_.append("Date: ");
  date_at_ = usual_.size();
  usual_.append(date).append(kEnd);
}

void Writer::set_server(std::string_view server) {
  const std::string date = usual_.substr(date_at_, kHttpDateSize);
  begin(server, date);
}

void Writer::set_date(std::string_view date) {
  ENSURE(date.size() == kHttpDateSize);
  std::memcpy(usual_.data() + date_at_, date.data(), date.size());
}

// Of the head; it may take a little less.
size_t Writer::most_bytes(const http::Response& response) const {
  size_t size = usual_.size() + response.content_type.size() + kMostFraming;
  if (response.status != kUsualStatus) size += http::status_line(response.status).size();
  for (const http::Response::Field& field : response.fields())
    size += field.name.size() + field.value.size() + 4;
  return size;
}

bool Writer::fits(const http::Response& response) const { return most_bytes(response) <= Block::capacity(); }

void Writer::write_hints(transport::Output& output, std::span<const std::string_view> links) {
  constexpr std::string_view kLine = http::status_line(103);
  constexpr char kLink[] = "Link: ";
  size_t size = kLine.size() + sizeof kEnd;
  for (const std::string_view link : links) size += sizeof kLink + link.size() + sizeof kEnd;
  char* const start = size <= Block::capacity() ? output.reserve(size) : nullptr;
  if (start == nullptr) return;
  Cursor cursor{start};
  cursor.put(kLine);
  for (const std::string_view link : links) {
    cursor.put(kLink);
    cursor.put(link);
    cursor.put(kEnd);
  }
  cursor.put(kEnd);
  output.commit(static_cast<size_t>(cursor.at - start));
}

Writer::Written Writer::write_head(transport::Output& output, const http::Response& response,
                                   const ResponseFraming& framing, std::string_view body) const {
  size_t size = most_bytes(response);
  if (size > Block::capacity()) return Written::Nothing;
  const bool with_body = size + body.size() <= Block::capacity();
  if (with_body) size += body.size();
  char* const start = output.reserve(size);
  if (start == nullptr) return Written::Nothing;

  Cursor cursor{start};
  std::string_view shared = usual_;
  if (response.status != kUsualStatus) [[unlikely]] {
    put_line(cursor, response.status);
    shared.remove_prefix(kUsualLine.size());
  }
  cursor.put(shared);
  if (!response.content_type.empty()) {
    cursor.put("Content-Type: ");
    cursor.put(response.content_type);
    cursor.put(kEnd);
  }
  const std::span<const http::Response::Field> fields = response.fields();
  for (size_t i = 0; i < fields.size(); ++i) {
    const http::Response::Field& field = fields[i];
    if (field.ready) {
      // With those that lie behind it, as they are.
      const char* const line = field.name.data();
      const char* end = field.value.data() + field.value.size() + 2;
      for (; i + 1 < fields.size() && fields[i + 1].ready && fields[i + 1].name.data() == end; ++i)
        end = fields[i + 1].value.data() + fields[i + 1].value.size() + 2;
      cursor.put({line, static_cast<size_t>(end - line)});
      continue;
    }
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
  } else if (framing.kind == ResponseFraming::Kind::Switch) {
    cursor.put("Connection: Upgrade\r\nUpgrade: ");
    cursor.put(framing.protocol);
    cursor.put(kEnd);
  }
  if (framing.close) {
    cursor.put("Connection: close\r\n");
  } else if (framing.say_keep_alive) {
    cursor.put("Connection: keep-alive\r\n");
  }
  cursor.put(kEnd);
  if (with_body) cursor.put(body);
  output.commit(static_cast<size_t>(cursor.at - start));
  return with_body ? Written::HeadAndBody : Written::Head;
}

}  // namespace leat::http1
