// What parameters may be said to be: their words for people, and what two declarations of one come to.
#include "pipeline/parameter_rules.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/shared/plugin_number.hpp"
#include "base/text.h"

namespace leat::pipeline {

namespace {

std::string integer_text(WideInteger number) {
  return number < 0 ? std::to_string(static_cast<int64_t>(number))
                    : std::to_string(static_cast<uint64_t>(number));
}
std::string real_text(double number) {
  char text[encoding::kLongestReal];
  return {text, encoding::write_real(text, number)};
}

bool has_least(const ParameterSpec& spec) { return spec.least != ParameterSpec().least; }
bool has_most(const ParameterSpec& spec) { return spec.most != ParameterSpec().most; }
bool is_any(const ParameterSpec& spec) { return !has_least(spec) && !has_most(spec); }

std::string integer_words(const ParameterSpec& spec) {
  if (is_any(spec)) return "a whole number";
  if (!has_most(spec)) return fmt::format("a whole number of {} or more", integer_text(spec.least));
  if (!has_least(spec)) return fmt::format("a whole number of {} or less", integer_text(spec.most));
  return fmt::format("a whole number from {} to {}", integer_text(spec.least), integer_text(spec.most));
}

std::string number_words(const ParameterSpec& spec) {
  const bool above = std::isfinite(spec.least_number), below = std::isfinite(spec.most_number);
  if (above && below)
    return fmt::format("a number from {} to {}", real_text(spec.least_number), real_text(spec.most_number));
  if (above) return fmt::format("a number of {} or more", real_text(spec.least_number));
  if (below) return fmt::format("a number of {} or less", real_text(spec.most_number));
  return "a number";
}

std::string range_words(uint64_t least, uint64_t most, std::string_view one, std::string_view many) {
  const auto noun = [&](uint64_t count) { return count == 1 ? one : many; };
  if (least == most) return fmt::format("{} {}", least, noun(least));
  if (most == UINT32_MAX) return fmt::format("{} {} or more", least, noun(least));
  return least == 0 ? fmt::format("{} {} at most", most, noun(most))
                    : fmt::format("{} to {} {}", least, most, many);
}

std::string text_words(const ParameterSpec& spec) {
  if (!spec.choices.empty()) {
    std::string words = "one of ";
    for (const std::string& choice : spec.choices)
      words += fmt::format("{}`{}`", &choice == spec.choices.data() ? "" : ", ", choice);
    return words;
  }
  std::string words = "a text";
  if (spec.min_length != 0 || spec.max_length != UINT32_MAX)
    words += " of " + range_words(spec.min_length, spec.max_length, "character", "characters");
  if (!spec.pattern.empty()) words += fmt::format(" that matches `{}`", spec.pattern);
  return words;
}

std::string file_words(const ParameterSpec& spec) {
  std::string words = "a file";
  if (spec.max_size != UINT64_MAX) words += fmt::format(" of {} bytes at most", spec.max_size);
  for (const std::string& type : spec.choices)
    words += fmt::format("{}`{}`", &type == spec.choices.data() ? " of the type " : " or ", type);
  return words;
}

// "image/png", or "image/*"
bool is_type_of_file(std::string_view type) {
  const size_t slash = type.find('/');
  return slash != 0 && slash != std::string_view::npos && slash + 1 != type.size() &&
         std::ranges::count(type, '/') == 1 &&
         std::ranges::all_of(type, [](char c) { return c == '/' || is_token_char(c); });
}

// What only files can have, and what they cannot.
std::string misplaced_of_file(const ParameterSpec& spec) {
  if (spec.type != ParameterType::File) return spec.max_size != UINT64_MAX ? "a size is for files" : "";
  if (spec.in != In::Multipart) return "files are in multipart forms alone";
  if (spec.fallback) return "a file has no default";
  for (const std::string& type : spec.choices)
    if (!is_type_of_file(type)) return fmt::format("`{}` is no type such as `image/png` or `image/*`", type);
  return {};
}

// What only some types can have.
std::string misplaced(const ParameterSpec& spec) {
  const bool text = spec.type == ParameterType::Text;
  if (!text && (spec.min_length != 0 || spec.max_length != UINT32_MAX)) return "a length is for texts";
  if (!text && !spec.pattern.empty()) return "a pattern is for texts";
  if (!text && spec.type != ParameterType::File && !spec.choices.empty()) return "choices are for texts";
  if (spec.type != ParameterType::Integer && !is_any(spec)) return "such a range is for whole numbers";
  if (spec.type != ParameterType::Number &&
      (std::isfinite(spec.least_number) || std::isfinite(spec.most_number)))
    return "such a range is for numbers";
  if (!spec.list && (spec.min_items != 0 || spec.max_items != UINT32_MAX))
    return "a number of values is for lists";
  if (spec.in == In::Json && spec.fallback)
    return "a member of a body has no default: the handler reads the body";
  return misplaced_of_file(spec);
}

}  // namespace

std::string_view kind_text(In in) {
  constexpr std::string_view kKinds[kInCount] = {
      "path parameter", "query parameter", "header", "cookie", "form field", "form field", "body's member"};
  return kKinds[static_cast<size_t>(in)];
}

std::vector<std::string> steps_of(std::string_view name) {
  if (!name.starts_with('/')) return {std::string(name)};
  std::vector<std::string> steps;
  while (!name.empty()) {
    name.remove_prefix(1);
    std::string& step = steps.emplace_back();
    for (; !name.empty() && name.front() != '/'; name.remove_prefix(1)) {
      const bool escape = name.starts_with("~0") || name.starts_with("~1");
      step += escape ? (name[1] == '0' ? '~' : '/') : name.front();
      if (escape) name.remove_prefix(1);
    }
  }
  return steps;
}
std::string expectation_text(const ParameterSpec& spec) {
  switch (spec.type) {
    case ParameterType::Text:
      return text_words(spec);
    case ParameterType::Integer:
      return integer_words(spec);
    case ParameterType::Number:
      return number_words(spec);
    case ParameterType::Boolean:
      return "true or false";
    case ParameterType::Uuid:
      return "a UUID";
    case ParameterType::DateTime:
      return "a date and time, such as 2026-02-28T12:00:00Z";
    case ParameterType::Email:
      return "an e-mail address";
    case ParameterType::Uri:
      return "a URI with its scheme";
    case ParameterType::File:
      return file_words(spec);
  }
  return {};
}

std::string rule_text(const ParameterSpec& spec) {
  std::string text = expectation_text(spec);
  if (spec.list) text = fmt::format("a list, of which each is {}", text);
  if (spec.min_items != 0 || spec.max_items != UINT32_MAX)
    text += "; " + range_words(spec.min_items, spec.max_items, "value", "values");
  if (spec.required || spec.in == In::Path) text += "; required";
  if (spec.fallback) text += fmt::format("; by default `{}`", *spec.fallback);
  return text;
}

std::string mistake_in(const ParameterSpec& spec) {
  const auto mistake = [&](std::string_view what) {
    return fmt::format("the parameter `{}`: {}", spec.name, what);
  };
  if (spec.name.empty()) return "a parameter has a name";
  if (const std::string what = misplaced(spec); !what.empty()) return mistake(what);
  if (spec.least > spec.most || spec.least_number > spec.most_number || spec.min_length > spec.max_length ||
      spec.min_items > spec.max_items)
    return mistake("nothing is as much as the least and as little as the most");
  if (spec.list && spec.fallback) return mistake("a list has no default");
  if (spec.required && spec.fallback) return mistake("what has a default is not required");
  return {};
}

std::string narrow(ParameterSpec& spec, const ParameterSpec& other) {
  const auto both = [&](std::string_view what) {
    return fmt::format("the {} `{}` is declared twice, {}", kind_text(spec.in), spec.name, what);
  };
  using enum ParameterType;
  if (spec.list != other.list) return both("once as a list");
  if (spec.type != other.type) {
    const bool file = spec.type == File || other.type == File;
    if (file && spec.type != Text && other.type != Text) return both("once as a file");
    const bool numbers = spec.type == Number && other.type == Integer;
    if (spec.type != Text && other.type != Text && !numbers &&
        !(spec.type == Integer && other.type == Number))
      return both(fmt::format("as {} and as {}", expectation_text(spec), expectation_text(other)));
    if (spec.type == Text || numbers) spec.type = other.type;
  }
  if (!spec.pattern.empty() && !other.pattern.empty()) return both("each time with a pattern");
  if (!spec.choices.empty() && !other.choices.empty()) return both("each time with choices");
  spec.least = std::max(spec.least, other.least);
  spec.most = std::min(spec.most, other.most);
  spec.least_number = std::max(spec.least_number, other.least_number);
  spec.most_number = std::min(spec.most_number, other.most_number);
  spec.min_length = std::max(spec.min_length, other.min_length);
  spec.max_length = std::min(spec.max_length, other.max_length);
  spec.max_size = std::min(spec.max_size, other.max_size);
  spec.min_items = std::max(spec.min_items, other.min_items);
  spec.max_items = std::min(spec.max_items, other.max_items);
  if (spec.pattern.empty()) spec.pattern = other.pattern;
  if (spec.choices.empty()) spec.choices = other.choices;
  if (spec.sentence.empty()) spec.sentence = other.sentence;
  // What a file says, which is the one that comes first, is what counts where there can be only one.
  spec.required = (spec.required || other.required) && !spec.fallback;
  if (!spec.fallback && !spec.required) spec.fallback = other.fallback;
  return mistake_in(spec);
}

}  // namespace leat::pipeline
