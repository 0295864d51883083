// TlsMemory: what OpenSSL holds for connections with clients, of all workers: as much for each as was measured
// (test/transport/tls_memory_test.cc), so that a crowd has a bound. Requests and answers in transit are counted elsewhere
// (BlockPool), and a crowd of idle connections is not to take their place.
//
// Thread: any.
#pragma once

#include <atomic>
#include <cstddef>

namespace leat::tls {

class TlsMemory {
 public:
  // Of a handshake, and of a connection that has come through one, with its client's certificate where it has shown one.
  static constexpr size_t kHandshake = size_t{64} * 1024, kOpen = size_t{28} * 1024,
                          kClient = size_t{12} * 1024;

  // False, and nothing is taken: it would be more than `most`.
  [[nodiscard]] bool take(size_t bytes, size_t most) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= most) return true;
    give(bytes);
    return false;
  }
  void give(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::atomic<size_t> used_ = 0;
};

}  // namespace leat::tls
