#include "config/diagnostics.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "config/codes.h"
#include "config/file.h"

namespace leat::config {

namespace {

// A line's characters as they may reach a terminal: one string each, so that columns can be counted.
// Control characters would move the cursor or worse, and become blanks; a tab stays; what is not UTF-8
// becomes a question mark.
std::vector<std::string_view> printable(std::string_view text) {
  std::vector<std::string_view> characters;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text[0]);
    size_t length = first < 0x80   ? 1
                    : first < 0xc2 ? 0
                    : first < 0xe0 ? 2
                    : first < 0xf0 ? 3
                    : first < 0xf5 ? 4
                                   : 0;
    if (length > text.size()) length = 0;
    for (size_t i = 1; i < length; ++i)
      if ((text[i] & 0xc0) != 0x80) length = 0;
    // The C1 controls, U+0080 to U+009F, are encoded as c2 80 to c2 9f.
    const bool control = (first < 0x20 && first != '\t') || first == 0x7f ||
                         (length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0);
    characters.push_back(length == 0 ? "?" : control ? " " : text.substr(0, length));
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return characters;
}

std::string clean(std::string_view text) {
  std::string out;
  for (const std::string_view character : printable(text)) out += character;
  return out;
}

// Lines of source files, read once each.
class Sources {
 public:
  // nullptr when there is no such line.
  const std::string* line(const Place& place) {
    auto [found, fresh] = files_.try_emplace(*place.file);
    if (fresh) found->second = split(read_file(*place.file).value_or(""));
    return place.line <= found->second.size() ? &found->second[place.line - 1] : nullptr;
  }

 private:
  static std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      lines.emplace_back(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
  }

  std::map<std::string, std::vector<std::string>> files_;
};

// Whether what is set under this key is most likely a secret, or the hash of one. It may be a plugin's.
bool names_secret(std::string_view key) {
  std::string lower(key);
  std::ranges::transform(lower, lower.begin(), ascii_lower);
  if (lower == "keys" || lower == "users") return true;
  return std::ranges::any_of(
      std::array{"secret", "password", "passwd", "token", "api_key", "apikey", "private_key"},
      [&](std::string_view part) { return lower.ends_with(part); });
}

// Puts an asterisk for each character of texts that are secrets: who looks for a mistake needs the line and not those, and
// what is told of it lies in logs. One that only names a secret, "${file:...}", stays.
std::string without_secrets(std::string line) {
  const auto is_key = [](char c) {
    return is_digit(c) || c == '_' || c == '-' || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
  };
  for (size_t equals = line.find('='); equals != std::string::npos; equals = line.find('=', equals + 1)) {
    size_t end = equals;
    while (end > 0 && (is_blank(line[end - 1]) || line[end - 1] == '"')) --end;
    size_t begin = end;
    while (begin > 0 && is_key(line[begin - 1])) --begin;
    if (!names_secret(std::string_view(line).substr(begin, end - begin))) continue;
    size_t at = line.find_first_not_of(" \t", equals + 1);
    const bool list = at != std::string::npos && line[at] == '[';
    for (; at < line.size() && (!list || line[at] != ']'); ++at) {
      const char quote = line[at];
      if (quote != '"' && quote != '\'') continue;
      const size_t close = std::min(line.find(quote, at + 1), line.size());
      if (!std::string_view(line).substr(at + 1).starts_with("${"))
        std::fill(line.begin() + at + 1, line.begin() + close, '*');
      at = close;
      if (!list) break;
    }
  }
  return line;
}

struct Colors {
  const char* error;
  const char* warning;
  const char* bold;
  const char* off;
};
constexpr Colors kPlain{"", "", "", ""};
constexpr Colors kAnsi{"\033[1;31m", "\033[1;33m", "\033[1m", "\033[0m"};

// The line and the carets below it. Of a line longer than a wide terminal, only what is around the place.
void render_source(std::string& out, const std::string& line, const Diagnostic& diagnostic, const char* color,
                   const char* off) {
  constexpr size_t kMostShown = 160;
  constexpr size_t kMostBefore = 60;
  const Place& place = diagnostic.place;
  const std::string shown_line = without_secrets(line);
  std::vector<std::string_view> characters = printable(shown_line);
  if (!characters.empty() && characters.back() == " " && line.ends_with('\r')) characters.pop_back();
  const size_t at = std::min<size_t>(std::max<uint32_t>(place.column, 1) - 1, characters.size());
  const size_t begin = characters.size() > kMostShown && at > kMostBefore ? at - kMostBefore : 0;
  const size_t end = std::min(characters.size(), begin + kMostShown);

  const std::string number = std::to_string(place.line);
  std::string shown = begin > 0 ? "..." : "";
  std::string under(shown.size(), ' ');  // as wide as what stands above it, tabs kept
  for (size_t i = begin; i < end; ++i) {
    shown += characters[i];
    if (i < at) under += characters[i] == "\t" ? '\t' : ' ';
  }
  if (end < characters.size()) shown += "...";
  const size_t carets = std::clamp<size_t>(place.length, 1, std::max<size_t>(end - at, 1));
  out += number + " | " + shown + "\n" + std::string(number.size(), ' ') + " | " + under + color +
         std::string(carets, '^') + off + (diagnostic.hint.empty() ? "" : " " + clean(diagnostic.hint)) +
         "\n";
}

void render_one(std::string& out, const Diagnostic& diagnostic, Sources& sources, const Colors& colors) {
  const bool error = diagnostic.severity == Diagnostic::Severity::Error;
  const char* color = error ? colors.error : colors.warning;
  out += fmt::format("{}{}[{}]{}{}: {}{}\n", color, error ? "error" : "warning", code_text(diagnostic.code),
                     colors.off, colors.bold, clean(diagnostic.message), colors.off);
  const Place& place = diagnostic.place;
  const bool has_file = place.file && !place.file->empty();
  const std::string* line = nullptr;
  if (has_file && place.line != 0) {
    out += fmt::format("  --> {}:{}:{}\n", clean(*place.file), place.line, place.column);
    line = sources.line(place);
  } else if (has_file) {
    out += "  --> " + clean(*place.file) + "\n";
  }
  if (line != nullptr) return render_source(out, *line, diagnostic, color, colors.off);
  if (!diagnostic.hint.empty()) out += "  " + clean(diagnostic.hint) + "\n";
}

}  // namespace

std::string render(const Diagnostics& diagnostics, bool color) {
  if (diagnostics.empty()) return {};
  Sources sources;
  std::string out;
  for (const Diagnostic& diagnostic : diagnostics)
    render_one(out, diagnostic, sources, color ? kAnsi : kPlain);
  const auto errors = static_cast<size_t>(
      std::ranges::count(diagnostics, Diagnostic::Severity::Error, &Diagnostic::severity));
  const size_t warnings = diagnostics.size() - errors;
  if (errors != 0) out += counted(errors, "error");
  if (errors != 0 && warnings != 0) out += ", ";
  if (warnings != 0) out += counted(warnings, "warning");
  return out + "; `leat explain-error CODE` says more\n";
}

bool any_error(const Diagnostics& diagnostics) {
  return std::ranges::contains(diagnostics, Diagnostic::Severity::Error, &Diagnostic::severity);
}

}  // namespace leat::config
