#include "config/format.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "config/toml_lines.h"

namespace leat::config {

namespace {

constexpr size_t kIndent = 2;

size_t characters_of(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string_view without_blanks(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

// From a quote to behind the one that ends its text.
size_t end_of_quoted(std::string_view text, size_t at) {
  const char quote = text[at];
  const bool several = text.substr(at).starts_with(quote == '"' ? R"(""")" : "'''");
  const std::string_view end = text.substr(at, several ? 3 : 1);
  for (at += end.size(); at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text.substr(at).starts_with(end)) {
      at += end.size();
      // Of several lines: up to two quotes of the text may stand before those that end it.
      for (int i = 0; several && i < 2 && at < text.size() && text[at] == quote; ++i) ++at;
      return at;
    }
  }
  return text.size();
}

// A key without the blanks around its dots.
std::string plain_key(std::string_view key) {
  std::string plain;
  for (size_t at = 0; at < key.size();) {
    if (key[at] == '"' || key[at] == '\'') {
      const size_t end = end_of_quoted(key, at);
      plain += key.substr(at, end - at);
      at = end;
    } else {
      if (key[at] != ' ' && key[at] != '\t') plain += key[at];
      ++at;
    }
  }
  return plain;
}

// A value as it is written: one text, or what lies between brackets or braces.
struct Written {
  enum class Kind : uint8_t { Plain, List, Table } kind = Kind::Plain;
  struct Item {
    enum class Kind : uint8_t { Value, Comment, Blank } kind = Kind::Value;
    std::string key;             // in braces
    std::vector<Written> value;  // one, of a Value
    std::string_view comment;    // alone, or behind a value; empty for none
  };
  std::string_view text;     // of a plain one
  std::vector<Item> items;   // with blank lines in braces nowhere
  std::string_view opening;  // the comment behind the bracket
  bool broken = false;       // it has to have several lines
  size_t width = 0;          // characters on one line
};

// Reads values. Nothing lies deeper in each other than kDeepestToml, nor is this recursion. What ends too early is
// remembered, and read as if it were whole.
class WrittenReader {
 public:
  WrittenReader(std::string_view text, size_t at) : text_(text), at_(at) {}

  Written read() {
    switch (here()) {
      case '[':
        return read_list();
      case '{':
        return read_table();
      default:
        return read_plain();
    }
  }
  // The comment that follows on the line; empty for none.
  std::string_view read_comment() {
    skip_blanks();
    if (here() != '#') return {};
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    const std::string_view comment = without_blanks(text_.substr(at_, end - at_));
    at_ = end;
    return comment;
  }

  [[nodiscard]] bool whole() const { return whole_; }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  void give_up() {
    whole_ = false;
    at_ = text_.size();
  }
  // Over what must be there.
  void skip() {
    whole_ = whole_ && !at_end();
    at_ += at_end() ? 0 : 1;
  }
  [[nodiscard]] char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() {
    while (here() == ' ' || here() == '\t' || here() == '\r') ++at_;
  }

  Written read_plain() {
    const size_t begin = at_;
    if (here() == '"' || here() == '\'')
      at_ = end_of_quoted(text_, at_);
    else
      at_ = std::min(text_.find_first_of(",]}#\n", at_), text_.size());  // a date may have a space in it
    // A bracket that nothing has opened.
    if (at_ == begin) give_up();
    Written written;
    written.text = without_blanks(text_.substr(begin, at_ - begin));
    written.width = characters_of(written.text);
    return written;
  }

  Written read_list() {
    Written list{.kind = Written::Kind::List};
    size_t line_ends = 0;  // since the last thing of the list
    bool broken_at_begin = false;
    const auto add = [&](Written::Item&& item) {
      if (line_ends > 1 && !list.items.empty()) list.items.push_back({.kind = Written::Item::Kind::Blank});
      broken_at_begin = broken_at_begin || (list.items.empty() && line_ends != 0);
      line_ends = 0;
      list.items.push_back(std::move(item));
    };
    for (++at_;;) {
      skip_blanks();
      const char c = here();
      if (at_end()) break;
      if (c == ']') break;
      if (c == '\n' || c == ',') {
        line_ends += c == '\n' ? 1 : 0;
        ++at_;
      } else if (c == '#') {
        list.broken = true;
        std::string_view* behind = list.items.empty() ? &list.opening : &list.items.back().comment;
        if (line_ends != 0 || !behind->empty()) {
          add({.kind = Written::Item::Kind::Comment});
          behind = &list.items.back().comment;
        }
        *behind = read_comment();
      } else {
        Written value = read();
        list.broken = list.broken || value.broken;
        list.width += value.width + 2;  // what separates it, or both brackets of the first
        Written::Item item;
        item.value.push_back(std::move(value));
        add(std::move(item));
      }
    }
    skip();
    list.broken = list.broken || broken_at_begin;
    list.width = std::max<size_t>(list.width, 2);
    return list;
  }

  Written read_table() {
    Written table{.kind = Written::Kind::Table, .width = 2};
    for (++at_;;) {
      skip_blanks();
      const char c = here();
      if (at_end()) break;
      if (c == '}') break;
      if (c == ',' || c == '\n') {
        ++at_;
        continue;
      }
      Written::Item item;
      item.key = read_key();
      item.value.push_back(read());
      table.broken = table.broken || item.value.front().broken;
      table.width += (table.items.empty() ? 0 : 2) + characters_of(item.key) + 3 + item.value.front().width;
      table.items.push_back(std::move(item));
    }
    skip();
    return table;
  }

  std::string read_key() {
    const size_t begin = at_;
    while (!at_end() && here() != '=') {
      at_ = here() == '"' || here() == '\'' ? end_of_quoted(text_, at_) : at_ + 1;
    }
    std::string key = plain_key(text_.substr(begin, at_ - begin));
    skip();
    skip_blanks();
    return key;
  }

  std::string_view text_;
  size_t at_;
  bool whole_ = true;
};

// Writes lines, and knows how long the last one is.
class Lines {
 public:
  void put(std::string_view text) {
    text_ += text;
    const size_t line = text.rfind('\n');
    column_ =
        line == std::string_view::npos ? column_ + characters_of(text) : characters_of(text.substr(line + 1));
  }
  void end_line(std::string_view comment = {}) {
    if (!comment.empty()) {
      put("  ");
      put(comment);
    }
    put("\n");
  }

  void put_value(const Written& value, size_t indent) {
    switch (value.kind) {
      case Written::Kind::Plain:
        return put(value.text);
      case Written::Kind::Table:
        return put_table(value, indent);
      case Written::Kind::List:
        if (value.broken || (!value.items.empty() && column_ + value.width > kWidestList))
          return put_lines(value, indent);
        put_line(value, indent);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  void put_line(const Written& list, size_t indent) {
    put("[");
    for (const Written::Item& item : list.items) {
      if (item.kind != Written::Item::Kind::Value) continue;
      if (&item != list.items.data()) put(", ");
      put_value(item.value.front(), indent);
    }
    put("]");
  }

  void put_table(const Written& table, size_t indent) {
    put("{");
    for (const Written::Item& item : table.items) {
      if (&item != table.items.data()) put(", ");
      put(item.key);
      put(" = ");
      put_value(item.value.front(), indent);
    }
    put("}");
  }

  void put_lines(const Written& list, size_t indent) {
    put("[");
    end_line(list.opening);
    for (const Written::Item& item : list.items) {
      using Kind = Written::Item::Kind;
      if (item.kind != Kind::Blank) put(std::string(indent + kIndent, ' '));
      if (item.kind == Kind::Comment) {
        put(item.comment);
        end_line();
      } else if (item.kind == Kind::Value) {
        put_value(item.value.front(), indent + kIndent);
        put(",");
        end_line(item.comment);
      } else {
        end_line();
      }
    }
    put(std::string(indent, ' '));
    put("]");
  }

  std::string text_;
  size_t column_ = 0;
};

// A thing of the file, from the first character of its line to the last.
struct Line {
  enum class Kind : uint8_t { Blank, Comment, Header, Pair } kind;
  std::string text;
  std::string table = {};  // of a Header, its key
};

std::optional<Line> line_of(const TomlThing& thing, std::string_view text) {
  Lines lines;
  if (thing.kind == TomlThing::Kind::Blank) {
    const std::string_view said = without_blanks(text.substr(thing.begin, thing.end - thing.begin));
    return Line{said.empty() ? Line::Kind::Blank : Line::Kind::Comment, std::string(said)};
  }
  lines.put(thing.kind == TomlThing::Kind::List ? "[[" : thing.kind == TomlThing::Kind::Header ? "[" : "");
  std::string key = plain_key(text.substr(thing.key, thing.key_end - thing.key));
  lines.put(key);
  if (thing.kind == TomlThing::Kind::Pair) {
    if (thing.value == TomlThing::kNone || thing.deeper != TomlThing::kNone) return std::nullopt;
    lines.put(" = ");
    WrittenReader reader(text.substr(0, thing.end), thing.value);
    const Written value = reader.read();
    if (!reader.whole()) return std::nullopt;
    lines.put_value(value, 0);
    if (const std::string_view comment = reader.read_comment(); !comment.empty()) {
      lines.put("  ");
      lines.put(comment);
    }
    return Line{Line::Kind::Pair, lines.take()};
  }
  const std::string_view end = thing.kind == TomlThing::Kind::List ? "]]" : "]";
  lines.put(end);
  const size_t behind = text.find(end, thing.key_end);
  if (behind == std::string_view::npos) return std::nullopt;
  if (const std::string_view comment = WrittenReader(text, behind + end.size()).read_comment();
      !comment.empty()) {
    lines.put("  ");
    lines.put(comment);
  }
  return Line{Line::Kind::Header, lines.take(), std::move(key)};
}

// Whether a blank line stands before line `at`, which is none. `heads`: it is a header, or one of the comments right
// above one.
bool is_apart(const std::vector<Line>& lines, size_t at, bool heads) {
  if (at == 0) return false;
  const Line::Kind before = lines[at - 1].kind;
  if (before != Line::Kind::Blank) return heads && before != Line::Kind::Comment;
  size_t last = at;
  while (last != 0 && lines[last - 1].kind == Line::Kind::Blank) --last;
  if (last == 0) return false;
  return lines[last - 1].kind != Line::Kind::Header || lines[at].kind != Line::Kind::Pair;
}

// Of each line, whether it is a header, or a comment right above one. The header of a table in the one before is none:
// they belong together.
std::vector<bool> heads_of(const std::vector<Line>& lines) {
  std::vector<bool> heads(lines.size());
  std::string_view table;
  for (size_t at = 0; at < lines.size(); ++at) {
    if (lines[at].kind != Line::Kind::Header) continue;
    const std::string_view key = lines[at].table;
    heads[at] = table.empty() || !key.starts_with(table) || !key.substr(table.size()).starts_with('.');
    if (heads[at]) table = key;
  }
  for (size_t at = lines.size(); at-- > 1;)
    if (lines[at - 1].kind == Line::Kind::Comment) heads[at - 1] = heads[at];
  return heads;
}

}  // namespace

std::optional<std::string> format_toml(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  std::vector<Line> lines;
  for (TomlLines things(text); !things.at_end();) {
    auto line = line_of(things.next(), text);
    if (!line) return std::nullopt;
    lines.push_back(*std::move(line));
  }
  const std::vector<bool> heads = heads_of(lines);
  std::string formatted;
  formatted.reserve(text.size());
  for (size_t at = 0; at < lines.size(); ++at) {
    if (lines[at].kind == Line::Kind::Blank) continue;
    if (is_apart(lines, at, heads[at])) formatted += '\n';
    formatted.append(lines[at].text).append(1, '\n');
  }
  return formatted;
}

}  // namespace leat::config
