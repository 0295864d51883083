#include "server/migrate/directive.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/shared/plugin_text.hpp"
#include "base/text.h"

namespace leat::server::migrate {

namespace {

// What both have in common: a text, a place in it, and blocks in blocks.
class DirectiveReader {
 public:
  explicit DirectiveReader(std::string_view text) : text_(text) {}

 protected:
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char here() const { return at_end() ? '\0' : text_[at_]; }
  [[nodiscard]] char next() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\0'; }
  void step() {
    if (here() == '\n') ++line_;
    ++at_;
  }
  void skip_line() {
    while (!at_end() && here() != '\n') ++at_;
  }
  // White space, ends of lines, and comments.
  void skip_space() {
    while (!at_end()) {
      if (here() == '#')
        skip_line();
      else if (std::string_view(" \t\r\n").contains(here()))
        step();
      else
        return;
    }
  }
  [[nodiscard]] std::unexpected<Malformed> malformed(std::string why, uint32_t line = 0) const {
    return std::unexpected(Malformed{line != 0 ? line : line_, std::move(why)});
  }
  // A word in quotes, which `step()`s over both; `escapes` with a backslash. False where it does not end.
  bool read_quoted(std::string& word, bool escapes) {
    const char quote = here();
    for (step(); !at_end(); step()) {
      if (here() == quote) {
        step();
        return true;
      }
      if (escapes && here() == '\\' && next() != '\0') step();
      word += here();
    }
    return false;
  }
  static std::string first_line(std::string_view text) {
    return printable_line(trim(text.substr(0, text.find_first_of("\r\n"))));
  }

  std::string_view text_;
  size_t at_ = 0;
  uint32_t line_ = 1;
};

// Words are apart by white space; `;` ends a directive, braces hold others, and `${name}` is a part of a word.
class NginxReader : DirectiveReader {
 public:
  using DirectiveReader::DirectiveReader;

  Directives read(size_t depth = 0) {
    std::vector<Directive> directives;
    for (;;) {
      skip_space();
      if (at_end()) {
        if (depth == 0) return directives;
        return malformed("a block does not end: `}` is missing");
      }
      if (here() == '}') {
        if (depth == 0) return malformed("`}` closes no block");
        ++at_;
        return directives;
      }
      if (depth == kDeepestBlock)
        return malformed(fmt::format("blocks lie more than {} deep in each other", depth));
      auto directive = read_one(depth);
      if (!directive) return std::unexpected(directive.error());
      directives.push_back(*std::move(directive));
    }
  }

 private:
  std::expected<Directive, Malformed> read_one(size_t depth) {
    Directive directive{.line = line_};
    const size_t begin = at_;
    for (;;) {
      skip_space();
      if (at_end()) return malformed("a directive does not end: `;` is missing", directive.line);
      const char c = here();
      if (c != ';' && c != '{' && c != '}') {
        auto word = read_word();
        if (!word) return std::unexpected(word.error());
        directive.words.push_back(*std::move(word));
        continue;
      }
      if (c == '}') return malformed("a directive does not end: `;` is missing", directive.line);
      if (directive.words.empty()) return malformed(fmt::format("`{}` without a directive", c));
      ++at_;
      directive.written = first_line(text_.substr(begin, at_ - begin));
      if (c == ';') return directive;
      directive.braces = true;
      auto block = read(depth + 1);
      if (!block) return std::unexpected(block.error());
      directive.block = *std::move(block);
      return directive;
    }
  }

  std::expected<std::string, Malformed> read_word() {
    std::string word;
    const uint32_t begin = line_;
    if (here() == '"' || here() == '\'') {
      if (!read_quoted(word, true)) return malformed("a text in quotes does not end", begin);
      return word;
    }
    while (!at_end() && !std::string_view(" \t\r\n;{").contains(here())) {
      if (here() == '\\' && next() != '\0') {
        // It goes on in regular expressions, and in front of a quote or blank it only keeps that.
        if (!std::string_view(" \t\"';{}").contains(next())) word += '\\';
        step();
      } else if (here() == '$' && next() == '{') {
        while (!at_end() && here() != '}' && here() != '\n') {
          word += here();
          step();
        }
        if (here() != '}') return malformed("`${` does not end", begin);
      }
      word += here();
      step();
    }
    return word;
  }
};

// A directive is a line; `{` at the end of one begins a block, and `}` on a line of its own ends it.
class CaddyReader : DirectiveReader {
 public:
  using DirectiveReader::DirectiveReader;

  Directives read() {
    auto directives = read_block(0);
    if (!directives) return directives;
    // Without braces all of the file is one site, behind the options of the server if there are any.
    const auto first =
        std::ranges::find_if(*directives, [](const Directive& each) { return !each.words.front().empty(); });
    if (first == directives->end() || first->braces) return directives;
    Directive site = std::move(*first);
    site.braces = true;
    std::move(first + 1, directives->end(), std::back_inserter(site.block));
    directives->erase(first, directives->end());
    directives->push_back(std::move(site));
    return directives;
  }

 private:
  struct Word {
    std::string text;
    bool quoted = false;
    [[nodiscard]] bool is(std::string_view bare) const { return !quoted && text == bare; }
  };

  Directives read_block(size_t depth) {
    std::vector<Directive> directives;
    for (;;) {
      skip_space();
      if (at_end()) {
        if (depth == 0) return directives;
        return malformed("a block does not end: `}` is missing");
      }
      if (depth > kDeepestBlock)
        return malformed(fmt::format("blocks lie more than {} deep in each other", kDeepestBlock));
      Directive directive{.line = line_, .written = first_line(text_.substr(at_))};
      auto words = read_line();
      if (!words) return std::unexpected(words.error());
      if (words->empty()) continue;  // a line that goes on with nothing
      if (words->size() == 1 && words->front().is("}")) {
        if (depth == 0) return malformed("`}` closes no block", directive.line);
        return directives;
      }
      if (words->back().is("{")) {
        directive.braces = true;
        words->pop_back();
      }
      for (const Word& word : *words)
        if (word.is("{") || word.is("}"))
          return malformed(fmt::format("`{}` has to {}", word.text,
                                       word.is("{") ? "end its line" : "stand on a line of its own"),
                           directive.line);
      for (Word& word : *words) directive.words.push_back(std::move(word.text));
      // Options of the server itself have no name.
      if (directive.words.empty()) directive.words.emplace_back();
      if (directive.braces) {
        auto block = read_block(depth + 1);
        if (!block) return block;
        directive.block = *std::move(block);
      }
      directives.push_back(std::move(directive));
    }
  }

  // The words of a line, of which there is one at least, and of the next where a comma or a backslash ends it.
  std::expected<std::vector<Word>, Malformed> read_line() {
    std::vector<Word> words;
    for (;;) {
      while (here() == ' ' || here() == '\t' || here() == '\r') step();
      if (here() == '\\' && (next() == '\n' || next() == '\r')) {
        while (!at_end() && here() != '\n') step();
        step();
        continue;
      }
      if (here() == '#') skip_line();
      if (at_end() || here() == '\n') {
        const bool goes_on = !words.empty() && !words.back().quoted && words.back().text.ends_with(',');
        if (!goes_on || at_end()) return words;
        skip_space();
        continue;
      }
      auto word = read_word();
      if (!word) return std::unexpected(word.error());
      words.push_back(*std::move(word));
    }
  }

  std::expected<Word, Malformed> read_word() {
    Word word;
    const uint32_t begin = line_;
    if (here() == '"' || here() == '`') {
      word.quoted = true;
      if (!read_quoted(word.text, here() == '"')) return malformed("a text in quotes does not end", begin);
      return word;
    }
    while (!at_end() && !std::string_view(" \t\r\n").contains(here())) {
      if (here() == '\\' && next() == '"') step();
      word.text += here();
      step();
    }
    if (word.text.starts_with("<<") && word.text.size() > 2) return read_heredoc(word.text.substr(2), begin);
    return word;
  }

  // Lines up to one that has the mark alone.
  std::expected<Word, Malformed> read_heredoc(const std::string& mark, uint32_t begin) {
    std::vector<std::string_view> lines;
    skip_line();
    while (!at_end()) {
      step();  // over the end of the last line
      const size_t from = at_;
      skip_line();
      std::string_view line = text_.substr(from, at_ - from);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (trim(line) != mark) {
        lines.push_back(line);
        continue;
      }
      // Lines are indented as their end is.
      const std::string_view indent = line.substr(0, line.find_first_not_of(" \t"));
      Word word{.quoted = true};
      for (const std::string_view& each : lines) {
        if (&each != &lines.front()) word.text += '\n';
        word.text += each.starts_with(indent) ? each.substr(indent.size()) : each;
      }
      return word;
    }
    return malformed(fmt::format("a text does not end: `{}` is missing", printable_line(mark)), begin);
  }
};

// What is wrong with it as UTF-8.
std::optional<Malformed> no_text(std::string_view text) {
  uint32_t line = 1;
  while (!text.empty()) {
    const size_t size = (text.front() & 0x80) == 0 ? 1 : encoding::utf8_sequence(text);
    if (size == 0) return Malformed{line, "the text is not UTF-8"};
    if (text.front() == '\n') ++line;
    text.remove_prefix(size);
  }
  return std::nullopt;
}

}  // namespace

Directives read_nginx(std::string_view text) {
  if (auto wrong = no_text(text)) return std::unexpected(*std::move(wrong));
  return NginxReader(text).read();
}
Directives read_caddy(std::string_view text) {
  if (auto wrong = no_text(text)) return std::unexpected(*std::move(wrong));
  return CaddyReader(text).read();
}

std::string printable_line(std::string_view text, size_t most) {
  std::string line;
  while (!text.empty() && line.size() < most) {
    const bool ascii = (text.front() & 0x80) == 0;
    const size_t size = ascii ? 1 : encoding::utf8_sequence(text);
    const bool control = ascii && (text.front() < ' ' || text.front() == 0x7f);
    // U+0080 to U+009F are control characters, too.
    const bool second = size == 2 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0;
    line += size == 0 ? "?" : control || second ? " " : text.substr(0, size);
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return text.empty() ? line : line + "...";
}

}  // namespace leat::server::migrate
