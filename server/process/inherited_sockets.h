// InheritedSockets: listening sockets that this process was started with, so that no client is refused between
// the one that had them and this one.
//
//   service manager   LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES (sd_listen_fds(3)): socket activation, and what is kept
//                     over a restart
//   former daemon     a channel, of which LEAT_UPGRADE names the descriptor (upgrade.h)
//
// A socket is given to the listener whose address it has; what nobody listens on is closed, with a word in the
// log. Thread: main, before any other exists.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "net/listener.h"

namespace leat::server {

class InheritedSockets {
 public:
  struct Socket {
    std::string name;      // FileDescriptorName=, or the address as the former daemon's configuration has it
    net::Address address;  // as bound
    Fd fd;
  };

  // Takes what the environment tells of, and removes that from it: children are not to believe that it is theirs.
  static InheritedSockets from_environment();
  // Has the service manager keep a socket for the next start, as long as it keeps any for this service.
  static void keep(const net::Address& bound, int fd);

  // Has it keep those no longer.
  static void forget(const net::Address& bound);

  void add(std::string name, Fd fd);
  // Those that listen on `wanted`; several where each worker had its own.
  [[nodiscard]] std::vector<Fd> take(const net::Address& wanted);
  // Says in the log what nobody has taken, and closes it.
  void close_others();
  [[nodiscard]] bool empty() const { return sockets_.empty(); }

 private:
  std::vector<Socket> sockets_;
};

}  // namespace leat::server
