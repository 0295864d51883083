#include "pipeline/text_pattern.h"

#include <re2/re2.h>

#include <utility>

namespace leat::pipeline {

namespace {

RE2::Options pattern_options() {
  RE2::Options options;
  options.set_max_mem(static_cast<int64_t>(TextPattern::kMostBytes));
  options.set_log_errors(false);
  return options;
}

}  // namespace

struct TextPattern::Compiled {
  explicit Compiled(std::string_view pattern)
      : re2(re2::StringPiece(pattern.data(), pattern.size()), pattern_options()) {}
  const RE2 re2;
};

TextPattern::TextPattern(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
TextPattern::TextPattern(TextPattern&&) noexcept = default;
TextPattern& TextPattern::operator=(TextPattern&&) noexcept = default;
TextPattern::~TextPattern() = default;

std::expected<TextPattern, std::string> TextPattern::make(std::string_view pattern) {
  auto compiled = std::make_unique<const Compiled>(pattern);
  if (!compiled->re2.ok()) return std::unexpected(compiled->re2.error());
  return TextPattern(std::move(compiled));
}

bool TextPattern::is_in(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled_->re2);
}

}  // namespace leat::pipeline
