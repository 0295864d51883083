// SocketChannel: how the process that serves tells its supervisor what it listens on since a reload, so that the next
// process has that too, and nobody holds a socket open on which nobody accepts.
//
//   serving     passes each new socket, before it accepts on it; and says which has ended
//   supervisor  keeps the former, closes the latter, and confirms that: only then does the serving process take the
//               last of who has connected, and close its own
//
// What was passed stays in the kernel's queue until it is read, also when who passed it has crashed meanwhile.
//
// Made by the supervisor, before it forks. Thread: of each end, one at a time.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "server/process/listening_sockets.h"

namespace leat::server {

class SocketChannel {
 public:
  Expected<void> open();
  [[nodiscard]] bool is_open() const { return static_cast<bool>(serving_); }

  // --- The process that serves. What fails is said in the log: it concerns the process after this one.
  // Call first: forgets what an earlier process was told.
  void begin() const;
  void pass(const ListeningAddress& added) const;
  // Waits until the supervisor has no part in it any more, a second at most.
  void end(const ListeningAddress& ended) const;

  // --- The supervisor
  [[nodiscard]] int supervisor_fd() const { return supervisor_.get(); }
  // Does to `sockets` what there is to be done by now. Never blocks.
  void take_up(ListeningSockets& sockets) const;

 private:
  Fd serving_, supervisor_;
};

}  // namespace leat::server
