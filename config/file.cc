#include "config/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/fd.h"
#include "base/sized_text.h"
#include "base/units.h"

namespace leat::config {

namespace {

// What begins a question, by what is asked.
const std::string kRead = "read ", kExists = "exists ", kList = "list ", kMatch = "match ";

constinit thread_local Files* files_of_thread = nullptr;

std::string join(const std::vector<std::string>& paths) {
  std::string all;
  for (const std::string& each : paths) all.append(each).push_back('\0');
  return all;
}

std::vector<std::string> split(std::string_view all) {
  std::vector<std::string> paths;
  for (size_t end; (end = all.find('\0')) != std::string_view::npos; all.remove_prefix(end + 1))
    paths.emplace_back(all.substr(0, end));
  return paths;
}

}  // namespace

// A question to the file system: what is asked, and of what.
struct FileQuestion {
  // The answer that is known, or nothing where the file system is to be asked.
  [[nodiscard]] std::optional<std::string> known() const {
    if (files_of_thread == nullptr || !files_of_thread->answers_all_) return std::nullopt;
    const auto found = files_of_thread->answers_.find(question);
    return found == files_of_thread->answers_.end() ? std::string() : found->second;
  }
  [[nodiscard]] bool unheard_of() const {
    return files_of_thread != nullptr && files_of_thread->answers_all_ &&
           !files_of_thread->answers_.contains(question);
  }
  void remember(std::string_view answer) const {
    if (files_of_thread != nullptr) files_of_thread->answers_.insert_or_assign(question, std::string(answer));
  }
  std::string question;
};

namespace {

std::unexpected<FileError> cannot_read(const std::string& path, const std::string& why) {
  return std::unexpected(FileError{kUnreadable, "cannot read `" + path + "`: " + why});
}
std::unexpected<FileError> cannot_read(const std::string& path, int number) {
  return cannot_read(path, std::generic_category().message(number));
}

}  // namespace

Files Files::from_text(std::string_view text) {
  Files files;
  files.answers_all_ = true;
  while (const auto question = take_sized(text))
    files.answers_.insert_or_assign(std::string(*question), std::string(take_sized(text).value_or("")));
  return files;
}

void Files::append_text(std::string& text) const {
  constexpr size_t kMostForSize = 24;
  size_t size = text.size();
  for (const auto& [question, answer] : answers_) size += question.size() + answer.size() + 2 * kMostForSize;
  text.reserve(size);
  for (const auto& [question, answer] : answers_)
    for (const std::string* each : {&question, &answer}) put_sized(text, *each);
}

std::string Files::text() const {
  std::string text;
  append_text(text);
  return text;
}

std::string Files::cut_since(const Files& before) const {
  constexpr std::string_view kBlank = " \t\r\n";
  for (const auto& [question, now] : answers_) {
    const auto then = before.answers_.find(question);
    if (!question.starts_with(kRead) || then == before.answers_.end()) continue;
    const std::string path = question.substr(kRead.size());
    const std::string_view was = then->second;
    if (was.find_first_not_of(kBlank) == was.npos) continue;
    if (now.find_first_not_of(kBlank) == now.npos) return fmt::format("`{}` is empty", path);
    const bool less = was.starts_with(now) && was.find_first_not_of(kBlank, now.size()) != was.npos;
    if (less && !now.ends_with('\n'))
      return fmt::format("`{}` ends in the middle of a line of what it said before", path);
  }
  return {};
}

bool Files::still_true() const {
  Files now;
  const FilesScope asking(&now);
  for (const auto& [question, answer] : answers_) {
    const auto of = [&question](const std::string& kind) { return question.substr(kind.size()); };
    if (question.starts_with(kRead)) (void)read_binary(of(kRead), std::max(kMostFileBytes, answer.size()));
    if (question.starts_with(kExists)) (void)may_exist(of(kExists));
    if (question.starts_with(kList)) (void)list_folder(of(kList));
    if (question.starts_with(kMatch)) (void)list_matches(of(kMatch));
  }
  return now.answers_ == answers_;
}

FilesScope::FilesScope(Files* files) : outer_(std::exchange(files_of_thread, files)) {}
FilesScope::~FilesScope() { files_of_thread = outer_; }

bool may_exist(const std::string& path) {
  const FileQuestion asked{kExists + path};
  if (const auto known = asked.known()) return !known->empty();
  std::error_code failed;
  const bool there = std::filesystem::exists(path, failed) || failed;
  asked.remember(there ? "yes" : "");
  return there;
}

std::expected<std::vector<std::string>, std::error_code> list_folder(const std::string& path) {
  const FileQuestion asked{kList + path};
  if (const auto known = asked.known()) return split(*known);
  std::vector<std::string> paths;
  std::error_code failed;
  std::filesystem::directory_iterator entries(path, failed);
  for (; !failed && entries != std::filesystem::directory_iterator(); entries.increment(failed))
    paths.push_back(entries->path().string());
  if (failed && failed != std::errc::no_such_file_or_directory && failed != std::errc::not_a_directory)
    return std::unexpected(failed);
  asked.remember(join(paths));
  return paths;
}

std::expected<std::vector<std::string>, int> list_matches(const std::string& pattern) {
  const FileQuestion asked{kMatch + pattern};
  if (const auto known = asked.known()) return split(*known);
  ::glob_t found{};
  // A folder that is not there holds no matches; one that cannot be read may.
  const auto stop_at = [](const char*, int error) { return error == ENOENT || error == ENOTDIR ? 0 : 1; };
  const int result = ::glob(pattern.c_str(), 0, stop_at, &found);
  std::vector<std::string> paths;
  for (size_t i = 0; result == 0 && i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (result != 0 && result != GLOB_NOMATCH) return std::unexpected(result);
  asked.remember(join(paths));
  return paths;
}

std::expected<std::string, FileError> read_binary(const std::string& path, size_t most) {
  const FileQuestion asked{kRead + path};
  if (asked.unheard_of()) return cannot_read(path, ENOENT);
  if (auto known = asked.known()) return std::move(*known);
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
  asked.remember(text);
  return text;
}

std::expected<std::string, FileError> read_file(const std::string& path, size_t most) {
  auto text = read_binary(path, most);
  if (text && text->contains('\0'))
    return std::unexpected(FileError{kNotText, "`" + path + "` is not a text file"});
  return text;
}

}  // namespace leat::config
