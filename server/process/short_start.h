// ShortStart: a start that runs out of memory, or of threads, ends with a word about it, and not as a crash that is tried
// again.
//
// What the standard library throws then passes through code that has no exceptions, and so comes to std::terminate, on
// whichever thread it is. Once the daemon serves that is a crash like any other.
#pragma once

#include <atomic>

namespace leat::server {

// From here on, until start_is_over(). `ended` (may be null) learns that the process came to its end itself.
void watch_start(std::atomic<bool>* ended);
void start_is_over();

}  // namespace leat::server
