#include "config/toml_lines.h"

#include <algorithm>
#include <array>
#include <unordered_set>

namespace leat::config {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::string_view trim(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

// Whether nothing stands on a line, or a comment that TOML allows.
bool is_comment(std::string_view line) {
  line = line.substr(0, line.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; };
  const std::string_view said = trim(line);
  return (said.empty() || said.starts_with('#')) && std::ranges::none_of(line, is_control);
}

// The brackets that are open, innermost last, as far as they may be.
class Nesting {
 public:
  explicit Nesting(size_t outside) : depth_(outside) {}

  void open(char bracket) {
    ++count_;
    ++depth_;
    if (count_ <= open_.size()) open_[count_ - 1] = {bracket, 0};
  }
  void close() {
    if (count_ == 0) return;
    depth_ -= 1 + here().parts;
    --count_;
  }
  [[nodiscard]] bool none() const { return count_ == 0; }
  [[nodiscard]] bool in_braces() const { return count_ != 0 && here().bracket == '{'; }
  [[nodiscard]] bool too_deep() const { return depth_ > kDeepestToml; }
  // In braces: a key with this many tables between it and the braces; until the next key.
  void set_parts(size_t parts) {
    if (count_ == 0 || count_ > open_.size()) return;
    depth_ = depth_ - open_[count_ - 1].parts + parts;
    open_[count_ - 1].parts = parts;
  }

 private:
  struct Open {
    char bracket = '[';
    size_t parts = 0;
  };
  // Too deep already are those that find no room: what they are makes no difference then.
  [[nodiscard]] Open here() const { return count_ <= open_.size() ? open_[count_ - 1] : Open(); }

  std::array<Open, kDeepestToml + 1> open_{};
  size_t count_ = 0;
  size_t depth_;
};

}  // namespace

void TomlLines::skip_blanks() {
  while (!at_end() && is_blank(text_[at_])) ++at_;
}

void TomlLines::skip_line() {
  const size_t end = text_.find('\n', at_);
  at_ = end == std::string_view::npos ? text_.size() : end + 1;
  if (end != std::string_view::npos) ++line_;
}

TomlThing TomlLines::next() {
  TomlThing thing;
  thing.begin = at_;
  thing.line = line_;
  skip_blanks();
  if (text_.substr(at_).starts_with('[')) {
    read_header(thing);
  } else if (!at_line_end() && text_[at_] != '#' && !text_.substr(at_).starts_with("\r\n")) {
    read_pair(thing);
  }
  skip_line();
  thing.end = at_;
  thing.lines = std::max<uint32_t>(line_ - thing.line, 1);
  return thing;
}

void TomlLines::read_header(TomlThing& thing) {
  const bool list = text_.substr(at_).starts_with("[[");
  thing.kind = list ? TomlThing::Kind::List : TomlThing::Kind::Header;
  at_ += list ? 2 : 1;
  read_key(thing, "]");
  header_depth_ = thing.key_parts;
  if (header_depth_ > kDeepestToml) header_depth_ = 0;  // and that has been said
}

void TomlLines::read_pair(TomlThing& thing) {
  thing.kind = TomlThing::Kind::Pair;
  read_key(thing, "=");
  if (at_line_end() || text_[at_] != '=') return;
  ++at_;
  skip_blanks();
  thing.value = at_;
  read_value(thing);
}

// A text of one line or several, from its quotes on.
void TomlLines::read_quoted(TomlThing& thing) {
  const std::string_view long_quotes = long_quotes_at(at_);
  const size_t begin = at_;
  if (long_quotes.empty())
    read_text(thing);
  else if (!read_long_text(long_quotes))
    thing.unended = begin;
}

// Up to one of `stops`, or the end of the line.
void TomlLines::read_key(TomlThing& thing, std::string_view stops) {
  skip_blanks();
  thing.key = at_;
  const size_t outside = thing.kind == TomlThing::Kind::Pair ? header_depth_ : 0;
  bool plain = true;
  while (!at_line_end() && !stops.contains(text_[at_])) {
    const char c = text_[at_];
    if (c == '"' || c == '\'') {
      plain = false;
      // No key may be a text of several lines, but it is read as one.
      read_quoted(thing);
      continue;
    }
    if (c == '.' && outside + ++thing.key_parts > kDeepestToml && thing.deeper == TomlThing::kNone)
      thing.deeper = at_;
    ++at_;
  }
  const std::string_view key = trim(text_.substr(thing.key, at_ - thing.key));
  thing.key_end = thing.key + key.size();
  const auto in_key = [](char c) { return is_bare(c) || c == '.'; };
  thing.plain_key = plain && !key.empty() && std::ranges::all_of(key, in_key) && !key.starts_with('.') &&
                    !key.ends_with('.') && !key.contains("..");
}

// A text on one line; it ends with the line where its quote is missing.
void TomlLines::read_text(TomlThing& thing) {
  const size_t begin = at_;
  const char quote = text_[at_++];
  for (; !at_line_end(); ++at_) {
    if (text_[at_] == quote) {
      ++at_;
      return;
    }
    if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
  }
  if (thing.cut_text == TomlThing::kNone) thing.cut_text = begin;
}

// Those of a text of several lines, where it begins; empty elsewhere.
std::string_view TomlLines::long_quotes_at(size_t at) const {
  for (const std::string_view quotes : {R"(""")", "'''"})
    if (text_.substr(at).starts_with(quotes)) return quotes;
  return {};
}

// False at the end of the file.
bool TomlLines::read_long_text(std::string_view quotes) {
  const char quote = quotes[0];
  for (at_ += 3; !at_end(); ++at_) {
    if (text_[at_] == '\n') {
      ++line_;
    } else if (text_[at_] == '\\' && quote == '"' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
      ++at_;
    } else if (text_.substr(at_).starts_with(quotes)) {
      at_ += 3;
      // Up to two of the text itself may stand before those that end it.
      for (int i = 0; i < 2 && !at_end() && text_[at_] == quote; ++i) ++at_;
      return true;
    }
  }
  return false;
}

// To the end of the line on which it ends.
void TomlLines::read_value(TomlThing& thing) {
  Nesting nesting(header_depth_ + thing.key_parts);
  std::array<size_t, kDeepestToml + 1> opened{};
  size_t count = 0;
  bool in_key = false;  // of a table in braces
  size_t parts = 0;
  for (; !at_end();) {
    const char c = text_[at_];
    if (c == '\n') {
      // A table in braces ends on its line.
      if (nesting.none() || nesting.in_braces()) return;
      ++line_;
      ++at_;
    } else if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == '"' || c == '\'') {
      read_quoted(thing);
    } else {
      if (c == '[' || c == '{') {
        if (count < opened.size()) opened[count] = at_;
        ++count;
        nesting.open(c);
        in_key = c == '{';
        parts = 0;
      } else if (c == ']' || c == '}') {
        count -= count == 0 ? 0 : 1;
        nesting.close();
        in_key = false;
      } else if (c == ',' && nesting.in_braces()) {
        nesting.set_parts(0);
        in_key = true;
        parts = 0;
      } else if (c == '=') {
        in_key = false;
      } else if (c == '.' && in_key) {
        nesting.set_parts(++parts);
      }
      if (nesting.too_deep() && thing.deeper == TomlThing::kNone) thing.deeper = at_;
      ++at_;
    }
  }
  if (count != 0 && count <= opened.size() && thing.unended == TomlThing::kNone)
    thing.unended = opened[count - 1];
  if (count > opened.size()) thing.unended = opened[0];
}

bool begins_something(std::string_view text) {
  const std::string_view line = trim(text.substr(0, text.find('\n')));
  if (line.starts_with('[')) {
    const std::string_view rest = line.substr(line.starts_with("[[") ? 2 : 1);
    const size_t end =
        rest.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. \t");
    // A list in a list may be [1], but not [a].
    return end != std::string_view::npos && rest[end] == ']' &&
           rest.substr(0, end).find_first_not_of("0123456789-_. \t") != std::string_view::npos &&
           !rest.substr(end + 1).starts_with(',');
  }
  const size_t end = static_cast<size_t>(
      std::ranges::find_if_not(line, [](char c) { return is_bare(c) || c == '.'; }) - line.begin());
  return end != 0 && trim(line.substr(end)).starts_with('=');
}

std::vector<TomlPart> cut_toml(std::string_view text, size_t least) {
  std::vector<TomlPart> parts = {{text, 1}};
  if (text.size() <= least) return parts;
  std::vector<TomlPart> cut;
  std::unordered_set<std::string_view> taken;  // by keys and tables
  std::unordered_set<std::string_view> lists;
  std::string_view group;  // the table of the top level that tables in it may belong to
  size_t begin = 0;
  uint32_t line = 1;
  for (TomlLines lines(text); !lines.at_end();) {
    const TomlThing thing = lines.next();
    if (thing.kind == TomlThing::Kind::Blank) continue;
    if (thing.unended != TomlThing::kNone) return parts;
    const std::string_view key = text.substr(thing.key, thing.key_end - thing.key);
    if (thing.kind == TomlThing::Kind::Pair) {
      // What begins like this is a key to the parser too, or malformed.
      if (!is_bare(text[thing.key]) && text[thing.key] != '"' && text[thing.key] != '\'') return parts;
      // Below a header the parser sees all that a key can meet.
      if (!group.empty()) continue;
      if (!thing.plain_key || thing.key_parts != 1 || !taken.insert(key).second) return parts;
      continue;
    }
    const bool list = thing.kind == TomlThing::Kind::List;
    const std::string_view closing = list ? "]]" : "]";
    const std::string_view behind = text.substr(thing.key_end, thing.end - thing.key_end);
    if (!thing.plain_key || !behind.starts_with(closing) || !is_comment(behind.substr(closing.size())))
      return parts;
    if (thing.key_parts != 1) {
      if (key.substr(0, key.find('.')) != group) return parts;
      continue;
    }
    const bool fresh = list ? lists.contains(key) || (taken.insert(key).second && lists.insert(key).second)
                            : taken.insert(key).second;
    if (!fresh) return parts;
    group = key;
    if (thing.begin - begin < least) continue;
    cut.push_back({text.substr(begin, thing.begin - begin), line});
    begin = thing.begin;
    line = thing.line;
  }
  cut.push_back({text.substr(begin), line});
  return cut;
}

}  // namespace leat::config
