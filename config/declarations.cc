#include "config/declarations.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "base/suggest.h"
#include "config/codes.h"
#include "config/mistakes.h"
#include "config/settings.h"

namespace leat::config {

namespace {

// The keys of one table, each looked up once; what was never looked up is unknown.
class Keys {
 public:
  Keys(const Value& table, std::string_view header, Diagnostics& diagnostics)
      : table_(table), header_(header), diagnostics_(diagnostics), before_(diagnostics.size()) {}

  const Value* find(std::string_view key) {
    known_.push_back(key);
    return table_.find(key);
  }
  // The text at `key`; empty where it is absent.
  std::string text(std::string_view key) {
    const Value* value = find(key);
    if (value == nullptr) return {};
    if (value->string() != nullptr) return *value->string();
    wrong_type(*value, key, "text in quotes");
    return {};
  }
  std::string needed_text(std::string_view key) {
    const Value* value = table_.find(key);
    if (value == nullptr) fail(kMissingKey, fmt::format("[[{}]] needs `{}`", header_, key), table_.place);
    if (value != nullptr && value->string() != nullptr && value->string()->empty())
      fail(kMissingKey, fmt::format("`{}` is empty", key), value->place);
    return text(key);
  }
  // A list of texts, or one text.
  std::vector<std::string> texts(std::string_view key) {
    std::vector<std::string> list;
    const auto take = [&](const Value& item) {
      if (item.string() != nullptr) {
        list.push_back(*item.string());
      } else {
        wrong_type(item, key, "a list of texts");
      }
    };
    const Value* value = find(key);
    if (value == nullptr) return list;
    if (value->array() == nullptr) {
      take(*value);
    } else {
      for (const Value& item : *value->array()) take(item);
    }
    return list;
  }
  bool boolean(std::string_view key, bool otherwise) {
    const Value* value = find(key);
    if (value == nullptr) return otherwise;
    if (value->boolean() != nullptr) return *value->boolean();
    wrong_type(*value, key, "true or false");
    return otherwise;
  }
  // Of the value at `key`, or of the table where it is absent.
  [[nodiscard]] Place place_of(std::string_view key) const {
    const Value* value = table_.find(key);
    return value != nullptr ? value->place : table_.place;
  }
  // The entries that were not looked up.
  [[nodiscard]] Value::Table others() const {
    Value::Table entries;
    for (const Value::Entry& entry : *table_.table())
      if (!std::ranges::contains(known_, std::string_view(entry.first))) entries.push_back(entry);
    return entries;
  }
  void refuse_others() {
    for (const auto& [key, value] : others())
      fail(kUnknownKey, "unknown key `" + key + "`", value.key_place, did_you_mean(key, known_));
  }
  void fail(Code code, std::string message, const Place& place, std::string hint = {}) {
    diagnostics_.push_back(
        {.code = code, .message = std::move(message), .place = place, .hint = std::move(hint)});
  }
  void wrong_type(const Value& value, std::string_view key, std::string_view wanted) {
    diagnostics_.push_back(config::wrong_type(value, key, wanted));
  }
  Diagnostics& diagnostics() { return diagnostics_; }
  [[nodiscard]] bool good() const { return diagnostics_.size() == before_; }

 private:
  const Value& table_;
  std::string_view header_;
  Diagnostics& diagnostics_;
  size_t before_;
  std::vector<std::string_view> known_;
};

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// Everything but its own keys are options of the kind, which judges them.
pipeline::MiddlewareSpec middleware_spec(const Value& table, Keys& keys) {
  pipeline::MiddlewareSpec spec;
  spec.kind = keys.needed_text("kind");
  spec.name = keys.text("name");
  spec.before = keys.texts("before");
  spec.after = keys.texts("after");
  spec.global = keys.boolean("global", true);
  // Of a plugin's kind only; others have an option of that name, or none.
  if (spec.kind.contains(':')) spec.optional = keys.boolean("optional", false);
  spec.place = keys.place_of("kind");
  spec.options = Value(keys.others(), table.place);
  return spec;
}

void read_methods(Keys& keys, pipeline::RouteSpec& spec) {
  const Value* one = keys.find("method");
  const Value* several = keys.find("methods");
  spec.method_place = keys.place_of(several != nullptr ? "methods" : "method");
  if (one != nullptr && several != nullptr)
    return keys.fail(kDefinedTwice, "a route has `method` or `methods`, not both", spec.method_place);
  if (one == nullptr && several == nullptr) {
    spec.methods.emplace_back("GET");
    return;
  }
  spec.methods = one != nullptr ? std::vector{keys.text("method")} : keys.texts("methods");
  const bool none = several != nullptr && several->array() != nullptr && several->array()->empty();
  if (none) keys.fail(kMissingKey, "a route takes at least one method", spec.method_place);
}

void read_handler(Keys& keys, RouteDecl& route) {
  std::string& name = route.spec.handler_name = keys.needed_text("handler");
  route.handler_place = keys.place_of("handler");
  if (name.empty()) return;
  const size_t colon = std::min(name.find(':'), name.size());
  route.plugin = name.substr(0, colon);
  route.handler = name.substr(std::min(colon + 1, name.size()));
  if (route.plugin.empty() || route.handler.empty())
    keys.fail(kBadHandler, "`" + name + "` is not PLUGIN:HANDLER", route.handler_place);
}

void read_route_middleware(Keys& keys, pipeline::RouteSpec& spec) {
  constexpr std::string_view kWanted = "a list of names and tables";
  const Value* list = keys.find("middleware");
  if (list == nullptr) return;
  spec.middleware_place = list->place;
  if (list->array() == nullptr) return keys.wrong_type(*list, "middleware", kWanted);
  for (const Value& item : *list->array()) {
    if (item.string() != nullptr) {
      spec.named.push_back(*item.string());
    } else if (item.table() != nullptr) {
      Keys own(item, "middleware", keys.diagnostics());
      spec.middleware.push_back(middleware_spec(item, own));
    } else {
      keys.wrong_type(item, "middleware", kWanted);
    }
  }
}

// In the range of limits.body, except that no body at all is said by the methods.
void read_body_limit(Keys& keys, pipeline::RouteSpec& spec) {
  const Value* value = keys.find("body_limit");
  if (value == nullptr) return;
  Setting row = *find_setting("limits.body");
  row.path = "body_limit";
  row.least = 1;
  Settings scratch;
  scratch.limits.body_bytes = 0;
  apply(row, *value, scratch, keys.diagnostics());
  spec.body_limit = scratch.limits.body_bytes;
}

// Of a route or a plugin; 0 where it is absent.
uint32_t read_concurrency(Keys& keys) {
  const Value* value = keys.find("concurrency");
  if (value == nullptr) return 0;
  Setting row = *find_setting("limits.requests_in_flight");
  row.path = "concurrency";
  Settings scratch;
  scratch.max_requests = 0;
  apply(row, *value, scratch, keys.diagnostics());
  return scratch.max_requests;
}

void read_executor(Keys& keys, RouteDecl& route) {
  const Value* value = keys.find("executor");
  if (value == nullptr) return;
  const std::string name = keys.text("executor");
  if (route.plugin == kOwnHandlers)
    keys.fail(kBadChoice, "`executor` is for handlers of plugins", value->place);
  else if (name == "pool")
    route.executor = plugin::Executor::Pool;
  else if (name != "worker" && value->string() != nullptr)
    keys.fail(kBadChoice, "there is no executor `" + name + "`", value->place, R"(it is "worker" or "pool")");
}

void read_query(Keys& keys, cache::Policy& policy) {
  using Query = cache::Policy::Query;
  const Value* value = keys.find("query");
  if (value == nullptr) return;
  if (value->array() != nullptr) {
    policy.query = Query::Listed;
    policy.parameters = keys.texts("query");
  } else if (value->string() != nullptr && (*value->string() == "all" || *value->string() == "none")) {
    policy.query = *value->string() == "all" ? Query::All : Query::None;
  } else {
    keys.wrong_type(*value, "query", R"("all", "none" or a list of parameters)");
  }
}

void read_cache(Keys& keys, RouteDecl& route) {
  const Value* value = keys.find("cache");
  if (value == nullptr) return;
  if (value->table() == nullptr) return keys.wrong_type(*value, "cache", "a table, written as [route.cache]");
  if (!std::ranges::contains(route.spec.methods, "GET"))
    keys.fail(kBadChoice, "`cache` is for routes with the method GET", value->place);
  Keys own(*value, "route.cache", keys.diagnostics());
  Settings scratch;
  for (const Setting& row : route_cache_settings())
    if (const Value* each = own.find(row.path)) apply(row, *each, scratch, keys.diagnostics());
  read_query(own, scratch.route_cache);
  own.refuse_others();
  route.cache = std::move(scratch.route_cache);
}

}  // namespace

bool read_plugin(const Value& table, Config& config, Diagnostics& diagnostics) {
  Keys keys(table, "plugin", diagnostics);
  PluginDecl plugin;
  plugin.name = keys.needed_text("name");
  plugin.file = keys.needed_text("file");
  plugin.place = keys.place_of("file");
  plugin.config = Value(Value::Table{}, table.place);
  if (const Value* own = keys.find("config")) {
    if (own->table() == nullptr) keys.wrong_type(*own, "config", "a table, written as [plugin.config]");
    plugin.config = *own;
  }
  plugin.concurrency = read_concurrency(keys);
  if (const Value* services = keys.find("services")) {
    if (services->table() == nullptr)
      keys.wrong_type(*services, "services", R"(a table, like {"users/1" = "directory"})");
    else
      for (const auto& [service, provider] : *services->table()) {
        if (provider.string() == nullptr)
          keys.wrong_type(provider, "services." + service, "the name of a plugin");
        else
          plugin.services.push_back({service, *provider.string(), provider.place});
      }
  }
  keys.refuse_others();
  if (!plugin.name.empty() && !is_name(plugin.name))
    keys.fail(kBadName, "`" + plugin.name + "` is not a name for a plugin", keys.place_of("name"),
              "names are made of letters, digits, - and _");
  if (plugin.name == kOwnHandlers)
    keys.fail(kBadName, "no plugin can be named `" + plugin.name + "`", keys.place_of("name"),
              "routes reach the daemon's own handlers under that name");
  if (!plugin.name.empty() && std::ranges::contains(config.plugins, plugin.name, &PluginDecl::name))
    keys.fail(kDefinedTwice, "two plugins are named `" + plugin.name + "`", keys.place_of("name"));
  // Also one that is wrong, so that its routes are not told that it is missing.
  config.plugins.push_back(std::move(plugin));
  return keys.good();
}

bool read_middleware(const Value& table, Config& config, Diagnostics& diagnostics) {
  Keys keys(table, "middleware", diagnostics);
  pipeline::MiddlewareSpec spec = middleware_spec(table, keys);
  if (keys.good()) config.middleware.push_back(std::move(spec));
  return keys.good();
}

bool read_route(const Value& table, Config& config, Diagnostics& diagnostics) {
  Keys keys(table, "route", diagnostics);
  RouteDecl route;
  route.spec.path = keys.needed_text("path");
  route.spec.path_place = keys.place_of("path");
  read_methods(keys, route.spec);
  read_handler(keys, route);
  read_route_middleware(keys, route.spec);
  read_body_limit(keys, route.spec);
  route.concurrency = read_concurrency(keys);
  read_executor(keys, route);
  read_cache(keys, route);
  keys.refuse_others();
  if (keys.good()) config.routes.push_back(std::move(route));
  return keys.good();
}

}  // namespace leat::config
