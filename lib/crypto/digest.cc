#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/text.h"

namespace leat::crypto {

namespace {

constexpr size_t kBlock = 64;  // of SHA-256

struct FreeDigest {
  void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// Looked up once: to do so for each digest is what costs the most.
const EVP_MD* sha256_method() {
  static const std::unique_ptr<EVP_MD, FreeDigest> method(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  return method.get();
}

const EVP_MD* sha1_method() {
  static const std::unique_ptr<EVP_MD, FreeDigest> method(EVP_MD_fetch(nullptr, "SHA1", nullptr));
  return method.get();
}

// One of this thread.
EVP_MD_CTX* context_of_thread() {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  return context.get();
}

bool update(EVP_MD_CTX* context, std::initializer_list<std::string_view> pieces) {
  return std::ranges::all_of(pieces, [&](std::string_view piece) {
    return EVP_DigestUpdate(context, piece.data(), piece.size()) == 1;
  });
}

}  // namespace

namespace {

template <class Any>
std::optional<Any> digest_of(const EVP_MD* method, std::initializer_list<std::string_view> pieces) {
  EVP_MD_CTX* const context = context_of_thread();
  Any digest;
  if (context == nullptr || method == nullptr || EVP_DigestInit_ex2(context, method, nullptr) != 1 ||
      !update(context, pieces) || EVP_DigestFinal_ex(context, digest.data(), nullptr) != 1)
    return std::nullopt;
  return digest;
}

}  // namespace

std::optional<Digest> sha256(std::initializer_list<std::string_view> pieces) {
  return digest_of<Digest>(sha256_method(), pieces);
}
std::optional<Sha1Digest> sha1(std::initializer_list<std::string_view> pieces) {
  return digest_of<Sha1Digest>(sha1_method(), pieces);
}

std::optional<Digest> hmac_sha256(std::string_view key, std::initializer_list<std::string_view> pieces) {
  ENSURE(key.size() <= kBlock);
  EVP_MD_CTX* const context = context_of_thread();
  const EVP_MD* const method = sha256_method();
  if (context == nullptr || method == nullptr) return std::nullopt;
  char inner[kBlock], outer[kBlock];
  for (size_t i = 0; i < kBlock; ++i) {
    const char c = i < key.size() ? key[i] : '\0';
    inner[i] = static_cast<char>(c ^ 0x36);
    outer[i] = static_cast<char>(c ^ 0x5c);
  }
  Digest digest;
  const bool made = EVP_DigestInit_ex2(context, method, nullptr) == 1 && update(context, {{inner, kBlock}}) &&
                    update(context, pieces) && EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1 &&
                    EVP_DigestInit_ex2(context, method, nullptr) == 1 &&
                    update(context, {{outer, kBlock}, view(digest)}) &&
                    EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1;
  OPENSSL_cleanse(inner, sizeof inner);
  OPENSSL_cleanse(outer, sizeof outer);
  return made ? std::optional(digest) : std::nullopt;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string hex(const Digest& digest) {
  std::string text;
  for (const unsigned char byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::optional<Digest> read_hex(std::string_view text) {
  Digest digest;
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (size_t i = 0; i < digest.size(); ++i) {
    const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return digest;
}

}  // namespace leat::crypto
