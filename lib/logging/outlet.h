// Outlet: an open target, as the thread that writes sees it.
//
// What it takes is some whole records in a few pieces, and it says how many bytes of that have gone: none where
// nobody takes them at the moment. It never waits for a reader; a disk may take its time.
// Thread: the writer's.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "logging/target.h"

namespace leat::logging {

class Outlet {
 public:
  // What became of a write.
  struct Written {
    size_t bytes = 0;     // of whole pieces and a part of the next
    uint64_t lost = 0;    // records among those that the other side will never take
    Error why = {"", 0};  // why not all: errno; 0 where all has gone
    int wait_for = -1;    // that descriptor says (POLLOUT) when there is room; -1: try again later
  };
  virtual ~Outlet() = default;
  [[nodiscard]] virtual Written write(std::span<const iovec> pieces) = 0;
  // Opens it anew, where it has a name; what is open stays where that fails.
  virtual Expected<void> reopen() { return {}; }
  // A look at what it writes to, once in a while. A sentence where there is something to tell, else empty.
  virtual std::string look() { return {}; }
  // Calls of the kernel so far that write. Any thread.
  [[nodiscard]] uint64_t writes() const { return writes_; }

  // Opens it, making a file that is not there.
  static Expected<std::unique_ptr<Outlet>> open(const Target& target);
  // What hinders open(), found out without changing anything.
  static Expected<void> examine(const Target& target);

 protected:
  std::atomic<uint64_t> writes_ = 0;
};

}  // namespace leat::logging
