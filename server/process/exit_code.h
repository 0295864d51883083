// Exit codes of the daemon and its commands.
#pragma once

namespace leat::server {

inline constexpr int kExitFine = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNoDaemon = 3;  // of a function; commands end with kExitFailure
// What was asked for was done, but something is left for people to do: `leat migrate`.
inline constexpr int kExitIncomplete = 4;
// EX_CONFIG of sysexits.h: a service manager must not restart what will fail in the same way again.
inline constexpr int kExitConfiguration = 78;

}  // namespace leat::server
