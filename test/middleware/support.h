// What tests of middleware have in common.
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/kinds.h"
#include "pipeline/stage.h"

namespace leat::middleware::test {

using leat::Diagnostics;
using pipeline::MiddlewareKind;
// The stage that they stand on.
using pipeline::test::calls;
using pipeline::test::entry;
using pipeline::test::line;
using pipeline::test::LogText;
using pipeline::test::ScriptHandler;
using pipeline::test::Stage;
using pipeline::test::status_of;
using pipeline::test::table;

inline const MiddlewareKind& kind_named(std::string_view name) {
  const auto found = std::ranges::find(kinds(), name, &MiddlewareKind::name);
  REQUIRE(found != kinds().end());
  return *found;
}

// The value of a field of the answer; "(none)" if there is none.
inline std::string field(std::string_view answer, std::string_view name) {
  const std::string start = "\r\n" + std::string(name) + ": ";
  const size_t at = answer.find(start);
  if (at == std::string_view::npos) return "(none)";
  const size_t from = at + start.size();
  return std::string(answer.substr(from, answer.find("\r\n", from) - from));
}

inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    all.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

// A member of a flat JSON object, as it stands.
inline std::string member(std::string_view object, std::string_view name) {
  const std::string start = "\"" + std::string(name) + "\":";
  const size_t at = object.find(start);
  if (at == std::string_view::npos) return "(none)";
  const size_t from = at + start.size();
  const size_t end = object[from] == '"' ? object.find('"', from + 1) + 1 : object.find_first_of(",}", from);
  return std::string(object.substr(from, end - from));
}

// What follows the head of an answer.
inline std::string body_of(std::string_view answer) {
  return std::string(answer.substr(answer.find("\r\n\r\n") + 4));
}

// A list, and an option that is one.
inline Value list_of(const std::vector<std::string>& items) {
  Value::Array array;
  for (const std::string& item : items) array.emplace_back(item, line(1), line(1));
  return {std::move(array), line(1), line(1)};
}
inline Value::Entry texts(std::string key, const std::vector<std::string>& items) {
  return {std::move(key), list_of(items)};
}

// Of one whose key is "abc": a line, and the field with it.
inline constexpr std::string_view kOneKey =
    "one sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
inline constexpr std::string_view kOneKeyField = "X-Api-Key: abc\r\n";

// Of one whose password is "U*U" (an example of libxcrypt's): a line, and the field with both.
inline constexpr std::string_view kOneUser =
    "one:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
inline constexpr std::string_view kOneUserField = "Authorization: Basic b25lOlUqVQ==\r\n";

inline constexpr std::string_view kOneSessionKey = "one key of sessions, for tests alone";

// The options that a kind cannot do without, as they might be.
inline Value::Table needed_options(const MiddlewareKind& kind) {
  Value::Table options;
  for (const schema::Row& row : kind.options) {
    if (row.needed && row.name == "origins") options.push_back(texts("origins", {"https://app.example"}));
    if (row.needed && row.name == "url") options.push_back(entry("url", "unix:/nowhere"));
  }
  if (kind.name == "api_key") options.push_back(texts("keys", {std::string(kOneKey)}));
  if (kind.name == "basic_auth") options.push_back(texts("users", {std::string(kOneUser)}));
  if (kind.name == "sessions") options.push_back(texts("keys", {std::string(kOneSessionKey)}));
  if (kind.name == "jwt") {
    options.push_back(texts("algorithms", {"HS256"}));
    options.push_back(entry("secret", std::string(32, 's')));
  }
  return options;
}

inline Diagnostics mistakes(std::string_view name, Value::Table options,
                            const pipeline::Surroundings& surroundings = {}) {
  Diagnostics diagnostics;
  const Value value = table(std::move(options));
  const MiddlewareKind& kind = kind_named(name);
  (void)kind.create({.kind = kind,
                     .options = value,
                     .place = value.place,
                     .name = {},
                     .diagnostics = diagnostics,
                     .surroundings = surroundings});
  return diagnostics;
}

// "019acf2e-7b1c-7a04-9c3e-5d1f0b7a2e64"
inline bool is_uuid7(std::string_view text) {
  if (text.size() != 36 || text[14] != '7' || !std::string_view("89ab").contains(text[19])) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::string_view("0123456789abcdef").contains(text[i])) return false;
  }
  return true;
}

}  // namespace leat::middleware::test
