#include "http2/writer.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "base/date.h"
#include "base/text.h"
#include "http/header_id.h"
#include "http/problem.h"
#include "http2/field_rules.h"
#include "http2/field_table.h"
#include "http2/hpack_encoder.h"

namespace leat::http2 {

namespace {

using http::HeaderId;

// Beside a field's own bytes: the kind of it, and two sizes.
constexpr size_t kFieldFraming = 3 * kMostNumber;
// The frame's header, a status, content-length, and a size update of the table.
constexpr size_t kMostFraming = kFrameHeader + 5 + 3 * kMostNumber + 20 + 1;

// Of the static table.
constexpr uint32_t kDate = 33, kServer = 54, kContentType = 31, kContentLength = 28, kLink = 45,
                   kStatus200 = 8;

char* put_decimal(char* at, uint64_t number) {
  std::array<char, 20> digits;
  size_t first = digits.size();
  do {
    digits[--first] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  return put_text(at, {&digits[first], digits.size() - first});
}

char* put_status(char* at, uint16_t status) {
  constexpr uint16_t kIndexed[] = {200, 204, 206, 304, 400, 404, 500};
  for (uint32_t i = 0; i < std::size(kIndexed); ++i)
    if (status == kIndexed[i]) return put_indexed(at, kStatus200 + i);
  return put_decimal(put_literal(at, kStatus200), status);
}

char* put_field(char* at, const http::Response::Field& field) {
  const HeaderId id = http::find_header(field.name);
  if (is_about_connection(id)) return at;  // of HTTP/1
  const uint32_t name = static_name(id);
  at = put_literal(at, name, id == HeaderId::SetCookie);
  if (name == 0) {
    char* const text = put_number(at, 0, 7, field.name.size());
    for (size_t i = 0; i < field.name.size(); ++i) text[i] = ascii_lower(field.name[i]);
    at = text + field.name.size();
  }
  return put_text(at, field.value);
}

size_t most_of_fields(const http::Response& response) {
  size_t size = 0;
  for (const http::Response::Field& field : response.fields())
    size += field.name.size() + field.value.size() + kFieldFraming;
  return size;
}

// A frame of fields from `start` on, whose header has room before it, is complete.
void close_frame(char* start, const char* end, uint8_t flags, uint32_t stream) {
  put_frame_header(start, static_cast<size_t>(end - start) - kFrameHeader, FrameType::Headers,
                   flags | flag::kEndHeaders, stream);
}

}  // namespace

Writer::Writer(std::string_view server) { begin(server, "Thu, 01 Jan 1970 00:00:00 GMT"); }

void Writer::begin(std::string_view server, std::string_view date) {
  common_.resize(server.size() + date.size() + 2 * kFieldFraming);
  char* at = common_.data();
  if (!server.empty()) at = put_text(put_literal(at, kServer), server);
  at = put_text(put_literal(at, kDate), date);
  common_.resize(static_cast<size_t>(at - common_.data()));
  date_at_ = common_.size() - date.size();
}

void Writer::set_server(std::string_view server) {
  const std::string date = common_.substr(date_at_, kHttpDateSize);
  begin(server, date);
}

void Writer::set_date(std::string_view date) {
  ENSURE(date.size() == kHttpDateSize);
  std::memcpy(common_.data() + date_at_, date.data(), date.size());
}

size_t Writer::most_bytes(const http::Response& response) const {
  return common_.size() + response.content_type.size() + kFieldFraming + kMostFraming +
         most_of_fields(response);
}

Writer::Written Writer::write_head(transport::Output& output, const http::Response& response,
                                   const Framing& framing, std::string_view body) const {
  size_t size = most_bytes(response);
  if (size > Block::capacity()) return Written::Nothing;
  const bool with_body = !body.empty() && size + kFrameHeader + body.size() <= Block::capacity();
  if (with_body) size += kFrameHeader + body.size();
  char* const start = output.reserve(size);
  if (start == nullptr) return Written::Nothing;

  char* at = start + kFrameHeader;
  if (framing.first) *at++ = kNoTable;
  at = put_status(at, response.status);
  at = http::put_bytes(at, common_);
  if (!response.content_type.empty()) at = put_text(put_literal(at, kContentType), response.content_type);
  for (const http::Response::Field& field : response.fields()) at = put_field(at, field);
  if (framing.length) at = put_decimal(put_literal(at, kContentLength), *framing.length);
  close_frame(start, at, framing.ends ? flag::kEndStream : 0, framing.stream);
  if (with_body) {
    at = put_frame_header(at, body.size(), FrameType::Data, flag::kEndStream, framing.stream);
    at = http::put_bytes(at, body);
  }
  output.commit(static_cast<size_t>(at - start));
  return with_body ? Written::HeadAndBody : Written::Head;
}

bool Writer::write_hints(transport::Output& output, std::span<const std::string_view> links, uint32_t stream,
                         bool first) {
  size_t size = kMostFraming;
  for (const std::string_view link : links) size += link.size() + kFieldFraming;
  char* const start = size <= Block::capacity() ? output.reserve(size) : nullptr;
  if (start == nullptr) return false;
  char* at = start + kFrameHeader;
  if (first) *at++ = kNoTable;
  at = put_status(at, 103);
  for (const std::string_view link : links) at = put_text(put_literal(at, kLink), link);
  close_frame(start, at, 0, stream);
  output.commit(static_cast<size_t>(at - start));
  return true;
}

bool Writer::write_trailers(transport::Output& output, const http::Response& trailers, uint32_t stream,
                            bool first) {
  const size_t size = kMostFraming + most_of_fields(trailers);
  char* const start = size <= Block::capacity() ? output.reserve(size) : nullptr;
  if (start == nullptr) return false;
  char* at = start + kFrameHeader;
  if (first) *at++ = kNoTable;
  for (const http::Response::Field& field : trailers.fields()) at = put_field(at, field);
  close_frame(start, at, flag::kEndStream, stream);
  output.commit(static_cast<size_t>(at - start));
  return true;
}

bool Writer::write_ready(transport::Output& output, Ready what, uint32_t stream, bool first) {
  constexpr uint32_t kRetryAfter = 53;
  char* const start = output.reserve(kMostFraming);
  if (start == nullptr) return false;
  char* at = start + kFrameHeader;
  if (first) *at++ = kNoTable;
  const bool ends = what == Ready::Unavailable;
  at = put_status(at, ends ? 503 : 100);
  if (ends) at = put_text(put_literal(at, kRetryAfter), http::kRetryAfterS);
  close_frame(start, at, ends ? flag::kEndStream : 0, stream);
  output.commit(static_cast<size_t>(at - start));
  return true;
}

}  // namespace leat::http2
