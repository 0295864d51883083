#include "transport/tls/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>

namespace leat::tls {

namespace {

std::optional<TicketKeys::Key> make_key(int64_t now_s) {
  TicketKeys::Key key{.since_s = now_s};
  for (const std::span<unsigned char> part :
       {std::span<unsigned char>(key.name), std::span<unsigned char>(key.cipher),
        std::span<unsigned char>(key.mac)})
    if (RAND_bytes(part.data(), static_cast<int>(part.size())) != 1) return std::nullopt;
  return key;
}

void forget(std::optional<TicketKeys::Key>& key) {
  if (key) OPENSSL_cleanse(&*key, sizeof *key);
  key.reset();
}

}  // namespace

TicketKeys::~TicketKeys() {
  forget(current_);
  forget(former_);
}

std::optional<TicketKeys::Key> TicketKeys::current(int64_t now_s, int64_t lifetime_s) {
  const std::lock_guard lock(mutex_);
  // A clock that was put back does not make a key live for longer.
  const bool due = !current_ || now_s >= current_->since_s + lifetime_s || now_s < current_->since_s;
  if (due) {
    auto next = make_key(now_s);
    if (!next) return current_;
    forget(former_);
    former_ = current_;
    forget(current_);
    current_ = next;
  }
  return current_;
}

std::optional<TicketKeys::Found> TicketKeys::find(std::span<const unsigned char, 16> name, int64_t now_s,
                                                  int64_t lifetime_s) {
  const std::lock_guard lock(mutex_);
  for (const std::optional<Key>* each : {&current_, &former_})
    if (*each && std::ranges::equal((*each)->name, name) && now_s < (*each)->since_s + 2 * lifetime_s)
      return Found{**each, each == &former_};
  return std::nullopt;
}

}  // namespace leat::tls
