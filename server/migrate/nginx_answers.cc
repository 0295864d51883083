#include "server/migrate/nginx_answers.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/pattern.h"
#include "pipeline/target.h"

namespace leat::server::migrate {

namespace {

// The number of "$1"; 0 for anything else.
size_t group_of(std::string_view text) {
  const bool is = text.size() > 1 && text[0] == '$' && text[1] > '0' && text[1] <= '9';
  return is ? static_cast<size_t>(text[1] - '0') : 0;
}

// Where a redirect or a rewrite leads, with Leat's words in the place of variables. `groups`: what $1 and so on are.
std::expected<std::string, std::string> target_text(std::string_view text, const pipeline::Pattern& pattern,
                                                    const std::vector<std::string>& groups = {}) {
  struct Word {
    std::string_view nginx, leat;
  };
  constexpr Word kWords[] = {{"$is_args$args", "{query}"},
                             {"?$args", "{query}"},
                             {"?$query_string", "{query}"},
                             {"$request_uri", "{path}{query}"},
                             {"$scheme", "{scheme}"},
                             {"$http_host", "{host}"},
                             {"$host", "{host}"},
                             {"$server_name", "{host}"},
                             {"$uri", "{path}"}};
  if (text.find_first_of("{}") != std::string_view::npos)
    return std::unexpected("a redirect has no braces of its own");
  std::string own;
  while (!text.empty()) {
    const auto* const word =
        std::ranges::find_if(kWords, [&](const Word& each) { return text.starts_with(each.nginx); });
    if (word != std::end(kWords)) {
      own += word->leat;
      text.remove_prefix(word->nginx.size());
    } else if (const size_t group = group_of(text); group != 0 && group <= groups.size()) {
      own += fmt::format("{{{}}}", groups[group - 1]);
      text.remove_prefix(2);
    } else if (text.front() == '$') {
      return std::unexpected(
          "a redirect has the path, query, scheme and host of the request, and nothing else");
    } else {
      own += text.front();
      text.remove_prefix(1);
    }
  }
  if (const auto parsed = pipeline::Target::parse(own, pattern); !parsed)
    return std::unexpected(parsed.error());
  return own;
}

}  // namespace

bool leads_to_https(std::string_view url, const std::vector<std::string>& names) {
  constexpr std::string_view kScheme = "https://";
  if (!url.starts_with(kScheme)) return false;
  url.remove_prefix(kScheme.size());
  // A variable of nginx, or a placeholder of Caddy, is the host that was asked for.
  if (url.starts_with('$') || url.starts_with('{')) return true;
  return std::ranges::contains(names, url.substr(0, url.find_first_of("/$?{")));
}

std::expected<Keys, std::string> nginx_return(const Directive& directive, const RoutePlace& place) {
  const auto status = parse_number<int>(directive.word(0));
  const std::string_view said = status ? directive.word(1) : directive.word(0);
  if (!status && said.empty()) return std::unexpected("it says nothing");
  if (!status || is_redirect(*status)) {
    const auto pattern = pipeline::Pattern::parse(pattern_text(place));
    if (!pattern) return std::unexpected(pattern.error());
    const auto target = target_text(said, *pattern);
    if (!target) return std::unexpected(target.error());
    return Keys{{"redirect", text(*target)}, {"status", std::to_string(status.value_or(302))}};
  }
  if (*status < 200 || *status > 599) return std::unexpected("an answer has a status from 200 to 599");
  if (*status == 444) return std::unexpected("Leat answers what it refuses: middleware `access` with 403");
  if (said.contains('$')) return std::unexpected("an answer is always the same: a plugin makes others");
  std::string answer = fmt::format("{{status = {}", *status);
  if (!said.empty()) answer += fmt::format(", body = {}", text(said));
  return Keys{{"answer", answer + "}"}};
}

std::expected<Rewritten, std::string> nginx_rewrite(const Directive& directive) {
  const std::string_view flag = directive.word(2);
  const auto found = place_of_expression(directive.word(0));
  if (!found) return std::unexpected("Leat has no regular expressions for paths");
  const RoutePlace& place = found->place;
  const auto pattern = pipeline::Pattern::parse(pattern_text(place));
  if (!pattern) return std::unexpected(pattern.error());
  const bool redirect = flag == "permanent" || flag == "redirect" || directive.word(1).contains("://");
  std::string_view leads = directive.word(1);
  // A question mark at the end keeps the query from being added.
  const bool query = !leads.ends_with('?');
  if (!query) leads.remove_suffix(1);
  auto target = target_text(leads, *pattern, found->groups);
  if (!target) return std::unexpected(target.error());
  if (query && !target->contains("{query}") && !target->contains('?')) *target += "{query}";
  if (!redirect) return Rewritten{place, {{"rewrite", text(*target)}}};
  return Rewritten{place, {{"redirect", text(*target)}, {"status", flag == "permanent" ? "301" : "302"}}};
}

}  // namespace leat::server::migrate
