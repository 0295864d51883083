#include "config/routes.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "config/codes.h"
#include "config/declarations.h"
#include "config/foreign_keys.h"
#include "config/route_parameters.h"
#include "config/route_tables.h"
#include "config/settings.h"
#include "pipeline/codes.h"

namespace leat::config {

namespace {

using schema::Reader;
using schema::Row;

// What the tables say, before it is known what it is good for.

struct RouteKeys {
  std::string path;
  std::string prefix;
  std::string name;
  std::optional<std::string> method;
  std::optional<std::vector<std::string>> methods;
  std::string handler;
  std::string redirect;
  std::string rewrite;
  std::optional<uint32_t> status;
  const Value* answer = nullptr;
  const Value* when = nullptr;
  const Value* middleware = nullptr;
  std::optional<uint64_t> body_limit;
  std::optional<uint32_t> timeout;
  std::optional<uint32_t> concurrency;
  plugin::Executor executor = plugin::Executor::Worker;
  std::vector<std::string> allow;
  const Value* cache = nullptr;
  const Value* parameters = nullptr;
};
// What a group and a host say for all that stands in them.
struct ScopeKeys {
  const Value* middleware = nullptr;
  std::optional<uint64_t> body_limit;
  std::optional<uint32_t> timeout;
  std::optional<uint32_t> concurrency;
  const Value* route = nullptr;
  const Value* group = nullptr;
};
struct GroupKeys {
  std::string prefix;
};
struct HostKeys {
  std::vector<std::string> names;
  std::vector<std::string> listeners;
  std::optional<pipeline::TrailingSlash> trailing_slash;
};
constexpr int64_t kMostRequests = 1'000'000;
constexpr int64_t kMostBody = int64_t{1} << 40;
constexpr int64_t kLongestAnswer = int64_t{24} * 60 * 60 * 1000;
constexpr std::string_view kMiddlewareList = "a list of names and tables";
constexpr std::string_view kRouteList = "a list of tables, each written as [[route]]";
constexpr std::string_view kGroupList = "a list of tables, each written as [[group]]";
std::string check_allowed(std::string_view called, std::string_view text) {
  return text == "all" ? std::string() : check_range(called, text);
}

}  // namespace

std::string check_host_name(std::string_view called, std::string_view text) {
  if (std::ranges::any_of(text, [](char c) { return static_cast<signed char>(c) < 0; }))
    return fmt::format(
        "{} has `{}`: names are written as they are sent, `xn--...` for other letters than those of ASCII",
        called, text);
  return pipeline::check_condition_host(called, text);
}

namespace {

constexpr Row kRoute[] = {
    schema::text<&RouteKeys::path>(
        "path",
        "Segments of text, `{name}` for one segment, or at the end `{name...}` for "
        "the rest, or `{/name...}` for the rest or nothing."),
    schema::text<&RouteKeys::prefix>(
        "prefix", "In place of `path`: this path and all below it. `/docs` is `/docs{/rest...}`."),
    schema::text<&RouteKeys::name>("name", 256,
                                   "What logs and metrics call it, in place of methods and path."),
    schema::text<&RouteKeys::method>(
        "method",
        "`GET` if neither this nor `methods` is given; `HEAD` comes with `GET`, "
        "`OPTIONS` is answered. `*` for all but that, which is what a route without a handler is for."),
    schema::texts<&RouteKeys::methods>("methods", "Several in place of one."),
    schema::any<&RouteKeys::when>(
        "when", kWhenTable,
        "It is for requests only that fit; others go to the next route of the same path. See below."),
    schema::text<&RouteKeys::handler>("handler", "`\"PLUGIN:HANDLER\"`."),
    schema::text<&RouteKeys::redirect>(
        "redirect",
        "In place of a handler: where clients are sent. `{name}` stands for a parameter of the path, "
        "`{scheme}`, `{hostname}` (without a port), "
        "`{host}`, `{path}` and `{query}` (with its question mark) for those of the request."),
    schema::count<&RouteKeys::status>(
        "status", 301, 308, "Of a redirect: 301 or 308 for good, 302, 303 or 307 (as without it) for now."),
    schema::text<&RouteKeys::rewrite>(
        "rewrite",
        "In place of a handler: the path, with a query or without, that is looked "
        "for in its place, written like a redirect."),
    schema::any<&RouteKeys::answer>("answer", kAnswerTable,
                                    "In place of a handler: what is always answered. See below."),
    schema::any<&RouteKeys::middleware>(
        "middleware", kMiddlewareList,
        "Names of declared instances, or tables like those of `[[middleware]]`."),
    // No body at all is said by the methods.
    schema::size<&RouteKeys::body_limit>("body_limit", 1, kMostBody, "In place of `limits.body`."),
    schema::duration<&RouteKeys::timeout>("timeout", 1, kLongestAnswer,
                                          "In place of `limits.answer_timeout`."),
    schema::count<&RouteKeys::concurrency>(
        "concurrency", 1, kMostRequests,
        "The same as a plugin's for the route's handler; both may be given. What middleware or the cache "
        "answers does not count."),
    schema::choice<&RouteKeys::executor>(
        "executor", "worker pool",
        "Where the handler runs: on the worker, which it must not block, or, for one that does, on a thread "
        "of the pool (`pool.threads`, `pool.queue`); when the queue is full a request is answered 503 with "
        "`Retry-After`."),
    schema::list<&RouteKeys::allow>("allow", "ranges of addresses", check_allowed, kBadRange,
                                    "Who may see it, for the handler `leat:dashboard` only: ranges of "
                                    "addresses as in `server.trusted_proxies`, or "
                                    "`all`. With none, clients on the same machine."),
    schema::any<&RouteKeys::cache>("cache", kCacheTable, "Its responses are stored; see below."),
    schema::any<&RouteKeys::parameters>("parameter", kParameterTables,
                                        "What it asks of parameters; see below."),
};

// What a group and a host say for theirs.
constexpr Row kScope[] = {
    schema::any<&ScopeKeys::middleware>("middleware", kMiddlewareList,
                                        "As a route has it, for each of them."),
    schema::size<&ScopeKeys::body_limit>("body_limit", 1, kMostBody, "For routes that do not say it."),
    schema::duration<&ScopeKeys::timeout>("timeout", 1, kLongestAnswer, "For routes that do not say it."),
    schema::count<&ScopeKeys::concurrency>("concurrency", 1, kMostRequests,
                                           "Of the handlers of all of them together."),
    schema::any<&ScopeKeys::route>("route", kRouteList, "Its routes, with the keys of `[[route]]`."),
    schema::any<&ScopeKeys::group>("group", kGroupList, "Its groups."),
};

constexpr Row kGroup[] = {
    schema::text<&GroupKeys::prefix>("prefix", "What the paths of its routes begin with."),
};

constexpr Row kHost[] = {
    schema::list<&HostKeys::names>(
        "names", "hosts", check_host_name, kBadHost,
        "Whom it is: `example.org`, or `*.example.org` for all names below it. Ports do "
        "not count, nor capitals. With none, it is for all names by its `listeners`."),
    schema::list<&HostKeys::listeners>(
        "listeners", "addresses", check_address, kBadAddress,
        "It is for requests that come by these of the addresses that are listened on; "
        "with none, by any."),
    schema::choice<&HostKeys::trailing_slash>("trailing_slash", "exact redirect ignore",
                                              "In place of `server.trailing_slash`."),
};

// What routes have of the host and the groups that they stand in.
struct Scope {
  size_t host = 0;
  std::string prefix;
  std::shared_ptr<const pipeline::RouteScope> said;
  uint64_t body_limit = 0;
  uint32_t timeout_ms = 0;
};

void take_methods(Reader& reader, RouteKeys& keys, pipeline::RouteSpec& spec) {
  const bool one = reader.has("method");
  const bool several = reader.has("methods");
  spec.method_place = reader.place_of(several ? "methods" : "method");
  if (one && several)
    return reader.fail(kDefinedTwice, "a route has `method` or `methods`, not both", spec.method_place);
  if (keys.methods && keys.methods->empty())
    return reader.fail(kMissingKey, "a route takes at least one method", spec.method_place);
  spec.methods = keys.methods ? *std::move(keys.methods)
                              : std::vector{keys.method.value_or(
                                    std::string(reader.has("handler") ? "GET" : pipeline::kAnyMethod))};
}

void take_handler(Reader& reader, std::string&& name, RouteDecl& route) {
  route.handler_place = reader.place_of("handler");
  route.spec.handler_name = std::move(name);
  const std::string_view whole = route.spec.handler_name;
  if (whole.empty()) return;
  const size_t colon = whole.find(':');
  if (colon != std::string_view::npos) route.plugin_size = colon;
  if (route.plugin().empty() || route.handler().empty())
    reader.fail(kBadHandler, fmt::format("`{}` is not PLUGIN:HANDLER", whole), route.handler_place);
}

// Gives `visit` the names and the tables of a list of middleware.
template <class Named, class Table>
void for_each_middleware(Reader& reader, const Value& list, Named named, Table table) {
  if (list.array() == nullptr) return wrong_type(reader, list, "middleware", kMiddlewareList);
  for (const Value& item : *list.array()) {
    if (item.string() != nullptr) {
      named(*item.string());
    } else if (item.table() != nullptr) {
      Reader own = reader_of(item, "[[middleware]]", reader.diagnostics());
      table(read_middleware_spec(item, own));
    } else {
      wrong_type(reader, item, "middleware", kMiddlewareList);
    }
  }
}

void take_middleware(Reader& reader, const Value& list, pipeline::RouteSpec& spec) {
  spec.middleware_place = list.place;
  for_each_middleware(
      reader, list, [&](const std::string& name) { spec.named.push_back(name); },
      [&](pipeline::MiddlewareSpec&& own) { spec.middleware.push_back(std::move(own)); });
}

void take_path(Reader& reader, RouteKeys& keys, const Scope& scope, pipeline::RouteSpec& spec) {
  const bool below = reader.has("prefix");
  spec.path_place = reader.place_of(below ? "prefix" : "path");
  if (below && reader.has("path"))
    return reader.fail(kDefinedTwice, "a route has `path` or `prefix`, not both", spec.path_place);
  if (!below && !reader.has("path"))
    return reader.fail(kMissingKey, "[[route]] needs `path` or `prefix`", spec.path_place);
  std::string own = std::move(below ? keys.prefix : keys.path);
  if (below) {
    if (own.ends_with('/')) own.pop_back();
    own += own.empty() && scope.prefix.empty() ? "/{rest...}" : "{/rest...}";
  }
  spec.path = scope.prefix + own;
}

// What answers: one of four.
void take_action(Reader& reader, RouteKeys& keys, RouteDecl& route) {
  constexpr std::string_view kActions[] = {"handler", "redirect", "rewrite", "answer"};
  const auto count = std::ranges::count_if(kActions, [&](std::string_view key) { return reader.has(key); });
  route.handler_place = reader.place_of("handler");
  if (count == 0)
    return reader.fail(kMissingKey, "[[route]] needs `handler`, or one of `redirect`, `rewrite` and `answer`",
                       route.handler_place);
  if (count > 1)
    return reader.fail(kDefinedTwice, "a route has one of `handler`, `redirect`, `rewrite` and `answer`",
                       reader.place_of(*std::ranges::find_if(
                           kActions, [&](std::string_view key) { return reader.has(key); })));
  if (reader.has("status") && !reader.has("redirect"))
    reader.fail(kNotTogether, "`status` is for redirects", reader.place_of("status"),
                reader.has("answer") ? "an answer has its own: answer = {status = ...}" : "");
  if (reader.has("handler")) return take_handler(reader, std::move(keys.handler), route);
  if (keys.answer != nullptr) read_route_answer(reader, *keys.answer, route);
  if (reader.has("redirect")) {
    route.redirect = std::make_unique<RedirectDecl>(
        RedirectDecl{.target = std::move(keys.redirect),
                     .status = static_cast<uint16_t>(keys.status.value_or(307)),
                     .place = reader.place_of("redirect")});
    if (const uint16_t status = route.redirect->status; status > 303 && status < 307)
      reader.fail(kOutOfRange, fmt::format("{} is no status of a redirect", status),
                  reader.place_of("status"), "301 and 308 are for good, 302, 303 and 307 for now");
  }
  if (reader.has("rewrite")) {
    route.spec.rewrite = std::make_unique<pipeline::RewriteSpec>(
        pipeline::RewriteSpec{.target = std::move(keys.rewrite), .place = reader.place_of("rewrite")});
    for (const std::string_view key : {"middleware", "cache", "body_limit", "timeout", "concurrency"})
      if (reader.has(key))
        reader.fail(kNotTogether,
                    fmt::format("`{}` is for routes that answer, and a rewrite leads to another", key),
                    reader.place_of(key));
  }
}

bool read_route_in(const Value& table, const Scope& scope, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[route]]", diagnostics);
  RouteKeys keys;
  reader.read(kRoute, keys);
  reader.refuse_others(hint_for_route_key);
  RouteDecl route;
  route.spec.host = scope.host;
  route.spec.scope = scope.said;
  route.spec.name = std::move(keys.name);
  take_path(reader, keys, scope, route.spec);
  route.spec.body_limit = keys.body_limit.value_or(scope.body_limit);
  route.spec.timeout_ms = keys.timeout.value_or(scope.timeout_ms);
  route.concurrency = keys.concurrency.value_or(0);
  route.executor = keys.executor;
  take_methods(reader, keys, route.spec);
  take_action(reader, keys, route);
  if (keys.when != nullptr) read_route_when(reader, *keys.when, route.spec);
  if (keys.middleware != nullptr) take_middleware(reader, *keys.middleware, route.spec);
  const bool is_plugins = !route.plugin().empty() && route.plugin() != kOwnHandlers;
  if (!is_plugins && reader.has("executor"))
    reader.fail(kBadChoice, "`executor` is for handlers of plugins", reader.place_of("executor"));
  if (reader.has("allow") && (route.plugin() != kOwnHandlers || route.handler() != "dashboard"))
    reader.fail(kBadChoice, "`allow` is for the handler `leat:dashboard`", reader.place_of("allow"));
  route.allow = std::move(keys.allow);
  if (keys.cache != nullptr) read_route_cache(reader, *keys.cache, route);
  if (keys.parameters != nullptr) {
    if (is_plugins)
      read_route_parameters(*keys.parameters, route, reader.diagnostics());
    else
      reader.fail(kBadChoice, "`parameter` is for handlers of plugins", reader.place_of("parameter"));
  }
  // Also one that is wrong: there may be more to be said of it, and of others that it is like.
  config.routes.push_back(std::move(route));
  return reader.good();
}

using ReadInScope = bool (*)(const Value&, const Scope&, Config&, Diagnostics&);
bool read_group_in(const Value& table, const Scope& scope, Config& config, Diagnostics& diagnostics);

void read_list(Reader& reader, const Value& list, std::string_view key, std::string_view wanted,
               ReadInScope read, const Scope& scope, Config& config) {
  if (list.array() == nullptr) return wrong_type(reader, list, key, wanted);
  for (const Value& item : *list.array()) {
    if (item.table() == nullptr)
      wrong_type(reader, item, key, wanted);
    else
      read(item, scope, config, reader.diagnostics());
  }
}

// What `keys` say, for all that stand in the scope.
void take_scope(Reader& reader, const ScopeKeys& keys, Scope& scope, Config& config) {
  auto said = scope.said ? std::make_shared<pipeline::RouteScope>(*scope.said)
                         : std::make_shared<pipeline::RouteScope>();
  if (keys.middleware != nullptr)
    for_each_middleware(
        reader, *keys.middleware, [&](const std::string& name) { said->named.push_back(name); },
        [&](pipeline::MiddlewareSpec&& own) {
          own.global = false;
          said->inherited.push_back(config.middleware.size());
          config.middleware.push_back(std::move(own));
        });
  if (keys.body_limit) scope.body_limit = *keys.body_limit;
  if (keys.timeout) scope.timeout_ms = *keys.timeout;
  if (keys.concurrency) {
    said->shared_limits.push_back(config.shared_limits.size());
    config.shared_limits.push_back(*keys.concurrency);
  }
  scope.said = std::move(said);
}

void read_inside(Reader& reader, const ScopeKeys& keys, const Scope& scope, Config& config) {
  if (keys.route != nullptr)
    read_list(reader, *keys.route, "route", kRouteList, read_route_in, scope, config);
  if (keys.group != nullptr)
    read_list(reader, *keys.group, "group", kGroupList, read_group_in, scope, config);
}

bool read_group_in(const Value& table, const Scope& outer, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[group]]", diagnostics);
  GroupKeys keys;
  ScopeKeys of_all;
  reader.read(kGroup, keys);
  reader.read(kScope, of_all);
  reader.refuse_others();
  Scope scope = outer;
  if (keys.prefix.ends_with('/')) keys.prefix.pop_back();
  if (!keys.prefix.empty() && !keys.prefix.starts_with('/'))
    reader.fail(pipeline::kBadPattern, fmt::format("bad path `{}`: a path begins with `/`", keys.prefix),
                reader.place_of("prefix"));
  scope.prefix += keys.prefix;
  take_scope(reader, of_all, scope, config);
  read_inside(reader, of_all, scope, config);
  return reader.good();
}

}  // namespace

std::span<const Row> route_rows() { return kRoute; }
std::span<const Row> group_rows() { return kGroup; }
std::span<const Row> host_rows() { return kHost; }
std::span<const Row> scope_rows() { return kScope; }

bool read_route(const Value& table, Config& config, Diagnostics& diagnostics) {
  return read_route_in(table, {}, config, diagnostics);
}

bool read_group(const Value& table, Config& config, Diagnostics& diagnostics) {
  return read_group_in(table, {}, config, diagnostics);
}

bool read_host(const Value& table, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[host]]", diagnostics);
  HostKeys keys;
  ScopeKeys of_all;
  reader.read(kHost, keys);
  reader.read(kScope, of_all);
  reader.refuse_others();
  HostDecl host;
  host.spec.place = reader.place_of(reader.has("names") ? "names" : "listeners");
  host.listeners_place = reader.place_of("listeners");
  if (keys.names.empty() && keys.listeners.empty() && reader.good())
    reader.fail(kMissingKey, "[[host]] needs `names`, or `listeners`", host.spec.place,
                "routes for all other hosts stand outside of every [[host]]");
  for (auto each = keys.names.begin(); each != keys.names.end(); ++each)
    if (std::find(keys.names.begin(), each, *each) != each)
      reader.fail(kDefinedTwice, fmt::format("`{}` is named twice", *each), host.spec.place);
  for (const std::string& text : keys.listeners)
    if (const auto address = net::Address::parse(text)) host.listeners.push_back(*address);
  host.spec.names = std::move(keys.names);
  host.trailing_slash = keys.trailing_slash;
  Scope scope;
  scope.host = config.hosts.size() + 1;
  take_scope(reader, of_all, scope, config);
  host.spec.scope = scope.said;
  if (of_all.middleware != nullptr) host.spec.middleware_place = of_all.middleware->place;
  // Also one that is wrong, since its routes say by number where they stand.
  config.hosts.push_back(std::move(host));
  read_inside(reader, of_all, scope, config);
  return reader.good();
}

}  // namespace leat::config
