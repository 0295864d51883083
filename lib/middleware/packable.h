// What an answer says that speaks against packing it, and the tags by which a client asks for one that was packed.
//
// Thread: its exchange's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "http/exchange.h"
#include "http/list.h"
#include "http/message.h"

namespace leat::middleware {

// Why an answer is left as it is.
enum class PackReason : uint8_t {
  Status,
  Encoded,
  Range,
  NoTransform,
  Digest,
  Type,
  Small,
  Large,
  Client,
  NoGain,
  NoRoom,
  Memory
};
inline constexpr std::string_view kPackReasons[] = {"status", "encoded", "range",   "no_transform",
                                                    "digest", "type",    "small",   "large",
                                                    "client", "no_gain", "no_room", "memory"};

// What the fields of an answer say about packing it, read in one go.
struct AnswerFields {
  std::optional<PackReason> against;
  std::string_view etag;
  bool says_vary = false;
  bool has_ranges = false;

  explicit AnswerFields(const http::Response& response) {
    for (const http::Response::Field& field : response.fields()) {
      switch (http::find_header(field.name)) {
        case http::HeaderId::ContentEncoding:
          against = PackReason::Encoded;
          break;
        case http::HeaderId::CacheControl:
          http::for_each_item(field.value, [this](std::string_view item) {
            if (equal_ignoring_case(item, "no-transform"))
              against = against.value_or(PackReason::NoTransform);
          });
          break;
        case http::HeaderId::Etag:
          etag = field.value;
          break;
        case http::HeaderId::Vary:
          http::for_each_item(field.value, [this](std::string_view item) {
            says_vary = says_vary || item == "*" || equal_ignoring_case(item, kAcceptEncoding);
          });
          break;
        case http::HeaderId::Unknown:
          look_at_rare(field.name);
          break;
        default:
          break;
      }
    }
  }

  static constexpr std::string_view kAcceptEncoding = "Accept-Encoding";

 private:
  void look_at_rare(std::string_view name) {
    if (equal_ignoring_case(name, "Content-Range")) {
      against = against.value_or(PackReason::Range);
    } else if (equal_ignoring_case(name, "Accept-Ranges")) {
      has_ranges = true;
    } else if (equal_ignoring_case(name, "Content-Digest") || equal_ignoring_case(name, "Repr-Digest") ||
               equal_ignoring_case(name, "Digest") || equal_ignoring_case(name, "Content-MD5")) {
      // They are of the bytes as they were (RFC 9530).
      against = against.value_or(PackReason::Digest);
    }
  }
};

inline bool is_weak(std::string_view etag) { return etag.starts_with("W/"); }

// Has the answer say `etag`, which is none, as a weak one: what was made of its content is the same to whoever reads it, and not the
// same bytes (RFC 9110, section 8.8.3.3). False: memory is out, and nothing is changed.
inline bool weaken(http::Exchange& exchange, std::string_view etag) {
  char* const text = exchange.arena().allocate_array<char>(etag.size() + 2);
  if (text == nullptr) return false;
  std::memcpy(text, "W/", 2);
  std::memcpy(text + 2, etag.data(), etag.size());
  return exchange.response.set("ETag", {text, etag.size() + 2});
}

// Whether If-None-Match names `etag` by the weak comparison, "*" apart, of which a client knows nothing.
inline bool asks_about(const http::Request& request, std::string_view etag) {
  return std::ranges::any_of(request.head().headers(), [&](const http::HeaderSlot& slot) {
    return slot.id == http::HeaderId::IfNoneMatch && http::names_etag(request.head().view(slot.value), etag);
  });
}
// Whether it names the weak tag that was made of `etag`.
inline bool asks_about_weak(const http::Request& request, std::string_view etag) {
  bool named = false;
  for (const http::HeaderSlot& slot : request.head().headers())
    if (slot.id == http::HeaderId::IfNoneMatch)
      http::for_each_item(
          request.head().view(slot.value),
          [&](std::string_view item) { named = named || (is_weak(item) && item.substr(2) == etag); },
          http::Backslash::IsPlain);
  return named;
}

}  // namespace leat::middleware
