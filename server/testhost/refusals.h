// Refusals: memory that runs out when a test says so.
//
// Allocations are counted in the order in which the plugin asks for them: calls of the extensions that may
// say no for want of memory, which are stood in for by functions that ask here first, and the plugin's own on
// the heap, where the program has replaced malloc (testhost_heap.hpp). An allocation on the heap is the
// plugin's if the thread is in a callback and the nearest frame on its stack that is anybody's is the
// plugin's: what the host allocates within a call of the plugin is not to fail, since the daemon's own code
// does not expect it to. Rejected: a failing arena and pool inside of the host, which would be a branch for
// each allocation of every daemon.
//
// One for the process, as malloc is. Thread: any.
#pragma once

#include <cstdint>

#include "plugin/sdk/plugin.h"

namespace leat::testing {

// Allocation number `first` from now, counted from 0, fails, and so do all later ones up to `last`.
void refuse_allocations(uint64_t first, uint64_t last);
// None fails any more. Returns how many did.
uint64_t allow_allocations();

// An address in the plugin's code: allocations from its object are the plugin's.
void add_plugin_code(const void* address);

// What SharedResources::exchange_table is to be.
const void* exchange_table(leat_str name, const void* table);

}  // namespace leat::testing
