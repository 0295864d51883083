#include "middleware/origins.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>

#include "base/text.h"

namespace leat::middleware {

namespace {

constexpr bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' || c == '.';
}

// Labels with dots between, in lower case.
bool is_host_name(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.back() != '.' && !text.contains("..") &&
         std::ranges::all_of(text, is_host_char);
}

}  // namespace

Origins::Origins(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    const size_t star = text.find('*');
    if (text == "*") continue;
    if (star == std::string::npos)
      exact_.push_back(text);
    else
      below_.push_back({text.substr(0, star), text.substr(star + 1)});
  }
  std::ranges::sort(exact_);
}

bool Origins::have(std::string_view origin) const {
  return std::ranges::binary_search(exact_, origin, std::less<>()) ||
         std::ranges::any_of(below_, [&](const Below& below) { return below.has(origin); });
}

bool Origins::Below::has(std::string_view origin) const {
  if (origin.size() <= before.size() + behind.size()) return false;
  return origin.starts_with(before) && origin.ends_with(behind) &&
         is_host_name(origin.substr(before.size(), origin.size() - before.size() - behind.size()));
}

std::string check_origin(std::string_view text) {
  const auto wrong = [&](std::string_view why) { return fmt::format("`{}` is no origin: {}", text, why); };
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c >= 0x7f; }) ||
      std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    return wrong("browsers write it in ASCII without spaces, names in other letters as `xn--...`");
  const size_t colon = text.find("://");
  if (colon == 0 || colon == std::string_view::npos)
    return wrong("it begins with a scheme, as `https://` does");
  std::string_view host = text.substr(colon + 3);
  if (const size_t end = host.find_first_of("/?#"); end != std::string_view::npos)
    return wrong(fmt::format("it ends with its host or port: `{}`", text.substr(0, colon + 3 + end)));
  if (host.contains('@')) return wrong("it names no user");
  if (std::ranges::any_of(text, [](char c) { return c != ascii_lower(c); })) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), ascii_lower);
    return wrong(fmt::format("browsers write it in lower case: `{}`", lower));
  }
  const std::string_view scheme = text.substr(0, colon);
  if (const size_t at = host.rfind(':'); at != std::string_view::npos && !host.ends_with(']')) {
    const std::string_view digits = host.substr(at + 1);
    const auto port = parse_number<uint16_t>(digits);
    if (!port || *port == 0 || digits[0] == '0') return wrong(fmt::format("`{}` is no port", digits));
    if ((scheme == "https" && *port == 443) || (scheme == "http" && *port == 80))
      return wrong(
          fmt::format("browsers leave out the scheme's own port: `{}`", text.substr(0, colon + 3 + at)));
    host = host.substr(0, at);
  }
  if (!std::ranges::all_of(scheme, [](char c) {
        return (c >= 'a' && c <= 'z') || is_digit(c) || c == '+' || c == '-' || c == '.';
      }))
    return wrong(fmt::format("`{}` is no scheme", scheme));
  if (host.starts_with('[')) {
    const bool good = host.ends_with(']') && std::ranges::all_of(host.substr(1, host.size() - 2), [](char c) {
                        return hex_digit(c) >= 0 || c == ':' || c == '.';
                      });
    return good ? std::string() : wrong("its address is malformed");
  }
  if (host.starts_with("*.")) {
    host.remove_prefix(2);
    if (is_host_name(host) && !host.contains('.') && host != "localhost")
      return wrong(fmt::format("all hosts below `{}` are nobody's own", host));
  }
  if (host.contains('*'))
    return wrong("`*` stands for the first labels of a host alone: `https://*.example.com`");
  return is_host_name(host) ? std::string() : wrong("its host is malformed");
}

}  // namespace leat::middleware
