// leat.config/1 and leat.route/1: what a plugin reads while the configuration is loaded.
#include <fmt/core.h>

#include <algorithm>

#include "base/schema.h"
#include "plugin/call.h"
#include "plugin/codes.h"
#include "plugin/extensions/extensions.h"
#include "plugin/load_time.h"

const leat::Value* leat_config::read(std::string_view key) const {
  if (std::find(known.begin(), known.end(), key) == known.end()) known.emplace_back(key);
  return value.find(key);
}

const leat_config* leat_config::child(const leat::Value& table, leat::plugin::AskedTable* notes) const {
  for (const leat_config& each : children)
    if (&each.value == &table) return &each;
  return &children.emplace_back(table, diagnostics, notes);
}

void leat_config::report_unknown() const {
  leat::schema::refuse_unknown(value, std::vector<std::string_view>(known.begin(), known.end()),
                               leat::plugin::kOptionCodes, diagnostics);
  for (const leat_config& each : children) each.report_unknown();
}

namespace leat::plugin {
namespace {

using schema::Row;
using schema::Type;

// How a value is called where something is wrong with it.
std::string name_of(leat_str key) { return fmt::format("`{}`", view(key)); }
std::string name_of(leat_str key, uint32_t index) {
  return fmt::format("item {} of `{}`", uint64_t{index} + 1, view(key));
}

int32_t wrong_type(const leat_config* config, std::string_view name, const Value& value,
                   std::string_view wanted) {
  config->diagnostics.push_back(schema::wrong_type(value, name, wanted, kOptionCodes.type));
  return LEAT_E_ARGUMENT;
}

// A plugin declares an option as it asks for it: what each of these reads is of one row, into `*out`.
template <class T, class Put>
int32_t take(const leat_config* config, std::string_view name, const Value& value, const Row& row, Put put) {
  const auto content = schema::parse(row, value, kOptionCodes, config->diagnostics, name);
  if (content) put(std::get<T>(*content));
  return content ? LEAT_OK : LEAT_E_ARGUMENT;
}
// Kinds of values: each has the row that a plugin declares by asking, and takes what is written.
struct Integers {
  int64_t least, most;
  [[nodiscard]] Row row() const { return {.type = Type::Count, .least = least, .most = most}; }
  int32_t operator()(const leat_config* config, std::string_view name, const Value& value,
                     int64_t* out) const {
    return take<int64_t>(config, name, value, row(), [out](int64_t number) { *out = number; });
  }
};
struct Reals {
  double least, most;
  [[nodiscard]] Row row() const { return {.type = Type::Real, .least_real = least, .most_real = most}; }
  int32_t operator()(const leat_config* config, std::string_view name, const Value& value,
                     double* out) const {
    return take<double>(config, name, value, row(), [out](double number) { *out = number; });
  }
};
struct Booleans {
  [[nodiscard]] static Row row() { return {.type = Type::Boolean, .most = 1}; }
  int32_t operator()(const leat_config* config, std::string_view name, const Value& value,
                     int32_t* out) const {
    return take<int64_t>(config, name, value, row(),
                         [out](int64_t truth) { *out = static_cast<int32_t>(truth); });
  }
};
struct Strings {
  [[nodiscard]] static Row row() { return {.type = Type::Text, .most = INT64_MAX}; }
  int32_t operator()(const leat_config* config, std::string_view name, const Value& value,
                     leat_str* out) const {
    return take<std::string>(config, name, value, row(), [&](const std::string&) {
      *out = to_str(*value.string());  // which lives as long as the configuration
    });
  }
};

// What is taken in place of a value that is absent, where that is one of the row's own: another stands for none.
schema::Content fallback_of(const Row& row, int64_t fallback) {
  return fallback >= row.least && fallback <= row.most ? schema::Content(fallback) : schema::Content();
}
schema::Content fallback_of(const Row& row, int32_t fallback) { return fallback_of(row, int64_t{fallback}); }
schema::Content fallback_of(const Row& row, double fallback) {
  return fallback >= row.least_real && fallback <= row.most_real ? schema::Content(fallback)
                                                                 : schema::Content();
}
schema::Content fallback_of(const Row&, leat_str fallback) {
  return fallback.len == 0 ? schema::Content() : schema::Content(std::string(view(fallback)));
}

void note(AskedOption* option, AskedOption::Shape shape, const Row& row = {}) {
  if (option == nullptr) return;
  option->shape = shape;
  option->row = row;
  option->fallback = std::monostate();
}

int32_t has(const leat_config* config, leat_str key) {
  if (config != nullptr) (void)config->note(view(key));
  return config != nullptr && config->read(view(key)) != nullptr ? 1 : 0;
}

// The value at `key` by `take`, or what is given for one that is absent.
template <class T, class Take>
int32_t get(const leat_config* config, leat_str key, T fallback, T* out, Take take_value) {
  if (config == nullptr || out == nullptr) return LEAT_E_ARGUMENT;
  *out = fallback;
  const Row row = take_value.row();
  if (AskedOption* const option = config->note(view(key)); option != nullptr) {
    note(option, AskedOption::Shape::One, row);
    option->fallback = fallback_of(row, fallback);
  }
  const Value* value = config->read(view(key));
  return value == nullptr ? LEAT_OK : take_value(config, name_of(key), *value, out);
}

int32_t get_integer(const leat_config* config, leat_str key, int64_t fallback, int64_t least, int64_t most,
                    int64_t* out) {
  return get(config, key, fallback, out, Integers{least, most});
}
int32_t get_real(const leat_config* config, leat_str key, double fallback, double least, double most,
                 double* out) {
  return get(config, key, fallback, out, Reals{least, most});
}
int32_t get_boolean(const leat_config* config, leat_str key, int32_t fallback, int32_t* out) {
  return get(config, key, fallback, out, Booleans());
}
int32_t get_string(const leat_config* config, leat_str key, leat_str fallback, leat_str* out) {
  return get(config, key, fallback, out, Strings());
}

// Where it is noted what is in the tables of an option.
AskedTable* notes_below(const leat_config* config, leat_str key, AskedOption::Shape shape) {
  AskedOption* option = config->note(view(key));
  note(option, shape);
  return option == nullptr ? nullptr : &option->below;
}

const leat_config* get_table(const leat_config* config, leat_str key) {
  if (config == nullptr) return nullptr;
  AskedTable* const notes = notes_below(config, key, AskedOption::Shape::Table);
  const Value* value = config->read(view(key));
  if (value == nullptr) return nullptr;
  if (value->table() == nullptr) {
    wrong_type(config, name_of(key), *value, "a table");
    return nullptr;
  }
  return config->child(*value, notes);
}

const Value::Array* array_under(const leat_config* config, leat_str key) {
  const Value* value = config == nullptr ? nullptr : config->read(view(key));
  if (value == nullptr) return nullptr;
  if (value->array() == nullptr) wrong_type(config, name_of(key), *value, "a list");
  return value->array();
}

uint32_t count(const leat_config* config, leat_str key) {
  // Of what, is told when the first of them is asked for.
  if (AskedOption* option = config == nullptr ? nullptr : config->note(view(key));
      option != nullptr && option->shape == AskedOption::Shape::Unknown)
    note(option, AskedOption::Shape::List);
  const Value::Array* items = array_under(config, key);
  return items == nullptr ? 0 : static_cast<uint32_t>(items->size());
}

const Value* item(const leat_config* config, leat_str key, uint32_t index) {
  const Value::Array* items = array_under(config, key);
  return items == nullptr || index >= items->size() ? nullptr : &(*items)[index];
}

// The same of an item of the list at `key`, which must be there.
template <class T, class Take>
int32_t get_at(const leat_config* config, leat_str key, uint32_t index, T* out, Take take_value) {
  if (out == nullptr) return LEAT_E_ARGUMENT;
  *out = {};
  if (config != nullptr) note(config->note(view(key)), AskedOption::Shape::List, take_value.row());
  const Value* value = item(config, key, index);
  return value == nullptr ? LEAT_E_NOT_FOUND : take_value(config, name_of(key, index), *value, out);
}

int32_t string_at(const leat_config* config, leat_str key, uint32_t index, leat_str* out) {
  return get_at(config, key, index, out, Strings());
}
int32_t integer_at(const leat_config* config, leat_str key, uint32_t index, int64_t least, int64_t most,
                   int64_t* out) {
  return get_at(config, key, index, out, Integers{least, most});
}
int32_t real_at(const leat_config* config, leat_str key, uint32_t index, double least, double most,
                double* out) {
  return get_at(config, key, index, out, Reals{least, most});
}
int32_t boolean_at(const leat_config* config, leat_str key, uint32_t index, int32_t* out) {
  return get_at(config, key, index, out, Booleans());
}

const leat_config* table_at(const leat_config* config, leat_str key, uint32_t index) {
  if (config == nullptr) return nullptr;
  AskedTable* const notes = notes_below(config, key, AskedOption::Shape::Tables);
  const Value* value = item(config, key, index);
  if (value == nullptr) return nullptr;
  if (value->table() == nullptr) {
    wrong_type(config, name_of(key, index), *value, "a table");
    return nullptr;
  }
  return config->child(*value, notes);
}

leat_str route_id(const leat_route* route) { return to_str(route->info.id); }
leat_str route_pattern(const leat_route* route) { return to_str(route->info.pattern); }
uint32_t param_count(const leat_route* route) { return static_cast<uint32_t>(route->info.params.size()); }

leat_str param_name(const leat_route* route, uint32_t index) {
  return index < route->info.params.size() ? to_str(route->info.params[index]) : leat_str{};
}

int32_t param_index(const leat_route* route, leat_str name) {
  const auto& params = route->info.params;
  const auto found = std::find(params.begin(), params.end(), view(name));
  return found == params.end() ? LEAT_E_NOT_FOUND : static_cast<int32_t>(found - params.begin());
}

}  // namespace

const leat_config_v1 kConfigExtension = {
    .struct_size = sizeof(leat_config_v1),
    .reserved = 0,
    .has = has,
    .integer = get_integer,
    .real = get_real,
    .boolean = get_boolean,
    .string = get_string,
    .table = get_table,
    .count = count,
    .string_at = string_at,
    .table_at = table_at,
    .integer_at = integer_at,
    .real_at = real_at,
    .boolean_at = boolean_at,
};
const leat_route_v1 kRouteExtension = {
    .struct_size = sizeof(leat_route_v1),
    .reserved = 0,
    .id = route_id,
    .pattern = route_pattern,
    .param_count = param_count,
    .param_name = param_name,
    .param_index = param_index,
};

}  // namespace leat::plugin
