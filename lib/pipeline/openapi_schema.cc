#include "pipeline/openapi_schema.h"

#include <cmath>
#include <utility>

#include "pipeline/parameters.h"

namespace leat::pipeline {

void SchemaText::schema(const ParameterSpec& spec) {
  if (!spec.list) return value_schema(spec);
  member("type", "array");
  object("items", [&] { value_schema(spec); });
  if (spec.min_items != 0) count("minItems", spec.min_items);
  if (spec.max_items != UINT32_MAX) count("maxItems", spec.max_items);
}

void SchemaText::whole(std::string_view name, WideInteger number) {
  json_.key(name);
  if (number < 0)
    json_.integer(static_cast<int64_t>(number));
  else
    json_.unsigned_integer(static_cast<uint64_t>(number));
}

void SchemaText::value_schema(const ParameterSpec& spec) {
  switch (spec.type) {
    case ParameterType::Integer:
      member("type", "integer");
      whole("minimum", spec.least);
      whole("maximum", spec.most);
      break;
    case ParameterType::Number:
      member("type", "number");
      if (std::isfinite(spec.least_number)) {
        json_.key("minimum");
        json_.real(spec.least_number);
      }
      if (std::isfinite(spec.most_number)) {
        json_.key("maximum");
        json_.real(spec.most_number);
      }
      break;
    case ParameterType::Boolean:
      member("type", "boolean");
      break;
    case ParameterType::File:
      file_schema(spec);
      break;
    default:
      text_schema(spec);
  }
  if (spec.fallback) fallback(spec);
}

void SchemaText::text_schema(const ParameterSpec& spec) {
  member("type", "string");
  constexpr std::pair<ParameterType, std::string_view> kFormats[] = {{ParameterType::Uuid, "uuid"},
                                                                     {ParameterType::DateTime, "date-time"},
                                                                     {ParameterType::Email, "email"},
                                                                     {ParameterType::Uri, "uri"}};
  for (const auto& [type, format] : kFormats)
    if (spec.type == type) member("format", format);
  if (spec.min_length != 0) count("minLength", spec.min_length);
  if (spec.max_length != UINT32_MAX) count("maxLength", spec.max_length);
  if (!spec.pattern.empty()) member("pattern", spec.pattern);
  if (!spec.choices.empty())
    array("enum", [&] {
      for (const std::string& choice : spec.choices) json_.string(choice);
    });
}

// Of one of several types `encoding` has all.
void SchemaText::file_schema(const ParameterSpec& spec) {
  member("type", "string");
  const bool one = spec.choices.size() == 1 && !spec.choices.front().ends_with('*');
  member("contentMediaType", one ? spec.choices.front() : "application/octet-stream");
  if (spec.max_size != UINT64_MAX) count("maxLength", spec.max_size);
}

void SchemaText::fallback(const ParameterSpec& spec) {
  json_.key("default");
  switch (spec.type) {
    // Found to be one when it was declared, in a way of writing that JSON need not have: "007", ".5".
    case ParameterType::Integer:
      return spec.fallback->starts_with('-')
                 ? json_.integer(to_integer(*spec.fallback).value_or(0))
                 : json_.unsigned_integer(to_unsigned_integer(*spec.fallback).value_or(0));
    case ParameterType::Number:
      return json_.real(to_real(*spec.fallback).value_or(0));
    case ParameterType::Boolean:
      return json_.boolean(to_boolean(*spec.fallback).value_or(false));
    default:
      json_.string(*spec.fallback);
  }
}

bool SchemaText::request_body(const HandlerDescription& said, std::span<const std::string_view> further) {
  const auto has = [&](In in) { return std::ranges::contains(said.parameters, in, &ParameterSpec::in); };
  const bool typed = said.schemas != nullptr && !said.schemas->body.empty();
  if (!typed && !has(In::Form) && !has(In::Multipart) && !has(In::Json)) return false;
  object("requestBody", [&] {
    const bool needed =
        typed || std::ranges::any_of(said.parameters, [](const ParameterSpec& spec) {
          return spec.required && (spec.in == In::Form || spec.in == In::Multipart || spec.in == In::Json);
        });
    flag("required", needed);
    object("content", [&] {
      if (typed || has(In::Json)) for_json(further, [&] { body_schema(said, typed, has(In::Json)); });
      if (has(In::Form))
        object("application/x-www-form-urlencoded",
               [&] { object("schema", [&] { form_schema(said, In::Form); }); });
      if (has(In::Multipart))
        object("multipart/form-data", [&] {
          object("schema", [&] { form_schema(said, In::Multipart); });
          encoding_of(said);
        });
    });
  });
  return true;
}

void SchemaText::form_schema(const HandlerDescription& said, In in) {
  member("type", "object");
  object("properties", [&] {
    for (const ParameterSpec& spec : said.parameters)
      if (spec.in == in) object(spec.name, [&] { described_schema(spec); });
  });
  array("required", [&] {
    for (const ParameterSpec& spec : said.parameters)
      if (spec.in == in && spec.required) json_.string(spec.name);
  });
}

// What is no parameter to OpenAPI has its description in the schema.
void SchemaText::described_schema(const ParameterSpec& spec) {
  schema(spec);
  if (!spec.sentence.empty()) member("description", spec.sentence);
}

// The types of files, which a schema has no word for.
void SchemaText::encoding_of(const HandlerDescription& said) {
  const auto types = [](const ParameterSpec& spec) {
    return spec.in == In::Multipart && spec.type == ParameterType::File && !spec.choices.empty();
  };
  if (std::ranges::none_of(said.parameters, types)) return;
  object("encoding", [&] {
    for (const ParameterSpec& spec : said.parameters) {
      if (!types(spec)) continue;
      std::string all;
      for (const std::string& type : spec.choices) all += (all.empty() ? "" : ", ") + type;
      object(spec.name, [&] { member("contentType", all); });
    }
  });
}

void SchemaText::body_schema(const HandlerDescription& said, bool typed, bool members) {
  if (!members) return raw("schema", said.schemas->body);
  object("schema", [&] {
    if (!typed) return members_schema(MemberTree(said.parameters).top());
    array("allOf", [&] {
      json_.raw(said.schemas->body);
      json_.begin_object();
      members_schema(MemberTree(said.parameters).top());
      json_.end_object();
    });
  });
}

void SchemaText::members_schema(const MemberTree::Node& node) {
  member("type", "object");
  object("properties", [&] {
    for (const MemberTree::Node& each : node.within)
      object(each.name, [&] { each.spec != nullptr ? described_schema(*each.spec) : members_schema(each); });
  });
  array("required", [&] {
    for (const MemberTree::Node& each : node.within)
      if (each.required()) json_.string(each.name);
  });
}

void SchemaText::json_content(std::string_view schema_json, std::span<const std::string_view> further) {
  for_json(further, [&] { raw("schema", schema_json); });
}

}  // namespace leat::pipeline
