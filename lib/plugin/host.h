// The plugin host: shared objects as handlers of the pipeline.
//
//   PluginLibrary   one loaded object; found, checked and loaded before anything of it runs unasked
//   PluginInstance  one configured instance of it, with its state on each worker
//   make_handler    one of its handlers, bound to one route
//
// Whoever loads the configuration owns all three and lets go of them in the opposite order, when no request
// is left. Only the objects of plugins that say that they are fit for it are closed (LEAT_PLUGIN_UNLOADS):
// code that others left behind (a thread, an atexit function) would then run into unmapped memory, and what
// is gained is a few hundred kilobytes.
//
// Thread: load, create and make_handler while the configuration is loaded; worker_init and worker_fini on the
// worker's; handlers on any worker.
#pragma once

#include "plugin/instance.h"
#include "plugin/library.h"
#include "plugin/make_handler.h"
