// Somebody else's configuration may be any text, for nginx or for Caddy. Whatever it is,
//  - reading it ends, and says at which of its lines it is malformed;
//  - what is made of it is TOML, formatted, and has a TODO for each thing that is left;
//  - nothing of it reaches a terminal that is not printable.
//
// Input: a byte that says whose it is, then the text.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "config/formatted.h"
#include "server/migrate/caddy.h"
#include "server/migrate/directive.h"
#include "server/migrate/nginx.h"
#include "server/migrate/target.h"

namespace leat::fuzz {

namespace migrate = server::migrate;

namespace {

bool is_printable(std::string_view line) {
  return std::ranges::none_of(line, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  // A file with NUL is refused before.
  if (text.contains('\0')) return 0;
  const bool nginx = data[0] % 2 == 0;
  const auto directives = nginx ? migrate::read_nginx(text) : migrate::read_caddy(text);
  if (!directives) {
    ENSURE(directives.error().line >= 1 && directives.error().line <= std::ranges::count(text, '\n') + 1);
    ENSURE(is_printable(directives.error().why));
    return 0;
  }
  migrate::Target target("x.conf");
  (nginx ? migrate::carry_over_nginx : migrate::carry_over_caddy)(*directives, target);
  const std::string file = target.file();
  ENSURE(test::is_toml(file));
  ENSURE(config::format_toml(file) == file);
  for (const migrate::Left& each : target.left()) {
    ENSURE(is_printable(each.written) && is_printable(each.why));
    ENSURE(file.contains("TODO x.conf:" + std::to_string(each.line)));
  }
  return 0;
}

}  // namespace leat::fuzz
