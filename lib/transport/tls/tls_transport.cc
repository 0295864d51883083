#include "transport/tls/tls_transport.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace leat::tls {

namespace {

using transport::Output;
using transport::PlainSink;

// What a client can have to say before it is answered is one message: its hello, of some KiB with keys of many groups.
constexpr size_t kMostWaiting = size_t{32} * 1024;
// What this side says in a handshake is its certificates, for the most part.
constexpr size_t kMostSaid = size_t{128} * 1024;
// A key of AES-GCM is good for 2^24.5 records (RFC 8446, section 5.5).
constexpr uint64_t kMostRecords = uint64_t{1} << 23;
// A record is this much longer than what is in it, with the longest tag and padding of TLS 1.2's older ciphers.
constexpr size_t kOverhead = 256;

constexpr std::string_view kPlainHttp =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 64\r\nConnection: close\r\n\r\n"
    "This port speaks TLS: the URL begins with https:// and not http\n";

// The first byte of TLS is a handshake record's type; that of HTTP is a method's, of the other protocol's preface as well.
bool looks_like_http(std::string_view wire) { return wire.front() >= 'A' && wire.front() <= 'Z'; }

}  // namespace

bool TlsTransport::Allowance::take(uint64_t now_ns) {
  constexpr uint64_t kEveryNs = 1'000'000'000 / kMost;
  if (const uint64_t more = (now_ns - since_ns) / kEveryNs; more != 0) {
    left = static_cast<uint32_t>(std::min<uint64_t>(kMost, left + more));
    since_ns = now_ns;
  }
  if (left == 0) return false;
  --left;
  return true;
}

// One for the process; it is never freed, as the connections of all threads have it.
const BIO_METHOD* TlsTransport::bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "leat");
    BIO_meth_set_read_ex(made, bio_read);
    BIO_meth_set_write_ex(made, bio_write);
    BIO_meth_set_ctrl(made, bio_ctrl);
    return made;
  }();
  return method;
}

int TlsTransport::bio_read(BIO* bio, char* to, size_t size, size_t* got) {
  auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *got = 0;
  if (self.deaf_) return 0;
  if (self.in_.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  *got = self.in_.copy(to, size);
  self.in_.remove_prefix(*got);
  return 1;
}

int TlsTransport::bio_write(BIO* bio, const char* bytes, size_t size, size_t* written) {
  auto& self = *static_cast<TlsTransport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *written = 0;
  if (self.wire_ != nullptr) {
    if (!self.wire_->append({bytes, size})) return 0;
  } else {
    if (self.said_.size() + size > kMostSaid) return 0;
    self.said_.append(bytes, size);
  }
  *written = size;
  return 1;
}

long TlsTransport::bio_ctrl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  return command == BIO_CTRL_EOF && static_cast<TlsTransport*>(BIO_get_data(bio))->deaf_ ? 1 : 0;
}

// What is said that is no data: how far the handshake is, and what the peer asks for later.
void TlsTransport::see_message(int sent, int, int type, const void* bytes, size_t size, SSL* ssl, void*) {
  if (type != SSL3_RT_HANDSHAKE || size == 0) return;
  auto& self = *static_cast<TlsTransport*>(SSL_get_app_data(ssl));
  const unsigned char message = *static_cast<const unsigned char*>(bytes);
  if (sent != 0) {
    // Keys were exchanged, and what is to be signed was. A request for another hello is not yet that.
    self.answered_ = self.answered_ || message == SSL3_MT_ENCRYPTED_EXTENSIONS ||
                     message == SSL3_MT_SERVER_DONE || message == SSL3_MT_FINISHED;
  } else if (self.state_ != State::Handshake &&
             (message == SSL3_MT_KEY_UPDATE || message == SSL3_MT_CLIENT_HELLO)) {
    if (!self.allowance_.take(self.context_->now_ns())) self.deaf_ = true;
  }
}

TlsTransport::~TlsTransport() {
  if (waits_) --context_->waiting;
  if (shakes_hands_) context_->count(Failure::Left);
  end_handshake();
  hold_memory(0);
  // OpenSSL would not resume the session of a connection that was closed without a word, which is how kept ones end.
  if (ssl_ != nullptr) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

bool TlsTransport::begin() {
  if (context_ != nullptr && !context_->has_place()) {
    fail("it would be one handshake too many (limits.handshakes)", Failure::Limit);
    return false;
  }
  if (context_ != nullptr && !context_->take_memory(TlsMemory::kHandshake)) {
    fail("there is no room for its handshake (limits.tls_memory)", Failure::Memory);
    return false;
  }
  memory_ = TlsMemory::kHandshake;
  if (context_ != nullptr) ssl_ = context_->new_ssl();
  BIO* const bio = ssl_ != nullptr ? BIO_new(bio_method()) : nullptr;
  if (bio == nullptr) {
    fail("there is no memory for its handshake", Failure::Memory);
    return false;
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_msg_callback(ssl_.get(), see_message);
  ++context_->handshakes;
  shakes_hands_ = true;
  return true;
}

void TlsTransport::received(std::string_view wire, PlainSink& sink) {
  if (state_ == State::Failed || state_ == State::Ended || wire.empty()) return;
  if (ssl_ == nullptr) {
    if (looks_like_http(wire)) {
      said_ = kPlainHttp;
      return fail("it speaks HTTP without TLS", Failure::PlainHttp);
    }
    if (!begin()) return;
  }
  if (!answered_ && !context_->is_client() && wait(wire)) return;
  run(wire, sink);
}

// Whether its bytes have to wait, as those before them do, or because others had this turn.
bool TlsTransport::wait(std::string_view wire) {
  if (!waits_ && context_->waiting == 0 && context_->has_step()) return false;
  if (waiting_.size() + wire.size() > kMostWaiting) {
    fail("it says more than a hello before it is answered", Failure::Limit);
    return true;
  }
  if (!waits_) ++context_->waiting;
  waits_ = true;
  waiting_ += wire;
  return true;
}

void TlsTransport::take_turn(PlainSink& sink) {
  if (!waits_ || !context_->has_step()) return;
  waits_ = false;
  --context_->waiting;
  const std::string wire = std::exchange(waiting_, {});
  run(wire, sink);
}

void TlsTransport::run(std::string_view wire, PlainSink& sink) {
  in_ = wire;
  if (state_ != State::Handshake || shake_hands()) read(sink);
  in_ = {};
}

// True once both sides are through.
bool TlsTransport::shake_hands() {
  ERR_clear_error();
  const bool was_answered = answered_;
  const int result = SSL_do_handshake(ssl_.get());
  if (answered_ && !was_answered) context_->take_step();
  if (result == 1) {
    state_ = State::Open;
    end_handshake();
    context_->count_completed(ssl_.get());
    proven_ = context_->peer_of(ssl_.get());
    hold_memory(TlsMemory::kOpen + (proven_ != nullptr ? TlsMemory::kClient : 0));
    facts_ = {.version = SSL_get_version(ssl_.get()),
              .cipher = SSL_get_cipher_name(ssl_.get()),
              .certificate = proven_ != nullptr ? &proven_->shown : nullptr};
    return true;
  }
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return false;
  Context::Failed failed = context_->failure(ssl_.get());
  fail(std::move(failed.why), failed.kind);
  return false;
}

void TlsTransport::read(PlainSink& sink) {
  auto& opened = context_->opened();
  for (;;) {
    size_t size = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), opened.data(), opened.size(), &size);
    if (result == 1) {
      sink.plain({opened.data(), size});
      continue;
    }
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return;
      case SSL_ERROR_ZERO_RETURN:
        state_ = State::Ended;
        return;
      default:
        fail(deaf_ ? "it changes keys, or begins handshakes, too often" : "");
        return;
    }
  }
}

// What OpenSSL has said of it, in an alert, is still to be sent.
void TlsTransport::fail(std::string why, Failure kind) {
  if (state_ == State::Handshake && context_ != nullptr) context_->count(kind);
  ERR_clear_error();
  end_handshake();
  state_ = State::Failed;
  failure_ = std::move(why);
  if (waits_) --context_->waiting;
  waits_ = false;
  waiting_ = {};
  in_ = {};
  ssl_.reset();
  hold_memory(0);
}

// No more than it had.
void TlsTransport::hold_memory(size_t bytes) {
  if (context_ != nullptr) context_->give_memory(memory_ - bytes);
  memory_ = bytes;
}

void TlsTransport::end_handshake() {
  if (std::exchange(shakes_hands_, false)) --context_->handshakes;
}

bool TlsTransport::say(Output& wire) {
  if (said_.empty()) return true;
  const std::string said = std::exchange(said_, {});
  if (wire.has_room(said.size()) && wire.append(said)) return true;
  if (state_ != State::Failed) fail("there is no memory for what is to be said to it", Failure::Memory);
  return false;
}

size_t TlsTransport::seal(const Output& plain, Output& wire) {
  // A client speaks first.
  if (ssl_ == nullptr && state_ == State::Handshake && context_ != nullptr && context_->is_client() &&
      begin())
    (void)shake_hands();
  if (!say(wire) || state_ == State::Handshake || state_ == State::Failed) return 0;
  auto& joined = context_->joined();
  wire_ = &wire;
  size_t sealed = 0, used = 0;
  bool goes_on = true;
  const auto put = [&](std::string_view bytes) {
    const size_t size = seal_record(bytes, wire);
    sealed += size;
    goes_on = size == bytes.size() && sealed < kMostSealed;
  };
  plain.for_each_piece([&](std::string_view piece) {
    while (goes_on && !piece.empty() && sealed + used < kMostSealed) {
      const size_t size = std::min({piece.size(), joined.size() - used, kMostSealed - sealed - used});
      if (used == 0 && size == joined.size()) {
        put(piece.substr(0, size));
      } else {
        piece.copy(joined.data() + used, size);
        used += size;
        if (used == joined.size()) put({joined.data(), std::exchange(used, 0)});
      }
      piece.remove_prefix(size);
    }
    return goes_on && sealed + used < kMostSealed;
  });
  if (goes_on && used != 0) put({joined.data(), used});
  wire_ = nullptr;
  if (sealed == 0 && !plain.empty() && wire.empty() && state_ != State::Failed) fail("");
  return sealed;
}

// At most a record. How much of it was sealed: all, or nothing where memory is short.
size_t TlsTransport::seal_record(std::string_view bytes, Output& wire) {
  if (!wire.has_room(bytes.size() + kOverhead)) return 0;
  if (++records_ >= kMostRecords && SSL_version(ssl_.get()) == TLS1_3_VERSION) {
    SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
    records_ = 0;
  }
  size_t written = 0;
  ERR_clear_error();
  if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) == 1) return written;
  fail("");
  return 0;
}

void TlsTransport::close_notify(Output& wire) {
  if (ssl_ == nullptr) return;
  wire_ = &wire;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  wire_ = nullptr;
}

std::string_view TlsTransport::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  if (ssl_ != nullptr) SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace leat::tls
