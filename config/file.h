// Reading the files of a configuration: whole, bounded, and only what can be one.
//
// Anything but a regular file is refused, because a pipe or a device named by mistake would block the
// start or never end.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

#include "config/codes.h"

namespace leat::config {

// Larger than any configuration by a factor of a thousand; a log named by mistake should not be parsed.
inline constexpr size_t kMostFileBytes = size_t{4} << 20;

struct FileError {
  Code code;
  std::string reason;  // "cannot read `x`: No such file or directory"
};

// The bytes of the file at `path`, at most `most`.
std::expected<std::string, FileError> read_binary(const std::string& path, size_t most);
// The same of a file that must be text, which has no NUL.
std::expected<std::string, FileError> read_file(const std::string& path, size_t most = kMostFileBytes);

}  // namespace leat::config
