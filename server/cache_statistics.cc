#include "server/cache_statistics.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "base/text.h"
#include "cache/cached_handler.h"

namespace leat::server {

namespace {

constexpr std::string_view kStore = "leat_cache_";
constexpr std::string_view kRequests = "leat_response_cache_requests_total{";
constexpr std::span kResults = cache::CachedHandler::kResults;

struct Cache {
  std::map<std::string_view, uint64_t> store;  // by name, without what all have
  using Counts = std::array<uint64_t, kResults.size()>;
  std::map<std::string_view, Counts> routes;
};

// The value of a label as it is written, which is as JSON would write it: a quote, a backslash and a line's
// end have a backslash before them.
std::string_view label(std::string_view line, std::string_view name) {
  const size_t begin = line.find(fmt::format("{}=\"", name)) + name.size() + 2;
  size_t end = begin;
  while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
  return line.substr(begin, end - begin);
}

Cache read(std::string_view metrics) {
  Cache cache;
  while (!metrics.empty()) {
    const std::string_view line = metrics.substr(0, metrics.find('\n'));
    metrics.remove_prefix(std::min(line.size() + 1, metrics.size()));
    const size_t space = line.rfind(' ');
    if (line.starts_with('#') || space == std::string_view::npos) continue;
    const uint64_t number = parse_number<uint64_t>(line.substr(space + 1)).value_or(0);
    if (line.starts_with(kRequests)) {
      const auto result = std::ranges::find(kResults, label(line, "result"));
      if (result != kResults.end())
        cache.routes[label(line, "route")][static_cast<size_t>(result - kResults.begin())] = number;
    } else if (line.starts_with(kStore)) {
      std::string_view name = line.substr(kStore.size(), space - kStore.size());
      if (name.ends_with("_total")) name.remove_suffix(6);
      cache.store[name] = number;
    }
  }
  return cache;
}

}  // namespace

std::string describe_cache(std::string_view metrics, bool json) {
  const Cache cache = read(metrics);
  std::string store, routes;
  for (const auto& [name, number] : cache.store)
    store += json ? fmt::format("{}\"{}\":{}", store.empty() ? "" : ",", name, number)
                  : fmt::format("{}{} {}", store.empty() ? "" : ", ", name, number);
  size_t width = 5;
  for (const auto& [route, counts] : cache.routes) width = std::max(width, route.size());
  for (const auto& [route, counts] : cache.routes) {
    routes += json ? fmt::format("{}{{\"route\":\"{}\"", routes.empty() ? "" : ",", route)
                   : fmt::format("{:{}}", route, width);
    for (size_t i = 0; i < counts.size(); ++i)
      routes += json ? fmt::format(",\"{}\":{}", kResults[i], counts[i]) : fmt::format(" {:>12}", counts[i]);
    routes += json ? "}" : "\n";
  }
  if (json) return fmt::format("{{\"store\":{{{}}},\"routes\":[{}]}}\n", store, routes);
  std::string head = fmt::format("{:{}}", "route", width);
  for (const std::string_view result : kResults) head += fmt::format(" {:>12}", result);
  return fmt::format("store: {}\n{}\n{}", store, head, routes);
}

}  // namespace leat::server
