#include "base/check.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace leat {

namespace {

constinit int own_standard_error = STDERR_FILENO;

void put(const char* text) noexcept {
  // The process is about to abort: a failed write has no one left to tell.
  [[maybe_unused]] const auto written = ::write(standard_error(), text, std::strlen(text));
}

}  // namespace

void keep_standard_error() noexcept {
  // Beyond the numbers that a program closes which wants to get rid of the usual ones.
  constexpr int kLeast = 16;
  const int copy = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kLeast);
  if (copy >= 0) own_standard_error = copy;
}

int standard_error() noexcept { return own_standard_error; }

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

void descriptor_lost(const char* which) noexcept {
  lost_a_descriptor = true;
  put("leat: a descriptor that belongs to the daemon was closed by something else: ");
  put(which);
  put("\n");
  std::abort();
}

}  // namespace leat
