// Which engine a worker gets, and why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "net/engine.h"
#include "net/uring_engine.h"

namespace leat::net {

enum class EngineChoice : uint8_t { Auto, Uring, Epoll };

struct ChosenEngine {
  std::unique_ptr<Engine> engine;
  std::string
      reason;  // "io_uring works here", "io_uring_setup: Operation not permitted (...)", "as configured"
};

// For the calling thread, which is the only one that may use it. Auto takes io_uring if it passes its own
// test and epoll otherwise; a choice made explicitly is kept or fails. Epoll uses the buffer options alone.
Expected<ChosenEngine> create_engine(EngineChoice choice, const UringOptions& options);

}  // namespace leat::net
