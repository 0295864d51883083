// Context: what TLS connections of one kind share on one worker: an SSL_CTX, the memory that records pass through, and how many
// handshakes there are. They are those of a listening socket (server_context.h), or those to one server (client_context.h).
//
// OpenSSL's reference counts and locks are then the worker's own; certificates, which are all workers', are touched in a
// handshake alone. Connections hold their context, so that a reload that makes another one ends none of them.
//
// Thread: its worker's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/block_pool.h"
#include "transport/tls/handshake_counts.h"
#include "transport/tls/memory.h"
#include "transport/tls/openssl.h"
#include "transport/transport.h"

namespace leat::tls {

// A certificate that was shown and verified, with its texts.
struct ProvenPeer {
  std::string subject, common_name, names, fingerprint;
  transport::PeerCertificate shown;  // views of them
};

class Context {
 public:
  // The plain bytes of one record, the most that becomes one block of a wire Output when it is sealed: it grows by a header of
  // 5 bytes, a type, and a tag of 16.
  static constexpr size_t kRecord = Block::capacity() - 22;

  virtual ~Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Of a new connection, which knows which side it is; null where memory is out.
  [[nodiscard]] virtual Ssl new_ssl() = 0;
  // This side speaks first.
  [[nodiscard]] virtual bool is_client() const = 0;
  // Who the peer has proved to be, of a handshake that is through; null where that is not asked.
  [[nodiscard]] virtual std::unique_ptr<const ProvenPeer> peer_of(SSL* ssl) const {
    (void)ssl;
    return nullptr;
  }
  // Why a handshake has failed, with a sentence about the peer; of what is left in this thread's queue of errors.
  struct Failed {
    Failure kind;
    std::string why;
  };
  [[nodiscard]] virtual Failed failure(SSL* ssl) const = 0;
  // What has become of one.
  void count_completed(SSL* ssl) const {
    if (counts_ != nullptr)
      counts_->add_completed(SSL_version(ssl) == TLS1_3_VERSION, SSL_session_reused(ssl) == 1);
  }
  void count(Failure kind) const {
    if (counts_ != nullptr) counts_->add(kind);
  }
  // Whether what was proved to the peer in the handshake is right for that host, too.
  [[nodiscard]] virtual bool carries(const SSL* ssl, std::string_view host) const {
    (void)ssl, (void)host;
    return true;
  }

  [[nodiscard]] uint64_t now_ns() const { return now_ns_(); }
  // For plain bytes: of a record that was opened, and of pieces that become one. A call ends with them.
  [[nodiscard]] std::array<char, SSL3_RT_MAX_PLAIN_LENGTH>& opened() { return opened_; }
  [[nodiscard]] std::array<char, kRecord>& joined() { return joined_; }

  // Memory for so many bytes more; false where that is more than there may be.
  [[nodiscard]] bool take_memory(size_t bytes) {
    return memory_ == nullptr || memory_->take(bytes, most_memory_);
  }
  void give_memory(size_t bytes) {
    if (memory_ != nullptr) memory_->give(bytes);
  }

  // Whether one more may be under way at all, and be begun in this turn; and that one was.
  [[nodiscard]] bool has_place() const { return handshakes < most_; }
  [[nodiscard]] bool has_step() {
    if (const uint64_t now = now_ns(); now != turn_ns_) {
      turn_ns_ = now;
      steps_ = 0;
    }
    return steps_ < per_turn_;
  }
  void take_step() { ++steps_; }
  uint32_t waiting = 0;     // for a turn in which theirs is begun
  uint32_t handshakes = 0;  // under way

 protected:
  // `most` and `per_turn` of the handshakes.
  Context(const SSL_METHOD* method, transport::Now now_ns, uint32_t most, uint32_t per_turn,
          std::shared_ptr<HandshakeCounts> counts = nullptr, std::shared_ptr<TlsMemory> memory = nullptr,
          size_t most_memory = 0)
      : ssl_context_(SSL_CTX_new(method)),
        now_ns_(std::move(now_ns)),
        most_(most),
        per_turn_(per_turn),
        counts_(std::move(counts)),
        memory_(std::move(memory)),
        most_memory_(most_memory) {}
  // What both sides have in common. False: memory is out.
  [[nodiscard]] bool set_up_common() {
    SSL_CTX* const context = ssl_context_.get();
    if (context == nullptr || SSL_CTX_set_max_send_fragment(context, kRecord) != 1) return false;
    SSL_CTX_set_app_data(context, this);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return true;
  }

  const SslContext ssl_context_;

 private:
  const transport::Now now_ns_;
  const uint32_t most_, per_turn_;
  const std::shared_ptr<HandshakeCounts> counts_;  // null: nobody counts
  const std::shared_ptr<TlsMemory> memory_;        // likewise
  const size_t most_memory_;
  std::array<char, SSL3_RT_MAX_PLAIN_LENGTH> opened_;
  std::array<char, kRecord> joined_;
  uint64_t turn_ns_ = 0;
  uint32_t steps_ = 0;  // in that turn
};

}  // namespace leat::tls
