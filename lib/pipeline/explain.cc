#include "pipeline/explain.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/units.h"
#include "json/nested.h"
#include "json/writer.h"
#include "pipeline/find_route.h"
#include "pipeline/host_name.h"
#include "pipeline/preflight.h"

namespace leat::pipeline {

namespace {

using Kind = Router::Match::Kind;

// There may be fifty thousand.
constexpr size_t kMostClose = 20;

// Whether `path` has the pattern's shape, whatever the method and the conditions.
bool has_shape(const Route& route, std::string_view path, Arena& arena) {
  const auto pattern = Pattern::parse(route.path);
  if (!pattern) return false;
  Route alone;
  alone.params = route.params;
  Router router;
  (void)router.add(*pattern, http::method_bit(http::Method::Get), &alone);
  router.freeze();
  Router::Match match;
  router.find(http::Method::Get, path, arena, match);
  return match.kind == Kind::Found;
}

std::string host_text(const Site& site, const Host& host, const http::Request& request,
                      std::string_view listener) {
  const std::string name(host_name(request.host()));
  std::string by;
  if (!host.listeners.empty()) by = fmt::format(", by {}", listener);
  if (&host == &site.hosts().rest())
    return site.hosts().all().size() == 1 ? "any" : fmt::format("the rest: no host is for `{}`", name);
  if (host.names.empty()) return fmt::format("whatever is asked for{}", by);
  for (const std::string& each : host.names) {
    const auto pattern = HostPattern::parse(each);
    if (pattern && pattern->fits(name)) return fmt::format("{}{}", each, by);
  }
  return host.id;
}

std::string outcome_text(const FoundRoute& found) {
  if (found.moved.data() != nullptr) return fmt::format("308 to {}", found.moved);
  switch (found.match.kind) {
    case Kind::Options:
      return fmt::format("204, Allow: {}", found.match.allow);
    case Kind::MethodNotAllowed:
      return fmt::format("405, Allow: {}", found.match.allow);
    case Kind::BadPath:
      return "400: the path has a malformed percent-encoding";
    case Kind::WrongType:
      return "415: there are routes for other types of content";
    case Kind::Circle:
      return fmt::format("500: more than {} rewrites follow each other", kMostRewrites);
    case Kind::NoMemory:
      return "503: the request is too large to be looked for";
    default:
      return "404: no route leads there";
  }
}

// Why a route whose path fits is not the one; empty for one that it never was about.
std::string why_not(const Route& route, const FoundRoute& found, http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  if (route.host != found.host)
    return fmt::format("it is of another host: {}", route.host->id.empty()
                                                        ? std::string_view("the rest")
                                                        : std::string_view(route.host->id));
  const bool preflight = preflight_method(request).data() != nullptr;
  if (!preflight && (route.served() & http::method_bit(request.method())) == 0)
    return fmt::format("it is not for {}", http::method_name(request.method()));
  Facts facts{.request = request, .arena = exchange.arena(), .preflight = preflight};
  if (route.when)
    if (const Condition::Miss miss = route.when->miss(facts); miss != Condition::Miss::None)
      return fmt::format("its `when` does not fit: {}", Condition::miss_name(miss));
  if (found.match.kind != Kind::Found) return {};
  return found.match.route->path == route.path ? "another one of this path comes first"
                                               : "its path is less to the point";
}

void tell_close(const Site& site, const FoundRoute& found, http::Exchange& exchange, Explanation& told) {
  const std::string_view path = exchange.request.path();
  const std::string other_slash =
      path.ends_with('/') ? std::string(path.substr(0, path.size() - 1)) : std::string(path) + "/";
  const auto add = [&](const Route& route, std::string&& why) {
    if (told.close.size() == kMostClose)
      ++told.more_close;
    else
      told.close.push_back({route.id, std::move(why)});
  };
  for (const auto& route : site.routes()) {
    if (route.get() == found.match.route) continue;
    // Where it has a route, those of other hosts say nothing.
    if (found.match.kind == Kind::Found && route->host != found.host) continue;
    if (has_shape(*route, path, exchange.arena())) {
      if (std::string why = why_not(*route, found, exchange); !why.empty()) add(*route, std::move(why));
    } else if (found.match.kind != Kind::Found && route->host == found.host && !other_slash.empty() &&
               has_shape(*route, other_slash, exchange.arena())) {
      add(*route, path.ends_with('/') ? "it has no slash at the end" : "it has a slash at the end");
    }
  }
}

void tell_middleware(const Route& route, http::Exchange& exchange, Explanation& told) {
  for (const Step& step : route.chain->steps) {
    std::string says = step.instance != nullptr ? step.instance->explain(exchange) : std::string();
    if (step.filter != nullptr) says = "answers what is stored, and stores what is answered";
    if (says.empty()) says = step.kind->sentence;
    if (says.empty()) says = fmt::format("({})", phase_name(step.kind->phase));
    told.middleware.push_back({display_name(*step.spec), std::move(says)});
  }
}

void tell_limits(const Route& route, const DefaultLimits& defaults, Explanation& told) {
  told.facts.push_back({"body", size_text(route.body_limit != 0 ? route.body_limit : defaults.body_bytes) +
                                    (route.body_limit != 0 ? ", as the route says" : "")});
  told.facts.push_back(
      {"answer",
       fmt::format("begins within {}{}",
                   duration_text(route.timeout_ms != 0 ? route.timeout_ms : defaults.answer_timeout_ms),
                   route.timeout_ms != 0 ? ", as the route says" : "")});
}

}  // namespace

Explanation explain(const Site& site, http::Exchange& exchange, const DefaultLimits& defaults) {
  Explanation told;
  http::Request& request = exchange.request;
  const FoundRoute found = find_route(site, request, exchange.listener(), exchange.arena());
  told.host = host_text(site, *found.host, request, exchange.listener());
  if (found.rewritten)
    told.rewritten =
        fmt::format("{}{}{}", request.path(), request.head().has_query ? "?" : "", request.query());
  const bool has_route = found.match.kind == Kind::Found && found.moved.data() == nullptr;
  const Route& route = has_route ? *found.match.route : found.host->unmatched;
  exchange.route = &route;
  if (has_route) {
    told.route = route.id;
    request.set_params({found.match.params, found.match.param_count});
    const auto pattern = Pattern::parse(route.path);
    const std::vector<std::string> names = pattern ? pattern->params() : std::vector<std::string>();
    for (size_t i = 0; i < std::min(names.size(), found.match.param_count); ++i)
      told.params.push_back({names[i], std::string(found.match.params[i])});
  } else {
    told.outcome = outcome_text(found);
  }
  tell_middleware(route, exchange, told);
  if (has_route) {
    told.handler = route.handler_name;
    route.handler->explain(exchange, told.facts);
    tell_limits(route, defaults, told);
  }
  if (request.path() != "*") tell_close(site, found, exchange, told);
  return told;
}

namespace {

void put_line(std::string& text, std::string_view label, std::string_view said) {
  text += fmt::format("{:<12}{}\n", label, said);
}

void put_facts(std::string& text, std::string_view label, const std::vector<ExplainedFact>& facts) {
  size_t width = 0;
  for (const ExplainedFact& fact : facts) width = std::max(width, fact.label.size());
  for (const ExplainedFact& fact : facts)
    put_line(text, std::exchange(label, {}), fmt::format("{:<{}}  {}", fact.label, width, fact.text));
}

}  // namespace

std::string explanation_text(const Explanation& told) {
  std::string text;
  put_line(text, "host", told.host);
  if (!told.rewritten.empty()) put_line(text, "rewritten", told.rewritten);
  if (!told.route.empty()) put_line(text, "route", told.route);
  if (!told.outcome.empty()) put_line(text, "no route", told.outcome);
  put_facts(text, "parameters", told.params);
  put_facts(text, "middleware", told.middleware);
  if (!told.handler.empty()) put_line(text, "handler", told.handler);
  put_facts(text, "limits", told.facts);
  put_facts(text, "not", told.close);
  if (told.more_close != 0) put_line(text, "", fmt::format("and {} more", told.more_close));
  return text;
}

std::string explanation_json(const Explanation& told) {
  BlockPool pool(BlockPool::kUnbounded, 0);
  Arena arena(pool, SIZE_MAX);
  json::Writer json(arena);
  json::Nested out(json);
  const auto member = [&](std::string_view key, std::string_view text) {
    if (!text.empty()) out.member(key, text);
  };
  const auto facts = [&](std::string_view key, std::string_view label, std::string_view text,
                         const std::vector<ExplainedFact>& all) {
    out.array(key, [&] {
      for (const ExplainedFact& fact : all)
        out.object([&] {
          out.member(label, fact.label);
          out.member(text, fact.text);
        });
    });
  };
  out.object([&] {
    member("host", told.host);
    member("rewritten", told.rewritten);
    member("route", told.route);
    member("outcome", told.outcome);
    facts("parameters", "name", "value", told.params);
    facts("middleware", "name", "does", told.middleware);
    member("handler", told.handler);
    facts("limits", "name", "is", told.facts);
    facts("not", "route", "why", told.close);
    out.count("not_listed", told.more_close);
  });
  return std::string(json.finish().value_or("{}"));
}

}  // namespace leat::pipeline
