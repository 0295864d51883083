#include "base/check.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace leat {

namespace {

void put(const char* text) noexcept {
  // The process is about to abort: a failed write has no one left to tell.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

}  // namespace

void ensure_failed(const char* condition, const char* file, int line) noexcept {
  char digits[16] = {};
  std::to_chars(digits, digits + sizeof digits - 1, line);
  put("leat: broken guarantee `");
  put(condition);
  put("` at ");
  put(file);
  put(":");
  put(digits);
  put("\n");
  std::abort();
}

}  // namespace leat
