#include "config/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/fd.h"
#include "config/units.h"

namespace leat::config {

namespace {

std::unexpected<FileError> cannot_read(const std::string& path, const std::string& why) {
  return std::unexpected(FileError{kUnreadable, "cannot read `" + path + "`: " + why});
}
std::unexpected<FileError> cannot_read(const std::string& path, int number) {
  return cannot_read(path, std::generic_category().message(number));
}

}  // namespace

std::expected<std::string, FileError> read_binary(const std::string& path, size_t most) {
  // Without O_NONBLOCK, opening a pipe that nobody writes to would never return.
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return cannot_read(path, errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return cannot_read(path, errno);
  if (S_ISDIR(status.st_mode)) return cannot_read(path, "it is a folder");
  if (!S_ISREG(status.st_mode)) return cannot_read(path, "it is not a regular file");

  // The size that stat() tells is no promise: a file may grow, and those of /proc have none.
  std::string text;
  char piece[16 * 1024];
  while (text.size() <= most) {
    const ssize_t count = ::read(file.get(), piece, std::min(sizeof piece, most + 1 - text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return cannot_read(path, errno);
    if (count == 0) break;
    text.append(piece, static_cast<size_t>(count));
  }
  if (text.size() > most)
    return std::unexpected(
        FileError{kTooLarge, fmt::format("`{}` is larger than {}", path, size_text(most))});
  return text;
}

std::expected<std::string, FileError> read_file(const std::string& path, size_t most) {
  auto text = read_binary(path, most);
  if (text && text->contains('\0'))
    return std::unexpected(FileError{kNotText, "`" + path + "` is not a text file"});
  return text;
}

}  // namespace leat::config
