#include "logging/outlet.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

namespace leat::logging {

namespace {

constexpr mode_t kMode = 0640;  // who may read an access log is said by its group

size_t size_of(std::span<const iovec> pieces) {
  size_t size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  return size;
}

// The records that `most` bytes have room for, or, where that is none, a part of the first.
std::vector<iovec> first_records(std::span<const iovec> pieces, size_t most, char terminator) {
  std::vector<iovec> some;
  for (const iovec& piece : pieces) {
    if (piece.iov_len <= most) {
      some.push_back(piece);
      most -= piece.iov_len;
      continue;
    }
    const auto* const bytes = static_cast<const char*>(piece.iov_base);
    const void* const end = ::memrchr(bytes, terminator, most);
    const size_t whole = end == nullptr ? 0 : static_cast<size_t>(static_cast<const char*>(end) - bytes) + 1;
    if (whole != 0) {
      some.push_back({piece.iov_base, whole});
    } else if (some.empty() && most != 0) {
      some.push_back({piece.iov_base, most});
    }
    break;
  }
  return some;
}

// Bytes to a descriptor: a file, a pipe, a terminal, or the socket that stderr is under a service manager.
class StreamOutlet : public Outlet {
 public:
  Written write(std::span<const iovec> pieces) override {
    Written done;
    while (!pieces.empty()) {
      std::vector<iovec> some(pieces.begin(),
                              pieces.begin() + std::min<ptrdiff_t>(std::ssize(pieces), IOV_MAX));
      if (pipe_) some = first_records(some, room(), '\n');
      if (blocks_ && !is_ready()) return wait(done, EAGAIN);
      ++writes_;
      const ssize_t gone = send(some);
      if (gone < 0 && errno == EINTR) continue;
      if (gone < 0) return wait(done, errno);
      done.bytes += static_cast<size_t>(gone);
      auto left = static_cast<size_t>(gone);
      while (!pieces.empty() && left >= pieces[0].iov_len) {
        left -= pieces[0].iov_len;
        pieces = pieces.subspan(1);
      }
      if (static_cast<size_t>(gone) < size_of(some)) return wait(done, is_stream() ? EAGAIN : ENOSPC);
      if (left != 0) return wait(done, EAGAIN);  // a pipe has no more room
    }
    return done;
  }

 protected:
  // `fd` stays its owner's.
  void use(int fd) {
    fd_ = fd;
    struct stat status{};
    ::fstat(fd, &status);
    regular_ = S_ISREG(status.st_mode);
    pipe_ = S_ISFIFO(status.st_mode);
    socket_ = S_ISSOCK(status.st_mode);
    blocks_ = !regular_ && !socket_ && (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
  }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool regular() const { return regular_; }

 private:
  [[nodiscard]] bool is_stream() const { return !regular_; }
  // Of a pipe: what surely fits. Pages that are full in part may be two.
  [[nodiscard]] size_t room() const {
    const int capacity = ::fcntl(fd_, F_GETPIPE_SZ);
    int waiting = 0;
    if (blocks_ || capacity < 0 || ::ioctl(fd_, FIONREAD, &waiting) != 0) return PIPE_BUF;
    return static_cast<size_t>(std::max(capacity - waiting - 2 * PIPE_BUF, PIPE_BUF));
  }
  // Of one that would block: what is writable takes PIPE_BUF bytes (pipe(7)).
  [[nodiscard]] bool is_ready() const {
    pollfd event{fd_, POLLOUT, 0};
    return ::poll(&event, 1, 0) == 1;
  }
  ssize_t send(const std::vector<iovec>& some) const {
    if (!socket_) return ::writev(fd_, some.data(), static_cast<int>(some.size()));
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(some.data());
    message.msg_iovlen = some.size();
    return ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  [[nodiscard]] Written wait(Written done, int number) const {
    done.why = {"write", number};
    if (number == EAGAIN && is_stream()) done.wait_for = fd_;
    return done;
  }

  int fd_ = -1;
  bool regular_ = false;
  bool pipe_ = false;
  bool socket_ = false;
  bool blocks_ = false;  // and its flags are also others', so that they stay
};

class FileOutlet final : public StreamOutlet {
 public:
  explicit FileOutlet(const Target& target) : target_(target) {}

  Expected<void> reopen() override {
    // A pipe by name without a reader is an error rather than a wait.
    Fd next(::open(target_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                   kMode));
    if (!next) return system_error("open");
    struct stat status{};
    if (::fstat(next.get(), &status) != 0) return system_error("fstat");
    file_ = std::move(next);
    size_ = static_cast<uint64_t>(status.st_size);
    whole_ = true;
    use(file_.get());
    return {};
  }

  Written write(std::span<const iovec> pieces) override {
    const uint64_t more = size_of(pieces);
    if (target_.rotate_size != 0 && regular() && whole_ && size_ != 0 && size_ + more > target_.rotate_size)
      rotate();
    const Written done = StreamOutlet::write(pieces);
    size_ += done.bytes;
    if (done.bytes != 0) whole_ = done.bytes == more;
    return done;
  }

  std::string look() override {
    if (!note_.empty()) return std::exchange(note_, {});
    struct stat status{};
    if (!regular() || ::fstat(file_.get(), &status) != 0 || status.st_nlink != 0) return {};
    if (const auto opened = reopen(); !opened)
      return fmt::format("{} was deleted, and cannot be made anew ({}): its lines are lost", target_.text(),
                         opened.error().text());
    return fmt::format("{} was deleted: a new one is written", target_.text());
  }

 private:
  [[nodiscard]] std::string former(uint32_t number) const {
    return fmt::format("{}.{}", target_.path, number);
  }

  void rotate() {
    if (monotonic_ms() < rotate_again_ms_) return;
    struct stat named{}, open{};
    const bool ours = ::stat(target_.path.c_str(), &named) == 0 && ::fstat(file_.get(), &open) == 0 &&
                      named.st_ino == open.st_ino && named.st_dev == open.st_dev;
    // Otherwise somebody has moved it away: another process that writes to it has.
    if (ours) {
      for (uint32_t number = target_.rotate_keep; number > 1; --number)
        (void)std::rename(former(number - 1).c_str(), former(number).c_str());
      if (std::rename(target_.path.c_str(), former(1).c_str()) != 0)
        return cannot_rotate(system_error("rename").error());
    }
    if (const auto opened = reopen(); !opened) cannot_rotate(opened.error());
  }
  void cannot_rotate(const Error& why) {
    constexpr uint64_t kAgainMs = 60'000;
    rotate_again_ms_ = monotonic_ms() + kAgainMs;
    note_ = fmt::format("{} cannot be rotated and grows on: {}", target_.text(), why.text());
  }

  const Target target_;
  Fd file_;
  uint64_t size_ = 0;
  bool whole_ = true;  // what was written ends with a line
  uint64_t rotate_again_ms_ = 0;
  std::string note_;
};

class StandardErrorOutlet final : public StreamOutlet {
 public:
  StandardErrorOutlet() {
    struct stat status{};
    ::fstat(standard_error(), &status);
    if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
      // One of its own, that does not block: the flags of the other are shared with whoever gave it.
      const std::string path = fmt::format("/proc/self/fd/{}", standard_error());
      own_.reset(::open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    }
    use(own_ ? own_.get() : standard_error());
  }

 private:
  Fd own_;
};

// Wherever the daemon's own log goes, which a reload may change.
class LogOutlet final : public Outlet {
 public:
  Written write(std::span<const iovec> pieces) override {
    Written done;
    if (const auto followed = follow(); !followed) {
      done.why = followed.error();
      return done;
    }
    const uint64_t before = to_->writes();
    done = to_->write(pieces);
    writes_ += to_->writes() - before;
    return done;
  }
  Expected<void> reopen() override {
    if (const auto followed = follow(); !followed) return followed;
    return to_->reopen();
  }
  std::string look() override { return to_ != nullptr ? to_->look() : std::string(); }

 private:
  Expected<void> follow() {
    std::string file = log::file();
    if (to_ != nullptr && file == file_) return {};
    auto opened = Outlet::open({.to = file.empty() ? Target::To::Stderr : Target::To::File, .path = file});
    if (!opened) return std::unexpected(opened.error());
    to_ = std::move(*opened);
    file_ = std::move(file);
    return {};
  }

  std::unique_ptr<Outlet> to_;
  std::string file_;  // empty: stderr
};

// Datagrams to a unix socket, one a record.
class DatagramOutlet final : public Outlet {
 public:
  explicit DatagramOutlet(const Target& target) : target_(target) {}

  Written write(std::span<const iovec> pieces) override {
    Written done;
    if (!socket_)
      if (const auto connected = connect(); !connected) {
        done.why = connected.error();
        return done;
      }
    const std::string prefix = target_.to == Target::To::Syslog ? syslog_prefix() : std::string();
    for (const iovec& piece : pieces) {
      std::string_view rest(static_cast<const char*>(piece.iov_base), piece.iov_len);
      while (!rest.empty())
        if (!send_some(rest, prefix, done)) return done;
    }
    return done;
  }
  Expected<void> reopen() override {
    socket_.reset();
    return {};
  }

 private:
  static constexpr size_t kBatch = 64;

  Expected<void> connect() {
    Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return system_error("socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (target_.path.size() >= sizeof address.sun_path)
      return std::unexpected(Error{"connect", ENAMETOOLONG});
    std::memcpy(address.sun_path, target_.path.data(), target_.path.size());
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return system_error("connect");
    socket_ = std::move(socket);
    return {};
  }

  // "<30>Nov 29 10:00:00 leat[123]: ", as syslog(3) writes it to the local daemon: RFC 3164 without a host. The newer
  // form of RFC 5424 is not understood there by all.
  [[nodiscard]] std::string syslog_prefix() const {
    constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    constexpr unsigned kInformational = 6;
    constexpr unsigned kDaemon = 3;
    constexpr unsigned kBeforeLocal0 = 15;
    const auto number = static_cast<unsigned>(target_.facility);
    const unsigned facility = number == 0 ? kDaemon : kBeforeLocal0 + number;
    const std::time_t now = std::time(nullptr);
    tm parts{};
    ::localtime_r(&now, &parts);
    return fmt::format("<{}>{} {:2} {:02}:{:02}:{:02} leat[{}]: ", facility * 8 + kInformational,
                       kMonths[static_cast<size_t>(parts.tm_mon)], parts.tm_mday, parts.tm_hour, parts.tm_min,
                       parts.tm_sec, ::getpid());
  }

  // The next records of `rest`, which are taken away. False: no more at the moment.
  bool send_some(std::string_view& rest, const std::string& prefix, Written& done) {
    std::array<std::array<iovec, 2>, kBatch> parts;
    std::array<mmsghdr, kBatch> messages{};
    std::array<size_t, kBatch> sizes;
    size_t count = 0;
    for (std::string_view left = rest; !left.empty() && count < kBatch; ++count) {
      const size_t size = std::min(left.find(target_.terminator()), left.size() - 1) + 1;
      parts[count] = {
          {{const_cast<char*>(prefix.data()), prefix.size()}, {const_cast<char*>(left.data()), size - 1}}};
      messages[count].msg_hdr.msg_iov = parts[count].data();
      messages[count].msg_hdr.msg_iovlen = 2;
      sizes[count] = size;
      left.remove_prefix(size);
    }
    ++writes_;
    int sent =
        ::sendmmsg(socket_.get(), messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) return true;
    if (sent < 0 && errno == EMSGSIZE) {
      ++done.lost;  // no reader takes one that large
      sent = 1;
    }
    if (sent < 0) {
      done.why = {"send", errno};
      if (errno == EAGAIN || errno == ENOBUFS) {
        done.why.number = EAGAIN;
        done.wait_for = socket_.get();
      } else {
        socket_.reset();  // whoever listened has gone, and another one may come
      }
      return false;
    }
    for (int i = 0; i < sent; ++i) {
      done.bytes += sizes[static_cast<size_t>(i)];
      rest.remove_prefix(sizes[static_cast<size_t>(i)]);
    }
    return true;
  }

  const Target target_;
  Fd socket_;
};

}  // namespace

Expected<std::unique_ptr<Outlet>> Outlet::open(const Target& target) {
  switch (target.to) {
    case Target::To::Log:
      return std::make_unique<LogOutlet>();
    case Target::To::Stderr:
      return std::make_unique<StandardErrorOutlet>();
    case Target::To::Syslog:
    case Target::To::Journald:
      return std::make_unique<DatagramOutlet>(target);
    case Target::To::File:
      break;
  }
  auto file = std::make_unique<FileOutlet>(target);
  if (const auto opened = file->reopen(); !opened) return std::unexpected(opened.error());
  return file;
}

Expected<void> Outlet::examine(const Target& target) {
  if (target.to != Target::To::File) return {};
  const auto may = [](const std::string& path, int mode) {
    return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
  };
  struct stat status{};
  if (::stat(target.path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return std::unexpected(Error{"open", EISDIR});
    if (!may(target.path, W_OK)) return system_error("open");
    return {};
  }
  if (errno != ENOENT) return system_error("open");
  std::string folder = std::filesystem::path(target.path).parent_path().string();
  if (folder.empty()) folder = ".";
  if (!may(folder, W_OK | X_OK)) return system_error("open");
  return {};
}

std::string Target::text() const {
  switch (to) {
    case To::Log:
      return "the daemon's log";
    case To::Stderr:
      return "stderr";
    case To::Syslog:
      return "syslog at " + path;
    case To::Journald:
      return "the journal at " + path;
    case To::File:
      break;
  }
  return "the access log " + path;
}

}  // namespace leat::logging
