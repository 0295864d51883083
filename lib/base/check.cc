#include "base/check.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/crash_line.h"

namespace leat {

namespace {

constinit int own_standard_error = STDERR_FILENO;

// Texts one behind the other.
struct Words {
  char bytes[1024];
  size_t size = 0;
  Words& put(std::string_view text) noexcept {
    text = text.substr(0, std::min(text.size(), sizeof bytes - size));
    std::memcpy(bytes + size, text.data(), text.size());
    size += text.size();
    return *this;
  }
  void write() const noexcept { write_crash_line(standard_error(), {bytes, size}); }
};

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
  Words words;
  words.put("leat: broken guarantee `").put(condition).put("` at ").put(file).put(":").put(digits).write();
  std::abort();
}

void descriptor_lost(const char* which) noexcept {
  lost_a_descriptor = true;
  Words words;
  words.put("leat: a descriptor that belongs to the daemon was closed by something else: ")
      .put(which)
      .write();
  std::abort();
}

}  // namespace leat
