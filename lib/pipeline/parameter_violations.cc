// What was found wrong with a request, and the answer that tells all of it.
#include <fmt/core.h>

#include <algorithm>
#include <new>

#include "http/problem.h"
#include "json/writer.h"
#include "pipeline/parameter_rules.h"
#include "pipeline/parameter_taking.h"

namespace leat::pipeline {

// Texts one behind the other, in the arena: they are few and short, and a request that is refused is none that is
// served.
std::string_view joined(Arena& arena, std::initializer_list<std::string_view> parts) {
  size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  char* const to = arena.allocate_array<char>(std::max<size_t>(size, 1));
  if (to == nullptr) return {};
  size_t at = 0;
  for (const std::string_view part : parts) at += part.copy(to + at, part.size());
  return {to, size};
}

bool ParameterValues::add(Arena& arena, const Violation& violation) {
  if (violation_count_++ >= kMostViolations) return true;
  void* place = arena.allocate(sizeof(Violation), alignof(Violation));
  if (place == nullptr) return false;
  auto* kept = new (place) Violation(violation);
  (violations_ == nullptr ? violations_ : last_->next) = kept;
  last_ = kept;
  return true;
}

bool ParameterValues::reject(Arena& arena, std::string_view pointer, std::string_view message) {
  // The handler reads the body as well, and may find the same.
  for (const Violation* each = violations_; each != nullptr; each = each->next)
    if (each->spec == nullptr && each->pointer == pointer && each->message == message) return true;
  const std::string_view place = arena.copy(pointer), what = arena.copy(message);
  if (place.data() == nullptr || what.data() == nullptr) return false;
  return add(arena, {nullptr, place, what, kNoItem, nullptr});
}

bool ParameterValues::refuse(http::Exchange& exchange) const {
  Arena& arena = exchange.arena();
  json::Writer json(arena);
  json.begin_array();
  for (const Violation* each = violations_; each != nullptr; each = each->next) {
    json.begin_object();
    json.key("detail");
    json.string(each->message);
    if (each->spec != nullptr) {
      json.key("in");
      constexpr std::string_view kIn[] = {"path", "query", "header", "cookie", "form", "multipart"};
      json.string(kIn[static_cast<size_t>(each->spec->in)]);
      json.key("parameter");
      json.string(each->spec->name);
    } else {
      json.key("pointer");
      json.string(joined(arena, {"#", each->pointer}));
    }
    if (each->item != kNoItem) {
      json.key("index");
      json.unsigned_integer(each->item);
    }
    json.end_object();
  }
  json.end_array();
  const auto errors = json.finish();
  if (!errors || violations_ == nullptr) {
    http::send_out_of_memory(exchange);
    return true;
  }
  if (violation_count_ != 1) {
    char words[64];
    const auto end = fmt::format_to_n(words, sizeof words, "The request has {} mistakes{}.", violation_count_,
                                      violation_count_ > kMostViolations ? "; `errors` has the first" : "");
    return exchange.send_problem(400, {words, std::min(end.size, sizeof words)},
                                 joined(arena, {"\"errors\":", *errors}));
  }
  const ParameterSpec* spec = violations_->spec;
  if (spec == nullptr) {
    const bool whole = violations_->pointer.empty();
    const std::string_view detail = joined(arena, {"The body", whole ? " " : "'s `", violations_->pointer,
                                                   whole ? "" : "` ", violations_->message, "."});
    return exchange.send_problem(400, detail, joined(arena, {"\"errors\":", *errors}));
  }
  json::Writer name(arena);
  name.string(spec->name);
  const auto named = name.finish();
  const std::string_view detail =
      joined(arena, {"The ", kind_text(spec->in), " `", spec->name, "` ", violations_->message, "."});
  return exchange.send_problem(
      400, detail, joined(arena, {"\"parameter\":", named ? *named : "null", ",\"errors\":", *errors}));
}

}  // namespace leat::pipeline
