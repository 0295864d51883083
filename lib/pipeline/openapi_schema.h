// The schemas of parameters and bodies, as the description of the API has them (openapi.h).
//
// Private to it.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/nested.h"
#include "pipeline/handler.h"
#include "pipeline/parameter_rules.h"

namespace leat::pipeline {

// The members that are asked of a JSON body, each below the one that it lies in.
class MemberTree {
 public:
  struct Node {
    std::string name;
    const ParameterSpec* spec = nullptr;  // null: an object, whose members follow
    std::vector<Node> within = {};

    [[nodiscard]] bool required() const {
      return spec != nullptr ? spec->required : std::ranges::any_of(within, &Node::required);
    }
  };

  explicit MemberTree(std::span<const ParameterSpec> specs) {
    for (const ParameterSpec& spec : specs) {
      if (spec.in != In::Json) continue;
      Node* at = &top_;
      for (const std::string& step : steps_of(spec.name)) {
        const auto known = std::ranges::find(at->within, step, &Node::name);
        at = known != at->within.end() ? &*known : &at->within.emplace_back(Node{step});
      }
      at->spec = &spec;
    }
  }
  [[nodiscard]] const Node& top() const { return top_; }

 private:
  Node top_;
};

class SchemaText : protected json::Nested {
 protected:
  using json::Nested::Nested;

  // What stands within a schema's braces.
  void schema(const ParameterSpec& spec);
  // What a body has to be: the member `requestBody`. What may be JSON may be of the further types. False, and nothing
  // is written: whatever.
  bool request_body(const HandlerDescription& said, std::span<const std::string_view> further);
  // Of JSON, and of the further types: a member for each, whose schema that is.
  void json_content(std::string_view schema_json, std::span<const std::string_view> further);

 private:
  // A media type for JSON and for each of `further`, that holds the same.
  template <class Write>
  void for_json(std::span<const std::string_view> further, const Write& write) {
    object("application/json", write);
    for (const std::string_view type : further) object(type, write);
  }
  void whole(std::string_view name, WideInteger number);
  void value_schema(const ParameterSpec& spec);
  void text_schema(const ParameterSpec& spec);
  void file_schema(const ParameterSpec& spec);
  void fallback(const ParameterSpec& spec);
  void described_schema(const ParameterSpec& spec);
  void form_schema(const HandlerDescription& said, In in);
  void encoding_of(const HandlerDescription& said);
  void body_schema(const HandlerDescription& said, bool typed, bool members);
  void members_schema(const MemberTree::Node& node);
};

}  // namespace leat::pipeline
