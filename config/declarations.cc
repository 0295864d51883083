#include "config/declarations.h"

#include <fmt/core.h>

#include <algorithm>

#include "config/accounts.h"
#include "config/codes.h"
#include "config/foreign_keys.h"
#include "config/settings.h"

namespace leat::config {

namespace {

using schema::Reader;
using schema::Row;

// What the tables say, before it is known what it is good for.

struct ListenerKeys {
  std::string address;
  std::optional<int> backlog;
  std::optional<bool> defer_accept;
  std::optional<uint32_t> mode;
  std::optional<std::string> owner;
  std::optional<std::string> group;
  std::vector<std::string> protocols;
  bool proxy_protocol = false;
  std::vector<AddressRange> trusted_proxies;
};
struct PluginKeys {
  std::string name;
  std::string file;
  const Value* services = nullptr;
  std::optional<uint32_t> concurrency;
  const Value* config = nullptr;
};
struct MiddlewareKeys {
  std::string kind;
  std::string name;
  std::vector<std::string> before;
  std::vector<std::string> after;
  bool global = true;
  bool optional = false;
};
struct RouteKeys {
  std::string path;
  std::optional<std::string> method;
  std::optional<std::vector<std::string>> methods;
  std::string handler;
  const Value* middleware = nullptr;
  std::optional<uint64_t> body_limit;
  std::optional<uint32_t> concurrency;
  plugin::Executor executor = plugin::Executor::Worker;
  std::vector<std::string> allow;
  const Value* cache = nullptr;
};
struct QueryKey {
  const Value* query = nullptr;
};

constexpr int64_t kMostRequests = 1'000'000;
constexpr int64_t kMostBody = int64_t{1} << 40;
constexpr std::string_view kConfigTable = "a table, written as [plugin.config]";
constexpr std::string_view kServicesTable = R"(a table, like {"users/1" = "directory"})";
constexpr std::string_view kMiddlewareList = "a list of names and tables";
constexpr std::string_view kCacheTable = "a table, written as [route.cache]";
constexpr std::string_view kQueryWords = R"("all", "none" or a list of parameters)";

std::string check_allowed(std::string_view called, std::string_view text) {
  return text == "all" ? std::string() : check_range(called, text);
}

std::string check_protocol(std::string_view, std::string_view text) {
  if (std::ranges::contains(worker::kProtocolNames, text)) return {};
  std::string known;
  for (const std::string_view each : worker::kProtocolNames)
    known += fmt::format("{}`{}`", known.empty() ? "" : ", ", each);
  return fmt::format("`{}` is not a protocol that is spoken: there is {}", text, known);
}

constexpr Row kListener[] = {
    schema::text<&ListenerKeys::address>("address", check_address, kBadAddress,
                                         "Where to listen, as in `server.listen`.")
        .as_needed(),
    schema::count<&ListenerKeys::backlog>("backlog", 1, 65535, "In place of `server.backlog`."),
    schema::boolean<&ListenerKeys::defer_accept>("defer_accept",
                                                 "In place of `server.defer_accept`; TCP only."),
    schema::mode<&ListenerKeys::mode>("mode", 0, 0777, "In place of `server.unix_mode`; unix sockets only."),
    schema::text<&ListenerKeys::owner>(
        "owner", check_user, kNoAccount,
        "The user, by name or number, whom a unix socket's file belongs to, in place of the daemon's."),
    schema::text<&ListenerKeys::group>(
        "group", check_group, kNoAccount,
        "Likewise the group: one that the daemon's user is in, such as that of the proxy in front."),
    schema::boolean<&ListenerKeys::proxy_protocol>(
        "proxy_protocol",
        "Each connection begins with a header of the PROXY protocol (version 1 or 2) that says for whom it "
        "is. Only who "
        "is trusted may connect."),
    schema::list<&ListenerKeys::trusted_proxies>(
        "trusted_proxies", "ranges of addresses", check_range, kBadRange,
        "In place of `server.trusted_proxies`; an empty list for nobody."),
    schema::list<&ListenerKeys::protocols>(
        "protocols", "names of protocols", check_protocol, kBadChoice,
        "What may be spoken, what goes first where several would do: `http/1.1`. With none, all that Leat "
        "speaks."),
};

constexpr Row kPlugin[] = {
    schema::text<&PluginKeys::name>("name", "What routes call it.").as_needed(),
    schema::text<&PluginKeys::file>(
        "file",
        "A path, or a name to be looked for in `server.plugin_path` and then in the installed folder; or "
        "`static:NAME` for one that is built in.")
        .as_needed(),
    schema::any<&PluginKeys::services>(
        "services", kServicesTable,
        "Which plugin provides a service that this one needs, where several could."),
    schema::count<&PluginKeys::concurrency>(
        "concurrency", 1, kMostRequests,
        "How many requests its handlers have at the same time, on all workers; one more is answered 503 with "
        "`Retry-After`."),
    schema::any<&PluginKeys::config>("config", kConfigTable, "The plugin's own options."),
};

constexpr Row kMiddleware[] = {
    schema::text<&MiddlewareKeys::kind>("kind", "One of those below.").as_needed(),
    schema::text<&MiddlewareKeys::name>("name", "For routes, `before` and `after`."),
    schema::texts<&MiddlewareKeys::before>(
        "before", "Kinds or names that this instance must precede; `cache` is the response cache."),
    schema::texts<&MiddlewareKeys::after>("after", "Kinds or names that it must follow."),
    schema::boolean<&MiddlewareKeys::global>("global", "Every route has it, not only those that name it."),
    schema::boolean<&MiddlewareKeys::optional>(
        "optional",
        "Of a plugin's kind only: routes serve without it while its plugin is in quarantine. Otherwise they "
        "answer 503 then, so that nothing that it guards is open."),
};

constexpr Row kRoute[] = {
    schema::text<&RouteKeys::path>(
        "path",
        "Segments of text, `{name}` for one segment, or at the end `{name...}` for "
        "the rest.")
        .as_needed(),
    schema::text<&RouteKeys::method>("method",
                                     "`GET` if neither this nor `methods` is given; `HEAD` comes with `GET`, "
                                     "`OPTIONS` is answered."),
    schema::texts<&RouteKeys::methods>("methods", "Several in place of one."),
    schema::text<&RouteKeys::handler>("handler", "`\"PLUGIN:HANDLER\"`.").as_needed(),
    schema::any<&RouteKeys::middleware>(
        "middleware", kMiddlewareList,
        "Names of declared instances, or tables like those of `[[middleware]]`."),
    // No body at all is said by the methods.
    schema::size<&RouteKeys::body_limit>("body_limit", 1, kMostBody, "In place of `limits.body`."),
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
};

const schema::Content kWholeQuery = std::string("all");
constexpr Row kQuery[] = {
    schema::any<&QueryKey::query>(
        "query", kQueryWords,
        "The part of the query that makes two requests different: all of it, nothing, or the parameters that "
        "are listed.")
        .with_default(&kWholeQuery),
};

Reader reader_of(const Value& table, std::string_view header, Diagnostics& diagnostics) {
  return {table, header, kSchemaCodes, diagnostics};
}
void wrong_type(Reader& reader, const Value& value, std::string_view key, std::string_view wanted) {
  reader.diagnostics().push_back(
      schema::wrong_type(value, fmt::format("`{}`", key), wanted, kSchemaCodes.type));
}

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// Everything but its own keys are options of the kind, which judges them.
pipeline::MiddlewareSpec middleware_spec(const Value& table, Reader& reader) {
  MiddlewareKeys keys;
  reader.read(kMiddleware, keys);
  if (keys.optional && !keys.kind.contains(':'))
    reader.diagnostics().push_back(
        Diagnostic{.code = pipeline::kBadOption,
                   .message = "`optional` is for kinds of plugins",
                   .place = reader.place_of("optional"),
                   .hint = fmt::format("remove it: `{}` is always there", keys.kind)});
  pipeline::MiddlewareSpec spec;
  spec.kind = std::move(keys.kind);
  spec.name = std::move(keys.name);
  spec.before = std::move(keys.before);
  spec.after = std::move(keys.after);
  spec.global = keys.global;
  spec.optional = keys.optional;
  spec.place = reader.place_of("kind");
  spec.options = Value(reader.others(), table.place);
  return spec;
}

void take_methods(Reader& reader, RouteKeys& keys, pipeline::RouteSpec& spec) {
  const bool one = reader.has("method");
  const bool several = reader.has("methods");
  spec.method_place = reader.place_of(several ? "methods" : "method");
  if (one && several)
    return reader.fail(kDefinedTwice, "a route has `method` or `methods`, not both", spec.method_place);
  if (keys.methods && keys.methods->empty())
    return reader.fail(kMissingKey, "a route takes at least one method", spec.method_place);
  spec.methods = keys.methods ? *std::move(keys.methods) : std::vector{keys.method.value_or("GET")};
}

void take_handler(Reader& reader, std::string&& name, RouteDecl& route) {
  route.handler_place = reader.place_of("handler");
  route.spec.handler_name = std::move(name);
  const std::string_view whole = route.spec.handler_name;
  if (whole.empty()) return;
  const size_t colon = std::min(whole.find(':'), whole.size());
  route.plugin = whole.substr(0, colon);
  route.handler = whole.substr(std::min(colon + 1, whole.size()));
  if (route.plugin.empty() || route.handler.empty())
    reader.fail(kBadHandler, fmt::format("`{}` is not PLUGIN:HANDLER", whole), route.handler_place);
}

void take_middleware(Reader& reader, const Value& list, pipeline::RouteSpec& spec) {
  spec.middleware_place = list.place;
  if (list.array() == nullptr) return wrong_type(reader, list, "middleware", kMiddlewareList);
  for (const Value& item : *list.array()) {
    if (item.string() != nullptr) {
      spec.named.push_back(*item.string());
    } else if (item.table() != nullptr) {
      Reader own = reader_of(item, "[[middleware]]", reader.diagnostics());
      spec.middleware.push_back(middleware_spec(item, own));
    } else {
      wrong_type(reader, item, "middleware", kMiddlewareList);
    }
  }
}

void take_query(Reader& reader, const Value& value, cache::Policy& policy) {
  using Query = cache::Policy::Query;
  const auto is = [&](std::string_view word) { return value.string() != nullptr && *value.string() == word; };
  if (value.array() == nullptr) {
    if (!is("all") && !is("none")) return wrong_type(reader, value, "query", kQueryWords);
    policy.query = is("all") ? Query::All : Query::None;
    return;
  }
  struct Listed {
    std::vector<std::string> parameters;
  } listed;
  static constexpr Row kRow[] = {schema::texts<&Listed::parameters>("query", "")};
  reader.read(kRow, listed);
  policy.query = Query::Listed;
  policy.parameters = std::move(listed.parameters);
}

void take_cache(Reader& reader, const Value& value, RouteDecl& route) {
  if (value.table() == nullptr) return wrong_type(reader, value, "cache", kCacheTable);
  if (!std::ranges::contains(route.spec.methods, "GET"))
    reader.fail(kBadChoice, "`cache` is for routes with the method GET", value.place);
  Reader own = reader_of(value, "[route.cache]", reader.diagnostics());
  route.cache = std::make_unique<cache::Policy>();
  cache::Policy& policy = *route.cache;
  QueryKey key;
  own.read(route_cache_settings(), policy);
  own.read(kQuery, key);
  if (key.query != nullptr) take_query(own, *key.query, policy);
  own.refuse_others();
}

void take_services(Reader& reader, const Value& value, PluginDecl& plugin) {
  if (value.table() == nullptr) return wrong_type(reader, value, "services", kServicesTable);
  for (const auto& [service, provider] : *value.table()) {
    if (provider.string() == nullptr)
      wrong_type(reader, provider, "services." + service, "the name of a plugin");
    else
      plugin.services.push_back({service, *provider.string(), provider.place});
  }
}

}  // namespace

std::span<const Row> listener_rows() { return kListener; }
std::span<const Row> plugin_rows() { return kPlugin; }
std::span<const Row> middleware_rows() { return kMiddleware; }
std::span<const Row> route_rows() { return kRoute; }
std::span<const Row> route_query_rows() { return kQuery; }

bool read_listener(const Value& table, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[listener]]", diagnostics);
  ListenerKeys keys;
  reader.read(kListener, keys);
  reader.refuse_others(hint_for_listener_key);
  const auto address = net::Address::parse(keys.address);
  if (address) {
    const bool file = address->kind == net::Address::Kind::Unix;
    const auto no_use = [&](std::string_view key, bool useful, std::string_view what) {
      if (reader.has(key) && !useful)
        reader.fail(kBadChoice, fmt::format("`{}` is for {}", key, what), reader.place_of(key),
                    fmt::format("`{}` has no use for it", keys.address));
    };
    for (const std::string_view key : {"mode", "owner", "group"}) no_use(key, file, "unix sockets");
    no_use("defer_accept", !file, "TCP");
  }
  for (auto each = keys.protocols.begin(); each != keys.protocols.end(); ++each)
    if (std::find(keys.protocols.begin(), each, *each) != each)
      reader.fail(kDefinedTwice, fmt::format("`{}` is named twice", *each), reader.place_of("protocols"));
  if (keys.proxy_protocol && reader.has("trusted_proxies") && keys.trusted_proxies.empty() && reader.good())
    reader.fail(kNobodyTrusted,
                "`proxy_protocol` needs somebody who is trusted, and `trusted_proxies` is empty",
                reader.place_of("trusted_proxies"));
  if (!reader.good()) return false;
  ListenerDecl listener{.address = *address,
                        .backlog = keys.backlog,
                        .defer_accept = keys.defer_accept,
                        .mode = keys.mode,
                        .protocols = std::move(keys.protocols),
                        .proxy_protocol = keys.proxy_protocol};
  if (keys.owner) listener.owner = find_user(*keys.owner);
  if (keys.group) listener.group = find_group(*keys.group);
  if (reader.has("trusted_proxies")) listener.trusted_proxies = std::move(keys.trusted_proxies);
  listener.place = reader.place_of("address");
  config.settings.listeners.push_back(std::move(listener));
  return true;
}

bool read_plugin(const Value& table, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[plugin]]", diagnostics);
  PluginKeys keys;
  reader.read(kPlugin, keys);
  reader.refuse_others();
  PluginDecl plugin;
  plugin.name = std::move(keys.name);
  plugin.file = std::move(keys.file);
  plugin.place = reader.place_of("file");
  plugin.concurrency = keys.concurrency.value_or(0);
  plugin.config = keys.config != nullptr ? *keys.config : Value(Value::Table{}, table.place);
  if (plugin.config.table() == nullptr) wrong_type(reader, plugin.config, "config", kConfigTable);
  if (keys.services != nullptr) take_services(reader, *keys.services, plugin);
  if (!plugin.name.empty() && !is_name(plugin.name))
    reader.fail(kBadName, "`" + plugin.name + "` is not a name for a plugin", reader.place_of("name"),
                "names are made of letters, digits, - and _");
  if (plugin.name == kOwnHandlers)
    reader.fail(kBadName, "no plugin can be named `" + plugin.name + "`", reader.place_of("name"),
                "routes reach the daemon's own handlers under that name");
  if (!plugin.name.empty() && std::ranges::contains(config.plugins, plugin.name, &PluginDecl::name))
    reader.fail(kDefinedTwice, "two plugins are named `" + plugin.name + "`", reader.place_of("name"));
  // Also one that is wrong, so that its routes are not told that it is missing.
  config.plugins.push_back(std::move(plugin));
  return reader.good();
}

bool read_middleware(const Value& table, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[middleware]]", diagnostics);
  // Also one that is wrong, so that who names it is not told that it is missing.
  config.middleware.push_back(middleware_spec(table, reader));
  return reader.good();
}

bool read_route(const Value& table, Config& config, Diagnostics& diagnostics) {
  Reader reader = reader_of(table, "[[route]]", diagnostics);
  RouteKeys keys;
  reader.read(kRoute, keys);
  reader.refuse_others(hint_for_route_key);
  RouteDecl route;
  route.spec.path = std::move(keys.path);
  route.spec.path_place = reader.place_of("path");
  route.spec.body_limit = keys.body_limit.value_or(0);
  route.concurrency = keys.concurrency.value_or(0);
  route.executor = keys.executor;
  take_methods(reader, keys, route.spec);
  take_handler(reader, std::move(keys.handler), route);
  if (keys.middleware != nullptr) take_middleware(reader, *keys.middleware, route.spec);
  if (route.plugin == kOwnHandlers && reader.has("executor"))
    reader.fail(kBadChoice, "`executor` is for handlers of plugins", reader.place_of("executor"));
  if (reader.has("allow") && (route.plugin != kOwnHandlers || route.handler != "dashboard"))
    reader.fail(kBadChoice, "`allow` is for the handler `leat:dashboard`", reader.place_of("allow"));
  route.allow = std::move(keys.allow);
  if (keys.cache != nullptr) take_cache(reader, *keys.cache, route);
  // Also one that is wrong: there may be more to be said of it, and of others that it is like.
  config.routes.push_back(std::move(route));
  return reader.good();
}

}  // namespace leat::config
