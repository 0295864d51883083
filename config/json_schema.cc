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
#include "config/route_tables.h"
#include "config/routes.h"
#include "config/settings.h"
#include "config/tls.h"
#include "json/nested.h"
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

class SchemaWriter : private json::Nested {
 public:
  SchemaWriter(json::Writer& json, const KnownPlugins& plugins) : Nested(json), plugins_(plugins) {}

  void run() {
    json_.begin_object();
    member("$schema", "https://json-schema.org/draft/2020-12/schema");
    member("title", "Leat's configuration");
    member("description", "A configuration file of the web server Leat, in TOML.");
    begin_table();
    object("include", [&] {
      member("description", "Further files to read, relative to this one; may hold * and ?.");
      string_or_list();
    });
    for (const auto& [name, sentence] : {std::pair("listener", "Where to listen, with options of its own."),
                                         std::pair("tls", "Certificates, by the names that they are for."),
                                         std::pair("plugin", "Shared objects that are loaded."),
                                         std::pair("middleware", "What requests and answers pass."),
                                         std::pair("host", "What is served under some names."),
                                         std::pair("group", "Routes that have something in common."),
                                         std::pair("route", "Which handler answers which requests.")})
      object(name, [&] {
        member("description", sentence);
        list_of(name);
      });
    for (const auto& [group, rows] : setting_groups())
      object(group, [&] {
        begin_table();
        properties(rows, group.size() + 1);
        end_table();
      });
    end_table();
    object("$defs", [&] { definitions(); });
    json_.end_object();
  }

 private:
  void definitions() {
    object("listener", [&] { table(listener_rows()); });
    object("tls", [&] { table(tls_rows()); });
    object("plugin", [&] {
      table(plugin_rows());
      plugin_options();
    });
    object("route", [&] {
      table(route_rows());
      array("allOf", [&] {
        just_one_of({"path", "prefix"});
        just_one_of({"handler", "redirect", "rewrite", "answer"});
      });
    });
    object("group", [&] { table(group_rows(), scope_rows()); });
    object("host", [&] {
      table(host_rows(), scope_rows());
      any_of([&] { required("names"); }, [&] { required("listeners"); });
    });
    object("route_when", [&] { table(route_when_rows()); });
    object("route_answer", [&] { table(route_answer_rows()); });
    object("route_parameter", [&] { table(route_parameter_rows()); });
    object("route_cache", [&] { table(route_query_rows(), route_cache_settings()); });
    object("middleware", [&] { middleware_kinds(); });
  }
  // One of several, each of which `write` writes.
  template <class... Write>
  void any_of(Write&&... write) {
    array("anyOf", [&] { (object(write), ...); });
  }
  void pattern(std::string_view regex) {
    member("type", "string");
    member("pattern", regex);
  }
  void required(std::string_view key) {
    array("required", [&] { json_.string(key); });
  }
  // A schema by itself: what has one of these keys, and no other of them.
  void just_one_of(std::initializer_list<std::string_view> keys) {
    object([&] {
      array("oneOf", [&] {
        for (const std::string_view key : keys) object([&] { required(key); });
      });
    });
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
             object("items", [&] { member("type", "string"); });
           });
  }
  void reference(std::string_view definition) { member("$ref", "#/$defs/" + std::string(definition)); }
  void list_of(std::string_view definition) {
    member("type", "array");
    object("items", [&] { reference(definition); });
  }

  void begin_table() {
    member("type", "object");
    flag("additionalProperties", false);
    json_.key("properties");
    json_.begin_object();
  }
  void end_table() { json_.end_object(); }
  void properties(std::span<const Row> rows, size_t prefix = 0) {
    for (const Row& row : rows)
      object(row.name.substr(prefix), [&] {
        member("description",
               schema::described(row) + (row.restart ? " A change takes effect at the next start." : ""));
        if (!row.deprecated_since.empty()) flag("deprecated", true);
        put_type(row);
        put_default(row);
      });
  }
  void put_needed(std::span<const Row> rows) {
    array("required", [&] {
      for (const Row& row : rows)
        if (row.needed) json_.string(row.name);
    });
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
          array("enum", [&] {
            for (const std::string_view word : schema::words(row.choices)) json_.string(word);
          });
        });
      case Type::Text:
        return or_expanded([&] {
          member("type", "string");
          if (row.needed) count("minLength", 1);
          // In characters, of which there are no more than bytes.
          if (row.most != INT64_MAX) count("maxLength", static_cast<uint64_t>(row.most));
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
      return object("items", [&] { table(middleware::kErrorPageRows); });
    }
    if (row.wanted == middleware::kAccessRuleList) {
      member("type", "array");
      return object("items", [&] { table(middleware::kAccessRuleRows); });
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
            array("enum", [&] {
              json_.string("all");
              json_.string("none");
            });
          },
          [&] { pattern(kExpanded); },
          [&] {
            member("type", "array");
            object("items", [&] { member("type", "string"); });
          });
    if (row.name == "middleware") {
      member("type", "array");
      return object("items",
                    [&] { any_of([&] { member("type", "string"); }, [&] { reference("middleware"); }); });
    }
    member("type", "object");
    if (row.name == "services")
      object("additionalProperties", [&] { member("type", "string"); });
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
    object("properties", [&] { asked_options(asked); });
  }
  void asked_options(const plugin::AskedTable& asked) {
    for (const auto& option : asked.options) object(option->name, [&] { asked_option(*option); });
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
        if (option.row.type != Type::Any) object("items", [&] { put_type(option.row); });
        return;
      case Shape::Table:
        return asked_table(option.below);
      case Shape::Tables:
        member("type", "array");
        return object("items", [&] { asked_table(option.below); });
    }
  }

  // Of each plugin that is known, by its name.
  void plugin_options() {
    if (plugins_.names.empty()) return;
    array("allOf", [&] {
      for (const std::string_view name : plugins_.names)
        if (const auto asked = plugins_.asked.find(name); asked != plugins_.asked.end())
          object([&] { options_where_named(name, asked->second); });
    });
  }
  void options_where_named(std::string_view name, const plugin::AskedTable& asked) {
    object("if", [&] {
      object("properties", [&] { object("name", [&] { member("const", name); }); });
      required("name");
    });
    object("then", [&] { object("properties", [&] { object("config", [&] { asked_table(asked); }); }); });
  }

  static bool of_plugin(const pipeline::MiddlewareKind& kind) { return kind.name.contains(':'); }

  // A kind that a plugin has; where none of it was made, nobody knows its options.
  void plugin_kind(const pipeline::MiddlewareKind& kind) {
    member("title", kind.name);
    if (!kind.sentence.empty()) member("description", kind.sentence);
    member("type", "object");
    object("properties", [&] {
      object("kind", [&] { member("const", kind.name); });
      if (const auto asked = plugins_.asked.find(kind.name); asked != plugins_.asked.end())
        asked_options(asked->second);
      properties(middleware_rows().subspan(1));
    });
    put_needed(middleware_rows());
  }
  void own_kind(const pipeline::MiddlewareKind& kind) {
    member("title", kind.name);
    member("description", kind.sentence);
    begin_table();
    object("kind", [&] { member("const", kind.name); });
    properties(middleware_rows().subspan(1));
    properties(kind.options);
    end_table();
    put_needed(middleware_rows());
  }
  void other_kinds() {
    member("title", "PLUGIN:NAME");
    member("description", "A kind that a plugin has, with the options that it knows.");
    member("type", "object");
    object("properties", [&] {
      object("kind", [&] {
        pattern(R"(^[^:]+:[^:]+$|\$)");
        if (std::ranges::none_of(plugins_.kinds, of_plugin)) return;
        object("not", [&] {
          array("enum", [&] {
            for (const pipeline::MiddlewareKind& kind : plugins_.kinds)
              if (of_plugin(kind)) json_.string(kind.name);
          });
        });
      });
      properties(middleware_rows().subspan(1));
    });
    put_needed(middleware_rows());
  }

  // Leat's own have the options that they say. What is named PLUGIN:NAME has options that its plugin knows.
  void middleware_kinds() {
    ENSURE(middleware_rows().front().name == "kind");
    array("anyOf", [&] {
      for (const pipeline::MiddlewareKind& kind : middleware::kinds()) object([&] { own_kind(kind); });
      for (const pipeline::MiddlewareKind& kind : plugins_.kinds)
        if (of_plugin(kind)) object([&] { plugin_kind(kind); });
      object([&] { other_kinds(); });
    });
  }

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
