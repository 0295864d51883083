// The routes of a site, for people and for programs: which handler, which middleware in which order, and what
// was merged. The answer to "why did this request do that".
#include <algorithm>

#include "json/writer.h"
#include "pipeline/site.h"

namespace leat::pipeline {

namespace {

// "GET,POST"; what a route has with "*" is written so again.
std::string methods_of(const Route& route) {
  if (route.methods == kEveryMethod) return std::string(kAnyMethod);
  std::string text;
  for (unsigned i = 0; i < http::kMethodCount; ++i)
    if (const auto method = static_cast<http::Method>(i); (route.methods & http::method_bit(method)) != 0)
      text += (text.empty() ? "" : ",") + std::string(http::method_name(method));
  return text;
}

// Before the handler, by itself.
std::vector<std::string_view> steps_of(const Route& route) {
  std::vector<std::string_view> steps;
  if (route.handler != nullptr) route.handler->list_steps(steps);
  return steps;
}

bool has_cache(const Route& route) {
  return std::ranges::contains(route.chain->steps, Phase::Cache,
                               [](const Step& step) { return step.kind->phase; });
}

std::string join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& each : texts) joined += (joined.empty() ? "" : ", ") + each;
  return joined;
}

}  // namespace

std::string describe_text(const Site& site) {
  constexpr std::string_view kOther = "(anything else)";
  size_t methods_width = 1;
  size_t path_width = kOther.size();
  for (const auto& route : site.routes()) {
    methods_width = std::max(methods_width, methods_of(*route).size());
    path_width = std::max(path_width, route->path.size());
  }
  std::string text;
  const auto pad = [&](std::string_view word, size_t width) {
    text += word;
    text.append(width - word.size() + 2, ' ');
  };
  const auto chain = [&](const Route& route) {
    if (route.rewrite) {
      text += "as " + route.rewrite->text();
    } else {
      for (const Step& step : route.chain->steps) text += display_name(*step.spec) + " > ";
      for (const std::string_view step : steps_of(route))
        if (step != kCacheStep || !has_cache(route)) text.append(step) += " > ";
      text += route.handler == nullptr ? "(404)" : route.handler_name;
      for (const Step& step : route.chain->steps)
        for (const MiddlewareSpec* merged : step.merged)
          text += "  [" + display_name(*merged) + " is the same as " + display_name(*step.spec) + "]";
    }
    if (route.when) text += "  [when " + route.when->text() + "]";
    text += "\n";
  };
  const auto table = [&](const Host& host) {
    for (const auto& route : site.routes()) {
      if (route->host != &host) continue;
      pad(methods_of(*route), methods_width);
      pad(route->path, path_width);
      chain(*route);
    }
    pad("*", methods_width);
    pad(kOther, path_width);
    chain(host.unmatched);
  };
  const auto& hosts = site.hosts().all();
  for (size_t i = 1; i < hosts.size(); ++i) {
    const Host& host = *hosts[i];
    text += host.names.empty() ? "(any host)" : join(host.names);
    if (!host.listeners.empty()) text += " by " + join(host.listeners);
    text += ":\n";
    table(host);
    text += "\n";
  }
  if (hosts.size() > 1) text += "(any other host):\n";
  table(site.hosts().rest());
  return text;
}

std::string describe_json(const Site& site) {
  BlockPool pool(BlockPool::kUnbounded, 0);
  Arena arena(pool, SIZE_MAX);
  json::Writer json(arena);
  const auto list = [&](std::string_view key, const std::vector<std::string>& texts) {
    json.key(key);
    json.begin_array();
    for (const std::string& each : texts) json.string(each);
    json.end_array();
  };
  json.begin_array();
  for (const auto& route : site.routes()) {
    json.begin_object();
    json.key("id");
    json.string(route->id);
    if (!route->host->names.empty() || !route->host->listeners.empty()) {
      list("hosts", route->host->names);
      list("listeners", route->host->listeners);
    }
    json.key("path");
    json.string(route->path);
    if (route->when) {
      json.key("when");
      json.string(route->when->text());
    }
    if (route->rewrite) {
      json.key("rewrite");
      json.string(route->rewrite->text());
    }
    json.key("methods");
    json.begin_array();
    for (unsigned i = 0; i < http::kMethodCount; ++i)
      if ((route->methods & http::method_bit(static_cast<http::Method>(i))) != 0)
        json.string(http::method_name(static_cast<http::Method>(i)));
    json.end_array();
    json.key("handler");
    json.string(route->handler_name);
    json.key("before_handler");
    json.begin_array();
    for (const std::string_view step : steps_of(*route)) json.string(step);
    json.end_array();
    json.key("middleware");
    json.begin_array();
    bool behind_cache = has_cache(*route);
    for (const Step& step : route->chain->steps) {
      if (step.filter != nullptr) {
        behind_cache = false;  // the rest changes what is stored
        continue;
      }
      json.begin_object();
      json.key("kind");
      json.string(step.spec->kind);
      json.key("name");
      json.string(step.spec->name);
      json.key("phase");
      json.string(phase_name(step.kind->phase));
      if (has_cache(*route)) {
        json.key("sees_hits");
        json.boolean(behind_cache);
      }
      json.key("merged");
      json.begin_array();
      for (const MiddlewareSpec* merged : step.merged) json.string(display_name(*merged));
      json.end_array();
      json.end_object();
    }
    json.end_array();
    json.end_object();
  }
  json.end_array();
  return std::string(json.finish().value_or("[]"));
}

}  // namespace leat::pipeline
