// Giving memory back to the system. An allocator does so by itself while it is used; a thread that has become
// idle after a storm has to ask.
#pragma once

namespace leat {

// What this thread's part of the allocator holds and nobody uses. Takes milliseconds after a storm; nothing
// where the process runs with another allocator than its own.
void give_memory_back();

}  // namespace leat
