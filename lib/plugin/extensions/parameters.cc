// leat.parameters/1: what handlers declare of their parameters, and what was found of them in a request.
//
// A declaration becomes a pipeline::ParameterSpec of the route that is being bound; make_handler() makes a
// ParameterSet of all of them, which PluginHandler asks before it calls the plugin.
#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "json/valid.h"
#include "pipeline/parameter_rules.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"
#include "plugin/library.h"
#include "plugin/load_time.h"

namespace leat::plugin {
namespace {

using pipeline::ParameterSpec;
using pipeline::ParameterValue;
using pipeline::ParameterValues;

constexpr uint32_t kLastIn = LEAT_IN_JSON, kLastType = LEAT_TYPE_FILE;

// Bounds as they are declared, where 0 is none of the upper ones.
uint32_t upper(uint32_t most) { return most == 0 ? UINT32_MAX : most; }

ParameterSpec spec_of(const leat_parameter& declared) {
  ParameterSpec spec{.name = std::string(view(declared.name)),
                     .in = static_cast<pipeline::In>(declared.in),
                     .type = static_cast<pipeline::ParameterType>(declared.type),
                     .required = (declared.flags & LEAT_PARAMETER_REQUIRED) != 0,
                     .list = (declared.flags & LEAT_PARAMETER_LIST) != 0,
                     .sentence = std::string(view(declared.sentence)),
                     .min_length = declared.min_length,
                     .max_length = upper(declared.max_length),
                     .min_items = declared.min_items,
                     .max_items = upper(declared.max_items),
                     .pattern = std::string(view(declared.pattern)),
                     .choices = {},
                     .max_size = declared.max_size == 0 ? UINT64_MAX : declared.max_size,
                     .fallback = {}};
  if ((declared.flags & LEAT_PARAMETER_RANGE) != 0) {
    if (spec.type == pipeline::ParameterType::Number) {
      spec.least_number = declared.least_number;
      spec.most_number = declared.most_number;
    } else if ((declared.flags & LEAT_PARAMETER_UNSIGNED) != 0) {
      spec.least = static_cast<uint64_t>(declared.least);
      spec.most = static_cast<uint64_t>(declared.most);
    } else {
      spec.least = declared.least;
      spec.most = declared.most;
    }
  }
  for (uint32_t i = 0; i < declared.choice_count; ++i) spec.choices.emplace_back(view(declared.choices[i]));
  if (declared.fallback.ptr != nullptr) spec.fallback.emplace(view(declared.fallback));
  return spec;
}

int32_t declare(const leat_host* host, const leat_route* route, const leat_parameter* parameter,
                leat_error* error) {
  constexpr std::string_view kFunction = "leat.parameters/1 declare";
  if (host == nullptr || route == nullptr || parameter == nullptr || route->parameters == nullptr)
    return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  const auto fail = [&](const std::string& what) {
    host->fail(error, {}, to_str(what));
    return LEAT_E_ARGUMENT;
  };
  // One that has grown since it was compiled is known as far as it goes here.
  leat_parameter known{};
  if (parameter->struct_size < offsetof(leat_parameter, max_size))
    return fail("a parameter lacks its struct_size");
  std::memcpy(&known, parameter, std::min<size_t>(parameter->struct_size, sizeof known));
  if (known.in > kLastIn || known.type > kLastType || known.name.len == 0 ||
      (known.choice_count != 0 && known.choices == nullptr))
    return fail("a parameter lacks its name, or stands where none can, or is of a type that is none");
  ParameterSpec spec = spec_of(known);
  if (std::string mistake = mistake_in(spec); !mistake.empty()) return fail(mistake);
  if (spec.in == pipeline::In::Path) {
    const auto& params = route->info.params;
    const auto found = std::ranges::find(params, spec.name);
    if (found == params.end())
      return fail(fmt::format("the handler needs a path parameter {{{}}}", spec.name));
    spec.path_index = static_cast<uint32_t>(found - params.begin());
  }
  std::vector<ParameterSpec>& all = *route->parameters;
  const int32_t number = route->find(spec.in, spec.name);
  if (number >= 0) {
    const std::string mistake = narrow(all[static_cast<size_t>(number)], spec);
    return mistake.empty() ? number : fail(mistake);
  }
  all.push_back(std::move(spec));
  return static_cast<int32_t>(all.size() - 1);
}

int32_t find(const leat_route* route, uint32_t in, leat_str name) {
  if (route == nullptr || in > kLastIn) return LEAT_E_NOT_FOUND;
  const int32_t number = route->find(static_cast<pipeline::In>(in), view(name));
  return number < 0 ? LEAT_E_NOT_FOUND : number;
}

ParameterValues* values_of(const leat_request* request, std::string_view function) {
  const http::Exchange* exchange = exchange_of(request, function);
  return exchange == nullptr ? nullptr : exchange->states.find<ParameterValues>();
}

const ParameterValue* first(const leat_request* request, uint32_t number, std::string_view function) {
  const ParameterValues* values = values_of(request, function);
  return values == nullptr ? nullptr : values->first(number);
}

// An empty text is not an absent one.
leat_str text_of(const ParameterValue* found) {
  if (found == nullptr) return {};
  return found->text.data() == nullptr ? leat_str{"", 0} : to_str(found->text);
}

leat_str value(const leat_request* request, uint32_t number) {
  return text_of(first(request, number, "leat.parameters/1 value"));
}

uint32_t values(const leat_request* request, uint32_t number, leat_str* into, uint32_t room) {
  uint32_t size = 0;
  const ParameterValue* found = first(request, number, "leat.parameters/1 values");
  for (; found != nullptr; found = found->next, ++size)
    if (into != nullptr && size < room) into[size] = text_of(found);
  return size;
}

int32_t file(const leat_request* request, uint32_t number, uint32_t index, leat_file* into) {
  constexpr std::string_view kFunction = "leat.parameters/1 file";
  const http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (into == nullptr || into->struct_size < sizeof(leat_file))
    return plugin::refuse(kFunction, "the file is NULL, or lacks its struct_size", LEAT_E_ARGUMENT);
  const auto* values = exchange->states.find<ParameterValues>();
  const pipeline::FileValue* found = values == nullptr ? nullptr : values->file(number, index);
  if (found == nullptr) return LEAT_E_NOT_FOUND;
  into->name = to_str(found->name);
  into->type = to_str(found->type);
  into->content = text_of(found);
  into->size = found->size;
  return LEAT_OK;
}

uint32_t wrong(const leat_request* request) {
  const ParameterValues* values = values_of(request, "leat.parameters/1 wrong");
  return values == nullptr ? 0 : values->violations();
}

int32_t reject(leat_request* request, leat_str pointer, leat_str message) {
  constexpr std::string_view kFunction = "leat.parameters/1 reject";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (!is_text(pointer) || !is_text(message))
    return plugin::refuse(kFunction, "a text is NULL and not empty", LEAT_E_ARGUMENT);
  auto* values = exchange->states.find<ParameterValues>();
  if (values == nullptr) values = exchange->states.make<ParameterValues>(exchange);
  if (values == nullptr || !values->reject(exchange->arena(), view(pointer), view(message)))
    return LEAT_E_MEMORY;
  return LEAT_OK;
}

int32_t refuse_request(leat_request* request) {
  constexpr std::string_view kFunction = "leat.parameters/1 refuse";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  const auto* values = exchange->states.find<ParameterValues>();
  if (values == nullptr || values->violations() == 0)
    return plugin::refuse(kFunction, "nothing was found wrong", LEAT_E_STATE);
  if (is_over(*exchange) || exchange->started() || current_call.answering) return LEAT_E_STATE;
  return values->refuse(*exchange) ? LEAT_OK : LEAT_E_STATE;
}

int32_t fits(uint32_t type, leat_str text) {
  if (type > kLastType || !is_text(text)) return 0;
  return pipeline::is_of_type(static_cast<pipeline::ParameterType>(type), view(text)) ? 1 : 0;
}

int32_t describe(const leat_route* route, uint32_t what, leat_str schema) {
  constexpr std::string_view kFunction = "leat.parameters/1 describe";
  if (route == nullptr || route->schemas == nullptr || what > LEAT_DESCRIBES_ANSWER || !is_text(schema) ||
      !json::is_json_value(view(schema)))
    return plugin::refuse(kFunction, "an argument is NULL, or the schema is no JSON", LEAT_E_ARGUMENT);
  (what == LEAT_DESCRIBES_BODY ? route->schemas->body : route->schemas->answer) = view(schema);
  return LEAT_OK;
}

const leat_pattern* pattern(const leat_host* host, leat_str text, leat_str called, leat_error* error) {
  constexpr std::string_view kFunction = "leat.parameters/1 pattern";
  const Host* const known = static_cast<const Host*>(host);
  if (known == nullptr || known->loading == nullptr || !is_text(text)) {
    plugin::refuse(kFunction, "patterns are made in load()", LEAT_E_STATE);
    return nullptr;
  }
  Patterns& patterns = known->loading->patterns();
  if (const auto found = patterns.find(view(text)); found != patterns.end()) return &found->second;
  auto made = pipeline::TextPattern::make(view(text));
  if (!made) {
    const std::string what = fmt::format("`{}` has a pattern, `{}`, that is no regular expression: {}",
                                         view(called), view(text), made.error());
    host->fail(error, {}, to_str(what));
    return nullptr;
  }
  return &patterns.try_emplace(std::string(view(text)), std::move(*made)).first->second;
}

int32_t matches(const leat_pattern* pattern, leat_str text) {
  return pattern != nullptr && is_text(text) && pattern->text.is_in(view(text)) ? 1 : 0;
}

}  // namespace

const leat_parameters_v1 kParametersExtension = {
    .struct_size = sizeof(leat_parameters_v1),
    .reserved = 0,
    .declare = declare,
    .find = find,
    .value = value,
    .values = values,
    .wrong = wrong,
    .reject = reject,
    .refuse = refuse_request,
    .fits = fits,
    .describe = describe,
    .pattern = pattern,
    .matches = matches,
    .file = file,
};

}  // namespace leat::plugin
