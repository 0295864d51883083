#include "pipeline/target.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/suggest.h"
#include "base/text.h"
#include "pipeline/host_name.h"
#include "pipeline/path.h"

namespace leat::pipeline {

namespace {

// What a segment of a path is made of without an escape, but for what can mean something in an authority (RFC 3986, section
// 3.3).
constexpr bool stands_in_segment(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-._~!$&'()*+,;=").contains(c);
}
constexpr bool stands_in_path(char c) { return stands_in_segment(c) || c == '/' || c == ':' || c == '@'; }
// In a path that was sent escapes are there already. A backslash is none of these: browsers take it for a slash.
constexpr bool stands_as_sent(char c) { return stands_in_path(c) || c == '%'; }
// What a target may be written with: it is sent, and read as a request's.
constexpr bool stands_in_target(char c) { return stands_in_path(c) || std::string_view("?#%[]").contains(c); }

using Stands = bool (*)(char);

size_t encoded_size(std::string_view text, Stands stands) {
  size_t size = 0;
  for (const char c : text) size += stands(c) ? 1 : 3;
  return size;
}

char* encode(std::string_view text, Stands stands, char* at) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    if (stands(c)) {
      *at++ = c;
      continue;
    }
    *at++ = '%';
    *at++ = kDigits[static_cast<unsigned char>(c) >> 4];
    *at++ = kDigits[static_cast<unsigned char>(c) & 15];
  }
  return at;
}

// Of a target on another host what stands before its path; nothing for one on this.
std::optional<std::string_view> authority_part(std::string_view text) {
  for (const std::string_view before : {"http://", "https://", "{scheme}://"})
    if (text.starts_with(before)) return text.substr(0, text.find('/', before.size()));
  return std::nullopt;
}

// Two at its beginning would name another host.
std::string_view one_slash(std::string_view target) {
  while (target.starts_with("//")) target.remove_prefix(1);
  return target;
}

}  // namespace

std::expected<Target, std::string> Target::parse(std::string_view text, const Pattern& pattern) {
  constexpr std::pair<std::string_view, Kind> kNames[] = {{"scheme", Kind::Scheme},
                                                          {"host", Kind::Host},
                                                          {"hostname", Kind::HostName},
                                                          {"path", Kind::Path},
                                                          {"query", Kind::Query}};
  const std::vector<std::string> params = pattern.params();
  const auto elsewhere = authority_part(text);
  if (!elsewhere && (!text.starts_with('/') || text.starts_with("//")) && !text.starts_with("{path}"))
    return std::unexpected("a target begins with `/`, `{path}`, `http://`, `https://` or `{scheme}://`");
  if (!well_encoded(text))
    return std::unexpected("a percent-encoding is `%` and two hex digits, and never NUL");
  const size_t path_at = elsewhere ? elsewhere->size() : 0;
  Target target;
  target.text_ = std::string(text);
  target.on_this_host_ = !elsewhere;
  const auto add = [&target](char c) {
    if (target.parts_.empty() || target.parts_.back().kind != Kind::Text) target.parts_.emplace_back();
    target.parts_.back().text += c;
  };
  while (!text.empty()) {
    const char c = text.front();
    if (c != '{' && c != '}') {
      if (!stands_in_target(c))
        return std::unexpected(fmt::format(
            "a character that no target has: write it percent-encoded, `%{:02X}`", static_cast<uint8_t>(c)));
      add(c);
      text.remove_prefix(1);
      continue;
    }
    const size_t end = text.find('}');
    if (c == '}' || end == std::string_view::npos)
      return std::unexpected(fmt::format("`{}` stands alone", c));
    const std::string_view name = text.substr(1, end - 1);
    const bool in_authority = target.text_.size() - text.size() < path_at;
    text.remove_prefix(end + 1);
    const auto* const known = std::ranges::find(kNames, name, &std::pair<std::string_view, Kind>::first);
    if (const auto param = std::ranges::find(params, name); param != params.end()) {
      const bool rest = pattern.has_rest() && param + 1 == params.end();
      if (rest && in_authority)
        return std::unexpected(fmt::format("`{{{}}}` can have slashes, and no host is made of them", name));
      if (rest) target.rest_depth_ = pattern.segments.size();
      target.parts_.push_back({.kind = rest ? Kind::Rest : Kind::Parameter,
                               .number = static_cast<uint32_t>(param - params.begin()),
                               .text = {}});
    } else if (known != std::end(kNames)) {
      target.parts_.push_back({.kind = known->second, .text = {}});
    } else {
      std::vector<std::string_view> names(params.begin(), params.end());
      for (const auto& each : kNames) names.push_back(each.first);
      const std::string_view near = closest(name, names);
      return std::unexpected(fmt::format("the path has no parameter `{}`{}", name,
                                         near.empty() ? "" : fmt::format(": did you mean `{}`?", near)));
    }
  }
  return target;
}

// Calls `visit(text, stands)` for each part; with what needs no escape in it, or null for one that is sent as it is.
template <class Visit>
void Target::for_each(const http::Request& request, std::span<const std::string_view> params,
                      std::string_view rest, Visit visit) const {
  for (const Part& part : parts_) {
    switch (part.kind) {
      case Kind::Text:
        visit(part.text, nullptr);
        break;
      case Kind::Parameter:
        if (part.number < params.size()) visit(params[part.number], stands_in_segment);
        break;
      case Kind::Rest:
        visit(rest, stands_as_sent);
        break;
      case Kind::Scheme:
        visit(request.scheme(), nullptr);
        break;
      case Kind::Host:
        visit(request.host(), nullptr);
        break;
      case Kind::HostName:
        visit(host_name(request.host()), nullptr);
        break;
      case Kind::Path:
        visit(request.path(), stands_as_sent);
        break;
      case Kind::Query:
        if (!request.head().has_query) break;
        visit("?", nullptr);
        visit(request.query(), nullptr);
        break;
    }
  }
}

// The rest of the path without dot segments, and with its escapes. A null data(): the arena is full.
std::string_view Target::rest_of(const http::Request& request, Arena& arena) const {
  std::string_view path = request.path();
  if (needs_normalising(path)) {
    char* const bytes = arena.allocate_array<char>(path.size() + 1);
    if (bytes == nullptr) return {};
    path = {bytes, remove_dots(path, bytes)};
  }
  for (size_t i = 0; i < rest_depth_; ++i) path.remove_prefix(std::min(path.find('/'), path.size() - 1) + 1);
  return path;
}

std::string_view Target::make(const http::Request& request, std::span<const std::string_view> params,
                              Arena& arena) const {
  const std::string_view rest = rest_depth_ != 0 ? rest_of(request, arena) : std::string_view();
  if (rest_depth_ != 0 && rest.data() == nullptr) return {};
  size_t room = 0;
  for_each(request, params, rest, [&](std::string_view text, Stands stands) {
    room += stands != nullptr ? encoded_size(text, stands) : text.size();
  });
  char* const begin = arena.allocate_array<char>(room + 1);
  if (begin == nullptr) return {};
  char* at = begin;
  for_each(request, params, rest, [&](std::string_view text, Stands stands) {
    at = stands != nullptr ? encode(text, stands, at) : std::ranges::copy(text, at).out;
  });
  std::string_view made(begin, static_cast<size_t>(at - begin));
  return on_this_host_ ? one_slash(made) : made;
}

std::string_view location_of(std::string_view path, const http::Request& request, Arena& arena) {
  const std::string_view query = request.query();
  const size_t room = encoded_size(path, stands_as_sent) + 1 + query.size();
  char* const begin = arena.allocate_array<char>(room);
  if (begin == nullptr) return {};
  char* at = encode(path, stands_as_sent, begin);
  if (request.head().has_query) {
    *at++ = '?';
    at = std::ranges::copy(query, at).out;
  }
  return one_slash({begin, static_cast<size_t>(at - begin)});
}

}  // namespace leat::pipeline
