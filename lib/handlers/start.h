// leat:start: the page that a fresh installation answers with, so that whoever asks it sees that it serves, and what
// to do next.
//
// It needs no plugin, shows nothing of the machine, and asks for nothing from elsewhere.
//
// Thread: any worker.
#pragma once

#include <memory>

#include "pipeline/handler.h"

namespace leat::handlers {

std::unique_ptr<pipeline::Handler> make_start();

}  // namespace leat::handlers
