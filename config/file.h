// Reading the files of a configuration: whole, bounded, and only what can be one.
//
// Anything but a regular file is refused, because a pipe or a device named by mistake would block the
// start or never end.
#pragma once

#include <cstddef>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "config/codes.h"

namespace leat::config {

// Some 200,000 routes; a log named by mistake should not be parsed.
inline constexpr size_t kMostFileBytes = size_t{16} << 20;

struct FileError {
  Code code;
  std::string reason;  // "cannot read `x`: No such file or directory"
};

// What the files and folders of a configuration said when it was read, so that it can be read once more as it
// was: by one process, and again by the next.
class Files {
 public:
  Files() = default;  // to be filled
  // What text() made.
  static Files from_text(std::string_view text);
  [[nodiscard]] std::string text() const;
  void append_text(std::string& text) const;  // the same, behind what `text` has
  // It was filled before: what is read is what somebody read then.
  [[nodiscard]] bool filled() const { return answers_all_; }
  // Whether the file system would say the same now.
  [[nodiscard]] bool still_true() const;
  // What is not all there, going by `before`: a file that has become empty, or ends in the middle of a line of what it said
  // then. What is wrong, as a sentence about its path; empty where nothing is.
  [[nodiscard]] std::string cut_since(const Files& before) const;

 private:
  friend class FilesScope;
  friend struct FileQuestion;
  std::map<std::string, std::string, std::less<>> answers_;  // by question
  bool answers_all_ = false;                                 // it was filled before
};

// While it lives, what this thread reads through the functions below is written down in `files`; or, where
// that was filled before, comes from there.
class FilesScope {
 public:
  explicit FilesScope(Files* files);  // null: files are files
  ~FilesScope();
  FilesScope(const FilesScope&) = delete;
  FilesScope& operator=(const FilesScope&) = delete;

 private:
  Files* outer_;
};

// Whether there is such a file, or it cannot be told.
bool may_exist(const std::string& path);
// The paths of what is in a folder, in any order; empty where there is no such folder.
std::expected<std::vector<std::string>, std::error_code> list_folder(const std::string& path);
// What matches a pattern of glob(3), sorted; nothing where a folder cannot be read.
std::expected<std::vector<std::string>, int> list_matches(const std::string& pattern);
// The bytes of the file at `path`, at most `most`.
std::expected<std::string, FileError> read_binary(const std::string& path, size_t most);
// The same of a file that must be text, which has no NUL.
std::expected<std::string, FileError> read_file(const std::string& path, size_t most = kMostFileBytes);

}  // namespace leat::config
