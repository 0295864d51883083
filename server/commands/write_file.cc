#include "server/commands/write_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/fd.h"
#include "config/file.h"

namespace leat::server {

namespace {

std::unexpected<std::string> cannot_write(const std::string& path, int error) {
  return std::unexpected(fmt::format("cannot write `{}`: {}", path, std::strerror(error)));
}

// A file beside another, which goes with this unless it has taken the other's place.
class FileBeside {
 public:
  explicit FileBeside(const std::string& path)
      : path_(path + ".XXXXXX"), fd_(::mkostemp(path_.data(), O_CLOEXEC)) {}
  ~FileBeside() {
    if (fd_ && !stays_) (void)::unlink(path_.c_str());
  }
  FileBeside(const FileBeside&) = delete;
  FileBeside& operator=(const FileBeside&) = delete;

  // Each is false, with errno, where it fails.
  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }
  [[nodiscard]] bool own_like(const struct stat& other) const {
    struct stat own{};
    if (::fstat(fd_.get(), &own) != 0) return false;
    const bool alike = own.st_uid == other.st_uid && own.st_gid == other.st_gid;
    return (alike || ::fchown(fd_.get(), other.st_uid, other.st_gid) == 0) &&
           ::fchmod(fd_.get(), other.st_mode & 07777) == 0;
  }
  [[nodiscard]] bool fill(std::string_view text) const {
    return write_all(fd_.get(), text) && ::fsync(fd_.get()) == 0;
  }
  [[nodiscard]] bool take_place_of(const std::string& other) {
    stays_ = std::rename(path_.c_str(), other.c_str()) == 0;
    return stays_;
  }

 private:
  std::string path_;
  Fd fd_;
  bool stays_ = false;
};

}  // namespace

std::expected<void, std::string> write_new_file(const std::string& path, std::string_view text, mode_t mode) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd && errno == EEXIST) return std::unexpected(fmt::format("`{}` is there already", path));
  if (!fd || !write_all(fd.get(), text)) return cannot_write(path, errno);
  return {};
}

std::expected<void, std::string> replace_file(const std::string& path, std::string_view former,
                                              std::string_view text) {
  std::error_code failed;
  const std::string real = std::filesystem::canonical(path, failed).string();
  if (failed) return cannot_write(path, failed.value());
  struct stat before{};
  if (::stat(real.c_str(), &before) != 0) return cannot_write(path, errno);
  FileBeside fresh(real);
  if (!fresh.is_open()) return cannot_write(path, errno);
  if (!fresh.own_like(before))
    return std::unexpected(
        fmt::format("cannot give what takes the place of `{}` its owner: {}", path, std::strerror(errno)));
  if (!fresh.fill(text)) return cannot_write(path, errno);
  const auto now = config::read_file(real);
  if (!now) return std::unexpected(now.error().reason);
  if (*now != former)
    return std::unexpected(fmt::format("`{}` has changed meanwhile, and is left as it is", path));
  if (!fresh.take_place_of(real)) return cannot_write(path, errno);
  return {};
}

}  // namespace leat::server
