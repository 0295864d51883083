// OTLP: spans as the OpenTelemetry protocol has them in Protocol Buffers (opentelemetry/proto/trace/v1/trace.proto and
// collector/trace/v1/trace_service.proto, version 1.5), and what a collector answers.
//
// A Span is encoded once, when it ends, and lies in its batch as it is sent. What is around a batch, the resource and the
// scope, is the same for all and is put before it when it leaves: a message's length stands in front of it, and is known
// then. Rejected: a library, which would be larger than what it is used for, and allocates for each attribute.
//
// Texts are UTF-8 in the protocol and anything in HTTP: bytes that are no part of UTF-8 become question marks.
//
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::middleware::otlp {

enum class SpanKind : uint8_t { Internal = 1, Server = 2, Client = 3 };

// Fields of a message, one behind the other, into memory that is somebody else's. What does not fit is left out, and
// overflowed() says so.
class Encoder {
 public:
  Encoder(char* at, size_t room) : begin_(at), at_(at), end_(at + room) {}

  void varint(uint32_t field, uint64_t value);
  void fixed32(uint32_t field, uint32_t value);
  void fixed64(uint32_t field, uint64_t value);
  void bytes(uint32_t field, std::string_view value);
  // The same as UTF-8.
  void text(uint32_t field, std::string_view value);
  // A field with such bytes before it: of a message whose own are already there, elsewhere.
  void head(uint32_t field, size_t size);

  [[nodiscard]] std::string_view written() const { return {begin_, static_cast<size_t>(at_ - begin_)}; }
  [[nodiscard]] bool overflowed() const { return overflowed_; }

 private:
  void put_varint(uint64_t value);
  char* take(size_t size);

  char* const begin_;
  char* at_;
  char* const end_;
  bool overflowed_ = false;
};

// A number as it is encoded, in bytes.
[[nodiscard]] size_t varint_size(uint64_t value);

// The fields of one Span. Of a text `most` bytes are kept.
class SpanEncoder {
 public:
  SpanEncoder(char* at, size_t room, size_t most) : out_(at, room), most_(most) {}

  struct Identity {
    std::string_view trace, span, parent;  // 32, 16 and 16 hexadecimal digits; no parent: empty
    std::string_view state;                // tracestate
    uint8_t flags = 0;                     // of the trace
    bool remote = false;                   // the parent is another program's
  };
  void begin(const Identity& identity, SpanKind kind, uint64_t start_ns, uint64_t end_ns);
  // "GET /users/{id}", of two parts with a space between; the second may be empty.
  void name(std::string_view first, std::string_view second);
  void attribute(std::string_view key, std::string_view value);
  void attribute(std::string_view key, int64_t value);
  void failed();  // the status is that of an error

  // The fields so far, to be put behind a head(kSpanField). Nothing where they did not fit.
  [[nodiscard]] std::optional<std::string_view> fields() const {
    return out_.overflowed() ? std::nullopt : std::optional(out_.written());
  }

 private:
  Encoder out_;
  const size_t most_;
};
// Of ScopeSpans.
inline constexpr uint32_t kSpanField = 2;
// The most that stands before the fields of a span.
inline constexpr size_t kMostHead = 11;

// What is around the spans of all batches.
class Envelope {
 public:
  using Attributes = std::vector<std::pair<std::string, std::string>>;
  Envelope(const Attributes& resource, std::string_view scope, std::string_view version);
  // Room for what stands before the spans.
  [[nodiscard]] size_t most() const;
  // Writes it so that it ends at `end`, before which there is room for most(), for so many bytes of spans behind. The beginning.
  [[nodiscard]] char* put_before(char* end, size_t spans) const;

 private:
  std::string resource_;  // as a field of ResourceSpans
  std::string scope_;     // as a field of ScopeSpans
};

// How many spans a collector says that it has refused, by the body of its answer (ExportTraceServiceResponse); nothing where
// that is no such message.
std::optional<uint64_t> rejected_spans(std::string_view answer);

}  // namespace leat::middleware::otlp
