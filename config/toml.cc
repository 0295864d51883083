#include "config/toml.h"

#include <algorithm>
#include <iterator>
#include <vector>

// toml++ 3.4 takes some malformed files ("[[[", "[&") past its own assertions. They are made to end the
// parsing, as its errors do, not the process; NDEBUG would make them undefined behaviour. Hence header-only.
#undef NDEBUG
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
namespace leat::config {
struct TomlAssertion {};
[[noreturn]] static void fail_toml_assertion() { throw TomlAssertion(); }
}  // namespace leat::config
#define TOML_ASSERT(truth) ((truth) ? void() : ::leat::config::fail_toml_assertion())
#include <toml++/toml.hpp>

#include "config/codes.h"
#include "config/expand.h"
#include "config/file.h"

namespace leat::config {

namespace {

// Turns toml++'s tree into Values. Its parser bounds the depth of the tree, and so this recursion.
class Converter {
 public:
  Converter(std::shared_ptr<const std::string> file, Diagnostics& diagnostics)
      : file_(std::move(file)), diagnostics_(diagnostics) {}

  Value::Table convert_table(const toml::table& table) {
    Value::Table entries;
    for (const auto& [key, node] : table)
      entries.emplace_back(std::string(key.str()), convert(node, place(key.source())));
    // toml++ keeps keys by name; people, and diagnostics, want them in the order of the file.
    std::ranges::stable_sort(entries, [](const Value::Entry& a, const Value::Entry& b) {
      return std::pair(a.second.key_place.line, a.second.key_place.column) <
             std::pair(b.second.key_place.line, b.second.key_place.column);
    });
    return entries;
  }

 private:
  [[nodiscard]] Place place(const toml::source_region& region) const {
    Place place{.file = file_, .line = region.begin.line, .column = region.begin.column, .length = 1};
    if (region.end.line == region.begin.line && region.end.column > region.begin.column)
      place.length = region.end.column - region.begin.column;
    return place;
  }

  Value convert(const toml::node& node, const Place& key) {
    const Place where = place(node.source());
    if (const auto* table = node.as_table()) return {convert_table(*table), where, key};
    if (const auto* array = node.as_array()) {
      Value::Array items;
      for (const toml::node& item : *array) items.push_back(convert(item, key));
      return {std::move(items), where, key};
    }
    if (const auto* text = node.as_string()) return {expand(text->get(), where, diagnostics_), where, key};
    if (const auto* number = node.as_integer()) return {number->get(), where, key};
    if (const auto* number = node.as_floating_point()) return {number->get(), where, key};
    if (const auto* truth = node.as_boolean()) return {truth->get(), where, key};
    diagnostics_.push_back({.code = kDate,
                            .message = "dates and times are not used in a configuration",
                            .place = where,
                            .hint = "put it in quotes if it is text"});
    return {std::string(), where, key};
  }

  std::shared_ptr<const std::string> file_;
  Diagnostics& diagnostics_;
};

// What the parser says of a frequent mistake, and what helps.
struct SyntaxHint {
  std::string_view said;
  std::string_view hint;
};
constexpr SyntaxHint kSyntaxHints[] = {
    {"could not determine value type", "text stands in quotes"},
    {"integer: expected digit", "text and quantities with a unit stand in quotes: \"10s\""},
    {"leading zeroes", "octal numbers are written 0o660"},
    {"expected '=', saw", "a key with other characters than letters, digits, - and _ stands in quotes"},
};

// The key that stands before the value at `where` on its line; `where` itself for anything else.
Place key_before(std::string_view text, Place where) {
  for (uint32_t line = 1; line < where.line && text.contains('\n'); ++line)
    text.remove_prefix(text.find('\n') + 1);
  text = text.substr(0, text.find('\n'));
  // The column counts characters, not bytes.
  size_t end = 0;
  for (uint32_t column = 1; end < text.size(); ++end) {
    if ((text[end] & 0xc0) == 0x80) continue;
    if (column++ == where.column) break;
  }
  const size_t last = text.substr(0, end).find_last_not_of(" \t=");
  if (last == std::string_view::npos) return where;
  const size_t before = text.substr(0, last + 1).find_last_of(" \t{,");
  const size_t first = before == std::string_view::npos ? 0 : before + 1;
  const auto characters = [](std::string_view part) {
    return static_cast<uint32_t>(std::ranges::count_if(part, [](char c) { return (c & 0xc0) != 0x80; }));
  };
  where.column = characters(text.substr(0, first)) + 1;
  where.length = characters(text.substr(first, last + 1 - first));
  return where;
}

Diagnostic syntax_error(const toml::parse_error& error, const std::string& text,
                        std::shared_ptr<const std::string> file) {
  Diagnostic found{.code = kSyntax, .message = std::string(error.description())};
  found.place = {
      .file = std::move(file), .line = error.source().begin.line, .column = error.source().begin.column};
  // "Error while parsing key-value pair: cannot redefine existing integer 'a.b'"
  constexpr std::string_view kRedefined = "cannot redefine existing ";
  if (const size_t at = found.message.find(kRedefined); at != std::string::npos) {
    const size_t open = found.message.find('\'', at);
    const size_t close = found.message.rfind('\'');
    if (open < close)
      found.message = "`" + found.message.substr(open + 1, close - open - 1) + "` is defined twice";
    found.code = kDefinedTwice;
    found.place = key_before(text, found.place);
    return found;
  }
  if (found.message.contains("utf-8")) found.code = kNotText;
  for (const SyntaxHint& each : kSyntaxHints)
    if (found.message.contains(each.said)) found.hint = each.hint;
  constexpr std::string_view kPrefix = "Error while parsing ";
  found.message = "not TOML: " +
                  (found.message.starts_with(kPrefix) ? found.message.substr(kPrefix.size()) : found.message);
  return found;
}

// The line at which the parser of toml++ fails an assertion: the last of the shortest run of lines that make
// it.
Diagnostic assertion_error(std::string_view text, std::shared_ptr<const std::string> file) {
  std::vector<size_t> ends;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1))
    ends.push_back(end + 1);
  ends.push_back(text.size());
  const auto passes = [&](size_t end) {
    try {
      (void)toml::parse(text.substr(0, end));
    } catch (const toml::parse_error&) {
    } catch (const TomlAssertion&) {
      return false;
    }
    return true;
  };
  // Whatever comes before that line, the parser gets as far.
  const auto line = std::ranges::partition_point(ends, passes) - ends.begin();
  return {.code = kSyntax,
          .message = "not TOML: this line is malformed",
          .place = {.file = std::move(file), .line = static_cast<uint32_t>(line + 1), .column = 1}};
}

}  // namespace

std::optional<Value> read_toml(const std::string& path, const Place& from, Diagnostics& diagnostics) {
  const auto text = read_file(path);
  if (!text) {
    diagnostics.push_back({.code = text.error().code, .message = text.error().reason, .place = from});
    return std::nullopt;
  }
  const auto file = std::make_shared<const std::string>(path);
  try {
    const toml::table top = toml::parse(std::string_view(*text), std::string_view(path));
    return Value(Converter(file, diagnostics).convert_table(top),
                 Place{.file = file, .line = 1, .column = 1});
  } catch (const toml::parse_error& error) {
    diagnostics.push_back(syntax_error(error, *text, file));
  } catch (const TomlAssertion&) {
    diagnostics.push_back(assertion_error(*text, file));
  }
  return std::nullopt;
}

}  // namespace leat::config
