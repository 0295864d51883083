#include "config/toml_scanner.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "config/codes.h"

namespace leat::config {

namespace {

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

// The bytes of the character that `text` begins with, or 0 where it begins with none (RFC 3629).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned second = byte(1);
  const bool outside = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                       (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return outside ? 0 : length;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

// A character for people: control characters are named.
std::string shown(std::string_view rest) {
  if (rest.empty()) return "the end of the file";
  if (rest[0] == '\n' || rest.starts_with("\r\n")) return "the end of the line";
  if (is_control(rest[0]))
    return fmt::format("the control character U+{:04X}", static_cast<unsigned char>(rest[0]));
  return fmt::format("`{}`", rest.substr(0, std::max<size_t>(utf8_length(rest), 1)));
}

}  // namespace

TomlScanner::TomlScanner(std::string_view text, const std::shared_ptr<const std::string>& file)
    : text_(text), file_(file) {
  // Some editors begin a file with the byte order mark, which UTF-8 does not need.
  if (text.starts_with("\xef\xbb\xbf")) at_ = counted_at_ = 3;
}

TomlScanner::Mark TomlScanner::mark() {
  for (; counted_at_ < at_; ++counted_at_) counted_column_ += (text_[counted_at_] & 0xc0) != 0x80 ? 1 : 0;
  return {at_, line_, counted_column_};
}

Place TomlScanner::since(const Mark& begin) {
  const Mark end = mark();
  return {.file = file_,
          .line = begin.line,
          .column = begin.column,
          .length = end.line == begin.line && end.column > begin.column ? end.column - begin.column : 1};
}

std::unexpected<Diagnostic> TomlScanner::fail_since(const Mark& begin, std::string message,
                                                    std::string hint) {
  return std::unexpected(Diagnostic{.code = kSyntax,
                                    .message = "not TOML: " + std::move(message),
                                    .place = since(begin),
                                    .hint = std::move(hint)});
}
std::unexpected<Diagnostic> TomlScanner::fail(std::string message, std::string hint) {
  return fail_since(mark(), std::move(message), std::move(hint));
}
std::unexpected<Diagnostic> TomlScanner::too_deep(const Mark& begin) {
  return std::unexpected(
      Diagnostic{.code = kTooDeep,
                 .message = fmt::format("tables and lists lie more than {} deep in each other", kDeepestToml),
                 .place = since(begin),
                 .hint = {}});
}

std::optional<Place> TomlScanner::find_not_utf8() {
  size_t line_start = 0;
  uint32_t line = 1;
  for (size_t at = 0; at < text_.size();) {
    if (text_[at] == '\n') {
      ++line;
      line_start = at + 1;
    }
    const size_t length = utf8_length(text_.substr(at));
    if (length == 0) {
      const auto characters = std::ranges::count_if(text_.substr(line_start, at - line_start),
                                                    [](char c) { return (c & 0xc0) != 0x80; });
      return Place{.file = file_, .line = line, .column = static_cast<uint32_t>(characters) + 1};
    }
    at += length;
  }
  return std::nullopt;
}

bool TomlScanner::take(std::string_view text) {
  if (!rest().starts_with(text)) return false;
  at_ += text.size();
  return true;
}

// Over a line end, which comes next.
void TomlScanner::next_line() {
  at_ += text_[at_] == '\r' ? 2 : 1;
  ++line_;
  counted_at_ = line_start_ = at_;
  counted_column_ = 1;
}

Scanned<void> TomlScanner::comment() {
  while (!at_line_end()) {
    if (is_control(text_[at_])) return fail(fmt::format("{} in a comment", shown(rest())));
    ++at_;
  }
  return {};
}

Scanned<void> TomlScanner::skip_space() {
  for (;;) {
    skip_blanks();
    if (rest().starts_with('#'))
      if (auto read = comment(); !read) return read;
    if (at_end() || !at_line_end()) return {};
    next_line();
  }
}

Scanned<void> TomlScanner::finish_line() {
  skip_blanks();
  if (rest().starts_with('#'))
    if (auto read = comment(); !read) return read;
  if (!at_line_end()) return fail(fmt::format("expected the end of the line, not {}", shown(rest())));
  if (!at_end()) next_line();
  return {};
}

Scanned<std::string> TomlScanner::key_part() {
  if (rest().starts_with('"') || rest().starts_with('\'')) {
    if (rest().starts_with(R"(""")") || rest().starts_with("'''"))
      return fail("a key cannot be a text of several lines");
    return text();
  }
  const size_t end = std::min(static_cast<size_t>(std::ranges::find_if_not(rest(), is_bare) - rest().begin()),
                              rest().size());
  if (end == 0)
    return fail(fmt::format("expected a key, not {}", shown(rest())),
                "a key with other characters than letters, digits, - and _ stands in quotes");
  std::string part(rest().substr(0, end));
  at_ += end;
  return part;
}

Scanned<const std::vector<TomlScanner::KeyPart>*> TomlScanner::key() {
  key_.clear();
  skip_blanks();
  const Mark begin = mark();
  do {
    skip_blanks();
    const Mark part = mark();
    auto text = key_part();
    if (!text) return std::unexpected(std::move(text.error()));
    if (key_.size() == kDeepestToml) return too_deep(begin);
    key_.push_back({std::move(*text), since(part)});
    skip_blanks();
  } while (take("."));
  return &key_;
}

Scanned<void> TomlScanner::bad_character(const Mark& begin) {
  if (at_line_end()) return fail_since(begin, "a text that does not end on its line");
  return fail(fmt::format("{} in a text", shown(rest())), R"(write it as in "\u001B", or as \n or \t)");
}

Scanned<void> TomlScanner::line_end_in_text(const Mark& begin, std::string& out, bool long_form) {
  if (at_end()) return fail_since(begin, "a text that does not end");
  if (!long_form || !at_line_end()) return bad_character(begin);
  out += '\n';
  next_line();
  return {};
}

bool TomlScanner::close_long(std::string& out, char quote) {
  size_t count = std::min(rest().find_first_not_of(quote), rest().size());
  if (count < 3) {
    out.append(count, quote);
    at_ += count;
    return false;
  }
  count = std::min<size_t>(count, 5);
  out.append(count - 3, quote);
  at_ += count;
  return true;
}

Scanned<std::string> TomlScanner::literal_text(const Mark& begin, bool long_form) {
  std::string out;
  for (;;) {
    const size_t plain = static_cast<size_t>(
        std::ranges::find_if(rest(), [](char c) { return c == '\'' || is_control(c); }) - rest().begin());
    out += rest().substr(0, plain);
    at_ += plain;
    if (!rest().starts_with('\'')) {
      if (auto read = line_end_in_text(begin, out, long_form); !read)
        return std::unexpected(std::move(read.error()));
    } else if (!long_form) {
      ++at_;
      return out;
    } else if (close_long(out, '\'')) {
      return out;
    }
  }
}

// Behind the backslash.
Scanned<void> TomlScanner::escape(std::string& out, bool long_form) {
  constexpr std::string_view kNames = "btnfr\"\\";
  constexpr std::string_view kMeant = "\b\t\n\f\r\"\\";
  const Mark begin = {at_ - 1, line_, mark().column - 1};
  const char name = at_end() ? '\0' : text_[at_];
  if (const size_t known = kNames.find(name); name != '\0' && known != std::string_view::npos) {
    out += kMeant[known];
    ++at_;
    return {};
  }
  if (name == 'u' || name == 'U') {
    const size_t digits = name == 'u' ? 4 : 8;
    const std::string_view hex = text_.substr(at_ + 1, digits);
    uint32_t code = 0;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (hex.size() == digits && error == std::errc() && end == hex.data() + digits && !surrogate &&
        code < 0x110000) {
      append_utf8(out, code);
      at_ += 1 + digits;
      return {};
    }
    return fail_since(begin, fmt::format("`\\{}` and what follows is no character", name),
                      R"(it takes four hex digits, as in "\u00E9", or eight with \U)");
  }
  // A backslash at the end of a line takes all white space with it.
  const size_t blank = std::min(text_.find_first_not_of(" \t", at_), text_.size());
  if (long_form && blank < text_.size() &&
      (text_[blank] == '\n' || text_.substr(blank).starts_with("\r\n"))) {
    at_ = blank;
    while (!at_end() && at_line_end()) {
      next_line();
      skip_blanks();
    }
    return {};
  }
  if (!at_line_end()) at_ += std::max<size_t>(utf8_length(rest()), 1);
  return fail_since(begin, "a backslash before what it does not go with",
                    R"(write \\ for a backslash, or put the text in '...')");
}

Scanned<std::string> TomlScanner::basic_text(const Mark& begin, bool long_form) {
  std::string out;
  for (;;) {
    const size_t plain = static_cast<size_t>(
        std::ranges::find_if(rest(), [](char c) { return c == '"' || c == '\\' || is_control(c); }) -
        rest().begin());
    out += rest().substr(0, plain);
    at_ += plain;
    Scanned<void> read;
    if (take("\\")) {
      read = escape(out, long_form);
    } else if (!rest().starts_with('"')) {
      read = line_end_in_text(begin, out, long_form);
    } else if (!long_form) {
      ++at_;
      return out;
    } else if (close_long(out, '"')) {
      return out;
    }
    if (!read) return std::unexpected(std::move(read.error()));
  }
}

Scanned<std::string> TomlScanner::text() {
  const Mark begin = mark();
  const bool basic = text_[at_] == '"';
  const bool long_form = take(basic ? R"(""")" : "'''");
  if (!long_form) ++at_;
  // A line end right after the opening quotes is not part of the text.
  if (long_form && !at_end() && at_line_end()) next_line();
  return basic ? basic_text(begin, long_form) : literal_text(begin, long_form);
}

std::string_view TomlScanner::word() {
  const auto end_of_word = [&](size_t from) {
    return std::min(text_.find_first_of(" \t\r\n,]}#=\"'[{", from), text_.size());
  };
  size_t end = end_of_word(at_);
  // "${NAME}", which lacks its quotes.
  if (rest().starts_with("${")) end = std::min(text_.find_first_of("}\r\n", at_), text_.size());
  if (end < text_.size() && text_[end] == '}' && rest().starts_with("${")) ++end;
  const auto digit = [&](size_t at) { return at < text_.size() && text_[at] >= '0' && text_[at] <= '9'; };
  const bool date = end - at_ == 10 && text_[at_ + 4] == '-' && text_[at_ + 7] == '-';
  if (date && rest().substr(10).starts_with(' ') && digit(end + 1) && digit(end + 2))
    end = end_of_word(end + 1);
  const std::string_view found = text_.substr(at_, end - at_);
  at_ = end;
  return found;
}

bool TomlScanner::line_begins_something() const {
  std::string_view line = rest().substr(0, rest().find('\n'));
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const auto keys = [&] {
    const size_t end =
        std::min(static_cast<size_t>(
                     std::ranges::find_if_not(
                         line, [](char c) { return is_bare(c) || std::string_view(".\"' \t").contains(c); }) -
                     line.begin()),
                 line.size());
    line.remove_prefix(end);
    return end > 0;
  };
  if (!line.starts_with('[')) return keys() && line.starts_with('=');
  const std::string_view close = line.starts_with("[[") ? "]]" : "]";
  line.remove_prefix(close.size());
  if (!keys() || !line.starts_with(close)) return false;
  line.remove_prefix(close.size());
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
  return line.empty() || line.starts_with('#');
}

void TomlScanner::recover(bool in_list, uint32_t line) {
  // One that was not ended takes what follows for more of it.
  if (in_list && line_ > line) {
    at_ = counted_at_ = line_start_;
    counted_column_ = 1;
    if (line_begins_something()) return;
  }
  do {
    at_ = std::min(text_.find('\n', at_), text_.size());
    if (!at_end()) next_line();
  } while (in_list && !at_end() && !line_begins_something());
}

}  // namespace leat::config
