#include "config/in_force.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/escape.h"
#include "base/units.h"
#include "config/secrets.h"
#include "config/settings.h"

namespace leat::config {

std::string json_text(std::string_view text) {
  constexpr size_t kMore = 16;  // see put_escaped()
  std::string out(text.size() * kMostEscaped + kMore, '\0');
  out.resize(static_cast<size_t>(put_escaped(out.data(), text, Escapes::Json) - out.data()));
  return '"' + out + '"';
}

namespace {

constexpr std::string_view kOfEnvironment = "(from the environment)";

bool is_bare(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string value_text(const Value& value, bool json) {
  if (value.origin == Value::Origin::Secret) return json_text(kHidden);
  if (value.origin == Value::Origin::Environment) return json_text(kOfEnvironment);
  if (const auto* text = value.string()) return json_text(*text);
  if (const auto* truth = value.boolean()) return *truth ? "true" : "false";
  if (const auto* number = value.integer()) return std::to_string(*number);
  if (const auto* real = value.real()) return fmt::format("{}", *real);
  std::string inside;
  if (const auto* array = value.array()) {
    for (const Value& each : *array) inside += (inside.empty() ? "" : ", ") + value_text(each, json);
    return "[" + inside + "]";
  }
  for (const auto& [key, each] : *value.table())
    inside +=
        fmt::format("{}{}{}{}", inside.empty() ? "" : ", ", json || !is_bare(key) ? json_text(key) : key,
                    json ? ":" : " = ", value_text(each, json));
  return "{" + inside + "}";
}

std::string texts_in_force(std::span<const std::string> texts) {
  std::string inside;
  for (const std::string& each : texts) inside += (inside.empty() ? "" : ", ") + json_text(each);
  return "[" + inside + "]";
}

std::string setting_text(const schema::Row& row, const schema::Content& content) {
  if (const auto* text = std::get_if<std::string>(&content)) return json_text(*text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&content)) return texts_in_force(*list);
  return schema::content_text(row, content);
}

// The values of such rows of `owner`, inside braces.
std::string rows_in_force(std::span<const schema::Row> rows, const void* owner, bool json) {
  std::string inside;
  for (const schema::Row& row : rows)
    inside += fmt::format("{}{}{}{}", inside.empty() ? "" : ", ", json ? json_text(row.name) : row.name,
                          json ? ":" : " = ", setting_text(row, row.get(owner)));
  return inside;
}

std::string cache_in_force(const cache::Policy& policy, bool json) {
  const std::string query = policy.query == cache::Policy::Query::Listed ? texts_in_force(policy.parameters)
                            : policy.query == cache::Policy::Query::None ? json_text("none")
                                                                         : json_text("all");
  return fmt::format("{{{}, {}{}{}}}", rows_in_force(route_cache_settings(), &policy, json),
                     json ? json_text("query") : "query", json ? ":" : " = ", query);
}

// What a route has of its own: names, and tables with their options.
std::string middleware_in_force(const pipeline::RouteSpec& spec, bool json) {
  std::string inside;
  const auto add_names = [&inside](const std::vector<std::string>& names) {
    for (const std::string& name : names) inside += (inside.empty() ? "" : ", ") + json_text(name);
  };
  if (spec.scope) add_names(spec.scope->named);
  add_names(spec.named);
  for (const pipeline::MiddlewareSpec& each : spec.middleware) {
    const auto member = [&](std::string_view key, const std::string& text) {
      return fmt::format("{}{}{}", json || !is_bare(key) ? json_text(key) : key, json ? ":" : " = ", text);
    };
    std::string one = member("kind", json_text(each.kind));
    for (const auto& [key, value] : *each.options.table()) one += ", " + member(key, value_text(value, json));
    inside += fmt::format("{}{{{}}}", inside.empty() ? "" : ", ", one);
  }
  return "[" + inside + "]";
}

bool has_options(const RouteDecl& route) {
  return route.spec.body_limit != 0 || route.concurrency != 0 || route.executor != plugin::Executor::Worker ||
         route.cache != nullptr || !route.allow.empty() || !route.spec.middleware.empty() ||
         !route.spec.named.empty() || route.spec.scope != nullptr || route.parameter_tables != nullptr;
}

// A declaration, member by member.
class Declaration {
 public:
  explicit Declaration(bool json) : json_(json) {}
  void add(std::string_view key, const std::string& text) {
    text_ += json_ ? fmt::format("{}\"{}\":{}", text_.empty() ? "" : ",", key, text)
                   : fmt::format("{} = {}\n", key, text);
  }
  void add_value(std::string_view key, const Value& value) { add(key, value_text(value, json_)); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  bool json_;
  std::string text_;
};

}  // namespace

bool holds_secret(const Value& value) {
  if (value.origin == Value::Origin::Secret) return true;
  if (const auto* array = value.array()) return std::ranges::any_of(*array, holds_secret);
  return false;
}

std::string settings_in_force(const Settings& settings, bool json) {
  std::string text;
  for (const SettingGroup& group : setting_groups()) {
    text += json ? fmt::format("{}\"{}\":{{", text.empty() ? "" : ",", group.name)
                 : fmt::format("{}[{}]\n", text.empty() ? "" : "\n", group.name);
    bool first = true;
    for (const schema::Row& row : group.rows) {
      const std::string_view name = row.name.substr(group.name.size() + 1);
      const bool secret = std::ranges::contains(settings.secret, row.name);
      std::string value = secret ? json_text(kHidden) : setting_text(row, row.get(&settings));
      if (json && row.type == schema::Type::Mode && !secret) value = json_text(value);
      if (json)
        text += fmt::format("{}\"{}\":{}", std::exchange(first, false) ? "" : ",", name, value);
      else
        text += fmt::format("{} = {}{}\n", name, value,
                            row.get(&settings) == schema::default_of(row) ? "  # the default" : "");
    }
    if (json) text += "}";
  }
  return text;
}

std::string declared_in_force(const Config& config, bool json) {
  std::string listeners, certificates, plugins, middleware, routes;
  const auto close = [json](std::string& all, std::string_view kind, const std::string& one) {
    all +=
        json ? fmt::format("{}{{{}}}", all.empty() ? "" : ",", one) : fmt::format("\n[[{}]]\n{}", kind, one);
  };
  for (const ListenerDecl& each : config.settings.listeners) {
    Declaration one(json);
    one.add("address", json_text(each.address.text()));
    if (each.tls) one.add("tls", "true");
    if (!each.client_ca.empty()) {
      one.add("client_ca", json_text(each.client_ca));
      const bool required = each.client_certificate == tls::ClientTrust::Demand::Required;
      one.add("client_certificate", required ? R"("required")" : R"("optional")");
      if (!each.client_crl.empty()) one.add("client_crl", json_text(each.client_crl));
    }
    if (each.redirect_to_https != 0) one.add("redirect_to_https", std::to_string(each.redirect_to_https));
    if (each.proxy_protocol) one.add("proxy_protocol", "true");
    if (each.trusted_proxies) {
      std::string ranges;
      for (const AddressRange& range : *each.trusted_proxies)
        ranges += (ranges.empty() ? "" : ", ") + json_text(range.text());
      one.add("trusted_proxies", "[" + ranges + "]");
    }
    close(listeners, "listener", one.text());
  }
  for (const TlsDecl& each : config.tls) {
    Declaration one(json);
    if (!each.names.empty()) one.add("names", texts_in_force(each.names));
    one.add("certificate", json_text(each.certificate));
    if (!each.key.empty()) one.add("key", each.secret_key ? json_text(kHidden) : json_text(each.key));
    if (!each.ocsp_response.empty()) one.add("ocsp_response", json_text(each.ocsp_response));
    if (each.is_default) one.add("default", "true");
    close(certificates, "tls", one.text());
  }
  for (const PluginDecl& each : config.plugins) {
    Declaration one(json);
    one.add("name", json_text(each.name));
    one.add("file", json_text(each.file));
    if (each.concurrency != 0) one.add("concurrency", std::to_string(each.concurrency));
    one.add_value("config", each.config);
    close(plugins, "plugin", one.text());
  }
  for (const pipeline::MiddlewareSpec& each : config.middleware) {
    Declaration one(json);
    one.add("kind", json_text(each.kind));
    if (!each.name.empty()) one.add("name", json_text(each.name));
    if (!each.global) one.add("global", "false");
    for (const auto& [key, value] : *each.options.table()) one.add_value(key, value);
    close(middleware, "middleware", one.text());
  }
  for (const RouteDecl& each : config.routes) {
    if (!has_options(each)) continue;
    Declaration one(json);
    one.add("path", json_text(each.spec.path));
    one.add("methods", texts_in_force(each.spec.methods));
    if (!each.spec.handler_name.empty()) one.add("handler", json_text(each.spec.handler_name));
    if (each.redirect) {
      one.add("redirect", json_text(each.redirect->target));
      one.add("status", std::to_string(each.redirect->status));
    }
    if (each.spec.rewrite) one.add("rewrite", json_text(each.spec.rewrite->target));
    if (each.spec.body_limit != 0) one.add("body_limit", json_text(size_text(each.spec.body_limit)));
    if (each.concurrency != 0) one.add("concurrency", std::to_string(each.concurrency));
    if (each.executor == plugin::Executor::Pool) one.add("executor", json_text("pool"));
    if (!each.allow.empty()) one.add("allow", texts_in_force(each.allow));
    if (!each.spec.named.empty() || !each.spec.middleware.empty() || each.spec.scope != nullptr)
      one.add("middleware", middleware_in_force(each.spec, json));
    if (each.parameter_tables) one.add_value("parameter", *each.parameter_tables);
    if (each.cache != nullptr) one.add("cache", cache_in_force(*each.cache, json));
    close(routes, "route", one.text());
  }
  return json ? fmt::format(
                    R"("listener":[{}],"tls":[{}],"plugin":[{}],"middleware":[{}],"route_options":[{}])",
                    listeners, certificates, plugins, middleware, routes)
              : listeners + certificates + plugins + middleware + routes;
}

}  // namespace leat::config
