#include "config/route_parameters.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/shared/plugin_number.hpp"
#include "config/codes.h"
#include "pipeline/parameter_rules.h"

namespace leat::config {

namespace {

using pipeline::ParameterSpec;
using pipeline::ParameterType;
using schema::Reader;
using schema::Row;

struct ParameterKeys {
  std::string name;
  pipeline::In in = pipeline::In::Query;
  std::optional<ParameterType> type;
  bool required = false;
  bool list = false;
  const Value* minimum = nullptr;
  const Value* maximum = nullptr;
  std::optional<uint32_t> min_length;
  std::optional<uint32_t> max_length;
  std::optional<uint32_t> min_items;
  std::optional<uint32_t> max_items;
  std::string pattern;
  std::vector<std::string> choices;
  std::optional<uint64_t> max_size;
  std::vector<std::string> content_types;
  const Value* fallback = nullptr;
  std::string sentence;
};

constexpr int64_t kMostCount = 1'000'000'000;
constexpr int64_t kMostSize = int64_t{1} << 40;
constexpr std::string_view kNumber = "a number";
constexpr std::string_view kScalar = "a text, a number, true or false";

constexpr Row kParameter[] = {
    schema::text<&ParameterKeys::name>(
        "name",
        "As clients write it; of a header in any case. Of `json` a member of the object that the "
        "body is, or a pointer to one further in, `/address/city` (RFC 6901).")
        .as_needed(),
    schema::choice<&ParameterKeys::in>(
        "in", pipeline::kInWords,
        "Where it stands; `form` is a field of a body that is "
        "`application/x-www-form-urlencoded`, `multipart` one of "
        "`multipart/form-data`, `json` a member of one that is JSON. Parameters of a "
        "route are in one kind of body."),
    schema::choice<&ParameterKeys::type>(
        "type", pipeline::kTypeWords,
        "What its value is; `text` where neither this nor the handler says "
        "it. `boolean` is true, false, 1, 0, yes, "
        "no, on or off. `file` is for `multipart`. In `json` a number, true and "
        "false have no quotes, and null counts as nothing."),
    schema::boolean<&ParameterKeys::required>("required", "A request without it is answered 400."),
    schema::boolean<&ParameterKeys::list>(
        "list",
        "It may have several values: each with its name, or, in a path or a header, with commas between; in "
        "`json` an array."),
    schema::any<&ParameterKeys::minimum>("minimum", kNumber, "Of an `integer` or `number`."),
    schema::any<&ParameterKeys::maximum>("maximum", kNumber, "Of an `integer` or `number`."),
    schema::count<&ParameterKeys::min_length>("min_length", 0, kMostCount,
                                              "Characters of a `text`, at least."),
    schema::count<&ParameterKeys::max_length>("max_length", 1, kMostCount,
                                              "Characters of a `text`, at most."),
    schema::text<&ParameterKeys::pattern>(
        "pattern",
        "A regular expression of RE2 that is to be found in a `text`; `^` and `$` bind it to the ends."),
    schema::texts<&ParameterKeys::choices>("enum", "A `text` is one of these."),
    schema::size<&ParameterKeys::max_size>("max_size", 1, kMostSize,
                                           "The largest `file`; without it the body's limit holds."),
    schema::texts<&ParameterKeys::content_types>("content_types",
                                                 "What a client may say that a `file` is: `image/png`, or "
                                                 "`image/*`. Whether it is that nobody has looked."),
    schema::count<&ParameterKeys::min_items>("min_items", 0, kMostCount, "Values of a list, at least."),
    schema::count<&ParameterKeys::max_items>("max_items", 1, kMostCount, "Values of a list, at most."),
    schema::any<&ParameterKeys::fallback>("default", kScalar, "Its value where a request has none."),
    schema::text<&ParameterKeys::sentence>("sentence", "What it is, for the description of the API."),
};

void wrong_kind(Reader& reader, const Value& value, std::string_view key, std::string_view wanted) {
  reader.diagnostics().push_back(
      schema::wrong_type(value, fmt::format("`{}`", key), wanted, kSchemaCodes.type));
}

// A bound of a range, which needs a type that has one.
void take_bound(Reader& reader, const Value* value, std::string_view key, ParameterType type,
                pipeline::WideInteger& whole, double& number) {
  if (value == nullptr) return;
  if (type == ParameterType::Integer) {
    if (value->integer() == nullptr) return wrong_kind(reader, *value, key, "a whole number");
    whole = *value->integer();
  } else if (type == ParameterType::Number) {
    if (value->integer() != nullptr)
      number = static_cast<double>(*value->integer());
    else if (value->real() != nullptr && std::isfinite(*value->real()))
      number = *value->real();
    else
      wrong_kind(reader, *value, key, kNumber);
  } else {
    reader.fail(kBadChoice, fmt::format("`{}` is for numbers", key), value->place,
                R"(say `type = "integer"` or `type = "number"`)");
  }
}

// Of files they are what choices are of texts.
void take_types(Reader& reader, ParameterSpec& spec, std::vector<std::string> types) {
  const bool file = spec.type == ParameterType::File;
  if (file && !spec.choices.empty())
    reader.fail(kBadChoice, "`enum` is for texts", reader.place_of("enum"), "say `content_types`");
  else if (!file && !types.empty())
    reader.fail(kBadChoice, "`content_types` is for files", reader.place_of("content_types"),
                R"(say `type = "file"`)");
  else if (file)
    spec.choices = std::move(types);
}

std::optional<std::string> scalar_text(Reader& reader, const Value& value) {
  if (value.string() != nullptr) return *value.string();
  if (value.boolean() != nullptr) return *value.boolean() ? "true" : "false";
  if (value.integer() != nullptr) return std::to_string(*value.integer());
  if (value.real() != nullptr && std::isfinite(*value.real())) {
    char text[encoding::kLongestReal];
    return std::string(text, encoding::write_real(text, *value.real()));
  }
  wrong_kind(reader, value, "default", kScalar);
  return std::nullopt;
}

// Nothing where something is wrong with it, which is said.
std::optional<ParameterSpec> read_parameter(const Value& table, Diagnostics& diagnostics) {
  Reader reader(table, "[[route.parameter]]", kSchemaCodes, diagnostics);
  ParameterKeys keys;
  reader.read(kParameter, keys);
  reader.refuse_others();
  ParameterSpec spec{.name = std::move(keys.name),
                     .in = keys.in,
                     .type = keys.type.value_or(ParameterType::Text),
                     .required = keys.required,
                     .list = keys.list,
                     .sentence = std::move(keys.sentence),
                     .min_length = keys.min_length.value_or(0),
                     .max_length = keys.max_length.value_or(UINT32_MAX),
                     .min_items = keys.min_items.value_or(0),
                     .max_items = keys.max_items.value_or(UINT32_MAX),
                     .pattern = std::move(keys.pattern),
                     .choices = std::move(keys.choices),
                     .max_size = keys.max_size.value_or(UINT64_MAX),
                     .fallback = std::nullopt,
                     .place = reader.place_of("name")};
  take_bound(reader, keys.minimum, "minimum", spec.type, spec.least, spec.least_number);
  take_bound(reader, keys.maximum, "maximum", spec.type, spec.most, spec.most_number);
  take_types(reader, spec, std::move(keys.content_types));
  if (keys.fallback != nullptr) spec.fallback = scalar_text(reader, *keys.fallback);
  if (!reader.good()) return std::nullopt;
  if (std::string mistake = mistake_in(spec); !mistake.empty()) {
    reader.fail(kBadChoice, std::move(mistake), spec.place);
    return std::nullopt;
  }
  // What shows only when it is made ready: its pattern, and whether its default is what it must be.
  if (const auto alone = pipeline::ParameterSet::make({spec}); !alone) {
    reader.fail(kBadChoice, alone.error(), spec.place);
    return std::nullopt;
  }
  return spec;
}

}  // namespace

std::span<const Row> route_parameter_rows() { return kParameter; }

void read_route_parameters(const Value& list, RouteDecl& route, Diagnostics& diagnostics) {
  const auto wrong = [&](const Value& value) {
    diagnostics.push_back(schema::wrong_type(value, "`parameter`", kParameterTables, kSchemaCodes.type));
  };
  if (list.array() == nullptr) return wrong(list);
  route.parameter_tables = std::make_unique<Value>(list);
  for (const Value& item : *list.array()) {
    if (item.table() == nullptr) {
      wrong(item);
      continue;
    }
    auto spec = read_parameter(item, diagnostics);
    if (!spec) continue;
    const bool twice = std::ranges::any_of(route.parameters, [&](const ParameterSpec& other) {
      return other.in == spec->in && other.name == spec->name;
    });
    if (twice)
      diagnostics.push_back(
          {.code = kDefinedTwice,
           .message = fmt::format("the {} `{}` is declared twice", kind_text(spec->in), spec->name),
           .place = spec->place,
           .hint = {}});
    route.parameters.push_back(*std::move(spec));
  }
}

}  // namespace leat::config
