// Commons: what all plugins of a daemon share, through all reloads.
//
// It belongs to the PluginLibraries and outlives every instance.
#pragma once

#include "base/thread_pool.h"

namespace leat::plugin {

struct Commons {
  ThreadPool pool;  // leat.pool/1
};

}  // namespace leat::plugin
