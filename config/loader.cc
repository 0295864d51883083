// Files into a Config: reads the main file, conf.d and includes, puts settings where they belong and turns
// [[plugin]], [[middleware]] and [[route]] into declarations. Goes on after every mistake, so that all are
// reported at once.
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <format>
#include <map>

#include "base/suggest.h"
#include "config/codes.h"
#include "config/config.h"
#include "config/settings.h"
#include "config/toml.h"
#include "config/units.h"

namespace leat::config {

namespace {

namespace fs = std::filesystem;

constexpr size_t kDeepestInclude = 16;

class Loader {
 public:
  LoadResult run(const std::string& path, const Overrides& overrides) {
    read(path);
    // Only a configuration that lives in a folder of its own kind has a conf.d: what lies beside some file
    // that was named by hand means nothing.
    std::error_code ignored;
    std::vector<std::string> parts;
    for (const auto& entry : fs::directory_iterator(fs::path(path).parent_path() / "conf.d", ignored))
      if (entry.path().extension() == ".toml") parts.push_back(entry.path().string());
    std::ranges::sort(parts);
    for (const std::string& part : parts) read(part);
    override_settings(overrides);
    if (config_.settings.listen.empty() && !listen_failed_)
      config_.settings.listen.push_back({{.kind = net::Address::Kind::Ipv4, .host = "127.0.0.1", .port = 8080}, {}});
    check_routes(path);
    const bool bad = std::ranges::any_of(diagnostics_, [](const Diagnostic& each) {
      return each.severity == Diagnostic::Severity::Error;
    });
    LoadResult result{.config = std::nullopt, .diagnostics = std::move(diagnostics_)};
    if (!bad) result.config = std::move(config_);
    return result;
  }

 private:
  void fail(int code, std::string message, const Place& place, std::string hint = {}) {
    diagnostics_.push_back({.code = code, .message = std::move(message), .place = place, .hint = std::move(hint)});
  }
  void wrong_type(const Value& value, std::string_view key, std::string_view wanted) {
    fail(kWrongType, std::format("`{}` is {}, not a {}", key, wanted, value.type_name()), value.place);
  }

  void read(const std::string& path) {
    if (std::ranges::find(open_, path) != open_.end() || open_.size() >= kDeepestInclude) {
      fail(kIncludeCycle, "`" + path + "` includes itself, or includes nest too deep", include_place_);
      return;
    }
    open_.push_back(path);
    const Value top = read_toml(path, diagnostics_);
    for (const auto& [key, value] : *top.table()) read_top(key, value, path);
    open_.pop_back();
  }

  void read_top(const std::string& key, const Value& value, const std::string& path) {
    if (key == "include") return read_includes(value, path);
    if (key == "plugin") return each_table(value, key, [&](const Value& table) { read_plugin(table); });
    if (key == "middleware") return each_table(value, key, [&](const Value& table) { read_middleware(table); });
    if (key == "route") return each_table(value, key, [&](const Value& table) { read_route(table); });
    std::vector<std::string> groups{"include", "plugin", "middleware", "route"};
    bool group = false;
    for (const Setting& setting : settings()) {
      const std::string name(setting.path.substr(0, setting.path.find('.')));
      if (name == key) group = true;
      if (std::ranges::find(groups, name) == groups.end()) groups.push_back(name);
    }
    if (!group) return fail(kUnknownKey, "unknown key `" + key + "`", value.key_place, did_you_mean(key, groups));
    if (value.table() == nullptr) return wrong_type(value, key, "a table, written as [" + key + "]");
    for (const auto& [name, entry] : *value.table()) read_setting(key, name, entry);
  }

  void read_setting(const std::string& group, const std::string& name, const Value& value) {
    const std::string path = group + "." + name;
    const Setting* setting = find_setting(path);
    if (setting == nullptr) {
      std::vector<std::string> known;
      for (const Setting& each : settings())
        if (each.path.starts_with(group + ".")) known.emplace_back(each.path.substr(group.size() + 1));
      return fail(kUnknownKey, "unknown key `" + name + "`", value.key_place, did_you_mean(name, known));
    }
    const auto [first, fresh] = seen_.try_emplace(path, value.key_place);
    if (!fresh)
      return fail(kDefinedTwice, "`" + path + "` is defined twice", value.key_place,
                  std::format("the other is at {}:{}", *first->second.file, first->second.line));
    const size_t before = diagnostics_.size();
    apply(*setting, value, config_.settings, diagnostics_);
    if (path == "server.listen") listen_failed_ = diagnostics_.size() != before;
  }

  void read_includes(const Value& value, const std::string& path) {
    const auto include = [&](const Value& item) {
      if (item.string() == nullptr) return wrong_type(item, "include", "a list of file names");
      const std::string pattern = (fs::path(path).parent_path() / *item.string()).string();
      ::glob_t found{};
      const int result = ::glob(pattern.c_str(), 0, nullptr, &found);  // sorted
      if (result != 0 && pattern.find_first_of("*?[") == std::string::npos)
        fail(kNoInclude, "there is no file `" + pattern + "`", item.place);
      include_place_ = item.place;
      for (size_t i = 0; result == 0 && i < found.gl_pathc; ++i) read(found.gl_pathv[i]);
      ::globfree(&found);
    };
    if (value.array() == nullptr) return include(value);
    for (const Value& item : *value.array()) include(item);
  }

  template <class Read>
  void each_table(const Value& value, const std::string& key, Read read_one) {
    if (value.array() == nullptr) return wrong_type(value, key, "a list of tables, each written as [[" + key + "]]");
    for (const Value& item : *value.array()) {
      if (item.table() != nullptr) {
        read_one(item);
      } else {
        wrong_type(item, key, "a list of tables, each written as [[" + key + "]]");
      }
    }
  }

  // The text at `key`; "" where it is absent (an error if `needed`) or something else.
  std::string text(const Value& table, std::string_view key, std::string_view owner, bool needed) {
    const Value* value = table.find(key);
    if (value == nullptr) {
      if (needed) fail(kMissingKey, std::format("[[{}]] needs `{}`", owner, key), table.place);
      return {};
    }
    if (value->string() == nullptr) {
      wrong_type(*value, key, "text in quotes");
      return {};
    }
    if (needed && value->string()->empty()) fail(kMissingKey, std::format("`{}` is empty", key), value->place);
    return *value->string();
  }
  std::vector<std::string> texts(const Value& table, std::string_view key) {
    std::vector<std::string> list;
    const Value* value = table.find(key);
    if (value == nullptr) return list;
    if (value->array() == nullptr) {
      wrong_type(*value, key, "a list of texts");
      return list;
    }
    for (const Value& item : *value->array()) {
      if (item.string() != nullptr) {
        list.push_back(*item.string());
      } else {
        wrong_type(item, key, "a list of texts");
      }
    }
    return list;
  }
  void refuse_unknown(const Value& table, std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : *table.table())
      if (std::ranges::find(known, std::string_view(key)) == known.end())
        fail(kUnknownKey, "unknown key `" + key + "`", value.key_place,
             did_you_mean(key, std::vector<std::string_view>(known)));
  }
  static Place place_of(const Value& table, std::string_view key) {
    const Value* value = table.find(key);
    return value != nullptr ? value->place : table.place;
  }

  void read_plugin(const Value& table) {
    refuse_unknown(table, {"name", "file", "config"});
    PluginDecl plugin;
    plugin.name = text(table, "name", "plugin", true);
    plugin.file = text(table, "file", "plugin", true);
    plugin.place = place_of(table, "file");
    if (const Value* config = table.find("config")) {
      if (config->table() == nullptr) wrong_type(*config, "config", "a table, written as [plugin.config]");
      plugin.config = *config;
    } else {
      plugin.config = Value(Value::Table{}, table.place);
    }
    if (std::ranges::find(config_.plugins, plugin.name, &PluginDecl::name) != config_.plugins.end())
      fail(kDefinedTwice, "two plugins are named `" + plugin.name + "`", place_of(table, "name"));
    config_.plugins.push_back(std::move(plugin));
  }

  pipeline::MiddlewareSpec middleware_spec(const Value& table) {
    pipeline::MiddlewareSpec spec;
    spec.kind = text(table, "kind", "middleware", true);
    spec.name = text(table, "name", "middleware", false);
    spec.before = texts(table, "before");
    spec.after = texts(table, "after");
    spec.place = place_of(table, "kind");
    if (const Value* global = table.find("global")) {
      if (global->boolean() == nullptr) {
        wrong_type(*global, "global", "true or false");
      } else {
        spec.global = *global->boolean();
      }
    }
    constexpr std::string_view kOwn[] = {"kind", "name", "before", "after", "global"};
    Value::Table options;
    for (const auto& entry : *table.table())
      if (std::ranges::find(kOwn, std::string_view(entry.first)) == std::end(kOwn)) options.push_back(entry);
    spec.options = Value(std::move(options), table.place);
    return spec;
  }

  void read_middleware(const Value& table) { config_.middleware.push_back(middleware_spec(table)); }

  void read_route(const Value& table) {
    refuse_unknown(table, {"path", "method", "methods", "handler", "middleware", "body_limit"});
    RouteDecl route;
    pipeline::RouteSpec& spec = route.spec;
    spec.path = text(table, "path", "route", true);
    spec.path_place = place_of(table, "path");
    spec.methods = texts(table, "methods");
    spec.method_place = place_of(table, table.find("methods") != nullptr ? "methods" : "method");
    if (std::string method = text(table, "method", "route", false); !method.empty()) spec.methods.push_back(std::move(method));
    if (spec.methods.empty() && table.find("methods") == nullptr) spec.methods.emplace_back("GET");
    if (spec.methods.empty()) fail(kMissingKey, "a route takes at least one method", spec.method_place);
    spec.handler_name = text(table, "handler", "route", true);
    route.handler_place = place_of(table, "handler");
    const size_t colon = spec.handler_name.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == spec.handler_name.size()) {
      if (!spec.handler_name.empty())
        fail(kBadHandler, "`" + spec.handler_name + "` is not PLUGIN:HANDLER", route.handler_place);
    } else {
      route.plugin = spec.handler_name.substr(0, colon);
      route.handler = spec.handler_name.substr(colon + 1);
    }
    read_route_middleware(table, spec);
    if (const Value* limit = table.find("body_limit")) {
      const auto bytes = limit->string() != nullptr ? parse_size(*limit->string()) : std::nullopt;
      if (bytes && *bytes > 0) {
        spec.body_limit = *bytes;
      } else {
        fail(kBadUnit, "`body_limit` is a size like \"64KiB\" or \"1MiB\"", limit->place);
      }
    }
    config_.routes.push_back(std::move(route));
  }

  void read_route_middleware(const Value& table, pipeline::RouteSpec& spec) {
    const Value* list = table.find("middleware");
    if (list == nullptr) return;
    spec.middleware_place = list->place;
    if (list->array() == nullptr) return wrong_type(*list, "middleware", "a list of names and tables");
    for (const Value& item : *list->array()) {
      if (item.string() != nullptr) {
        spec.named.push_back(*item.string());
      } else if (item.table() != nullptr) {
        spec.middleware.push_back(middleware_spec(item));
      } else {
        wrong_type(item, "middleware", "a list of names and tables");
      }
    }
  }

  void override_settings(const Overrides& overrides) {
    const Place nowhere{.file = std::make_shared<std::string>("the command line")};
    const auto set = [&](std::string_view path, Value value) {
      apply(*find_setting(path), value, config_.settings, diagnostics_);
    };
    if (!overrides.listen.empty()) {
      Value::Array list;
      for (const std::string& address : overrides.listen) list.emplace_back(address, nowhere);
      set("server.listen", Value(std::move(list), nowhere));
      listen_failed_ = config_.settings.listen.empty();
    }
    if (overrides.workers) set("server.workers", Value(int64_t{*overrides.workers}, nowhere));
    if (overrides.engine) set("server.engine", Value(*overrides.engine, nowhere));
    if (overrides.log_level) set("log.level", Value(*overrides.log_level, nowhere));
  }

  void check_routes(const std::string& path) {
    std::vector<std::string> plugins;
    for (const PluginDecl& plugin : config_.plugins) plugins.push_back(plugin.name);
    for (const RouteDecl& route : config_.routes)
      if (!route.plugin.empty() && std::ranges::find(plugins, route.plugin) == plugins.end())
        fail(kUnknownPlugin, "no [[plugin]] is named `" + route.plugin + "`", route.handler_place,
             did_you_mean(route.plugin, plugins));
    if (config_.routes.empty() && diagnostics_.empty())
      diagnostics_.push_back({.severity = Diagnostic::Severity::Warning,
                              .code = kNothingToServe,
                              .message = "no [[route]] is declared: every request will be answered with 404",
                              .place = {.file = std::make_shared<std::string>(path)}});
    const http::Limits& limits = config_.settings.limits;
    if (limits.output_low_bytes > limits.output_high_bytes) {
      const auto place = seen_.find("limits.output_low");
      fail(kOutOfRange, "`limits.output_low` is larger than `limits.output_high`",
           place != seen_.end() ? place->second : seen_["limits.output_high"]);
    }
  }

  Config config_;
  Diagnostics diagnostics_;
  std::map<std::string, Place> seen_;  // settings by path
  std::vector<std::string> open_;      // files being read, outermost first
  Place include_place_;
  bool listen_failed_ = false;
};

}  // namespace

LoadResult load(const std::string& path, const Overrides& overrides) { return Loader().run(path, overrides); }

}  // namespace leat::config
