#include "server/commands/explain_error.h"

#include <fmt/core.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "config/codes.h"
#include "config/diagnostics.h"
#include "server/commands/print.h"
#include "server/process/exit_code.h"

namespace leat::server {

int explain_error(const std::string& code) {
  std::string_view digits = code;
  if (digits.starts_with("LT")) digits.remove_prefix(2);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const config::Explanation* found =
      error == std::errc{} && end == digits.data() + digits.size() ? config::explain(number) : nullptr;
  if (found == nullptr) {
    std::fprintf(stderr, "leat: there is no error `%s`\n", code.c_str());
    return kExitFailure;
  }
  print(fmt::format("{}: {}\n\n{}\n", config::code_text(found->code), found->title, found->text));
  return kExitFine;
}

}  // namespace leat::server
