// ENSURE: the one assertion of the code base.
//
// It states what the program itself guarantees and stays on in release builds, where a broken guarantee
// is a bug that must not go on serving. No byte from a peer, no file of an operator and no plugin may
// ever be able to make one fail: those are errors, and errors are values (base/error.h).
#pragma once

namespace leat {

// Prints the broken condition and its place to stderr, then aborts. Async-signal-safe.
[[noreturn]] void ensure_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace leat

#define ENSURE(condition) \
  (__builtin_expect(!!(condition), 1) ? void() : ::leat::ensure_failed(#condition, __FILE__, __LINE__))
