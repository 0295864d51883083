// The crash report: what the process was doing when SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT ended it.
//
// Written to stderr by a signal handler that calls only async-signal-safe functions, on a stack of its own,
// from data that was laid out before; then the signal does what it does by default, so that core dumps are
// made. What stands in the note is read by the supervisor. The walk of the stack comes last and with the
// default action restored: where the stack is broken, it may end the process, and the report is out by then.
//
// Thread: any.
#pragma once

#include <atomic>
#include <string_view>

namespace leat::server {

// Who is to blame, in memory that outlives the process.
struct CrashNote {
  char plugin[64] = {};  // empty: nobody
  char route[192] = {};
};

// Installs the handlers. `note` (may be null) must last as long as the process.
void report_crashes(CrashNote* note);
// Gives this thread a stack for the handler, unless it has one. `worker` is the index to report, -1 for a
// thread that is no worker's.
void give_crash_stack(int worker = -1);
// Takes note of where objects are loaded, for the backtraces to come. One thread at a time.
void note_loaded_objects();

// Blames `plugin` for a crash on this thread while it is loaded, made or started.
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
