// What a field of HTTP/2 may be, whichever message it stands in (RFC 9113, sections 8.2.1 and 8.2.2).
#pragma once

#include <string_view>

#include "base/text.h"
#include "http/header_id.h"
#include "http2/field_table.h"

namespace leat::http2 {

// What says something about a connection is said by frames here.
constexpr bool is_about_connection(http::HeaderId id) {
  using http::HeaderId;
  return id == HeaderId::Connection || id == HeaderId::KeepAlive || id == HeaderId::ProxyConnection ||
         id == HeaderId::TransferEncoding || id == HeaderId::Upgrade;
}

// As a sentence; null: nothing. Not for pseudo-fields.
inline const char* wrong_with(const TableField& field) {
  const auto has_blank_end = [](std::string_view text) {
    return !text.empty() && (is_blank(text.front()) || is_blank(text.back()));
  };
  if (!is_lower_name(field.name)) return "The name of a field has a character that is not allowed.";
  if (!is_field_value(field.value) || has_blank_end(field.value))
    return "The value of a field has a character that is not allowed.";
  if (is_about_connection(field.id)) return "A field is about a connection.";
  return nullptr;
}

}  // namespace leat::http2
