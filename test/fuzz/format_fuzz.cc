// Whatever a configuration is written like, `leat fmt` takes nothing from it: of any text that is TOML
//  - the formatted one says the same, as toml++ reads it, and has each of its characters but blanks and commas;
//  - formatted once more it stays as it is;
// and any other text is read to its end.
//
// Input: the text.
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/check.h"
#include "config/formatted.h"

namespace leat::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A file with NUL is refused before.
  if (text.contains('\0')) return 0;
  if (!test::is_toml(text)) {
    (void)config::format_toml(text);
    return 0;
  }
  const std::string wrong = test::wrong_with_format(text);
  if (wrong.empty()) return 0;
  std::fprintf(stderr, "%s\n", wrong.c_str());
  ENSURE(false);
  return 0;
}

}  // namespace leat::fuzz
