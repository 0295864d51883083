#include "base/crash_line.h"

#include <unistd.h>

#include <cstring>
#include <ctime>

#include "base/date.h"
#include "base/escape.h"
#include "base/text.h"

namespace leat {

void write_crash_line(int fd, std::string_view text) noexcept {
  constexpr size_t kMost = 900;
  char line[kMost * kMostEscaped + 128];
  char* at = line;
  const auto put = [&at](std::string_view piece) {
    std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  };
  const bool object = crash_lines_are_objects.load(std::memory_order_relaxed);
  if (object) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto ms = static_cast<unsigned>(now.tv_nsec / 1'000'000);
    put("{\"ts\":\"");
    put(view(iso_date(now.tv_sec)));
    const char tail[] = {'.', static_cast<char>('0' + ms / 100), static_cast<char>('0' + ms / 10 % 10),
                         static_cast<char>('0' + ms % 10)};
    put({tail, sizeof tail});
    put("Z\",\"level\":\"error\",\"message\":\"");
  }
  at = put_escaped(at, text_prefix(text, kMost), object ? Escapes::Json : Escapes::Spaces);
  if (object) put("\"}");
  put("\n");
  // The process is about to end: a failed write has no one left to tell.
  [[maybe_unused]] const auto written = ::write(fd, line, static_cast<size_t>(at - line));
}

}  // namespace leat
