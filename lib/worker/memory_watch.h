// MemoryWatch: whoever shows what workers hold of memory.
#pragma once

#include "base/block_pool.h"
#include "http/exchange.h"

namespace leat::worker {

// Of one worker. Read from any thread.
struct WorkerMemory {
  const BlockPool* blocks;
  const http::ExchangePool* exchanges;
  bool operator==(const WorkerMemory&) const = default;
};

// Called by each worker, on the thread that makes and destroys it.
class MemoryWatch {
 public:
  // From here on it is there to be shown ...
  virtual void watch(const WorkerMemory& memory) = 0;
  // ... until here.
  virtual void forget(const WorkerMemory& memory) = 0;

 protected:
  ~MemoryWatch() = default;
};

}  // namespace leat::worker
