// Listeners: the listening sockets that a worker's connections came by, with what each has of its own.
//
// They have numbers, which do not come again while the process serves. A connection holds the Listener that it came by, so
// that another one can take its number's place. One that has ended stays here until its connections have had their time:
// those that another worker still hands on are to end as well.
//
// Thread: its worker's.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "http/protocol.h"
#include "transport/transport.h"
#include "worker/options.h"

namespace leat::worker {

// A listening socket, as the connections know it that came by it.
struct Listener {
  uint32_t number;
  std::shared_ptr<const ListenerOptions> options;
  std::vector<http::ProtocolFactory*> protocols;  // at least one
  transport::MakeTransport transport;             // nothing: plain sockets
  // Where this worker counts its bytes; null where nobody does.
  std::atomic<uint64_t>* received = nullptr;
  std::atomic<uint64_t>* sent = nullptr;
};

class Listeners {
 public:
  struct Known {
    std::shared_ptr<const Listener> listener;
    bool ended = false;
    uint64_t idle_until_ms = 0, until_ms = 0;  // of one that has ended
  };

  // `protocols` are those that the worker has, of which each may choose; they outlive this. `now_ns` is its loop's time.
  Listeners(std::span<http::ProtocolFactory* const> protocols, transport::Now now_ns)
      : protocols_(protocols), now_ns_(std::move(now_ns)) {}

  // One that is new, or that has other options for those who come from now on ...
  void set(uint32_t number, std::shared_ptr<const ListenerOptions> options);
  // ... or of which a worker that hands on its clients was told earlier than this one.
  void hear_of(uint32_t number, std::shared_ptr<const ListenerOptions> options);
  // Null where none has that number any more, or as yet.
  [[nodiscard]] Known* find(uint32_t number);
  [[nodiscard]] std::shared_ptr<const ListenerOptions> options(uint32_t number);
  [[nodiscard]] uint32_t count() const { return static_cast<uint32_t>(known_.size()); }

  // Forgets those that have ended and whose time is over, after `gone(listener)`. When it is the next one's; UINT64_MAX:
  // no other has ended.
  template <class Gone>
  uint64_t forget_ended(uint64_t now_ms, Gone gone) {
    uint64_t next_ms = UINT64_MAX;
    std::erase_if(known_, [&](const Known& known) {
      if (!known.ended) return false;
      if (now_ms < known.until_ms) {
        next_ms = std::min(next_ms, known.until_ms);
        return false;
      }
      gone(*known.listener);
      return true;
    });
    return next_ms;
  }

 private:
  std::span<http::ProtocolFactory* const> protocols_;
  transport::Now now_ns_;
  std::vector<Known> known_;
  uint32_t heard_of_ = 0;  // no number below it is new
};

}  // namespace leat::worker
