// FileIdentity: which file a path leads to, so that whoever made one removes that, and not what another process
// has put in its place since.
#pragma once

#include <sys/stat.h>

#include <string>

namespace leat::server {

struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

// All zeros where there is no file.
inline FileIdentity identity_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

}  // namespace leat::server
