#include "config/json_schema.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <variant>

#include "base/arena.h"
#include "base/block_pool.h"
#include "base/check.h"
#include "base/schema.h"
#include "config/declarations.h"
#include "config/route_parameters.h"
#include "config/routes.h"
#include "config/settings.h"
#include "json/writer.h"
#include "middleware/access.h"
#include "middleware/error_pages.h"
#include "middleware/kinds.h"

namespace leat::config {

namespace {

using schema::Content;
using schema::Row;
using schema::Type;

// What stands for something else is known when it is read.
constexpr std::string_view kExpanded = R"(\$)";

class SchemaWriter {
 public:
  SchemaWriter(json::Writer& json, const KnownPlugins& plugins) : json_(json), plugins_(plugins) {}

  void run() {
    json_.begin_object();
    member("$schema", "https://json-schema.org/draft/2020-12/schema");
    member("title", "Leat's configuration");
    member("description", "A configuration file of the web server Leat, in TOML.");
    begin_table();
    property("include", [&] {
      member("description", "Further files to read, relative to this one; may hold * and ?.");
      string_or_list();
    });
    for (const auto& [name, sentence] : {std::pair("listener", "Where to listen, with options of its own."),
                                         std::pair("plugin", "Shared objects that are loaded."),
                                         std::pair("middleware", "What requests and answers pass."),
                                         std::pair("host", "What is served under some names."),
                                         std::pair("group", "Routes that have something in common."),
                                         std::pair("route", "Which handler answers which requests.")})
      property(name, [&] {
        member("description", sentence);
        list_of(name);
      });
    for (const auto& [group, rows] : setting_groups())
      property(group, [&] {
        begin_table();
        properties(rows, group.size() + 1);
        end_table();
      });
    end_table();
    json_.key("$defs");
    json_.begin_object();
    property("listener", [&] { table(listener_rows()); });
    property("plugin", [&] {
      table(plugin_rows());
      plugin_options();
    });
    property("route", [&] {
      table(route_rows());
      json_.key("allOf");
      json_.begin_array();
      just_one_of({"path", "prefix"});
      just_one_of({"handler", "redirect", "rewrite", "answer"});
      json_.end_array();
    });
    property("group", [&] { table(group_rows()); });
    property("host", [&] {
      table(host_rows());
      any_of([&] { required("names"); }, [&] { required("listeners"); });
    });
    property("route_when", [&] { table(route_when_rows()); });
    property("route_answer", [&] { table(route_answer_rows()); });
    property("route_parameter", [&] { table(route_parameter_rows()); });
    property("route_cache", [&] { table(route_query_rows(), route_cache_settings()); });
    property("middleware", [&] { middleware_kinds(); });
    json_.end_object();
    json_.end_object();
  }

 private:
  void member(std::string_view name, std::string_view text) {
    json_.key(name);
    json_.string(text);
  }
  template <class Write>
  void property(std::string_view name, Write&& write) {
    json_.key(name);
    json_.begin_object();
    write();
    json_.end_object();
  }
  // One of several, each of which `write` writes.
  template <class... Write>
  void any_of(Write&&... write) {
    json_.key("anyOf");
    json_.begin_array();
    (
        [&] {
          json_.begin_object();
          write();
          json_.end_object();
        }(),
        ...);
    json_.end_array();
  }
  void pattern(std::string_view regex) {
    member("type", "string");
    member("pattern", regex);
  }
  void required(std::string_view key) {
    json_.key("required");
    json_.begin_array();
    json_.string(key);
    json_.end_array();
  }
  // A schema by itself: what has one of these keys, and no other of them.
  void just_one_of(std::initializer_list<std::string_view> keys) {
    json_.begin_object();
    json_.key("oneOf");
    json_.begin_array();
    for (const std::string_view key : keys) {
      json_.begin_object();
      required(key);
      json_.end_object();
    }
    json_.end_array();
    json_.end_object();
  }
  // What `write` writes, or a text that stands for something else.
  template <class Write>
  void or_expanded(Write&& write) {
    any_of(write, [&] { pattern(kExpanded); });
  }
  void string_or_list() {
    any_of([&] { member("type", "string"); },
           [&] {
             member("type", "array");
             property("items", [&] { member("type", "string"); });
           });
  }
  void reference(std::string_view definition) { member("$ref", "#/$defs/" + std::string(definition)); }
  void list_of(std::string_view definition) {
    member("type", "array");
    property("items", [&] { reference(definition); });
  }

  void begin_table() {
    member("type", "object");
    json_.key("additionalProperties");
    json_.boolean(false);
    json_.key("properties");
    json_.begin_object();
  }
  void end_table() { json_.end_object(); }
  void properties(std::span<const Row> rows, size_t prefix = 0) {
    for (const Row& row : rows)
      property(row.name.substr(prefix), [&] {
        member("description",
               schema::described(row) + (row.restart ? " A change takes effect at the next start." : ""));
        if (!row.deprecated_since.empty()) {
          json_.key("deprecated");
          json_.boolean(true);
        }
        put_type(row);
        put_default(row);
      });
  }
  void put_needed(std::span<const Row> rows) {
    json_.key("required");
    json_.begin_array();
    for (const Row& row : rows)
      if (row.needed) json_.string(row.name);
    json_.end_array();
  }
  // A table with the keys of all `rows`.
  template <class... Rows>
  void table(std::span<const Row> first, const Rows&... rows) {
    begin_table();
    properties(first);
    (properties(rows), ...);
    end_table();
    put_needed(first);
  }

  void bounds(int64_t least, int64_t most) {
    json_.key("minimum");
    json_.integer(least);
    if (most == INT64_MAX) return;
    json_.key("maximum");
    json_.integer(most);
  }
  void whole_number(const Row& row) {
    member("type", "integer");
    bounds(row.least, row.most);
  }

  void put_type(const Row& row) {
    switch (row.type) {
      case Type::Count:
        if (row.zero.empty()) return or_expanded([&] { whole_number(row); });
        return any_of([&] { member("const", row.zero); }, [&] { whole_number(row); },
                      [&] { pattern(kExpanded); });
      case Type::Mode:
        return or_expanded([&] { whole_number(row); });
      case Type::Size:
        return any_of([&] { whole_number(row); }, [&] { pattern(R"(^[0-9]+([KMG]i?B|B)?$|\$)"); });
      case Type::Duration:
        if (row.least > 0) return pattern(R"(^[0-9]+(ms|s|m|h|d)$|\$)");
        return any_of([&] { pattern(R"(^[0-9]+(ms|s|m|h|d)$|\$)"); },
                      [&] {
                        json_.key("const");
                        json_.integer(0);
                      });
      case Type::Real:
        return or_expanded([&] {
          member("type", "number");
          json_.key("minimum");
          json_.real(row.least_real);
          json_.key("maximum");
          json_.real(row.most_real);
        });
      case Type::Boolean:
        return or_expanded([&] { member("type", "boolean"); });
      case Type::Choice:
        return or_expanded([&] {
          json_.key("enum");
          json_.begin_array();
          for (const std::string_view word : schema::words(row.choices)) json_.string(word);
          json_.end_array();
        });
      case Type::Text:
        return or_expanded([&] {
          member("type", "string");
          if (row.needed) {
            json_.key("minLength");
            json_.integer(1);
          }
          if (row.most == INT64_MAX) return;
          json_.key("maxLength");  // in characters, of which there are no more than bytes
          json_.integer(row.most);
        });
      case Type::Texts:
        return string_or_list();
      case Type::Any:
        return put_any(row);
    }
  }

  // What somebody else reads, by its name.
  void put_any(const Row& row) {
    if (row.wanted == middleware::kErrorPageList) {
      member("type", "array");
      return property("items", [&] { table(middleware::kErrorPageRows); });
    }
    if (row.wanted == middleware::kAccessRuleList) {
      member("type", "array");
      return property("items", [&] { table(middleware::kAccessRuleRows); });
    }
    for (const std::string_view definition : {"route", "group"})
      if (row.name == definition) return list_of(definition);
    if (row.name == "parameter") return list_of("route_parameter");
    if (row.name == "minimum" || row.name == "maximum") return or_expanded([&] { member("type", "number"); });
    if (row.name == "default")
      return any_of([&] { member("type", "string"); }, [&] { member("type", "number"); },
                    [&] { member("type", "boolean"); });
    for (const std::string_view name : {"cache", "when", "answer"})
      if (row.name == name) return reference("route_" + std::string(name));
    if (row.name == "query")
      return any_of(
          [&] {
            json_.key("enum");
            json_.begin_array();
            json_.string("all");
            json_.string("none");
            json_.end_array();
          },
          [&] { pattern(kExpanded); },
          [&] {
            member("type", "array");
            property("items", [&] { member("type", "string"); });
          });
    if (row.name == "middleware") {
      member("type", "array");
      return property("items",
                      [&] { any_of([&] { member("type", "string"); }, [&] { reference("middleware"); }); });
    }
    member("type", "object");
    if (row.name == "services")
      property("additionalProperties", [&] { member("type", "string"); });
    else
      ENSURE(row.name == "config");
  }

  void put_default(const Row& row) {
    const Content content = schema::default_of(row);
    if (std::holds_alternative<std::monostate>(content) || std::holds_alternative<const Value*>(content))
      return;
    json_.key("default");
    if (const auto* real = std::get_if<double>(&content)) return json_.real(*real);
    if (const auto* text = std::get_if<std::string>(&content)) return json_.string(*text);
    if (const auto* list = std::get_if<std::vector<std::string>>(&content)) {
      json_.begin_array();
      for (const std::string& each : *list) json_.string(each);
      return json_.end_array();
    }
    const int64_t number = std::get<int64_t>(content);
    if (row.type == Type::Boolean) return json_.boolean(number != 0);
    const std::string written = schema::default_text(row);
    if (written.starts_with('"'))
      return json_.string(std::string_view(written).substr(1, written.size() - 2));
    json_.integer(number);
  }

  // What a plugin asks for: more may be said to it, since what it asks for depends on what it is told.
  void asked_table(const plugin::AskedTable& asked) {
    member("type", "object");
    property("properties", [&] { asked_options(asked); });
  }
  void asked_options(const plugin::AskedTable& asked) {
    for (const auto& option : asked.options) property(option->name, [&] { asked_option(*option); });
  }
  void asked_option(const plugin::AskedOption& option) {
    using Shape = plugin::AskedOption::Shape;
    switch (option.shape) {
      case Shape::Unknown:
        return;
      case Shape::One: {
        Row row = option.row;
        row.fallback = &option.fallback;
        put_type(row);
        return put_default(row);
      }
      case Shape::List:
        member("type", "array");
        if (option.row.type != Type::Any) property("items", [&] { put_type(option.row); });
        return;
      case Shape::Table:
        return asked_table(option.below);
      case Shape::Tables:
        member("type", "array");
        return property("items", [&] { asked_table(option.below); });
    }
  }

  // Of each plugin that is known, by its name.
  void plugin_options() {
    if (plugins_.names.empty()) return;
    json_.key("allOf");
    json_.begin_array();
    for (const std::string_view name : plugins_.names) {
      const auto asked = plugins_.asked.find(name);
      if (asked == plugins_.asked.end()) continue;
      json_.begin_object();
      property("if", [&] {
        property("properties", [&] { property("name", [&] { member("const", name); }); });
        json_.key("required");
        json_.begin_array();
        json_.string("name");
        json_.end_array();
      });
      property("then", [&] {
        property("properties", [&] { property("config", [&] { asked_table(asked->second); }); });
      });
      json_.end_object();
    }
    json_.end_array();
  }

  static bool of_plugin(const pipeline::MiddlewareKind& kind) { return kind.name.contains(':'); }

  // A kind that a plugin has; where none of it was made, nobody knows its options.
  void plugin_kind(const pipeline::MiddlewareKind& kind) {
    json_.begin_object();
    member("title", kind.name);
    if (!kind.sentence.empty()) member("description", kind.sentence);
    member("type", "object");
    property("properties", [&] {
      property("kind", [&] { member("const", kind.name); });
      if (const auto asked = plugins_.asked.find(kind.name); asked != plugins_.asked.end())
        asked_options(asked->second);
      properties(middleware_rows().subspan(1));
    });
    put_needed(middleware_rows());
    json_.end_object();
  }

  // Leat's own have the options that they say. What is named PLUGIN:NAME has options that its plugin knows.
  void middleware_kinds() {
    ENSURE(middleware_rows().front().name == "kind");
    json_.key("anyOf");
    json_.begin_array();
    for (const pipeline::MiddlewareKind& kind : middleware::kinds()) {
      json_.begin_object();
      member("title", kind.name);
      member("description", kind.sentence);
      begin_table();
      property("kind", [&] { member("const", kind.name); });
      properties(middleware_rows().subspan(1));
      properties(kind.options);
      end_table();
      put_needed(middleware_rows());
      json_.end_object();
    }
    for (const pipeline::MiddlewareKind& kind : plugins_.kinds)
      if (of_plugin(kind)) plugin_kind(kind);
    json_.begin_object();
    member("title", "PLUGIN:NAME");
    member("description", "A kind that a plugin has, with the options that it knows.");
    member("type", "object");
    json_.key("properties");
    json_.begin_object();
    property("kind", [&] {
      pattern(R"(^[^:]+:[^:]+$|\$)");
      if (std::ranges::none_of(plugins_.kinds, of_plugin)) return;
      property("not", [&] {
        json_.key("enum");
        json_.begin_array();
        for (const pipeline::MiddlewareKind& kind : plugins_.kinds)
          if (of_plugin(kind)) json_.string(kind.name);
        json_.end_array();
      });
    });
    properties(middleware_rows().subspan(1));
    json_.end_object();
    put_needed(middleware_rows());
    json_.end_object();
    json_.end_array();
  }

  json::Writer& json_;
  const KnownPlugins& plugins_;
};

}  // namespace

std::string json_schema(const KnownPlugins& plugins) {
  BlockPool pool(BlockPool::kUnbounded, 0);
  Arena arena(pool, SIZE_MAX);
  json::Writer json(arena);
  SchemaWriter(json, plugins).run();
  const auto text = json.finish();
  ENSURE(text);
  return std::string(*text) + "\n";
}

}  // namespace leat::config
