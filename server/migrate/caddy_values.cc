#include "server/migrate/caddy_values.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "pipeline/pattern.h"
#include "pipeline/target.h"
#include "server/migrate/nginx_answers.h"

namespace leat::server::migrate {

namespace {

std::expected<Keys, std::string> respond_of(const Directive& directive, size_t first) {
  std::string_view body = directive.word(first), status = directive.word(first + 1);
  const auto is_status = [](std::string_view word) {
    return word.size() == 3 && std::ranges::all_of(word, is_digit);
  };
  if (status.empty() && is_status(body)) std::swap(body, status);
  for (const Directive& each : directive.block) {
    if (each.name() == "body") body = each.word(0);
    if (each.name() != "body" && each.name() != "close")
      return std::unexpected("there is nothing like it in Leat");
  }
  const int number = status.empty() ? 200 : parse_number<int>(status).value_or(0);
  if (number < 200 || number > 599) return std::unexpected("an answer has a status from 200 to 599");
  if (body.contains('{')) return std::unexpected("an answer is always the same: a plugin makes others");
  std::string answer = fmt::format("{{status = {}", number);
  if (!body.empty()) answer += fmt::format(", body = {}", text(body));
  return Keys{{"answer", answer + "}"}};
}
// `error [MESSAGE] [STATUS]`: a problem, which says what is wrong in words of its own.
std::expected<Keys, std::string> error_of(const Directive& directive, size_t first) {
  const size_t words = directive.count() - std::min(first, directive.count());
  const std::string_view last = directive.word(directive.count() - 1);
  const auto said = words == 0 ? std::nullopt : parse_number<int>(last);
  const int number = said.value_or(500);
  if (number < 400 || number > 599) return std::unexpected("an error has a status from 400 to 599");
  return Keys{{"answer", fmt::format("{{status = {}}}", number)}};
}

// Where a redirect or a rewrite leads.
std::expected<std::string, std::string> caddy_target(std::string_view to) {
  struct Word {
    std::string_view caddy, leat;
  };
  constexpr Word kWords[] = {{"{uri}", "{path}{query}"}, {"?{query}", "{query}"},  {"{host}", "{host}"},
                             {"{hostport}", "{host}"},   {"{scheme}", "{scheme}"}, {"{path}", "{path}"}};
  std::string own;
  while (!to.empty()) {
    const auto* const word =
        std::ranges::find_if(kWords, [&](const Word& each) { return to.starts_with(each.caddy); });
    if (word == std::end(kWords) && std::string_view("{}").contains(to.front()))
      return std::unexpected(
          "a redirect has the path, query, scheme and host of the request, and nothing else");
    own += word == std::end(kWords) ? to.substr(0, 1) : word->leat;
    to.remove_prefix(word == std::end(kWords) ? 1 : word->caddy.size());
  }
  const auto parsed = pipeline::Target::parse(own, *pipeline::Pattern::parse("/"));
  if (!parsed) return std::unexpected(parsed.error());
  return own;
}

}  // namespace

std::expected<Keys, std::string> caddy_answer(const Directive& directive, size_t first) {
  if (directive.name() == "metrics") return Keys{{"handler", text("leat:metrics")}};
  if (directive.name() == "respond") return respond_of(directive, first);
  if (directive.name() == "error") return error_of(directive, first);
  const auto target = caddy_target(directive.word(first));
  if (!target) return std::unexpected(target.error());
  if (directive.name() == "rewrite") return Keys{{"rewrite", text(*target)}};
  const std::string_view code = directive.word(first + 1);
  const int status = code.empty() || code == "temporary" ? 302
                     : code == "permanent"               ? 301
                                                         : parse_number<int>(code).value_or(0);
  if (!is_redirect(status)) return std::unexpected("a redirect has the status 301, 302, 303, 307 or 308");
  return Keys{{"redirect", text(*target)}, {"status", std::to_string(status)}};
}

std::string lower_case(std::string_view word) {
  std::string text(word);
  std::ranges::transform(text, text.begin(), ascii_lower);
  return text;
}

namespace {

// With the placeholders that pages have; nothing where there are others.
std::optional<std::string> page_text(std::string_view text) {
  struct Word {
    std::string_view caddy, leat;
  };
  constexpr Word kWords[] = {
      {"{err.status_code}", "{status}"},       {"{http.error.status_code}", "{status}"},
      {"{err.status_text}", "{reason}"},       {"{http.error.status_text}", "{reason}"},
      {"{err.message}", "{detail}"},           {"{http.error.message}", "{detail}"},
      {"{http.request.uuid}", "{request_id}"}, {"{host}", "{host}"}};
  std::string own;
  while (!text.empty()) {
    const auto* const word =
        std::ranges::find_if(kWords, [&](const Word& each) { return text.starts_with(each.caddy); });
    const bool known = word != std::end(kWords);
    if (!known && (text.front() == '{' || text.front() == '}')) return std::nullopt;
    own += known ? word->leat : text.substr(0, 1);
    text.remove_prefix(known ? word->caddy.size() : 1);
  }
  return own;
}

bool is_error_status(std::string_view word) {
  return word.size() == 3 && (word[0] == '4' || word[0] == '5') &&
         (word.substr(1) == "xx" || (is_digit(word[1]) && is_digit(word[2])));
}

}  // namespace

std::optional<std::string> caddy_page(const Directive& directive, const std::string& root) {
  const std::vector<std::string> statuses(directive.words.begin() + 1, directive.words.end());
  if (!std::ranges::all_of(statuses, is_error_status)) return std::nullopt;
  std::optional<std::string> said;
  for (const Directive& each : directive.block) {
    const size_t first = each.word(0) == "*" ? 1 : 0;
    if (each.name() == "file_server" && each.count() == first) continue;
    if (said) return std::nullopt;
    if (each.name() == "respond" && each.count() == first + 1) {
      const auto body = page_text(each.word(first));
      if (!body) return std::nullopt;
      said = fmt::format("body = {}, type = \"text/plain; charset=utf-8\"", text(*body));
    } else if (each.name() == "rewrite" && each.count() == first + 1) {
      const std::string file = root + std::string(each.word(first));
      std::error_code error;
      if (!file.starts_with('/') || file.contains('{') || !std::filesystem::is_regular_file(file, error))
        return std::nullopt;
      said = fmt::format("file = {}", text(file));
    } else {
      return std::nullopt;
    }
  }
  if (!said) return std::nullopt;
  return statuses.empty() ? fmt::format("{{{}}}", *said)
                          : fmt::format("{{status = {}, {}}}", list(statuses), *said);
}

std::expected<std::string, std::string> caddy_text(std::string_view value) {
  struct Placeholder {
    std::string_view caddy, leat;
  };
  constexpr Placeholder kPlaceholders[] = {{"remote_host", "client"},
                                           {"client_ip", "client"},
                                           {"http.request.remote.host", "client"},
                                           {"host", "host"},
                                           {"hostport", "host"},
                                           {"http.request.host", "host"},
                                           {"http.request.hostport", "host"},
                                           {"scheme", "scheme"},
                                           {"http.request.scheme", "scheme"},
                                           {"method", "method"},
                                           {"http.request.method", "method"},
                                           {"path", "path"},
                                           {"http.request.uri.path", "path"}};
  std::string own;
  while (!value.empty()) {
    const size_t end = value.find('}');
    if (value.front() != '{') {
      own += value.front();
      if (value.front() == '}') own += '}';
      value.remove_prefix(1);
      continue;
    }
    if (end == std::string_view::npos) return std::unexpected("a placeholder does not end");
    const std::string_view name = value.substr(1, end - 1);
    value.remove_prefix(end + 1);
    const auto* const found = std::ranges::find(kPlaceholders, name, &Placeholder::caddy);
    const std::string_view field = name.starts_with("header.")                ? name.substr(7)
                                   : name.starts_with("http.request.header.") ? name.substr(20)
                                                                              : "";
    if (!field.empty())
      own += fmt::format("{{header:{}}}", field);
    else if (found != std::end(kPlaceholders))
      own += fmt::format("{{{}}}", found->leat);
    else
      return std::unexpected(
          fmt::format("middleware `headers` has nothing like {{{}}}", printable_line(name)));
  }
  return own;
}

}  // namespace leat::server::migrate
