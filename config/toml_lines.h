// The text of a TOML file as the things that its lines are: headers of tables, keys with their values, and what is
// neither. Nothing is understood but where they begin and end: texts in quotes of four kinds, comments and brackets.
//
// It is there for what has to be known before a parser reads the text: how deep tables and lists lie in each other,
// since what reads a tree and what destroys it recurs; where a large file can be cut; and what to leave out, so that
// the rest can be read, where something is malformed. Of text that is TOML it tells what TOML says. Of any other it
// ends, and its things are all of the text, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace leat::config {

// How deep tables and lists may lie in each other, whatever they are written with: brackets, braces, or keys with dots.
inline constexpr size_t kDeepestToml = 64;

// All offsets are bytes of the text.
struct TomlThing {
  enum class Kind : uint8_t {
    Blank,   // nothing, or a comment
    Header,  // [...]
    List,    // [[...]]
    Pair     // a key and its value; also what begins like one and has none
  };
  static constexpr size_t kNone = static_cast<size_t>(-1);

  Kind kind = Kind::Blank;
  size_t begin = 0, end = 0;     // with its line ends
  uint32_t line = 1, lines = 1;  // the first, from 1; how many
  size_t key = 0, key_end = 0;   // without the blanks around it
  size_t value = kNone;          // of a Pair: where its value begins; none where there is no `=`
  size_t unended = kNone;        // the bracket or the quotes of several lines that lack their end
  size_t cut_text = kNone;       // the quote of a text that ends with its line, without another
  size_t deeper = kNone;         // where it gets deeper than kDeepestToml
  bool plain_key = false;        // of bare parts with nothing but dots between: a.b-c.d
  uint32_t key_parts = 1;
};

class TomlLines {
 public:
  // `first_line`: the number of the first line of `text`, which must outlive this.
  explicit TomlLines(std::string_view text, uint32_t first_line = 1) : text_(text), line_(first_line) {}

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  // The next one; not at the end.
  TomlThing next();

 private:
  void read_header(TomlThing& thing);
  void read_pair(TomlThing& thing);
  void read_key(TomlThing& thing, std::string_view stops);
  void read_value(TomlThing& thing);
  [[nodiscard]] std::string_view long_quotes_at(size_t at) const;
  bool read_long_text(std::string_view quotes);
  void read_text(TomlThing& thing);
  void read_quoted(TomlThing& thing);
  void skip_line();
  void skip_blanks();
  [[nodiscard]] bool at_line_end() const { return at_end() || text_[at_] == '\n'; }

  std::string_view text_;
  size_t at_ = 0;
  uint32_t line_;
  size_t header_depth_ = 0;  // of the table that pairs belong to
};

// Where `text` can be cut so that its parts, read by themselves, say what all of it says: it is cut before headers, into
// parts of at least `least` bytes, but for the last. No cut where it has anything whose parts might have to know of each
// other: a table whose header comes twice, or after those of tables in it, keys with dots or quotes before all headers,
// and what is malformed in a way that makes it doubtful where a header is. What is cut is TOML if and only if its parts
// are.
struct TomlPart {
  std::string_view text;
  uint32_t line;  // of its beginning, from 1
};
std::vector<TomlPart> cut_toml(std::string_view text, size_t least);

// Whether the line that `text` begins with looks like the header of a table, or like a key with an `=`: a reader that is
// lost in a list can go on there.
[[nodiscard]] bool begins_something(std::string_view text);

}  // namespace leat::config
