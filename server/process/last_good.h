// LastGood: what was loaded last and then served, so that a process that follows a crash begins with that and
// not with what the files say by then, which nobody has tried.
//
// The serving process puts it into a queue of the kernel's, as memory files: what the configuration's files
// said, and the plugins as they are loaded. The queue is held by all processes, so that it outlives each of
// them, and the supervisor, which must not fail, has nothing to do with what is in it.
//
// Made by the supervisor; the rest is the serving process's: take() as it begins, keep() on one thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "config/file.h"
#include "plugin/host.h"

namespace leat::server {

class LastGood {
 public:
  struct Kept {
    std::string file;  // of the configuration, as it was named
    config::Files files;
    std::vector<plugin::PluginLibraries::Copy> plugins;  // their descriptors are the process's ...
    std::vector<Fd> lent;                                // ... for as long as these are kept
  };

  Expected<void> open();
  // In place of what was kept before; that stays where something is wrong.
  Expected<void> keep(const std::string& file, const config::Files& files,
                      std::span<const plugin::PluginLibraries::Copy> plugins);
  // What was kept last, if anything. It stays kept.
  std::optional<Kept> take();

 private:
  Expected<void> send(std::span<const int> descriptors) const;
  std::vector<Fd> receive() const;

  Fd in_, out_;
  bool holds_ = false;
};

}  // namespace leat::server
