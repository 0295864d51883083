#include "server/migrate/nginx_values.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/shared/plugin_form.hpp"
#include "base/text.h"
#include "middleware/headers.h"
#include "middleware/rate_limit.h"
#include "net/listener.h"

namespace leat::server::migrate {

namespace {

struct NginxVariable {
  std::string_view nginx, leat;
};

// In fields.
constexpr NginxVariable kInFields[] = {
    {"remote_addr", "client"}, {"realip_remote_addr", "peer"}, {"scheme", "scheme"},
    {"host", "host"},          {"http_host", "host"},          {"request_method", "method"},
    {"uri", "path"},           {"document_uri", "path"},       {"request_id", "request_id"}};

// In lines of logs. What is empty is a dash for both.
constexpr NginxVariable kInLogs[] = {{"remote_addr", "client"},
                                     {"realip_remote_addr", "peer"},
                                     {"time_local", "clock"},
                                     {"time_iso8601", "ts"},
                                     {"request_method", "method"},
                                     {"request_uri", "target"},
                                     {"uri", "path"},
                                     {"args", "query"},
                                     {"query_string", "query"},
                                     {"server_protocol", "protocol"},
                                     {"status", "status"},
                                     {"body_bytes_sent", "bytes_out"},
                                     {"request_length", "bytes_in"},
                                     {"host", "host"},
                                     {"http_host", "host"},
                                     {"http_referer", "referer"},
                                     {"http_user_agent", "user_agent"},
                                     {"request_id", "request_id"},
                                     {"upstream_addr", "upstream"},
                                     {"upstream_cache_status", "cache"}};
constexpr std::string_view kOfHeader = "http_";

// A text with variables, each `$name` or `${name}`, as Leat writes them. A brace of its own is written twice. An error is
// the name of one that Leat does not have.
template <class Name>
std::expected<std::string, std::string> with_variables(std::string_view text, Name name) {
  std::string own;
  while (!text.empty()) {
    if (text.front() != '$') {
      own += text.front();
      if (text.front() == '{' || text.front() == '}') own += text.front();
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(1);
    const bool braces = text.starts_with('{');
    if (braces) text.remove_prefix(1);
    const auto in_name = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
    };
    const auto size = static_cast<size_t>(std::ranges::find_if_not(text, in_name) - text.begin());
    const std::string_view variable = text.substr(0, size);
    text.remove_prefix(size);
    if (braces && text.starts_with('}')) text.remove_prefix(1);
    auto written = name(variable);
    if (!written) return std::unexpected(fmt::format("${}", variable));
    own += *written;
  }
  return own;
}

// http_x_api_key is X-Api-Key, by its name in lower case.
std::string header_of(std::string_view variable) {
  std::string name(variable.substr(kOfHeader.size()));
  std::ranges::replace(name, '_', '-');
  return name;
}

template <size_t size>
std::optional<std::string> variable_in(const NginxVariable (&table)[size], std::string_view variable) {
  const auto* const found = std::ranges::find(table, variable, &NginxVariable::nginx);
  if (found != std::end(table)) return fmt::format("{{{}}}", found->leat);
  if (variable.starts_with(kOfHeader) && variable.size() > kOfHeader.size())
    return fmt::format("{{header:{}}}", header_of(variable));
  return std::nullopt;
}

}  // namespace

std::string nginx_address(std::string_view word) {
  if (word.starts_with("unix:")) return std::string(word);
  if (!word.empty() && std::ranges::all_of(word, is_digit)) return fmt::format("*:{}", word);
  const size_t bracket = word.rfind(']');
  const size_t colon = word.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string address(word);
  if (colon == std::string_view::npos) address += ":80";
  if (address.starts_with("localhost:")) address.replace(0, 9, "127.0.0.1");
  if (address.starts_with("0.0.0.0:")) address.replace(0, 7, "*");
  return address;
}

std::string_view parameter(const Directive& directive, std::string_view begin) {
  for (size_t i = 0; i < directive.count(); ++i)
    if (directive.word(i).starts_with(begin)) return directive.word(i).substr(begin.size());
  return {};
}

std::optional<AskedUrl> asked_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://", kUnix = "unix:";
  if (!url.starts_with(kScheme) || url.contains('$')) return std::nullopt;
  std::string_view rest = url.substr(kScheme.size());
  if (rest.starts_with(kUnix)) {
    rest.remove_prefix(kUnix.size());
    const std::string_view socket = encoding::cut(rest, ':');
    return socket.starts_with('/')
               ? std::optional(AskedUrl{fmt::format("unix:{}", socket), std::string(rest)})
               : std::nullopt;
  }
  const std::string_view authority = rest.substr(0, rest.find('/'));
  std::string address(authority);
  if (address.starts_with("localhost")) address.replace(0, 9, "127.0.0.1");
  if (!net::Address::parse(address.contains(':') ? address : address + ":80")) return std::nullopt;
  return AskedUrl{fmt::format("http://{}", address), std::string(rest.substr(authority.size()))};
}

std::optional<uint64_t> nginx_size(std::string_view word) {
  uint64_t unit = 1;
  if (!word.empty() && !is_digit(word.back())) {
    const char letter = ascii_lower(word.back());
    unit = letter == 'k'   ? uint64_t{1} << 10
           : letter == 'm' ? uint64_t{1} << 20
           : letter == 'g' ? uint64_t{1} << 30
                           : 0;
    word.remove_suffix(1);
  }
  const auto number = parse_number<uint64_t>(word);
  constexpr uint64_t kMost = uint64_t{1} << 40;
  if (!number || unit == 0 || *number > kMost / unit) return std::nullopt;
  return *number * unit;
}

std::optional<uint64_t> nginx_time(std::string_view word) {
  struct Unit {
    std::string_view name;
    uint64_t ms;
  };
  constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  constexpr uint64_t kMostNumber = 1'000'000'000;
  uint64_t whole = 0;
  if (word.empty()) return std::nullopt;
  while (!word.empty()) {
    const auto digits = static_cast<size_t>(std::ranges::find_if_not(word, is_digit) - word.begin());
    const auto number = parse_number<uint64_t>(word.substr(0, digits));
    if (!number || *number > kMostNumber) return std::nullopt;
    word.remove_prefix(digits);
    const auto letters = static_cast<size_t>(std::ranges::find_if(word, is_digit) - word.begin());
    const std::string_view name = letters == 0 ? "s" : word.substr(0, letters);
    const auto* const unit = std::ranges::find(kUnits, name, &Unit::name);
    if (unit == std::end(kUnits)) return std::nullopt;
    whole += *number * unit->ms;
    word.remove_prefix(letters);
  }
  return whole;
}

std::optional<NginxRate> nginx_rate(std::string_view word) {
  const size_t letter = word.find("r/");
  if (letter == std::string_view::npos) return std::nullopt;
  const std::string_view per = word.substr(letter + 2);
  if (per != "s" && per != "m") return std::nullopt;
  std::string text = fmt::format("{}/{}", word.substr(0, letter), per == "s" ? "s" : "min");
  if (!middleware::check_rate("`rate`", text).empty()) return std::nullopt;
  return NginxRate{std::move(text)};
}

std::optional<std::string> nginx_rate_key(std::string_view word) {
  if (word == "$binary_remote_addr" || word == "$remote_addr") return "client";
  if (word == "$host" || word == "$http_host") return "host";
  if (word.starts_with("$http_") && word.size() > 6) return "header:" + header_of(word.substr(1));
  return std::nullopt;
}

std::expected<std::string, std::string> nginx_field(std::string_view name, std::string_view value) {
  if (value.empty()) return std::string();
  const auto own =
      with_variables(value, [](std::string_view variable) { return variable_in(kInFields, variable); });
  if (!own) return std::unexpected(fmt::format("middleware `headers` has nothing like {}", own.error()));
  std::string field = fmt::format("{}: {}", name, *own);
  if (const std::string wrong = middleware::check_answer_field("it", field); !wrong.empty())
    return std::unexpected(wrong);
  return field;
}

bool is_known_by_leat(std::string_view field) {
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"Host", "Connection", "Upgrade", "X-Real-IP", "X-Forwarded-For",
                                              "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
                                              "X-Forwarded-Server", "Forwarded"},
      [&](std::string_view each) { return equal_ignoring_case(each, field); });
}

std::expected<std::string, std::string> nginx_log_format(const Directive& format) {
  std::string text;
  for (size_t i = 1; i < format.count(); ++i)
    if (!format.word(i).starts_with("escape=")) text += format.word(i);
  auto own = with_variables(text, [](std::string_view variable) -> std::optional<std::string> {
    if (variable == "request") return "{method} {target} {protocol}";
    if (variable == "remote_user") return "-";
    return variable_in(kInLogs, variable);
  });
  if (!own) return std::unexpected(fmt::format("there is no field like {}", own.error()));
  if (own->find_first_of("\r\n") != std::string::npos || own->contains("{{") || own->contains("}}"))
    return std::unexpected(
        "a line of the log is one line, without braces: `format = \"json\"` writes objects");
  return *std::move(own);
}

}  // namespace leat::server::migrate
