// StoredResponse: what the response cache keeps under a key, as one run of bytes, and a view of one.
//
// Three kinds lie in the store:
//   Response   status, fields and body, and until when they may be sent
//   Variants   the responses under this key differ by fields of the request: by which ones, and which
//              variants there are. Each is stored under a key of its own (its place in that list), with the names and
//              values of the fields that it is for
//   Pass       beside what is stored: what the handler answers here is not, nobody needs to wait for anybody
//
// The bytes: a Header, `slot_count` numbers, `field_count` pairs of sizes, then without anything between them
// the content type, the variant, names and values, and the body. They are read where they lie, at any
// alignment.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace leat::cache {

struct StoredResponse {
  enum class Kind : uint8_t { Response, Variants, Pass };

  // Times are milliseconds of CLOCK_MONOTONIC.
  struct Header {
    Kind kind = Kind::Response;
    bool for_authorized = false;  // may answer requests with credentials (RFC 9111, section 3.5)
    bool own_etag = false;        // the handler gave none
    uint16_t status = 0;
    uint32_t age_s = 0;  // when it was stored
    uint64_t stored_ms = 0;
    uint64_t fresh_until_ms = 0;
    uint64_t stale_until_ms = 0;  // meanwhile stale, and made anew in the background
    uint64_t error_until_ms = 0;  // meanwhile stale, where the handler fails
    uint64_t kept_until_ms = 0;   // meanwhile never sent unless its handler finds it good
    uint64_t moment = 0;          // of Invalidations
    uint32_t slot_count = 0, field_count = 0;
    uint32_t content_type_size = 0, variant_size = 0;
    uint64_t body_size = 0;

    // When nobody can use it any more.
    [[nodiscard]] uint64_t expires_ms() const {
      return std::max({fresh_until_ms, stale_until_ms, error_until_ms, kept_until_ms});
    }
  };

  Header header;
  const char* slots = nullptr;  // of Invalidations; of Variants: hashes
  const char* sizes = nullptr;
  std::string_view content_type;
  std::string_view variant;  // of Variants: the lists of names, the latest first, each with a line's end
  const char* fields = nullptr;
  std::string_view body;

  // Of bytes that pack() made.
  static StoredResponse read(std::string_view bytes);

  [[nodiscard]] uint32_t slot(size_t index) const {
    uint32_t number = 0;
    std::memcpy(&number, slots + index * sizeof number, sizeof number);
    return number;
  }
  // Calls `visit(name, value)` for each field.
  template <class Visit>
  void for_each_field(Visit visit) const {
    const char* at = fields;
    for (uint32_t i = 0; i < header.field_count; ++i) {
      uint32_t size[2];
      std::memcpy(size, sizes + i * sizeof size, sizeof size);
      visit(std::string_view(at, size[0]), std::string_view(at + size[0], size[1]));
      at += size[0] + size[1];
    }
  }
  // The value of the field of that name, in any case; empty where there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
};

// The bytes of one. Of `header`, kind, status, times and marks count.
std::string pack(StoredResponse::Header header, std::span<const uint32_t> slots,
                 std::string_view content_type, std::string_view variant,
                 std::span<const http::Response::Field> fields, std::string_view body);

}  // namespace leat::cache
