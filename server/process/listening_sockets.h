// ListeningSockets: every socket that the daemon listens on, opened before anything serves, so that an
// address in use is one clear error.
//
// One for each worker and address: over TCP each worker has its own, which the kernel spreads connections
// over; a unix socket cannot be bound twice and is shared, as is one of a service manager. The files of unix sockets are removed by the
// process that bound them, unless another has taken the name by then.
//
// What is listened on may change while the daemon serves, in two steps: prepare() opens what is new, which may
// fail and then changes nothing, and take_up() cannot fail. A start is the same, with nothing before.
//
// A supervisor keeps this object across restarts; what serves takes copies (take()) in its own process, and tells
// the supervisor of each change (socket_channel.h), so that the next process has what this one had.
// Thread: one at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "config/config.h"
#include "server/process/file_identity.h"
#include "server/process/inherited_sockets.h"
#include "worker/options.h"

namespace leat::server {

// One address that is listened on.
struct ListeningAddress {
  uint32_t number = 0;             // which no other has, nor has had in the process that serves
  config::ListeningSocket wanted;  // as configured
  net::Address bound;              // with the port that the kernel chose
  bool shared = false;             // the workers have descriptors of one socket
  bool own = false;                // no service manager has it, nor has had it
  std::vector<Fd> sockets;         // one for each worker, or some; none once they were taken
};

// What is to be listened on instead. What it has opened is closed with it, and the files of its unix sockets go, unless
// it is taken up.
struct ListeningChange {
  ListeningChange() = default;
  ListeningChange(ListeningChange&&) = default;
  ListeningChange& operator=(ListeningChange&&) = delete;
  ~ListeningChange();

  struct Kept {
    uint32_t number;
    config::ListeningSocket wanted;
    bool listens_anew;  // with another backlog, and the like
  };
  std::vector<ListeningAddress> added;
  std::vector<Kept> kept;
  std::vector<ListeningAddress> ended;  // without sockets, where they were taken
};

class ListeningSockets {
 public:
  ListeningSockets() = default;
  ~ListeningSockets();
  ListeningSockets(const ListeningSockets&) = delete;
  ListeningSockets& operator=(const ListeningSockets&) = delete;

  // An address that cannot be had, and why.
  struct Failure {
    std::string message;
    std::string hint;
    Place place;
  };
  // Of what is wanted, takes what there is and what was inherited, and opens the rest.
  [[nodiscard]] std::expected<ListeningChange, Failure> prepare(
      std::span<const config::ListeningSocket> wanted, uint32_t workers,
      InheritedSockets* inherited = nullptr);
  // Afterwards it has what is new, with the sockets that were not dealt yet, and no more what has ended.
  void take_up(ListeningChange& change);
  // At a start: both in one. An error says which address cannot be had, why, and where it is named.
  [[nodiscard]] std::expected<void, std::string> open(std::span<const config::ListeningSocket> wanted,
                                                      uint32_t workers, InheritedSockets& inherited);

  // For each worker, by its index; what the object held. Afterwards it holds none.
  std::vector<std::vector<worker::AcceptingSocket>> take(uint32_t workers);
  // The same of one address.
  static void deal(ListeningAddress& address, std::vector<std::vector<worker::AcceptingSocket>>& among);

  // What another daemon inherits: each socket once, with its address as the configuration has it.
  struct Passed {
    std::string name;
    int fd;
  };
  [[nodiscard]] std::vector<Passed> to_pass() const;
  // What the process that serves has opened, or closed. Of a socket that is passed in several parts, each has the same
  // number.
  void add(ListeningAddress part);
  void end(uint32_t number);
  // Gives numbers anew, from 0 on: for another process.
  void number_anew();
  // Another daemon has them now, and the files of unix sockets with them.
  void disown();
  // With these closed, and those of the process that serves, clients are refused.
  void close();

  [[nodiscard]] const std::vector<ListeningAddress>& addresses() const { return addresses_; }

 private:
  struct File {
    uint32_t number;
    std::string path;
    FileIdentity identity;
  };
  void own_file(const ListeningAddress& address);

  std::vector<ListeningAddress> addresses_;
  std::vector<File> files_;
  uint32_t next_number_ = 0;
  pid_t owner_ = -1;  // the process that removes the files
};

// Has a service manager that keeps sockets over a restart keep these, or forget them.
void have_kept(const ListeningAddress& address);
void have_forgotten(const ListeningAddress& address);

}  // namespace leat::server
