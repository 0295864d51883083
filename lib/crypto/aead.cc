#include "crypto/aead.h"

#include <openssl/evp.h>

#include <climits>
#include <memory>

#include "base/check.h"

namespace leat::crypto {

namespace {

struct FreeCipher {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

const EVP_CIPHER* chacha20_poly1305() {
  static const std::unique_ptr<EVP_CIPHER, FreeCipher> cipher(
      EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr));
  return cipher.get();
}

// One of this thread, which has its cipher already: to be given one again is to be given new memory.
EVP_CIPHER_CTX* cipher_context_of_thread() {
  thread_local const std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> context([] {
    EVP_CIPHER_CTX* made = EVP_CIPHER_CTX_new();
    const EVP_CIPHER* const cipher = chacha20_poly1305();
    if (made != nullptr && cipher != nullptr &&
        EVP_CipherInit_ex2(made, cipher, nullptr, nullptr, 1, nullptr) == 1)
      return made;
    EVP_CIPHER_CTX_free(made);
    return static_cast<EVP_CIPHER_CTX*>(nullptr);
  }());
  return context.get();
}

const unsigned char* cipher_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Keyed, and fed with what stands beside. Null: memory is out.
EVP_CIPHER_CTX* begin_cipher(const Digest& key, std::string_view nonce, std::string_view beside,
                             bool sealing) {
  ENSURE(nonce.size() == kNonce && beside.size() <= INT_MAX);
  EVP_CIPHER_CTX* const context = cipher_context_of_thread();
  int size = 0;
  const bool good =
      context != nullptr &&
      EVP_CipherInit_ex2(context, nullptr, key.data(), cipher_bytes(nonce), sealing ? 1 : 0, nullptr) == 1 &&
      (beside.empty() ||
       EVP_CipherUpdate(context, nullptr, &size, cipher_bytes(beside), static_cast<int>(beside.size())) == 1);
  return good ? context : nullptr;
}

// A stream cipher: each byte gives one, and the end none.
bool run_cipher(EVP_CIPHER_CTX* context, std::string_view from, char* to) {
  int size = 0;
  auto* const out = reinterpret_cast<unsigned char*>(to);
  return from.empty() ||
         EVP_CipherUpdate(context, out, &size, cipher_bytes(from), static_cast<int>(from.size())) == 1;
}

bool end_cipher(EVP_CIPHER_CTX* context) {
  unsigned char none[1];
  int size = 0;
  return EVP_CipherFinal_ex(context, none, &size) == 1;
}

}  // namespace

std::optional<Digest> hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view info) {
  const auto extracted = hmac_sha256(salt, {secret});
  return extracted ? hmac_sha256(view(*extracted), {info, "\x01"}) : std::nullopt;
}

bool seal(const Digest& key, std::string_view nonce, std::string_view beside, std::string_view plain,
          char* to) {
  ENSURE(plain.size() <= INT_MAX - kTag);
  EVP_CIPHER_CTX* const context = begin_cipher(key, nonce, beside, true);
  return context != nullptr && run_cipher(context, plain, to) && end_cipher(context) &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTag, to + plain.size()) == 1;
}

bool open(const Digest& key, std::string_view nonce, std::string_view beside, std::string_view sealed,
          char* to) {
  if (sealed.size() < kTag || sealed.size() > INT_MAX) return false;
  EVP_CIPHER_CTX* const context = begin_cipher(key, nonce, beside, false);
  char tag[kTag];
  sealed.copy(tag, kTag, sealed.size() - kTag);
  sealed.remove_suffix(kTag);
  return context != nullptr && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTag, tag) == 1 &&
         run_cipher(context, sealed, to) && end_cipher(context);
}

}  // namespace leat::crypto
