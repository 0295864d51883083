// TomlScanner: the text of a TOML file as what its lines are made of: keys, texts, single words, blanks and
// comments (TOML 1.0), each with its place. What they mean together is toml.cc's business.
//
// The text must be UTF-8; find_not_utf8() tells.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/value.h"

namespace leat::config {

// What is wrong, or what was read.
template <class T>
using Scanned = std::expected<T, Diagnostic>;

// How deep tables and lists may lie in each other, whatever they are written with. What reads them, and what
// destroys them, recurs.
inline constexpr size_t kDeepestToml = 64;

class TomlScanner {
 public:
  // Both must outlive the scanner.
  TomlScanner(std::string_view text, const std::shared_ptr<const std::string>& file);

  // A position in the text.
  struct Mark {
    size_t at;
    uint32_t line;
    uint32_t column;
  };
  [[nodiscard]] Mark mark();
  // The place of what begins at `begin` and ends here.
  [[nodiscard]] Place since(const Mark& begin);
  [[nodiscard]] std::unexpected<Diagnostic> fail(std::string message, std::string hint = {});
  [[nodiscard]] std::unexpected<Diagnostic> fail_since(const Mark& begin, std::string message,
                                                       std::string hint = {});
  [[nodiscard]] std::unexpected<Diagnostic> too_deep(const Mark& begin);

  // The first byte that cannot be UTF-8, as a place; nothing where all of it is.
  [[nodiscard]] std::optional<Place> find_not_utf8();

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] bool at_line_end() const {
    return at_end() || rest().starts_with('\n') || rest().starts_with("\r\n");
  }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
  // Goes over `text`, which has no line end, if that is what comes.
  bool take(std::string_view text);

  void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t", at_), text_.size()); }
  // Blanks, comments and line ends.
  Scanned<void> skip_space();
  // What may come after all that stands on a line, and the line's end.
  Scanned<void> finish_line();

  struct KeyPart {
    std::string text;
    Place place;
  };
  // "a.'b c'.d", with the blanks around it. Good until the next call.
  Scanned<const std::vector<KeyPart>*> key();
  // A text in quotes, of whichever kind; the opening quote comes next.
  Scanned<std::string> text();
  // What stands between blanks, commas, brackets and the like; a date and its time with a blank between are
  // one. May be empty.
  std::string_view word();

  // After a mistake: goes to the next line; within a list, which began on `line`, to the next one that looks as
  // if it began something else.
  void recover(bool in_list, uint32_t line);

 private:
  void next_line();
  Scanned<void> comment();
  Scanned<std::string> key_part();
  Scanned<std::string> literal_text(const Mark& begin, bool long_form);
  Scanned<std::string> basic_text(const Mark& begin, bool long_form);
  Scanned<void> escape(std::string& out, bool long_form);
  Scanned<void> line_end_in_text(const Mark& begin, std::string& out, bool long_form);
  Scanned<void> bad_character(const Mark& begin);
  // The closing quotes of a long text, of which up to two more belong to it.
  bool close_long(std::string& out, char quote);
  [[nodiscard]] bool line_begins_something() const;

  const std::string_view text_;
  const std::shared_ptr<const std::string>& file_;
  size_t at_ = 0;
  size_t line_start_ = 0;
  uint32_t line_ = 1;
  // Columns count characters; they are counted once.
  size_t counted_at_ = 0;
  uint32_t counted_column_ = 1;
  std::vector<KeyPart> key_;
};

}  // namespace leat::config
