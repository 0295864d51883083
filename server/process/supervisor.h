// Supervisor: the process that outlives a crash.
//
// `leat run` opens the sockets, then forks: the child serves, the parent waits. A child that is killed by a
// signal is followed by another one on the same sockets, so that clients wait in the kernel's backlog
// meanwhile and none is refused. The parent runs no plugin code, starts no thread, loads nothing.
//
//   sockets    what a reload has opened in the child is passed to the parent, and what it has closed goes here, too
//              (socket_channel.h)
//   signals    passed on to the child; TERM, QUIT and INT also close the parent's copies of the sockets
//   USR2       another daemon is started, which takes the sockets over (upgrade.h); when it serves the child
//              is told to drain
//   files      after a crash the child begins with what served last (last_good.h); where it cannot start,
//              with what the files say, and so on by turns
//   exit       with the child's code, when it came to its end; after a failed restart it is tried again
//   any end    that the child did not come to itself, by a signal or by somebody's exit(0), is a crash
//   death      of the parent kills the child (PR_SET_PDEATHSIG)
//   crashes    the first server.crash_limit of them within server.crash_window are followed by a restart at
//              once, further ones by one after a delay that doubles; a plugin that the crash report blames
//              that often is quarantined: the child is told not to load it
//
// Rejected: exec of a fresh binary for each child, which would serve what an upgrade has put there half-way;
// a parent that opens sockets on the child's behalf, which is more code in the part that must not fail.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/config.h"
#include "server/process/last_words.h"
#include "server/process/listening_sockets.h"
#include "server/process/socket_channel.h"
#include "server/process/upgrade.h"
#include "transport/tls/ticket_keys.h"

namespace leat::server {

// Shared memory between the supervisor and the process that serves.
struct LifeSigns {
  std::atomic<bool> serving = false;   // it got as far as that
  std::atomic<bool> pardoned = false;  // a reload has loaded the quarantined plugins anew
  std::atomic<bool> ended = false;     // it came to its end: what exits then is the daemon
  std::atomic<bool> replaced = false;  // another daemon serves in its place: that one speaks with the manager
  std::atomic<bool> upgrading = false;  // another daemon is about to
  std::atomic<uint32_t> failed_upgrades = 0;
  // As the configuration that serves has them; the first process has the supervisor's.
  std::atomic<uint32_t> crash_limit = 0;
  std::atomic<uint64_t> crash_window_ms = 0, restart_delay_ms = 0;
  std::atomic<uint64_t> upgrade_within_ms = 0;  // it has to serve

  void set(const config::Settings& settings);
  LastWords words;
  tls::KeptTicketKeys tickets;  // for sessions to be resumed in the next process
};

// In memory that children share; nullptr, and the reason in the log, when there is none. For ever: last words
// may be written up to the last moment.
LifeSigns* make_life_signs();

// What a process that serves is told.
struct ServingStart {
  LifeSigns* signs = nullptr;
  std::string former_end;                // how the one before it ended; empty for the first
  std::vector<std::string> quarantined;  // names of plugin instances not to load
  // Begin with what served last, if anything, and not with what the files say.
  bool last_good = false;
};

// Upgrades, from both sides.
struct UpgradeOptions {
  Invocation invocation;    // what to start at USR2
  std::string tickets;      // what it has of the former's keys, as KeptTicketKeys::text()
  bool takes_over = false;  // this process is one: what does not start at once leaves it to the former
};

// Runs `serve` in a child, again after each crash; by `channel` that one tells what it listens on. Returns the exit code, in the supervisor and in each
// child. Call with the daemon's signals blocked and before any thread exists.
int supervise(const config::Settings& settings, ListeningSockets& sockets, const SocketChannel& channel,
              UpgradeOptions upgrades, const std::function<int(const ServingStart&)>& serve);

}  // namespace leat::server
