// The routes of a site, for people and for programs: which handler, which middleware in which order, and what
// was merged. The answer to "why did this request do that".
#include <algorithm>

#include "json/writer.h"
#include "pipeline/site.h"

namespace leat::pipeline {

namespace {

std::string methods_of(const Route& route) { return route.id.substr(0, route.id.find(' ')); }

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
    for (const Step& step : route.chain->steps) text += display_name(*step.spec) + " > ";
    for (const std::string_view step : steps_of(route))
      if (step != kCacheStep || !has_cache(route)) text.append(step) += " > ";
    text += route.handler == nullptr ? "(404)" : route.handler_name;
    for (const Step& step : route.chain->steps)
      for (const MiddlewareSpec* merged : step.merged)
        text += "  [" + display_name(*merged) + " is the same as " + display_name(*step.spec) + "]";
    text += "\n";
  };
  for (const auto& route : site.routes()) {
    pad(methods_of(*route), methods_width);
    pad(route->path, path_width);
    chain(*route);
  }
  pad("*", methods_width);
  pad(kOther, path_width);
  chain(site.unmatched());
  return text;
}

std::string describe_json(const Site& site) {
  BlockPool pool(BlockPool::kUnbounded, 0);
  Arena arena(pool, SIZE_MAX);
  json::Writer json(arena);
  json.begin_array();
  for (const auto& route : site.routes()) {
    json.begin_object();
    json.key("id");
    json.string(route->id);
    json.key("path");
    json.string(route->path);
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
