// ListeningSockets: every socket that the daemon listens on, opened before anything serves, so that an
// address in use is one clear error.
//
// One for each worker and address: over TCP each worker has its own, which the kernel spreads connections
// over; a unix socket cannot be bound twice and is shared, as is one of a service manager. The files of unix sockets are removed by the
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
#include "server/process/file_identity.h"
#include "server/process/inherited_sockets.h"
#include "worker/options.h"

namespace leat::server {

class ListeningSockets {
 public:
  ListeningSockets() = default;
  ~ListeningSockets();
  ListeningSockets(const ListeningSockets&) = delete;
  ListeningSockets& operator=(const ListeningSockets&) = delete;

  // Uses what was inherited, and opens the rest. False when an address cannot be had; which and why is in the log.
  [[nodiscard]] bool open(std::span<const config::ListeningSocket> wanted, uint32_t workers,
                          InheritedSockets& inherited);
  // By worker; what the object held. Afterwards it holds none.
  std::vector<std::vector<worker::AcceptingSocket>> take() { return std::move(sockets_); }
  // What another daemon inherits: each socket once, with its address as the configuration has it.
  struct Passed {
    std::string name;
    int fd;
  };
  [[nodiscard]] std::vector<Passed> to_pass() const;
  // Another daemon has them now, and the files of unix sockets with them.
  void disown();
  // With these closed, and those of the process that serves, clients are refused.
  void close() { sockets_.clear(); }
  // As bound, with the ports that the kernel chose.
  [[nodiscard]] const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  // Has a service manager that keeps sockets over a restart keep these.
  void have_kept() const;

  struct File {
    std::string path;
    FileIdentity identity;
  };

  std::vector<std::vector<worker::AcceptingSocket>> sockets_;
  std::vector<std::string> names_;      // by number, as configured ...
  std::vector<std::string> addresses_;  // ... and as bound
  std::vector<File> files_;
  pid_t owner_ = -1;  // the process that bound them
};

}  // namespace leat::server
