#include "config/diagnostics.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "config/codes.h"
#include "config/file.h"
#include "config/shown_secrets.h"

namespace leat::config {

namespace {

struct Character {
  std::string_view shown;
  size_t at;  // where it begins
};

// A line's characters as they may reach a terminal: one string each, so that columns can be counted.
// Control characters would move the cursor or worse, and become blanks; a tab stays; what is not UTF-8
// becomes a question mark.
std::vector<Character> printable(std::string_view text) {
  std::vector<Character> characters;
  for (size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::string_view rest = text.substr(at);
    size_t length = first < 0x80   ? 1
                    : first < 0xc2 ? 0
                    : first < 0xe0 ? 2
                    : first < 0xf0 ? 3
                    : first < 0xf5 ? 4
                                   : 0;
    if (length > rest.size()) length = 0;
    for (size_t i = 1; i < length; ++i)
      if ((rest[i] & 0xc0) != 0x80) length = 0;
    // The C1 controls, U+0080 to U+009F, are encoded as c2 80 to c2 9f.
    const bool control = (first < 0x20 && first != '\t') || first == 0x7f ||
                         (length == 2 && first == 0xc2 && static_cast<unsigned char>(rest[1]) < 0xa0);
    characters.push_back({length == 0 ? "?" : control ? " " : rest.substr(0, length), at});
    at += std::max<size_t>(length, 1);
  }
  return characters;
}

std::string clean(std::string_view text) {
  std::string out;
  for (const Character& character : printable(text)) out += character.shown;
  return out;
}

// A line of a source file, and what is secret in it.
struct SourceLine {
  std::string_view text;
  std::vector<TextRange> secrets;
};

// Lines of source files, read once each.
class Sources {
 public:
  // Nothing when there is no such line.
  std::optional<SourceLine> line(const Place& place) {
    auto [found, fresh] = files_.try_emplace(*place.file);
    File& file = found->second;
    if (fresh) file.read(*place.file);
    if (place.line > file.begins.size()) return std::nullopt;
    const size_t begin = file.begins[place.line - 1];
    const size_t end = std::min(file.text.find('\n', begin), file.text.size());
    // By all of the file, and by itself: where a file is malformed it can be read in both ways.
    SourceLine line{std::string_view(file.text).substr(begin, end - begin), {}};
    line.secrets = find_secrets(line.text);
    for (auto each = std::ranges::upper_bound(file.secrets, begin, {}, &TextRange::end);
         each != file.secrets.end() && each->begin < end; ++each)
      line.secrets.push_back({std::max(each->begin, begin) - begin, std::min(each->end, end) - begin});
    return line;
  }

 private:
  struct File {
    void read(const std::string& path) {
      text = read_file(path).value_or("");
      for (size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size() - 1) + 1)
        begins.push_back(at);
      secrets = find_secrets(text);
    }
    std::string text;
    std::vector<size_t> begins;  // of lines
    std::vector<TextRange> secrets;
  };
  std::map<std::string, File> files_;
};

// An asterisk for each character of what is secret.
void hide(std::vector<Character>& characters, const SourceLine& line) {
  std::vector<bool> secret(line.text.size());
  for (const TextRange& range : line.secrets)
    std::fill(secret.begin() + static_cast<ptrdiff_t>(range.begin),
              secret.begin() + static_cast<ptrdiff_t>(range.end), true);
  for (Character& character : characters)
    if (secret[character.at]) character.shown = "*";
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
void render_source(std::string& out, const SourceLine& line, const Diagnostic& diagnostic, const char* color,
                   const char* off) {
  constexpr size_t kMostShown = 160;
  constexpr size_t kMostBefore = 60;
  const Place& place = diagnostic.place;
  std::vector<Character> characters = printable(line.text);
  if (line.text.ends_with('\r')) characters.pop_back();
  hide(characters, line);
  const size_t at = std::min<size_t>(std::max<uint32_t>(place.column, 1) - 1, characters.size());
  const size_t begin = characters.size() > kMostShown && at > kMostBefore ? at - kMostBefore : 0;
  const size_t end = std::min(characters.size(), begin + kMostShown);

  const std::string number = std::to_string(place.line);
  std::string shown = begin > 0 ? "..." : "";
  std::string under(shown.size(), ' ');  // as wide as what stands above it, tabs kept
  for (size_t i = begin; i < end; ++i) {
    shown += characters[i].shown;
    if (i < at) under += characters[i].shown == "\t" ? '\t' : ' ';
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
  std::optional<SourceLine> line;
  if (has_file && place.line != 0) {
    out += fmt::format("  --> {}:{}:{}\n", clean(*place.file), place.line, place.column);
    line = sources.line(place);
  } else if (has_file) {
    out += "  --> " + clean(*place.file) + "\n";
  }
  if (line) return render_source(out, *line, diagnostic, color, colors.off);
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
