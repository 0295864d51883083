// ENSURE: the one assertion of the code base.
//
// It states what the program itself guarantees and stays on in release builds, where a broken guarantee
// is a bug that must not go on serving. No byte from a peer, no file of an operator and no plugin may
// ever be able to make one fail: those are errors, and errors are values (base/error.h).
#pragma once

#include <atomic>

namespace leat {

// Prints the broken condition and its place to stderr, then aborts. Async-signal-safe.
[[noreturn]] void ensure_failed(const char* condition, const char* file, int line) noexcept;

// A descriptor of Leat's is closed, or another file's by now: code that shares the process has closed a
// number that was not its own. Says which on stderr, then aborts: whatever is done with such a number next
// would be done to a stranger's file. Async-signal-safe.
[[noreturn]] void descriptor_lost(const char* which) noexcept;
// Whether that is why the process aborts.
inline constinit std::atomic<bool> lost_a_descriptor = false;

// A copy of stderr that is the daemon's own, for what must be said: a plugin may close 2, and a client's
// socket take its number. 2 itself until keep_standard_error() was called, which is once, before any thread
// exists.
void keep_standard_error() noexcept;
[[nodiscard]] int standard_error() noexcept;

}  // namespace leat

#define ENSURE(condition) \
  (__builtin_expect(!!(condition), 1) ? void() : ::leat::ensure_failed(#condition, __FILE__, __LINE__))
