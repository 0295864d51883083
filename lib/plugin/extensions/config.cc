// leat.config/1 and leat.route/1: what a plugin reads while the configuration is loaded.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/suggest.h"
#include "plugin/call.h"
#include "plugin/codes.h"
#include "plugin/extensions/extensions.h"
#include "plugin/load_time.h"

const leat::Value* leat_config::read(std::string_view key) const {
  if (std::find(known.begin(), known.end(), key) == known.end()) known.emplace_back(key);
  return value.find(key);
}

void leat_config::report(const leat::Value& where, std::string message, std::string hint) const {
  diagnostics.push_back({leat::Diagnostic::Severity::Error, leat::plugin::kBadOption, std::move(message),
                         where.place, std::move(hint)});
}

const leat_config* leat_config::child(const leat::Value& table) const {
  for (const leat_config& each : children)
    if (&each.value == &table) return &each;
  return &children.emplace_back(table, diagnostics);
}

void leat_config::report_unknown() const {
  if (const auto* entries = value.table())
    for (const auto& [key, entry] : *entries) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string_view close = leat::closest(key, known);
      diagnostics.push_back({leat::Diagnostic::Severity::Error, leat::plugin::kUnknownOption,
                             fmt::format("unknown key `{}`", key),
                             entry.key_place.line != 0 ? entry.key_place : entry.place,
                             close.empty() ? "" : fmt::format("did you mean `{}`?", close)});
    }
  for (const leat_config& each : children) each.report_unknown();
}

namespace leat::plugin {
namespace {

// How a value is called where something is wrong with it.
std::string name_of(leat_str key) { return fmt::format("`{}`", view(key)); }
std::string name_of(leat_str key, uint32_t index) {
  return fmt::format("item {} of `{}`", uint64_t{index} + 1, view(key));
}

int32_t wrong_type(const leat_config* config, std::string_view name, const Value& value,
                   std::string_view wanted) {
  config->report(value, fmt::format("{} must be {}, and is {}", name, wanted, value.type_name()));
  return LEAT_E_ARGUMENT;
}

template <class T>
int32_t in_range(const leat_config* config, std::string_view name, const Value& value, T number, T least,
                 T most, T* out) {
  if (number >= least && number <= most) {
    *out = number;
    return LEAT_OK;
  }
  config->report(value, fmt::format("{} is {}, and must be from {} to {}", name, number, least, most));
  return LEAT_E_ARGUMENT;
}

// The value of one type, into `*out`.
int32_t take_integer(const leat_config* config, std::string_view name, const Value& value, int64_t least,
                     int64_t most, int64_t* out) {
  if (value.integer() == nullptr) return wrong_type(config, name, value, "a whole number");
  return in_range(config, name, value, *value.integer(), least, most, out);
}
int32_t take_real(const leat_config* config, std::string_view name, const Value& value, double least,
                  double most, double* out) {
  if (value.integer() != nullptr)
    return in_range(config, name, value, static_cast<double>(*value.integer()), least, most, out);
  if (value.real() == nullptr) return wrong_type(config, name, value, "a number");
  return in_range(config, name, value, *value.real(), least, most, out);
}
int32_t take_boolean(const leat_config* config, std::string_view name, const Value& value, int32_t* out) {
  if (value.boolean() == nullptr) return wrong_type(config, name, value, "true or false");
  *out = *value.boolean() ? 1 : 0;
  return LEAT_OK;
}
int32_t take_string(const leat_config* config, std::string_view name, const Value& value, leat_str* out) {
  if (value.string() == nullptr) return wrong_type(config, name, value, "a text");
  *out = to_str(*value.string());
  return LEAT_OK;
}

int32_t has(const leat_config* config, leat_str key) {
  return config != nullptr && config->read(view(key)) != nullptr ? 1 : 0;
}

int32_t get_integer(const leat_config* config, leat_str key, int64_t fallback, int64_t least, int64_t most,
                    int64_t* out) {
  if (config == nullptr || out == nullptr) return LEAT_E_ARGUMENT;
  *out = fallback;
  const Value* value = config->read(view(key));
  if (value == nullptr) return LEAT_OK;
  return take_integer(config, name_of(key), *value, least, most, out);
}

int32_t get_real(const leat_config* config, leat_str key, double fallback, double least, double most,
                 double* out) {
  if (config == nullptr || out == nullptr) return LEAT_E_ARGUMENT;
  *out = fallback;
  const Value* value = config->read(view(key));
  if (value == nullptr) return LEAT_OK;
  return take_real(config, name_of(key), *value, least, most, out);
}

int32_t get_boolean(const leat_config* config, leat_str key, int32_t fallback, int32_t* out) {
  if (config == nullptr || out == nullptr) return LEAT_E_ARGUMENT;
  *out = fallback;
  const Value* value = config->read(view(key));
  if (value == nullptr) return LEAT_OK;
  return take_boolean(config, name_of(key), *value, out);
}

int32_t get_string(const leat_config* config, leat_str key, leat_str fallback, leat_str* out) {
  if (config == nullptr || out == nullptr) return LEAT_E_ARGUMENT;
  *out = fallback;
  const Value* value = config->read(view(key));
  if (value == nullptr) return LEAT_OK;
  return take_string(config, name_of(key), *value, out);
}

const leat_config* get_table(const leat_config* config, leat_str key) {
  const Value* value = config == nullptr ? nullptr : config->read(view(key));
  if (value == nullptr) return nullptr;
  if (value->table() == nullptr) {
    wrong_type(config, name_of(key), *value, "a table");
    return nullptr;
  }
  return config->child(*value);
}

const Value::Array* array_under(const leat_config* config, leat_str key) {
  const Value* value = config == nullptr ? nullptr : config->read(view(key));
  if (value == nullptr) return nullptr;
  if (value->array() == nullptr) wrong_type(config, name_of(key), *value, "an array");
  return value->array();
}

uint32_t count(const leat_config* config, leat_str key) {
  const Value::Array* items = array_under(config, key);
  return items == nullptr ? 0 : static_cast<uint32_t>(items->size());
}

const Value* item(const leat_config* config, leat_str key, uint32_t index) {
  const Value::Array* items = array_under(config, key);
  return items == nullptr || index >= items->size() ? nullptr : &(*items)[index];
}

int32_t string_at(const leat_config* config, leat_str key, uint32_t index, leat_str* out) {
  if (out == nullptr) return LEAT_E_ARGUMENT;
  *out = {};
  const Value* value = item(config, key, index);
  return value == nullptr ? LEAT_E_NOT_FOUND : take_string(config, name_of(key, index), *value, out);
}

int32_t integer_at(const leat_config* config, leat_str key, uint32_t index, int64_t least, int64_t most,
                   int64_t* out) {
  if (out == nullptr) return LEAT_E_ARGUMENT;
  *out = 0;
  const Value* value = item(config, key, index);
  if (value == nullptr) return LEAT_E_NOT_FOUND;
  return take_integer(config, name_of(key, index), *value, least, most, out);
}

int32_t real_at(const leat_config* config, leat_str key, uint32_t index, double least, double most,
                double* out) {
  if (out == nullptr) return LEAT_E_ARGUMENT;
  *out = 0;
  const Value* value = item(config, key, index);
  if (value == nullptr) return LEAT_E_NOT_FOUND;
  return take_real(config, name_of(key, index), *value, least, most, out);
}

int32_t boolean_at(const leat_config* config, leat_str key, uint32_t index, int32_t* out) {
  if (out == nullptr) return LEAT_E_ARGUMENT;
  *out = 0;
  const Value* value = item(config, key, index);
  return value == nullptr ? LEAT_E_NOT_FOUND : take_boolean(config, name_of(key, index), *value, out);
}

const leat_config* table_at(const leat_config* config, leat_str key, uint32_t index) {
  const Value* value = item(config, key, index);
  if (value == nullptr) return nullptr;
  if (value->table() == nullptr) {
    wrong_type(config, name_of(key, index), *value, "a table");
    return nullptr;
  }
  return config->child(*value);
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
