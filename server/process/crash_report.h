// The crash report: what the process was doing when it was ended by SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT,
// SIGTRAP or SIGSYS, or by a call of exit() that was not the daemon's own.
//
// Written to stderr by a signal handler that calls only async-signal-safe functions, on a stack of its own,
// from data that was laid out before; then the signal does what it does by default, so that core dumps are
// made. What it finds is also left in the LastWords, for the supervisor. The walk of the stack comes last and
// with the default action restored: where the stack is broken, it may end the process, and the report is out
// by then; and where it does not end, or nobody reads stderr, an alarm ends it.
//
// exit() is code of the process: it is noticed by a handler that runs at exit, the last one registered first.
// _exit() and the system call run none, and are told of by the supervisor.
//
// Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "server/process/last_words.h"

namespace leat::server {

// Installs the handlers. `words` (may be null) must last as long as the process.
void report_crashes(LastWords* words);
// From here on an exit is what was wanted.
void exit_is_fine();
// Registers for exit() once more: handlers run the last one first, and what is loaded registers its own.
void watch_for_exit();
// Installs the handlers again where a plugin has put others in their place, and those of SIGPIPE and of the
// daemon's own signals that there were then; says in the log that it was `plugin`, which is empty where
// nobody knows.
void keep_signal_handlers(std::string_view plugin);
// Has a title found by its address after the process's end.
void note_title(const std::string& title);
// Gives this thread a stack for the handler, unless it has one, and has its callbacks told to the LastWords.
// `worker` is the index to report, -1 for a thread that is no worker's.
void give_crash_stack(int worker = -1);
// Takes note of where objects are loaded, for the backtraces to come. One thread at a time.
void note_loaded_objects();
// Writes to stderr, and leaves in the LastWords, that `what` has gone on for too long: the plugin that is
// being loaded is to blame, or those that run. Then ends the process.
[[noreturn]] void end_for_hanging(std::string_view what);

// Blames `plugin` for a crash on this thread while it is loaded, made, started or ended.
class LoadingScope {
 public:
  explicit LoadingScope(std::string_view plugin);
  ~LoadingScope();
  LoadingScope(const LoadingScope&) = delete;
  LoadingScope& operator=(const LoadingScope&) = delete;

 private:
  std::string_view outer_;
};

}  // namespace leat::server
