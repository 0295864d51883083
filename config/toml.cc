#include "config/toml.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <fstream>
#include <iterator>

// The header-only form without exceptions; Debian's library is built with them.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.hpp>

#include "config/codes.h"

namespace leat::config {

namespace {

// Larger than any configuration by a factor of a thousand; a log named by mistake should not be parsed.
constexpr off_t kMostBytes = off_t{4} << 20;

std::expected<std::string, Diagnostic> read_file(const std::string& path) {
  const auto fail = [&](int code, std::string message) {
    return std::unexpected(Diagnostic{
        .code = code, .message = std::move(message), .place = {.file = std::make_shared<std::string>(path)}});
  };
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail(kUnreadable, "cannot read `" + path + "`: " + std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return fail(kUnreadable, "cannot read `" + path + "`: it is a folder");
  if (status.st_size > kMostBytes) return fail(kTooLarge, "`" + path + "` is larger than 4 MiB");
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof()) return fail(kUnreadable, "cannot read `" + path + "`: " + std::strerror(errno));
  if (text.find('\0') != std::string::npos) return fail(kNotText, "`" + path + "` is not a text file");
  return text;
}

// Turns toml++'s tree into Values.
class Converter {
 public:
  Converter(const std::string& path, Diagnostics& diagnostics)
      : file_(std::make_shared<std::string>(path)), diagnostics_(diagnostics) {}

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
    if (const auto* text = node.as_string()) return {expand(text->get(), where), where, key};
    if (const auto* number = node.as_integer()) return {number->get(), where, key};
    if (const auto* number = node.as_floating_point()) return {number->get(), where, key};
    if (const auto* truth = node.as_boolean()) return {truth->get(), where, key};
    diagnostics_.push_back({.code = kWrongType,
                            .message = "dates and times are not used in a configuration",
                            .place = where,
                            .hint = "put it in quotes if it is text"});
    return {std::string(), where, key};
  }

  Value::Table convert_table(const toml::table& table) {
    Value::Table entries;
    for (const auto& [key, node] : table) entries.emplace_back(std::string(key.str()), convert(node, place(key.source())));
    // toml++ keeps keys by name; people, and diagnostics, want them in the order of the file.
    std::ranges::stable_sort(entries, [](const Value::Entry& a, const Value::Entry& b) {
      return std::pair(a.second.key_place.line, a.second.key_place.column) <
             std::pair(b.second.key_place.line, b.second.key_place.column);
    });
    return entries;
  }

 private:
  // Replaces ${NAME}, ${NAME:-otherwise} and ${NAME:?message}; "$$" is a dollar sign.
  std::string expand(const std::string& text, const Place& where) {
    std::string out;
    size_t at = 0;
    while (at < text.size()) {
      if (text[at] != '$' || at + 1 == text.size()) {
        out += text[at++];
      } else if (text[at + 1] == '$') {
        out += '$';
        at += 2;
      } else if (const size_t end = text.find('}', at); text[at + 1] == '{' && end != std::string::npos) {
        out += variable(text.substr(at + 2, end - at - 2), where);
        at = end + 1;
      } else {
        out += text[at++];
      }
    }
    return out;
  }

  std::string variable(const std::string& content, const Place& where) {
    const size_t colon = std::min(content.find(':'), content.size());
    const std::string name = content.substr(0, colon);
    const char* value = std::getenv(name.c_str());
    if (value != nullptr && *value != '\0') return value;
    const std::string_view rest = std::string_view(content).substr(colon);
    if (rest.starts_with(":-")) return std::string(rest.substr(2));
    if (value != nullptr && rest.empty()) return "";
    diagnostics_.push_back({.code = kVariable,
                            .message = rest.starts_with(":?") ? std::string(rest.substr(2))
                                                              : "the variable `" + name + "` is not set",
                            .place = where,
                            .hint = "set it, or write `${" + name + ":-default}`"});
    return "";
  }

  std::shared_ptr<const std::string> file_;
  Diagnostics& diagnostics_;
};

}  // namespace

Value read_toml(const std::string& path, Diagnostics& diagnostics) {
  auto text = read_file(path);
  if (!text) {
    diagnostics.push_back(std::move(text.error()));
    return {};
  }
  Converter converter(path, diagnostics);
  const toml::parse_result parsed = toml::parse(std::string_view(*text), std::string_view(path));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    std::string message(error.description());
    for (char& c : message)
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    diagnostics.push_back(
        {.code = kSyntax, .message = std::move(message), .place = converter.place(error.source())});
    return {};
  }
  const Place top{.file = std::make_shared<std::string>(path), .line = 1, .column = 1};
  return {converter.convert_table(parsed.table()), top};
}

}  // namespace leat::config
