// Part of plugin.hpp: cookies that an answer sets (RFC 6265, section 4.1, and what browsers have added to it).
//
//   response.cookie({.name = "__Host-session", .value = token, .max_age = std::chrono::hours(8)});
//   response.forget_cookie({.name = "__Host-session"});
//
// What is not said is what is safest: for the whole site and this host alone, sent by https only, not shown to
// scripts, not sent along with requests that other sites make.
#ifndef LEAT_PLUGIN_COOKIE_HPP
#define LEAT_PLUGIN_COOKIE_HPP

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "plugin_fields.hpp"
#include "plugin_number.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

enum class SameSite : uint8_t { Strict, Lax, None };

struct SetCookie {
  std::string_view name = {};
  std::string_view value = {};
  std::optional<std::chrono::seconds> max_age = {};  // none: until the browser ends
  std::string_view path = "/";
  std::string_view domain = {};  // empty: this host alone, and not those below it
  bool secure = true;            // browsers take http://localhost for secure as well
  bool http_only = true;
  SameSite same_site = SameSite::Lax;
  bool partitioned = false;  // a jar of its own for each site that this one is a part of
};

namespace detail {

// Browsers drop a cookie that has more (RFC 6265bis, section 5.6).
inline constexpr size_t kMostCookie = 4096, kMostCookieAttribute = 1024;

// RFC 6265, section 4.1.1: what may stand in a value. White space, quotes, commas and semicolons may not.
constexpr bool is_cookie_byte(char c) {
  return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}
using encoding::has_only;
using encoding::is_token_byte;
constexpr bool has_prefix(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && same_field_name(name.substr(0, prefix.size()), prefix);
}

// Why no browser would keep it, or others than meant would get it; null if nothing is wrong.
constexpr const char* mistake_of(const SetCookie& cookie) {
  const auto path_byte = [](char c) { return c >= ' ' && c < 0x7f && c != ';'; };
  const auto host_byte = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  if (cookie.name.empty() || !has_only(cookie.name, is_token_byte))
    return "the name of a cookie is a token: no white space, no separators";
  if (!has_only(cookie.value, is_cookie_byte))
    return "the value of a cookie has no white space, quotes, commas, semicolons, backslashes or other than "
           "ASCII: encode it";
  if (cookie.name.size() + cookie.value.size() > kMostCookie)
    return "name and value of a cookie are 4096 bytes together at most";
  if (cookie.path.empty() || cookie.path.front() != '/' || !has_only(cookie.path, path_byte) ||
      cookie.path.size() > kMostCookieAttribute)
    return "the path of a cookie begins with '/' and has no semicolon or control character";
  if (!has_only(cookie.domain, host_byte) || cookie.domain.size() > kMostCookieAttribute)
    return "the domain of a cookie is a host name";
  // RFC 6265bis, section 4.1.3. Browsers look at the prefixes in any case.
  const bool host = has_prefix(cookie.name, "__Host-");
  if ((host || has_prefix(cookie.name, "__Secure-")) && !cookie.secure)
    return "a cookie whose name begins with __Host- or __Secure- is secure";
  if (host && (cookie.path != "/" || !cookie.domain.empty()))
    return "a cookie whose name begins with __Host- has the path \"/\" and no domain";
  if (cookie.same_site == SameSite::None && !cookie.secure) return "a cookie with SameSite=None is secure";
  if (cookie.partitioned && !cookie.secure) return "a partitioned cookie is secure";
  return nullptr;
}

// The value of a Set-Cookie field.
class CookieText {
 public:
  // Throws std::invalid_argument for one that has a mistake.
  explicit CookieText(const SetCookie& cookie) {
    if (const char* mistake = mistake_of(cookie)) throw std::invalid_argument(mistake);
    put({cookie.name, "=", cookie.value});
    if (cookie.max_age) {
      char number[encoding::kLongestInteger];
      const char* end = encoding::write_integer(number, static_cast<int64_t>(cookie.max_age->count()));
      put({"; Max-Age=", {number, static_cast<size_t>(end - number)}});
    }
    put({"; Path=", cookie.path});
    if (!cookie.domain.empty()) put({"; Domain=", cookie.domain});
    constexpr std::string_view kWords[] = {"; SameSite=Strict", "; SameSite=Lax", "; SameSite=None"};
    put({cookie.secure ? "; Secure" : "", cookie.http_only ? "; HttpOnly" : "",
         kWords[static_cast<size_t>(cookie.same_site)], cookie.partitioned ? "; Partitioned" : ""});
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

 private:
  void put(std::initializer_list<std::string_view> parts) {
    for (const std::string_view part : parts) size_ += part.copy(text_.data() + size_, part.size());
  }
  // All of its words and the largest number fit in a hundred bytes and some.
  std::array<char, kMostCookie + 2 * kMostCookieAttribute + 160> text_;
  size_t size_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace leat

#endif
