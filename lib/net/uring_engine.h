// The engine over io_uring.
//
// Asking for an operation writes a submission entry; wait() submits them all with the one system call in
// which it waits. Completions of the kernel are walked once and become values; buffers given back are
// published again with one store. See uring_engine.cc for what is chosen at set-up.
//
// Only uring_engine.cc sees liburing.
#pragma once

#include <cstdint>
#include <memory>

#include "base/error.h"
#include "net/buffer_pool.h"
#include "net/engine.h"

namespace leat::net {

struct UringOptions {
  // When the kernel runs what completed: when this thread waits (Defer, the least work for the most traffic),
  // at its next system call (Cooperative), or by interrupting it (Interrupt). A kernel that lacks one gets
  // the next.
  enum class TaskRun : uint8_t { Defer, Cooperative, Interrupt };

  BufferOptions buffers;
  TaskRun task_run = TaskRun::Defer;
  // More operations than this in one turn cost another system call, nothing else.
  uint32_t submissions = 1024;
  // Completions beyond this go to a list that the kernel allocates. Many operations of a turn complete twice
  // (a send and the next receive), a burst of accepts comes on top: eight times the submissions.
  uint32_t completions = 8192;
};

// Sets up a ring for the calling thread, which is the only one that may use it, and tries it out over a
// socket pair: what a sandbox or an old kernel refuses is an Error here and not in the midst of serving.
Expected<std::unique_ptr<Engine>> create_uring_engine(const UringOptions& options);

}  // namespace leat::net
