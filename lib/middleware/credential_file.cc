#include "middleware/credential_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "middleware/option_error.h"

namespace leat::middleware {

bool read_credential_lines(const pipeline::BuildContext& context, std::string_view option,
                           const std::string& path,
                           const std::function<std::string(std::string_view line)>& visit) {
  constexpr size_t kMostTold = 10;
  const auto fail = [&](std::string message) {
    fail_option(context, option, std::move(message), {}, pipeline::kCredentials);
  };
  const auto text = context.surroundings.read_file(path);
  if (!text) {
    fail(text.error());
    return false;
  }
  std::string_view rest = *text;
  size_t wrong = 0;
  for (size_t number = 1; !rest.empty(); ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    const std::string said = visit(line);
    if (!said.empty() && ++wrong <= kMostTold) fail(fmt::format("`{}`, line {}: {}", path, number, said));
  }
  if (wrong > kMostTold) fail(fmt::format("`{}` has {} more lines that are wrong", path, wrong - kMostTold));
  return wrong == 0;
}

std::string check_user_name(std::string_view name) {
  constexpr size_t kMost = 128;
  if (name.empty()) return "a name is missing";
  if (name.size() > kMost) return fmt::format("a name has at most {} bytes", kMost);
  const bool good = std::ranges::all_of(
      name, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f' && c != ':'; });
  return good ? "" : "a name has neither blanks nor control characters nor a colon";
}

}  // namespace leat::middleware
