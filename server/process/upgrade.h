// Upgrade: another process takes over what this one listens on, and nobody is refused or forgotten meanwhile.
//
//   former   starts the program anew (the file may be another by now) with the arguments that it had itself, and
//            passes it the listening sockets over a channel, each with its name, and the keys of TLS's tickets
//   new      loads, starts its workers on the sockets, and says so
//   former   drains: from here on both have answered, and what waits in a socket is the new one's
//
// One that does not load, crashes or takes too long changes nothing: the former goes on.
//
// Rejected: exec in place, which leaves nobody to go on when the new program does not start.
//
// Thread: the former's supervisor; the new one's main, and the one that tells.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "server/process/inherited_sockets.h"
#include "server/process/listening_sockets.h"

namespace leat::server {

// How this process was started, to be started again.
struct Invocation {
  std::string program;  // a path, which may lead to another file by now
  std::vector<std::string> arguments;
  std::string folder;

  // Call before anything changes them.
  static Invocation of_this_process(int count, char** arguments);
};

// The former's end.
class Upgrade {
 public:
  static Expected<Upgrade> start(const Invocation& invocation,
                                 const std::vector<ListeningSockets::Passed>& sockets,
                                 const std::string& tickets);

  enum class State { Starting, Serves, Failed };
  // Never blocks.
  State look();
  [[nodiscard]] pid_t pid() const { return pid_; }
  // Why it has failed. What the new process itself has to say is on stderr.
  [[nodiscard]] const std::string& why() const { return why_; }
  // Ends what has not come to serve in time.
  void give_up();

 private:
  Upgrade(pid_t pid, Fd channel) : pid_(pid), channel_(std::move(channel)) {}

  pid_t pid_;
  Fd channel_;
  std::string why_;
};

// The new one's end.
class UpgradeChannel {
 public:
  // No channel where this process was started by itself.
  static UpgradeChannel from_environment();

  [[nodiscard]] bool is_there() const { return static_cast<bool>(fd_); }
  // False: the former did not pass all of it in time.
  [[nodiscard]] bool receive(InheritedSockets& sockets, std::string& tickets) const;
  // This process serves. Any process that has the channel, once.
  void tell_that_it_serves();

 private:
  Fd fd_;
};

}  // namespace leat::server
