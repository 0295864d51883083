#include "config/diagnostics.h"

#include <algorithm>
#include <format>
#include <fstream>
#include <map>
#include <vector>

#include "config/codes.h"

namespace leat::config {

namespace {

// Lines of source files, read once each.
class Sources {
 public:
  // nullptr when there is no such line.
  const std::string* line(const Place& place) {
    if (!place.file || place.line == 0) return nullptr;
    auto [found, fresh] = files_.try_emplace(*place.file);
    if (fresh) {
      std::ifstream file(*place.file);
      for (std::string text; std::getline(file, text);) found->second.push_back(std::move(text));
    }
    return place.line <= found->second.size() ? &found->second[place.line - 1] : nullptr;
  }

 private:
  std::map<std::string, std::vector<std::string>> files_;
};

struct Colors {
  const char* error;
  const char* warning;
  const char* bold;
  const char* off;
};
constexpr Colors kPlain{"", "", "", ""};
constexpr Colors kAnsi{"\033[1;31m", "\033[1;33m", "\033[1m", "\033[0m"};

void render_one(std::string& out, const Diagnostic& diagnostic, Sources& sources, const Colors& colors) {
  const bool error = diagnostic.severity == Diagnostic::Severity::Error;
  out += std::format("{}{}[{}]{}{}: {}{}\n", error ? colors.error : colors.warning, error ? "error" : "warning",
                     code_text(diagnostic.code), colors.off, colors.bold, diagnostic.message, colors.off);
  const Place& place = diagnostic.place;
  const std::string hint = diagnostic.hint.empty() ? "" : " " + diagnostic.hint;
  if (!place.file || place.file->empty()) {
    if (!hint.empty()) out += "  " + hint.substr(1) + "\n";
    return;
  }
  if (place.line == 0) {
    out += "  --> " + *place.file + "\n";
    if (!hint.empty()) out += "  " + hint.substr(1) + "\n";
    return;
  }
  out += std::format("  --> {}:{}:{}\n", *place.file, place.line, place.column);
  const std::string* line = sources.line(place);
  if (line == nullptr) return;
  const std::string number = std::to_string(place.line);
  out += number + " | ";
  std::string under;  // as wide as what stands above it, tabs kept
  for (size_t i = 0; i < line->size(); ++i) {
    const char c = (*line)[i];
    const bool control = static_cast<unsigned char>(c) < 0x20 && c != '\t';
    out += control ? ' ' : c;
    if (i + 1 < place.column) under += c == '\t' ? '\t' : ' ';
  }
  const size_t left = line->size() >= place.column ? line->size() - place.column + 1 : 1;
  const size_t carets = std::clamp<size_t>(place.length, 1, std::max<size_t>(left, 1));
  out += "\n" + std::string(number.size(), ' ') + " | " + under + colors.error + std::string(carets, '^') +
         colors.off + hint + "\n";
}

}  // namespace

std::string render(const Diagnostics& diagnostics, bool color) {
  Sources sources;
  std::string out;
  size_t errors = 0;
  for (const Diagnostic& diagnostic : diagnostics) {
    render_one(out, diagnostic, sources, color ? kAnsi : kPlain);
    if (diagnostic.severity == Diagnostic::Severity::Error) ++errors;
  }
  if (diagnostics.empty()) return out;
  const size_t warnings = diagnostics.size() - errors;
  out += std::format("{} error{}, {} warning{}; `leat explain-error CODE` says more\n", errors, errors == 1 ? "" : "s",
                     warnings, warnings == 1 ? "" : "s");
  return out;
}

}  // namespace leat::config
