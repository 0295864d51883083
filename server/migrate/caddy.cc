#include "server/migrate/caddy.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "server/migrate/caddy_carrier.h"
#include "server/migrate/caddy_values.h"
#include "server/migrate/foreign.h"
#include "server/migrate/nginx_answers.h"
#include "server/migrate/places.h"

namespace leat::server::migrate {

namespace {

// Those that answer, in the order that Caddy gives them.
constexpr std::string_view kInOrder[] = {"redir",         "rewrite",     "handle",     "handle_path",
                                         "route",         "error",       "respond",    "metrics",
                                         "reverse_proxy", "php_fastcgi", "file_server"};

bool is_site(const Directive& directive) {
  return !directive.name().empty() && !directive.name().starts_with('(');
}

// A path of Caddy as a route's: a star at its end is for all that begins so, and one between slashes for a segment.
std::optional<RoutePlace> caddy_place(std::string_view path) {
  const bool below = path.ends_with('*') && path.find('*') + 1 == path.size();
  if (below) path.remove_suffix(1);
  if (path.find_first_of("?[\\") != std::string_view::npos) return std::nullopt;
  auto place = route_place(path, !below);
  if (!place || below || !path.contains('*')) {
    if (place) place->any_case = true;
    return place;
  }
  std::string own;
  size_t parts = 0;
  for (size_t at = 1; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    if (segment != "*" && segment.contains('*')) return std::nullopt;
    own += segment == "*" ? fmt::format("/{{part{}}}", ++parts) : "/" + route_text(segment);
    at = end + 1;
  }
  return RoutePlace{.key = "path", .value = own, .any_case = true};
}

}  // namespace

void CaddyCarrier::run(const std::vector<Directive>& directives) {
  for (const Directive& each : directives)
    for (size_t i = 0; is_site(each) && i < each.words.size(); ++i)
      if (CaddyAddress address = read_address(each.words[i]); !address.listened.empty())
        listened_.insert(std::move(address.listened));
  for (const Directive& each : directives)
    for (size_t i = 0; is_site(each) && certificate_of(each) != nullptr && i < each.words.size(); ++i)
      if (const CaddyAddress address = read_address(each.words[i]); !address.plain)
        by_tls_.insert(tls_address(address));
  listened_.insert(by_tls_.begin(), by_tls_.end());
  for (const Directive& each : directives) {
    if (each.name().empty())
      carry_options(each);
    else if (!is_site(each))
      target_.leave_all(each, "snippets are not carried over: put what they say where they are imported");
    else
      carry_site(each);
  }
  target_.settle();
}

void CaddyCarrier::carry_site(const Directive& site) {
  std::vector<std::string_view> whys;
  names_.clear();
  for (const std::string& word : site.words)
    carry_address(read_address(word), certificate_of(site) != nullptr, names_, whys);
  const std::vector<std::string> listeners = listeners_of(site);
  const bool named = !names_.empty();
  std::erase_if(names_, [&](std::string key) {
    for (const std::string& each : listeners) key += " " + each;
    return !host_names_.insert(std::move(key)).second;
  });
  if (named && names_.empty()) return target_.leave_all(site, "another site has its names already");
  target_.begin_host(names_, listeners);
  target_.remark(fmt::format("--- {}", site.written));
  add_certificate(site, names_);
  for (const std::string_view why : whys) target_.leave(site, why);
  CaddyLevel level;
  matchers_.clear();
  carry_block(site.block, level);
  // What has no matcher answers all that nothing else does.
  if (level.answered)
    add_route(level, {}, level.answers, level.answers_rank, *level.answers_from);
  else if (site.block.empty())
    add_route(level, {}, {}, {}, site);
}

void CaddyCarrier::carry_block(const std::vector<Directive>& block, CaddyLevel& level) {
  // They hold for all of the block, wherever they stand.
  for (const Directive& each : block)
    if (each.name().starts_with('@')) matchers_.insert_or_assign(std::string(each.name()), matcher_of(each));
  for (const Directive& each : block)
    if (each.name() == "root") carry(each, level);
  for (const Directive& each : block)
    if (!makes_route(each) && each.name() != "root") carry(each, level);
  for (const Directive& each : block)
    if (makes_route(each)) carry(each, level);
}

bool CaddyCarrier::makes_route(const Directive& directive) {
  return directive.name() == "handle" || directive.name() == "handle_path" || directive.name() == "route" ||
         directive.name() == "metrics" || directive.name() == "respond" || directive.name() == "redir" ||
         directive.name() == "rewrite" || directive.name() == "error" || answers(directive);
}

bool CaddyCarrier::answers(const Directive& directive) {
  const auto foreign = foreign_to_caddy(directive.name());
  return foreign && foreign->answers;
}

// The matcher that a directive begins with: nothing where it has none, or, which is said, one that no route is like.
// `first`: the index of the word behind it.
std::optional<Matcher> CaddyCarrier::read_matcher(const Directive& directive, size_t& first) {
  const std::string_view word = directive.word(0);
  first = word.starts_with('@') || word.starts_with('/') || word == "*" ? 1 : 0;
  if (word.starts_with('/')) return Matcher{.paths = {std::string(word)}, .methods = {}, .when = {}};
  if (!word.starts_with('@')) return Matcher();
  const auto found = matchers_.find(word);
  if (found != matchers_.end() && !found->second.others) return found->second;
  target_.leave_all(directive,
                    "routes tell requests apart by path, method, one header field or parameter, and client");
  return std::nullopt;
}

// False: it is nothing that Leat has.
bool CaddyCarrier::carry_known(const Directive& directive, CaddyLevel& level) {
  using Carry = void (CaddyCarrier::*)(const Directive&, CaddyLevel&);
  struct Known {
    std::string_view name;
    Carry carry;
  };
  using C = CaddyCarrier;
  constexpr Known kKnown[] = {
      {"handle", &C::carry_handle},         {"handle_path", &C::carry_handle},
      {"route", &C::carry_handle},          {"header", &C::carry_header},
      {"request_header", &C::carry_header}, {"log", &C::carry_log},
      {"encode", &C::carry_encode},         {"basic_auth", &C::carry_passwords},
      {"basicauth", &C::carry_passwords},   {"request_body", &C::carry_body},
      {"forward_auth", &C::carry_question}, {"handle_errors", &C::carry_pages},
      {"metrics", &C::carry_answer},        {"respond", &C::carry_answer},
      {"redir", &C::carry_answer},          {"rewrite", &C::carry_answer},
      {"error", &C::carry_answer},
  };
  const auto* const known = std::ranges::find(kKnown, directive.name(), &Known::name);
  if (known == std::end(kKnown)) return false;
  (this->*known->carry)(directive, level);
  return true;
}

void CaddyCarrier::carry(const Directive& directive, CaddyLevel& level) {
  if (is_certificate(directive)) return;  // the site has taken it
  if (directive.name().starts_with('@') || carry_known(directive, level)) return;
  const auto foreign = foreign_to_caddy(directive.name());
  if (!foreign) return target_.leave(directive, "there is nothing like it in Leat");
  if (foreign->why.empty()) return;
  if (directive.name() == "root") level.root = directive.word(directive.count() > 1 ? 1 : 0);
  size_t first = 0;
  const auto matcher = foreign->answers ? read_matcher(directive, first) : Matcher();
  if (!matcher) return;
  target_.leave(directive, foreign->why);
  if (foreign->answers) answer(level, *matcher, {}, directive);
}

// Caddy sorts what stands in a block by its kind, then by the length of the path that it is for, unless it is a `route`.
std::string CaddyCarrier::rank_of(const Directive& directive, const Matcher& matcher, CaddyLevel& level) {
  const size_t number = level.number++;
  if (level.in_order) return fmt::format("{}{:08}", level.rank, number);
  const auto* const found = std::ranges::find(kInOrder, directive.name());
  const size_t kind =
      directive.name() == "handle_path" ? 2 : static_cast<size_t>(found - std::begin(kInOrder));
  constexpr size_t kLongest = 99'999;
  const size_t length = matcher.paths.size() == 1 ? std::min(matcher.paths.front().size(), kLongest) : 0;
  return fmt::format("{}{:02}{:05}{}{:08}", level.rank, kind, kLongest - length, matcher.is_for_all() ? 1 : 0,
                     number);
}

// Of several without a matcher the first answers.
void CaddyCarrier::answer(CaddyLevel& level, const Matcher& matcher, Keys answers, const Directive& from) {
  std::string rank = rank_of(from, matcher, level);
  if (!matcher.is_for_all()) return add_route(level, matcher, std::move(answers), std::move(rank), from);
  if (level.answered && level.answers_rank <= rank) return;
  level.answered = true;
  level.answers = std::move(answers);
  level.answers_rank = std::move(rank);
  level.answers_from = &from;
}

void CaddyCarrier::carry_handle(const Directive& directive, CaddyLevel& outside) {
  size_t first = 0;
  const auto matcher = read_matcher(directive, first);
  if (!matcher) return;
  CaddyLevel level{.outside = &outside, .matcher = *matcher};
  level.rank = rank_of(directive, *matcher, outside);
  level.in_order = directive.name() == "route";
  if (directive.name() == "handle_path")
    target_.remark(fmt::format("{}: a handler sees the whole path.", directive.written));
  carry_block(directive.block, level);
  if (level.answered)
    add_route(level, *matcher, level.answers, level.answers_rank, *level.answers_from);
  else if (!level.instances.empty() || level.body)
    target_.leave_all(directive, "nothing in it answers, and routes have what stands beside their answer");
}

void CaddyCarrier::carry_answer(const Directive& directive, CaddyLevel& level) {
  size_t first = 0;
  const auto matcher = read_matcher(directive, first);
  if (!matcher) return;
  if (directive.name() == "redir" && leads_to_https(directive.word(first), names_))
    return target_.leave(directive, "a [[listener]] with `redirect_to_https` sends clients there");
  auto answers = caddy_answer(directive, first);
  if (!answers) return target_.leave(directive, answers.error());
  answer(level, *matcher, *std::move(answers), directive);
}

void CaddyCarrier::add_route(const CaddyLevel& level, const Matcher& matcher, Keys answers, std::string rank,
                             const Directive& from) {
  Route route{.places = {}, .methods = matcher.methods, .answers = std::move(answers)};
  route.rank = std::move(rank);
  route.from = &from;
  const std::vector<std::string> all = {"/*"};
  for (const std::string& each : matcher.paths.empty() ? all : matcher.paths) {
    if (const auto place = caddy_place(each))
      route.places.push_back(*place);
    else
      target_.leave(from, fmt::format("a route's path cannot be written like {}", printable_line(each)));
  }
  if (!matcher.when.empty()) route.when = matcher.when;
  if (route.places.empty()) return;
  if (route.rewrites()) return target_.add_route(std::move(route));  // what it passes is said where it leads
  for (const CaddyLevel* at = &level; at != nullptr; at = at->outside)
    std::ranges::copy(at->instances, std::back_inserter(route.instances));
  for (const CaddyLevel* at = &level; at != nullptr; at = at->outside)
    if (at->body) {
      route.keys.emplace_back("body_limit", *at->body);
      break;
    }
  target_.add_route(std::move(route));
}

void carry_over_caddy(const std::vector<Directive>& directives, Target& target) {
  CaddyCarrier(target).run(directives);
}

}  // namespace leat::server::migrate
