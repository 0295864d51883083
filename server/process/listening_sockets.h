// ListeningSockets: every socket that the daemon listens on, opened before anything serves, so that an
// address in use is one clear error.
//
// One for each worker and address: over TCP each worker has its own, which the kernel spreads connections
// over; a unix socket cannot be bound twice and is shared. The files of unix sockets are removed by the
// process that bound them, unless another has taken the name by then.
//
// A supervisor keeps this object across restarts; what serves takes copies (take()) in its own process.
// Thread: main.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "config/config.h"

namespace leat::server {

class ListeningSockets {
 public:
  ListeningSockets() = default;
  ~ListeningSockets();
  ListeningSockets(const ListeningSockets&) = delete;
  ListeningSockets& operator=(const ListeningSockets&) = delete;

  // False when an address cannot be had; which and why is in the log.
  [[nodiscard]] bool open(std::span<const config::ListeningSocket> wanted, uint32_t workers);
  // By worker; what the object held. Afterwards it holds none.
  std::vector<std::vector<Fd>> take() { return std::move(sockets_); }
  // With these closed, and those of the process that serves, clients are refused.
  void close() { sockets_.clear(); }
  // As bound, with the ports that the kernel chose.
  [[nodiscard]] const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  struct File {
    std::string path;
    dev_t device;
    ino_t inode;
  };
  void remember_file(const std::string& path);

  std::vector<std::vector<Fd>> sockets_;
  std::vector<std::string> addresses_;
  std::vector<File> files_;
  pid_t owner_ = -1;  // the process that bound them
};

}  // namespace leat::server
