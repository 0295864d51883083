// TextPattern: a regular expression of RE2, which takes time in proportion to the text, whatever both are: no
// client can make it slow. The one place that knows the library.
//
// It is found anywhere in a text, as in JSON Schema: `^` and `$` bind it to the ends. Texts and patterns are
// UTF-8. Matching takes no more memory than kMostBytes, all workers together; past it, it starts over.
//
// Thread: made by one, then used by any.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace leat::pipeline {

class TextPattern {
 public:
  // Of its program and of what it remembers of texts. A quarter has room for what people write; four times as
  // much is what a file with a thousand patterns should not take.
  static constexpr size_t kMostBytes = size_t{1} << 20;

  // What is wrong with it, as RE2 says it: "missing ]: [a-".
  static std::expected<TextPattern, std::string> make(std::string_view pattern);
  TextPattern(TextPattern&&) noexcept;
  TextPattern& operator=(TextPattern&&) noexcept;
  ~TextPattern();

  [[nodiscard]] bool is_in(std::string_view text) const;

 private:
  struct Compiled;
  explicit TextPattern(std::unique_ptr<const Compiled> compiled);
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace leat::pipeline
