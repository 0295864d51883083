#include "config/shown_secrets.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "config/toml_lines.h"

namespace leat::config {

namespace {

// Whether what is set under this key is most likely a secret, or the hash of one.
bool names_secret(std::string_view key) {
  std::string name(key);
  std::ranges::transform(name, name.begin(), [](char c) { return c == '-' ? '_' : ascii_lower(c); });
  if (name == "keys" || name == "users" || name.ends_with("authorization")) return true;
  if (name.ends_with("_hash")) name.resize(name.size() - 5);
  if (name.ends_with('s')) name.pop_back();
  return std::ranges::any_of(std::array{"secret", "password", "passwd", "passphrase", "credential", "token",
                                        "api_key", "apikey", "private_key"},
                             [&](std::string_view part) { return name.ends_with(part); });
}

// Whether a text is a header field, or begins as one, that is secret. "cookie:NAME" says where something is to be found.
bool is_secret_field(std::string_view name, std::string_view value) {
  if (!is_token(name)) return false;
  if (equal_ignoring_case(name, "Cookie") || equal_ignoring_case(name, "Set-Cookie"))
    return value.starts_with(' ') || value.contains('=');
  return names_secret(name);
}

// "${file:key}", but not "${KEY:-what it is without}".
bool only_names_secret(std::string_view text) {
  return text.starts_with("${") && text.find('}') == text.size() - 1 && !text.contains(":-") &&
         !text.contains(":?");
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_number_or_boolean(std::string_view word) {
  if (word == "true" || word == "false") return true;
  return std::ranges::all_of(word,
                             [](char c) { return is_digit(c) || std::string_view("+-_.:").contains(c); });
}

class Finder {
 public:
  explicit Finder(std::string_view text) : text_(text) {}

  std::vector<TextRange> find() {
    // Each list without its end has all behind it read once more: of a file with many, what begins and ends on one line is found,
    // whoever shows that line.
    constexpr int kMost = 64;
    size_t base = 0;
    for (int i = 0; i < kMost && base < text_.size(); ++i) base = read_things(base);
    return std::move(found_);
  }

 private:
  // From `base` on, up to a list or table without its end, which is over where something begins. Where that is.
  size_t read_things(size_t base) {
    for (TomlLines lines(text_.substr(base)); !lines.at_end();) {
      const TomlThing thing = lines.next();
      const size_t end = base + end_of(text_.substr(base), thing);
      at_ = base + thing.key;
      if (thing.kind == TomlThing::Kind::Header || thing.kind == TomlThing::Kind::List)
        read_header(base + thing.key_end);
      else if (thing.kind == TomlThing::Kind::Pair)
        read_pair(thing, base, end);
      if (end != base + thing.end) return end;
    }
    return text_.size();
  }
  static size_t end_of(std::string_view text, const TomlThing& thing) {
    if (thing.unended == TomlThing::kNone || !std::string_view("[{").contains(text[thing.unended]))
      return thing.end;
    for (size_t at = text.find('\n', thing.unended); at < thing.end; at = text.find('\n', at + 1))
      if (begins_something(text.substr(at + 1))) return at + 1;
    return thing.end;
  }

  void read_header(size_t end) {
    end_ = end;
    in_table_ = secret_ = false;
    while (at_ < end_) in_table_ = take_name() || in_table_;
  }

  void read_pair(const TomlThing& thing, size_t base, size_t end) {
    if (thing.value != TomlThing::kNone) {
      end_ = base + thing.key_end;
      bool secret = in_table_;
      while (at_ < end_) secret = take_name() || secret;
      at_ = base + thing.value;
      end_ = end;
      secret_ = secret;
      return read_value();
    }
    // Without a `=` it goes on with what was before, or is a key with another sign behind it, as in other languages.
    end_ = end;
    if (!secret_ || !goes_on()) {
      secret_ = take_name() || in_table_;
      if (at_ < end_ && text_[at_] == ':') ++at_;
    }
    read_value();
  }
  // Whether what stands here is no word with something behind it.
  [[nodiscard]] bool goes_on() const {
    const auto ends = [](char c) { return is_space(c) || std::string_view("\"'[]{},#").contains(c); };
    const std::string_view line = text_.substr(at_, end_ - at_);
    const auto word = static_cast<size_t>(std::ranges::find_if(line, ends) - line.begin());
    const std::string_view rest = trim(line.substr(word, line.find('\n') - word));
    return word == 0 || rest.empty() || std::string_view(",#]}").contains(rest[0]);
  }

  // A part of a key, or what stands between two. Whether it names a secret.
  bool take_name() {
    const char quote = text_[at_];
    size_t begin = at_;
    if (quote == '"' || quote == '\'') {
      begin = ++at_;
      while (at_ < end_ && text_[at_] != quote) ++at_;
      const std::string_view name = text_.substr(begin, at_ - begin);
      at_ = std::min(at_ + 1, end_);
      return names_secret(name);
    }
    const auto ends = [](char c) { return is_space(c) || std::string_view(".\"'=:[]{},#").contains(c); };
    while (at_ < end_ && !ends(text_[at_])) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (name.empty()) ++at_;
    return names_secret(name);
  }

  // What stands behind a `=`, and whatever follows on its lines: further keys, too. `secret_` is the key's.
  void read_value() {
    struct Outer {
      bool secret, list;
    };
    std::vector<Outer> outer;
    bool awaited = true;  // a value, else a key may come
    while (at_ < end_) {
      const char c = text_[at_];
      if (c == '\n') after_field_ = false;
      if (is_space(c)) {
        ++at_;
      } else if (c == '#') {
        const size_t begin = at_;
        at_ = std::min(text_.find('\n', at_), end_);
        if (secret_) note(begin, at_);
      } else if (!awaited && is_key()) {
        bool secret = outer.empty() ? in_table_ : outer.back().secret;
        while (text_[at_] != '=' && text_[at_] != ':') secret = take_name() || secret;
        ++at_;
        secret_ = secret;
        awaited = true;
      } else if (c == '"' || c == '\'') {
        read_text();
        awaited = false;
      } else if (c == '[' || c == '{') {
        awaited = c == '[';
        outer.push_back({secret_, awaited});
        ++at_;
      } else if (c == ']' || c == '}') {
        if (!outer.empty()) {
          secret_ = outer.back().secret;
          outer.pop_back();
        }
        awaited = after_field_ = false;
        ++at_;
      } else if (c == ',') {
        awaited = !outer.empty() && outer.back().list;
        after_field_ = false;
        ++at_;
      } else {
        read_word(awaited);
        awaited = false;
      }
    }
    after_field_ = false;
  }

  // Whether a key stands here, with a `=` behind it, or a colon.
  [[nodiscard]] bool is_key() const {
    const auto skip_blanks = [&](size_t at) {
      while (at < end_ && (text_[at] == ' ' || text_[at] == '\t')) ++at;
      return at;
    };
    const auto ends = [](char c) { return is_space(c) || std::string_view(".\"'=:[]{},#").contains(c); };
    for (size_t at = at_;; at = skip_blanks(at + 1)) {
      const size_t begin = at;
      if (at < end_ && (text_[at] == '"' || text_[at] == '\'')) {
        at = text_.find(text_[at], at + 1);
        if (at >= end_ || text_.substr(begin, at - begin).contains('\n')) return false;
        ++at;
      } else {
        while (at < end_ && !ends(text_[at])) ++at;
      }
      if (at == begin) return false;
      at = skip_blanks(at);
      if (at >= end_ || text_[at] != '.') return at < end_ && (text_[at] == '=' || text_[at] == ':');
    }
  }

  void read_text() {
    const char quote = text_[at_];
    const std::string long_quotes(3, quote);
    const bool is_long = text_.substr(at_).starts_with(long_quotes);
    const size_t begin = at_ + (is_long ? 3 : 1);
    size_t at = begin;
    const auto closes = [&] {
      return is_long ? text_.substr(at).starts_with(long_quotes) : text_[at] == quote || text_[at] == '\n';
    };
    while (at < end_ && !closes())
      at += quote == '"' && text_[at] == '\\' && at + 1 < end_ && text_[at + 1] != '\n' ? 2 : 1;
    at = std::min(at, end_);
    // Up to two of the text itself may stand before those that end it.
    while (is_long && text_.substr(at).starts_with(long_quotes + quote) && at + 3 < end_) ++at;
    judge(begin, at);
    const bool ended = at < end_ && text_[at] == quote;
    at_ = std::min(at + (!ended ? 0 : is_long ? 3 : 1), end_);
  }

  // A text, without its quotes.
  void judge(size_t begin, size_t end) {
    const std::string_view text = text_.substr(begin, end - begin);
    if (secret_ || after_field_) {
      if (!only_names_secret(text)) note(begin, end);
      return;
    }
    const size_t colon = text.find(':');
    if (colon != std::string_view::npos &&
        is_secret_field(trim(text.substr(0, colon)), text.substr(colon + 1))) {
      if (!only_names_secret(trim(text.substr(colon + 1)))) note(begin + colon + 1, end);
      return;
    }
    const size_t host = text.find("://");
    const size_t at_sign = host == std::string_view::npos
                               ? host
                               : text.substr(0, text.find_first_of("/?#", host + 3)).rfind('@');
    if (at_sign == std::string_view::npos || at_sign < host) return;
    const size_t password = text.find(':', host + 3);
    if (password < at_sign) note(begin + password + 1, begin + at_sign);
  }

  // What lacks its quotes.
  void read_word(bool awaited) {
    const size_t begin = at_;
    const auto ends = [&](char c) {
      return is_space(c) || std::string_view(",]}#\"'").contains(c) || (!awaited && c == '=');
    };
    while (at_ < end_ && !ends(text_[at_])) ++at_;
    if (at_ == begin) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (secret_ || after_field_) {
      if (!is_number_or_boolean(word) && !only_names_secret(word)) note(begin, at_);
    } else if (word.ends_with(':')) {
      after_field_ = is_secret_field(word.substr(0, word.size() - 1), " ");
    } else {
      judge(begin, at_);
    }
  }

  void note(size_t begin, size_t end) {
    if (begin < end) found_.push_back({begin, end});
  }

  const std::string_view text_;
  std::vector<TextRange> found_;
  size_t at_ = 0, end_ = 0;   // what is read, and where that ends
  bool in_table_ = false;     // whose name is that of secrets
  bool secret_ = false;       // what is read belongs to such a key
  bool after_field_ = false;  // behind the name of a field that is secret, without quotes
};

}  // namespace

std::vector<TextRange> find_secrets(std::string_view text) { return Finder(text).find(); }

}  // namespace leat::config
