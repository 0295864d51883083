#include "server/commands/format_files.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>

#include "config/diagnostics.h"
#include "config/file.h"
#include "config/format.h"
#include "config/toml.h"
#include "server/commands/print.h"
#include "server/commands/write_file.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

constexpr std::string_view kStandardInput = "-";

int complain_of(std::string_view what, int code) {
  std::fprintf(stderr, "leat: %.*s\n", static_cast<int>(what.size()), what.data());
  return code;
}

std::expected<std::string, std::string> read_standard_input() {
  std::string text;
  for (;;) {
    char piece[16384];
    const ssize_t size = ::read(STDIN_FILENO, piece, sizeof piece);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::unexpected(fmt::format("cannot read standard input: {}", std::strerror(errno)));
    if (size == 0) break;
    text.append(piece, static_cast<size_t>(size));
    if (text.size() > config::kMostFileBytes)
      return std::unexpected("standard input is too large for a configuration");
  }
  if (text.contains('\0')) return std::unexpected("standard input is not text");
  return text;
}

// What it is when it is formatted. Nothing where it is no TOML, which is said.
std::optional<std::string> formatted(const std::string& name, std::string_view text) {
  const auto file = std::make_shared<const std::string>(name);
  Diagnostics diagnostics;
  if (!config::check_toml(text, file, diagnostics)) {
    std::fputs(config::render(diagnostics, ::isatty(STDERR_FILENO) != 0).c_str(), stderr);
    return std::nullopt;
  }
  auto fresh = config::format_toml(text);
  // That it says the same is not only believed: a configuration may be somebody's only copy.
  if (fresh && config::check_toml(*fresh, file, diagnostics) &&
      config::toml_content(*fresh) == config::toml_content(text))
    return fresh;
  complain_of(fmt::format("{}: this text cannot be formatted and is left as it is: please report it", name),
              0);
  return std::nullopt;
}

int format_one(const std::string& file, bool check) {
  const bool standard = file == kStandardInput;
  std::string text;
  if (standard) {
    auto read = read_standard_input();
    if (!read) return complain_of(read.error(), kExitFailure);
    text = *std::move(read);
  } else {
    auto read = config::read_file(file);
    if (!read) return complain_of(read.error().reason, kExitFailure);
    text = *std::move(read);
  }
  const auto fresh = formatted(standard ? "standard input" : file, text);
  if (!fresh) return kExitConfiguration;
  if (check)
    return *fresh == text ? kExitFine : complain_of(fmt::format("{} is not formatted", file), kExitFailure);
  if (standard) {
    print(*fresh);
    return kExitFine;
  }
  if (*fresh == text) return kExitFine;
  if (const auto written = replace_file(file, text, *fresh); !written)
    return complain_of(written.error(), kExitFailure);
  std::printf("formatted %s\n", file.c_str());
  return kExitFine;
}

}  // namespace

int format_files(const FilesToFormat& wanted) {
  int code = kExitFine;
  for (const std::string& file : wanted.files) code = std::max(code, format_one(file, wanted.check));
  return code;
}

}  // namespace leat::server
