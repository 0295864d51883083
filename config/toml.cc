#include "config/toml.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

#include "config/codes.h"
#include "config/expand.h"
#include "config/file.h"
#include "config/toml_scalar.h"
#include "config/toml_scanner.h"

namespace leat::config {

namespace {

// With more lines than these that are no TOML, it is not a configuration that somebody has mistyped.
constexpr size_t kMostSyntaxErrors = 20;

// A table that may still be added to. What is written in one piece is a Value at once.
struct OpenTable {
  enum class Made : uint8_t {
    Implied,  // by the header of a table in it: it may get one itself
    Header,
    Dotted  // by a key with a dot, below `header`: others there may add to it
  };

  struct List {
    Place place;
    std::vector<std::unique_ptr<OpenTable>> tables;
  };
  struct Entry {
    std::string key;
    Place key_place;
    std::variant<Value, std::unique_ptr<OpenTable>, List> content;
  };

  Made made = Made::Implied;
  uint32_t header = 0;
  Place place;
  std::vector<Entry> entries;  // in the order of the file

  Entry* find(const std::string& key) {
    // A few are compared; for more there is a table.
    constexpr size_t kFew = 16;
    if (entries.size() <= kFew) {
      const auto found = std::ranges::find(entries, key, &Entry::key);
      return found == entries.end() ? nullptr : &*found;
    }
    for (size_t i = numbers_.size(); i < entries.size(); ++i) numbers_.emplace(entries[i].key, i);
    const auto found = numbers_.find(key);
    return found == numbers_.end() ? nullptr : &entries[found->second];
  }
  Entry& add(const TomlScanner::KeyPart& key) { return entries.emplace_back(Entry{key.text, key.place, {}}); }
  OpenTable& add_table(const TomlScanner::KeyPart& key, Made how, uint32_t below, Place where) {
    auto& table = add(key).content.emplace<std::unique_ptr<OpenTable>>(std::make_unique<OpenTable>());
    table->made = how;
    table->header = below;
    table->place = std::move(where);
    return *table;
  }

 private:
  std::unordered_map<std::string, size_t> numbers_;
};

using Key = std::span<const TomlScanner::KeyPart>;

Value close(OpenTable&& table, const Place& key_place);

Value close(OpenTable::Entry&& entry) {
  if (auto* value = std::get_if<Value>(&entry.content)) return std::move(*value);
  if (auto* table = std::get_if<std::unique_ptr<OpenTable>>(&entry.content))
    return close(std::move(**table), entry.key_place);
  auto& list = std::get<OpenTable::List>(entry.content);
  Value::Array items;
  items.reserve(list.tables.size());
  for (auto& each : list.tables) items.push_back(close(std::move(*each), entry.key_place));
  return {std::move(items), std::move(list.place), std::move(entry.key_place)};
}

Value close(OpenTable&& table, const Place& key_place) {
  Value::Table entries;
  entries.reserve(table.entries.size());
  for (OpenTable::Entry& each : table.entries) {
    std::string key = std::move(each.key);
    entries.emplace_back(std::move(key), close(std::move(each)));
  }
  return {std::move(entries), std::move(table.place), key_place};
}

class Parser {
 public:
  Parser(std::string_view text, const std::shared_ptr<const std::string>& file, TomlClient& client,
         Diagnostics& diagnostics, Secrets& secrets)
      : scanner_(text, file), client_(client), diagnostics_(diagnostics), secrets_(secrets) {}

  bool run() {
    if (const auto place = scanner_.find_not_utf8()) {
      diagnostics_.push_back(
          {.code = kNotText, .message = "the text is not UTF-8", .place = *place, .hint = {}});
      return false;
    }
    root_.made = OpenTable::Made::Header;
    while (!scanner_.at_end() && errors_ < kMostSyntaxErrors) {
      const uint32_t line = scanner_.mark().line;
      auto read = read_line();
      if (read) continue;
      report(std::move(read.error()));
      scanner_.recover(lists_ > 0, line);
      lists_ = 0;
    }
    if (!scanner_.at_end())
      report(scanner_.fail("there are more such lines, and the rest of the file is not read").error());
    finish();
    return errors_ == 0;
  }

 private:
  using Made = OpenTable::Made;
  using Mark = TomlScanner::Mark;

  void report(Diagnostic&& mistake) {
    ++errors_;
    diagnostics_.push_back(std::move(mistake));
  }

  Scanned<void> read_line() {
    scanner_.skip_blanks();
    if (scanner_.rest().starts_with('[')) return read_header();
    if (!scanner_.at_line_end() && !scanner_.rest().starts_with('#')) {
      const size_t before = root_.entries.size();
      if (auto read = read_key_value(*current_); !read) return read;
      if (current_ == &root_ && root_.entries.size() > before)
        if (auto* value = std::get_if<Value>(&root_.entries.back().content))
          client_.on_entry(root_.entries.back().key, std::move(*value));
    }
    return scanner_.finish_line();
  }

  // What no table was left open for is told now.
  void finish() {
    for (OpenTable::Entry& entry : root_.entries) {
      if (std::holds_alternative<Value>(entry.content)) continue;
      if (auto* list = std::get_if<OpenTable::List>(&entry.content))
        client_.on_element(entry.key, close(std::move(*list->tables.back()), entry.key_place));
      else
        client_.on_entry(entry.key, close(std::move(entry)));
    }
  }

  // --- Tables

  std::nullptr_t defined_twice(const TomlScanner::KeyPart& key, const OpenTable::Entry& first) {
    report({.code = kDefinedTwice,
            .message = fmt::format("`{}` is defined twice", key.text),
            .place = key.place,
            .hint = fmt::format("the other is at {}:{}", *first.key_place.file, first.key_place.line)});
    return nullptr;
  }

  // Lines that follow a header that is wrong belong nowhere; what is wrong with them is still said.
  Scanned<void> read_header() {
    nowhere_ = {};
    current_ = &nowhere_;
    depth_ = 0;
    const Mark begin = scanner_.mark();
    const bool list = scanner_.take("[[");
    if (!list) scanner_.take("[");
    const auto key = scanner_.key();
    if (!key) return std::unexpected(key.error());
    if (!scanner_.take(list ? "]]" : "]"))
      return scanner_.fail_since(
          begin, fmt::format("a table's header that does not end: `{}` is missing", list ? "]]" : "]"));
    ++section_;
    OpenTable* table = open(**key, list, scanner_.since(begin));
    if (table != nullptr) {
      current_ = table;
      depth_ = (*key)->size();
    }
    return scanner_.finish_line();
  }

  OpenTable* open(Key key, bool list, const Place& place) {
    OpenTable* at = &root_;
    for (const TomlScanner::KeyPart& part : key.first(key.size() - 1)) {
      OpenTable::Entry* entry = at->find(part.text);
      if (entry == nullptr) {
        at = &at->add_table(part, Made::Implied, section_, place);
      } else if (auto* table = std::get_if<std::unique_ptr<OpenTable>>(&entry->content)) {
        at = table->get();
      } else if (auto* tables = std::get_if<OpenTable::List>(&entry->content)) {
        at = tables->tables.back().get();
      } else {
        return defined_twice(part, *entry);
      }
    }
    OpenTable::Entry* entry = at->find(key.back().text);
    if (list) return open_in_list(*at, entry, key.back(), place);
    if (entry == nullptr) return &at->add_table(key.back(), Made::Header, section_, place);
    auto* table = std::get_if<std::unique_ptr<OpenTable>>(&entry->content);
    if (table == nullptr || (*table)->made != Made::Implied) return defined_twice(key.back(), *entry);
    (*table)->made = Made::Header;
    (*table)->place = place;
    entry->key_place = key.back().place;
    return table->get();
  }

  OpenTable* open_in_list(OpenTable& in, OpenTable::Entry* entry, const TomlScanner::KeyPart& key,
                          const Place& place) {
    if (entry == nullptr) {
      entry = &in.add(key);
      entry->content.emplace<OpenTable::List>().place = place;
    }
    auto* list = std::get_if<OpenTable::List>(&entry->content);
    if (list == nullptr) return defined_twice(key, *entry);
    if (&in == &root_ && !list->tables.empty()) {
      client_.on_element(entry->key, close(std::move(*list->tables.back()), entry->key_place));
      list->tables.pop_back();
    }
    OpenTable& table = *list->tables.emplace_back(std::make_unique<OpenTable>());
    table.made = Made::Header;
    table.place = place;
    return &table;
  }

  // Where the value of `key` goes; nullptr where there is one already, or what is no table of this key's own.
  OpenTable::Entry* entry_for(OpenTable& table, Key key) {
    OpenTable* at = &table;
    for (const TomlScanner::KeyPart& part : key.first(key.size() - 1)) {
      OpenTable::Entry* entry = at->find(part.text);
      if (entry == nullptr) {
        at = &at->add_table(part, Made::Dotted, section_, part.place);
        continue;
      }
      auto* found = std::get_if<std::unique_ptr<OpenTable>>(&entry->content);
      if (found == nullptr || (*found)->made != Made::Dotted || (*found)->header != section_)
        return defined_twice(part, *entry);
      at = found->get();
    }
    if (const OpenTable::Entry* first = at->find(key.back().text)) return defined_twice(key.back(), *first);
    return &at->add(key.back());
  }

  // --- Values

  Scanned<void> read_key_value(OpenTable& table) {
    const Mark begin = scanner_.mark();
    const auto key = scanner_.key();
    if (!key) return std::unexpected(key.error());
    if (!scanner_.take("=")) return no_equals_sign((*key)->back().text);
    const size_t outer = depth_;
    const uint32_t section = section_;
    depth_ += (*key)->size();
    Scanned<Value> value = std::unexpected(Diagnostic());
    OpenTable::Entry unused;
    OpenTable::Entry* entry = &unused;
    if (depth_ > kDeepestToml) {
      value = scanner_.too_deep(begin);
    } else {
      if (OpenTable::Entry* free = entry_for(table, **key)) entry = free;
      scanner_.skip_blanks();
      value = read_value(entry->key_place);
    }
    depth_ = outer;
    section_ = section;
    // There is something, even if it is not known what: nobody shall say that it is missing.
    entry->content = value ? std::move(*value) : Value(std::string(), value.error().place, entry->key_place);
    if (!value) return std::unexpected(std::move(value.error()));
    return {};
  }

  std::unexpected<Diagnostic> no_equals_sign(std::string_view key) {
    return scanner_.fail(fmt::format("expected `=` after `{}`", key),
                         scanner_.at_line_end()
                             ? ""
                             : "a key with other characters than letters, digits, - and _ stands in quotes");
  }

  Scanned<Value> read_value(const Place& key) {
    const std::string_view rest = scanner_.rest();
    if (scanner_.at_line_end() || rest.starts_with('#')) return scanner_.fail("a key without a value");
    if (rest.starts_with('"') || rest.starts_with('\'')) return read_text(key);
    if (rest.starts_with('[')) return read_list(key);
    if (rest.starts_with('{')) return read_inline_table(key);
    const Mark begin = scanner_.mark();
    const std::string_view word = scanner_.word();
    if (word.empty()) return scanner_.fail(fmt::format("expected a value, not `{}`", rest[0]));
    auto scalar = parse_toml_scalar(word);
    if (!scalar)
      return scanner_.fail_since(begin, std::move(scalar.error().message), std::move(scalar.error().hint));
    const Place place = scanner_.since(begin);
    if (const auto* truth = std::get_if<bool>(&*scalar)) return Value(*truth, place, key);
    if (const auto* number = std::get_if<int64_t>(&*scalar)) return Value(*number, place, key);
    if (const auto* number = std::get_if<double>(&*scalar)) return Value(*number, place, key);
    diagnostics_.push_back({.code = kDate,
                            .message = "dates and times are not used in a configuration",
                            .place = place,
                            .hint = "put it in quotes if it is text"});
    return Value(std::string(), place, key);
  }

  Scanned<Value> read_text(const Place& key) {
    const Mark begin = scanner_.mark();
    auto text = scanner_.text();
    if (!text) return std::unexpected(std::move(text.error()));
    const Place place = scanner_.since(begin);
    Expansion expansion = expand(std::move(*text), place, diagnostics_, secrets_);
    Value value(std::move(expansion.text), place, key);
    value.expanded = expansion.replaced;
    return value;
  }

  Scanned<Value> read_list(const Place& key) {
    const Mark begin = scanner_.mark();
    scanner_.take("[");
    if (depth_ == kDeepestToml) return scanner_.too_deep(begin);
    ++depth_;
    ++lists_;
    Value::Array items;
    for (bool more = true;;) {
      if (auto read = scanner_.skip_space(); !read) return std::unexpected(std::move(read.error()));
      if (scanner_.at_end()) return scanner_.fail_since(begin, "a list that does not end: `]` is missing");
      if (scanner_.take("]")) break;
      if (!more) return scanner_.fail("expected `,` or `]` after what stands in a list");
      auto item = read_value(key);
      if (!item) return item;
      items.push_back(std::move(*item));
      if (auto read = scanner_.skip_space(); !read) return std::unexpected(std::move(read.error()));
      more = scanner_.take(",");
    }
    --depth_;
    --lists_;
    return Value(std::move(items), scanner_.since(begin), key);
  }

  Scanned<Value> read_inline_table(const Place& key) {
    const Mark begin = scanner_.mark();
    scanner_.take("{");
    OpenTable table;
    section_ = ++sections_of_inline_;  // until the end of the key that this is the value of
    scanner_.skip_blanks();
    for (bool more = !scanner_.take("}"); more;) {
      if (auto read = read_key_value(table); !read) return std::unexpected(std::move(read.error()));
      scanner_.skip_blanks();
      more = scanner_.take(",");
      scanner_.skip_blanks();
      if (!more && !scanner_.take("}")) {
        return scanner_.at_line_end() ? scanner_.fail_since(begin, "a table in braces ends on its line")
                                      : scanner_.fail("expected `,` or `}` after what stands in a table");
      }
    }
    table.place = scanner_.since(begin);
    return close(std::move(table), key);
  }

  TomlScanner scanner_;
  TomlClient& client_;
  Diagnostics& diagnostics_;
  Secrets& secrets_;
  size_t errors_ = 0;
  OpenTable root_;
  OpenTable nowhere_;
  OpenTable* current_ = &root_;  // that lines belong to
  size_t depth_ = 0;
  size_t lists_ = 0;  // that are open here
  // Where keys with dots may add to each other's tables: below one header, and in one pair of braces.
  uint32_t section_ = 0;
  uint32_t sections_of_inline_ = UINT32_MAX / 2;
};

}  // namespace

bool read_toml(const std::string& path, const Place& from, TomlClient& client, Diagnostics& diagnostics,
               Secrets& secrets) {
  const auto text = read_file(path);
  if (!text) {
    diagnostics.push_back(
        {.code = text.error().code, .message = text.error().reason, .place = from, .hint = {}});
    return false;
  }
  return Parser(*text, std::make_shared<const std::string>(path), client, diagnostics, secrets).run();
}

}  // namespace leat::config
