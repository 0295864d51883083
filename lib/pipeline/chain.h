// A chain: the middleware of one route, without duplicates and in order. Compiled when the site is built.
//
// Two instances are duplicates when kind and options are the same: running both would do the same thing
// twice. The one that comes first stays, and stands for the other in what is declared about it: who wanted to
// come before or after either, or is wanted there by either, gets its will. Instances that differ are both
// kept.
//
// The order is that of the phases; `before` and `after` overrule it; what is left open is decided by the
// order of declaration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "pipeline/middleware_kind.h"

namespace leat::pipeline {

// A middleware instance as declared.
struct MiddlewareSpec {
  std::string kind;
  std::string name;                 // for before/after and for routes to name it; may be empty
  std::vector<std::string> before;  // kinds or names that come after this one
  std::vector<std::string> after;   // ... and before it
  bool global = true;               // false: only for routes that name it
  Value options;
  Place place;
};

// What people are shown: "request_id", or "request_id(edge)" where it has a name.
std::string display_name(const MiddlewareSpec& spec);

// What `before` and `after` call the response cache, which is a step of the chains of routes that have one.
inline constexpr std::string_view kCacheStep = "cache";

// One instance in a chain, or the cache, which has none.
struct Step {
  const MiddlewareKind* kind = nullptr;
  const MiddlewareSpec* spec = nullptr;
  Middleware* instance = nullptr;
  http::AnswerFilter* filter = nullptr;       // of the cache
  std::vector<const MiddlewareSpec*> merged;  // duplicates that it stands for
};

// Leaves the first of each set of duplicates. The same instance twice is no duplicate worth a word.
void merge_duplicates(std::vector<Step>& steps);

// Puts the steps in order. When before and after contradict each other they are left as they are, and the
// result is one contradiction: steps of which each must come before the next, and the last before the first.
std::vector<const Step*> order_chain(std::vector<Step>& steps);

}  // namespace leat::pipeline
