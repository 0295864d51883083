// Signals: how the process that serves hears those that are for it.
//
// A handler writes the signal's number into a pipe, which one thread reads: HangWatch while the daemon loads, the main one
// from then on. No thread blocks anything, since whatever a plugin starts (fork, posix_spawn, system, popen) inherits the
// mask of the thread that starts it; and exec puts handled signals back to what they do by default, but not ignored ones.
// The kernel gives a signal of the process to its main thread first, so that it cuts nobody's system call short elsewhere.
//
// Rejected: signalfd, for which every thread has to block the signals, and so every child is deaf to TERM;
// pthread_atfork, which glibc's posix_spawn, system and popen do not call.
//
// A supervisor, which starts no thread and runs no plugin, blocks them and waits for them.
#pragma once

#include <csignal>

namespace leat::server {

// What the daemon acts on.
sigset_t daemon_signals();
// Blocks the daemon's signals in this thread and in all that it will start, until hear_signals(). Call before any thread
// exists.
void block_signals();

// From here on signals are written down, and nothing blocks them. Once, on the main thread of the process that serves,
// before it runs any plugin's code. Without a descriptor for that, the process ends.
void hear_signals();
// Is readable when there is one; -1 where hear_signals() was not called.
int heard_signals_fd();
// The next one, or 0.
int next_signal();
// What this thread blocks of the daemon's signals, by a plugin's doing, it blocks no more.
void let_signals_in();

}  // namespace leat::server
