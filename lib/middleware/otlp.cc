#include "middleware/otlp.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/text.h"

namespace leat::middleware::otlp {

namespace {

// Of Protocol Buffers' encoding.
enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// The messages' fields by their numbers.
enum SpanField : uint32_t {
  kTraceId = 1,
  kSpanId = 2,
  kTraceState = 3,
  kParentSpanId = 4,
  kName = 5,
  kKind = 6,
  kStartTime = 7,
  kEndTime = 8,
  kAttributes = 9,
  kStatus = 15,
  kFlags = 16
};
constexpr uint32_t kKey = 1, kValue = 2;                     // of KeyValue
constexpr uint32_t kStringValue = 1, kIntValue = 3;          // of AnyValue
constexpr uint32_t kStatusCode = 3, kStatusError = 2;        // of Status
constexpr uint32_t kResourceSpans = 1;                       // of ExportTraceServiceRequest
constexpr uint32_t kResource = 1, kScopeSpans = 2;           // of ResourceSpans
constexpr uint32_t kScope = 1;                               // of ScopeSpans
constexpr uint32_t kScopeName = 1, kScopeVersion = 2;        // of InstrumentationScope
constexpr uint32_t kResourceAttributes = 1;                  // of Resource
constexpr uint32_t kPartialSuccess = 1;                      // of ExportTraceServiceResponse
constexpr uint32_t kRejectedSpans = 1;                       // of ExportTracePartialSuccess
constexpr uint32_t kHasIsRemote = 0x100, kIsRemote = 0x200;  // of a span's flags

size_t head_size(uint32_t field, size_t size) { return varint_size(field << 3) + varint_size(size); }

// Of the character of UTF-8 that the text begins with, in bytes; 0 for what is none.
size_t character_size(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](size_t i, unsigned least = 0x80, unsigned most = 0xbf) {
    return byte(i) >= least && byte(i) <= most;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool second = continues(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
    return second && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool second = continues(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// Of as many bytes, with question marks for those that are no part of UTF-8.
void copy_text(char* at, std::string_view text) {
  while (!text.empty()) {
    const size_t size = character_size(text);
    if (size == 0) {
      *at++ = '?';
      text.remove_prefix(1);
      continue;
    }
    std::memcpy(at, text.data(), size);
    at += size;
    text.remove_prefix(size);
  }
}

template <size_t Size>
std::array<char, Size> from_hex(std::string_view digits) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::array<char, Size> bytes{};
  for (size_t i = 0; i < Size && 2 * i + 1 < digits.size(); ++i)
    bytes[i] = static_cast<char>(value(digits[2 * i]) << 4 | value(digits[2 * i + 1]));
  return bytes;
}

template <size_t Size>
std::string_view view(const std::array<char, Size>& bytes) {
  return {bytes.data(), Size};
}

// A KeyValue as a field of another message.
void put_attribute(Encoder& out, uint32_t field, std::string_view key, std::string_view value) {
  const size_t any = head_size(kStringValue, value.size()) + value.size();
  out.head(field, head_size(kKey, key.size()) + key.size() + head_size(kValue, any) + any);
  out.bytes(kKey, key);
  out.head(kValue, any);
  out.text(kStringValue, value);
}

// A number off the front; nothing where there is none.
std::optional<uint64_t> take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

// Calls `found(field, number, bytes)` for each field of a message: the number of a varint, the bytes of what has some. False:
// it is none.
template <class Found>
bool each_field(std::string_view message, Found found) {
  while (!message.empty()) {
    const auto tag = take_varint(message);
    if (!tag || *tag >> 3 == 0) return false;
    std::optional<uint64_t> number = 0;
    size_t size = 0;
    switch (*tag & 7) {
      case kVarint:
        number = take_varint(message);
        break;
      case kFixed64:
        size = 8;
        break;
      case kFixed32:
        size = 4;
        break;
      case kBytes:
        number = take_varint(message);
        size = number ? std::min<uint64_t>(*number, SIZE_MAX) : 0;
        break;
      default:
        return false;
    }
    if (!number || size > message.size()) return false;
    found(*tag >> 3, *number, message.substr(0, size));
    message.remove_prefix(size);
  }
  return true;
}

}  // namespace

size_t varint_size(uint64_t value) { return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7; }

char* Encoder::take(size_t size) {
  if (overflowed_ || size > static_cast<size_t>(end_ - at_)) {
    overflowed_ = true;
    return nullptr;
  }
  return std::exchange(at_, at_ + size);
}

void Encoder::put_varint(uint64_t value) {
  char* at = take(varint_size(value));
  if (at == nullptr) return;
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at = static_cast<char>(value);
}

void Encoder::varint(uint32_t field, uint64_t value) {
  put_varint(field << 3 | kVarint);
  put_varint(value);
}

void Encoder::fixed32(uint32_t field, uint32_t value) {
  put_varint(field << 3 | kFixed32);
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  if (char* const at = take(sizeof value)) std::memcpy(at, &value, sizeof value);
}

void Encoder::fixed64(uint32_t field, uint64_t value) {
  put_varint(field << 3 | kFixed64);
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  if (char* const at = take(sizeof value)) std::memcpy(at, &value, sizeof value);
}

void Encoder::head(uint32_t field, size_t size) {
  put_varint(field << 3 | kBytes);
  put_varint(size);
}

void Encoder::bytes(uint32_t field, std::string_view value) {
  head(field, value.size());
  if (char* const at = take(value.size()); at != nullptr && !value.empty())
    std::memcpy(at, value.data(), value.size());
}

void Encoder::text(uint32_t field, std::string_view value) {
  head(field, value.size());
  if (char* const at = take(value.size())) copy_text(at, value);
}

void SpanEncoder::begin(const Identity& identity, SpanKind kind, uint64_t start_ns, uint64_t end_ns) {
  out_.bytes(kTraceId, view(from_hex<16>(identity.trace)));
  out_.bytes(kSpanId, view(from_hex<8>(identity.span)));
  if (!identity.state.empty()) out_.text(kTraceState, identity.state);
  if (!identity.parent.empty()) out_.bytes(kParentSpanId, view(from_hex<8>(identity.parent)));
  out_.varint(kKind, static_cast<uint64_t>(kind));
  out_.fixed64(kStartTime, start_ns);
  out_.fixed64(kEndTime, end_ns);
  out_.fixed32(kFlags, identity.flags | kHasIsRemote | (identity.remote ? kIsRemote : 0));
}

void SpanEncoder::name(std::string_view first, std::string_view second) {
  constexpr size_t kMost = 256;
  char text[kMost];
  size_t size = 0;
  const auto put = [&](std::string_view part) {
    part = part.substr(0, kMost - size);
    std::memcpy(text + size, part.data(), part.size());
    size += part.size();
  };
  put(first);
  if (!second.empty()) {
    put(" ");
    put(second);
  }
  out_.text(kName, text_prefix({text, size}, most_));
}

void SpanEncoder::attribute(std::string_view key, std::string_view value) {
  put_attribute(out_, kAttributes, key, text_prefix(value, most_));
}

void SpanEncoder::attribute(std::string_view key, int64_t value) {
  const auto number = static_cast<uint64_t>(value);
  const size_t any = varint_size(kIntValue << 3) + varint_size(number);
  out_.head(kAttributes, head_size(kKey, key.size()) + key.size() + head_size(kValue, any) + any);
  out_.bytes(kKey, key);
  out_.head(kValue, any);
  out_.varint(kIntValue, number);
}

void SpanEncoder::failed() {
  out_.head(kStatus, varint_size(kStatusCode << 3) + varint_size(kStatusError));
  out_.varint(kStatusCode, kStatusError);
}

Envelope::Envelope(const Attributes& resource, std::string_view scope, std::string_view version) {
  // As much as texts of a configuration can be, at most.
  size_t room = 256 + scope.size() + version.size();
  for (const auto& [key, value] : resource) room += key.size() + value.size() + 64;
  std::string memory(room, '\0');
  Encoder fields(memory.data(), room);
  for (const auto& [key, value] : resource) put_attribute(fields, kResourceAttributes, key, value);
  const std::string attributes(fields.written());
  Encoder whole(memory.data(), room);
  whole.bytes(kResource, attributes);
  resource_ = whole.written();
  Encoder names(memory.data(), room);
  names.text(kScopeName, scope);
  names.text(kScopeVersion, version);
  const std::string scope_fields(names.written());
  Encoder named(memory.data(), room);
  named.bytes(kScope, scope_fields);
  scope_ = named.written();
}

size_t Envelope::most() const { return resource_.size() + scope_.size() + 2 * kMostHead; }

char* Envelope::put_before(char* end, size_t spans) const {
  const size_t in_scope = scope_.size() + spans;
  const size_t in_resource = resource_.size() + head_size(kScopeSpans, in_scope) + in_scope;
  char* const begin = end - (in_resource - spans) - head_size(kResourceSpans, in_resource);
  Encoder out(begin, static_cast<size_t>(end - begin));
  out.head(kResourceSpans, in_resource);
  char* at = begin + out.written().size();
  at = static_cast<char*>(::mempcpy(at, resource_.data(), resource_.size()));
  Encoder inner(at, static_cast<size_t>(end - at));
  inner.head(kScopeSpans, in_scope);
  at += inner.written().size();
  std::memcpy(at, scope_.data(), scope_.size());
  return begin;
}

std::optional<uint64_t> rejected_spans(std::string_view answer) {
  uint64_t rejected = 0;
  bool good = true;
  const bool whole = each_field(answer, [&](uint64_t field, uint64_t, std::string_view partial) {
    if (field != kPartialSuccess) return;
    good = each_field(partial, [&](uint64_t inner, uint64_t number, std::string_view) {
      if (inner == kRejectedSpans) rejected = number;
    });
  });
  return whole && good ? std::optional(rejected) : std::nullopt;
}

}  // namespace leat::middleware::otlp
