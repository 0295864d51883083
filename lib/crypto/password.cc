#include "crypto/password.h"

#include <crypt.h>
#include <fmt/core.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace leat::crypto {

namespace {

// A verification is to end within seconds: twice the most that anybody advises, or more.
constexpr uint32_t kMostMemoryKib = 1 << 20;
constexpr uint32_t kMostPasses = 64;
constexpr uint32_t kMostLanes = 64;
constexpr uint32_t kMostBcryptCost = 16;
constexpr uint32_t kMostRounds = 5'000'000;

constexpr std::string_view kArgon = "$argon2id$";
constexpr std::string_view kHint = "make one with `htpasswd -nB NAME`";

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// Takes the text up to the next '$', or all of it.
std::string_view take_part(std::string_view& text) {
  const std::string_view part = text.substr(0, text.find('$'));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

// The number of "m=65536" by its name.
std::optional<uint32_t> take_number(std::string_view& text, std::string_view name) {
  const std::string_view part = text.substr(0, text.find(','));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  if (!part.starts_with(name)) return std::nullopt;
  return parse_number<uint32_t>(part.substr(name.size()));
}

std::optional<std::string> decoded(std::string_view text) {
  std::string bytes(most_decoded(text), '\0');
  const auto found = decode_base64(Base64::Bare, text, bytes.data());
  if (!found) return std::nullopt;
  bytes.resize(found->size());
  return bytes;
}

bool is_crypt_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '/';
  });
}

// What is wrong with a hash of libcrypt's.
std::string check_bcrypt(std::string_view text) {
  constexpr size_t kSize = 60;  // $2y$12$, 22 characters of salt, 31 of the hash
  const auto cost = parse_number<uint32_t>(text.substr(4, 2));
  if (text.size() != kSize || text[6] != '$' || !cost || !is_crypt_text(text.substr(7)))
    return "this is no whole hash of bcrypt";
  if (*cost < 4 || *cost > kMostBcryptCost)
    return fmt::format("the cost of a bcrypt hash is 4 to {}, or nobody waits for it", kMostBcryptCost);
  return {};
}

// `size`: of the hash at the end.
std::string check_sha_crypt(std::string_view text, size_t size) {
  std::string_view rest = text.substr(3);
  std::string_view part = take_part(rest);
  if (constexpr std::string_view kRounds = "rounds="; part.starts_with(kRounds)) {
    const auto rounds = parse_number<uint32_t>(part.substr(kRounds.size()));
    if (!rounds || *rounds > kMostRounds)
      return fmt::format("the rounds of such a hash are at most {}, or nobody waits for it", kMostRounds);
    part = take_part(rest);
  }
  const std::string_view hash = take_part(rest);
  if (part.empty() || hash.size() != size || !is_crypt_text(hash) || !rest.empty())
    return "this is no whole hash of SHA-crypt";
  return {};
}

std::string check_yescrypt(std::string_view text) {
  constexpr size_t kSize = 43;
  std::string_view rest = text.substr(3);
  const std::string_view parameters = take_part(rest);
  const std::string_view salt = take_part(rest);
  const std::string_view hash = take_part(rest);
  if (parameters.empty() || salt.empty() || hash.size() != kSize || !is_crypt_text(hash) || !rest.empty())
    return "this is no whole hash of yescrypt";
  // "j9T": how it works, the logarithm of N less one, and r less one (yescrypt's own alphabet). Others say more behind that.
  constexpr std::string_view kAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const size_t log_n = parameters.size() == 3 ? kAlphabet.find(parameters[1]) : kAlphabet.npos;
  const size_t r = parameters.size() == 3 ? kAlphabet.find(parameters[2]) : kAlphabet.npos;
  constexpr uint64_t kKibOfBlock = 8;  // 128 bytes, N and r times
  if (log_n > 40 || r == kAlphabet.npos || (uint64_t{2} << log_n) * (r + 1) / kKibOfBlock > kMostMemoryKib)
    return fmt::format("a hash of yescrypt takes {} KiB of memory at most, or nobody waits for it",
                       kMostMemoryKib);
  return {};
}

std::string check_crypt(std::string_view text) {
  const auto is = [&](std::string_view method) { return text.starts_with(method); };
  if (is("$2y$") || is("$2b$") || is("$2a$")) return check_bcrypt(text);
  if (is("$5$")) return check_sha_crypt(text, 43);
  if (is("$6$")) return check_sha_crypt(text, 86);
  if (is("$y$")) return check_yescrypt(text);
  if (is("$apr1$") || is("$1$") || is("{SHA}") || is("{SSHA}") || text.size() == 13)
    return fmt::format("a hash of this method can be guessed in no time: {}", kHint);
  return fmt::format("behind the name stands no hash of bcrypt, Argon2id, SHA-crypt or yescrypt: {}", kHint);
}

}  // namespace

std::expected<PasswordHash, std::string> PasswordHash::parse(std::string_view text) {
  if (text.starts_with(kArgon)) return parse_argon(text);
  if (std::string wrong = check_crypt(text); !wrong.empty()) return std::unexpected(std::move(wrong));
  PasswordHash hash;
  hash.text_ = std::string(text);
  if (::crypt_checksalt(hash.text_.c_str()) == CRYPT_SALT_INVALID)
    return std::unexpected("libcrypt of this machine does not know the method of this hash");
  return hash;
}

std::expected<PasswordHash, std::string> PasswordHash::parse_argon(std::string_view text) {
  PasswordHash hash;
  hash.text_ = std::string(text);
  std::string_view rest = text.substr(kArgon.size());
  if (take_part(rest) != "v=19") return std::unexpected("a hash of Argon2id is of version 19");
  std::string_view numbers = take_part(rest);
  const auto memory = take_number(numbers, "m="), passes = take_number(numbers, "t="),
             lanes = take_number(numbers, "p=");
  auto salt = decoded(take_part(rest)), bytes = decoded(take_part(rest));
  if (!memory || !passes || !lanes || !numbers.empty() || !salt || !bytes || !rest.empty() ||
      salt->size() < 8 || bytes->size() < 16 || bytes->size() > 64)
    return std::unexpected("this is no whole hash of Argon2id");
  if (*lanes < 1 || *passes < 1 || *memory < 8 * *lanes)
    return std::unexpected("a hash of Argon2id has at least one pass and lane, and 8 KiB for each lane");
  if (*memory > kMostMemoryKib || *passes > kMostPasses || *lanes > kMostLanes)
    return std::unexpected(
        fmt::format("a hash of Argon2id has at most m={}, t={} and p={}, or nobody waits for it",
                    kMostMemoryKib, kMostPasses, kMostLanes));
  hash.argon_ = {.memory_kib = *memory,
                 .passes = *passes,
                 .lanes = *lanes,
                 .salt = std::move(*salt),
                 .hash = std::move(*bytes)};
  return hash;
}

PasswordHash::Outcome PasswordHash::verify(std::string_view password) const {
  return argon_.memory_kib != 0 ? verify_argon(password) : verify_crypt(password);
}

PasswordHash::Outcome PasswordHash::verify_argon(std::string_view password) const {
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "ARGON2ID", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf.get()));
  if (context == nullptr) return Outcome::Failed;
  uint32_t memory = argon_.memory_kib, passes = argon_.passes, lanes = argon_.lanes, threads = 1;
  const auto bytes = [](const char* name, std::string_view text) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(text.data()), text.size());
  };
  const OSSL_PARAM parameters[] = {bytes(OSSL_KDF_PARAM_PASSWORD, password),
                                   bytes(OSSL_KDF_PARAM_SALT, argon_.salt),
                                   OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_MEMCOST, &memory),
                                   OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &passes),
                                   OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_LANES, &lanes),
                                   OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_THREADS, &threads),
                                   OSSL_PARAM_construct_end()};
  std::string made(argon_.hash.size(), '\0');
  if (EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(made.data()), made.size(), parameters) !=
      1)
    return Outcome::Failed;
  return equal_in_constant_time(made, argon_.hash) ? Outcome::Right : Outcome::Wrong;
}

PasswordHash::Outcome PasswordHash::verify_crypt(std::string_view password) const {
  const std::unique_ptr<::crypt_data> room(new (std::nothrow)::crypt_data());
  if (room == nullptr) return Outcome::Failed;
  std::string text(password);
  const char* const made = ::crypt_r(text.c_str(), text_.c_str(), room.get());
  const bool right = made != nullptr && !password.contains('\0') && equal_in_constant_time(made, text_);
  const bool failed = made == nullptr || *made == '*';
  OPENSSL_cleanse(room.get(), sizeof *room);
  forget(text);
  return right                                               ? Outcome::Right
         : failed && text.size() < CRYPT_MAX_PASSPHRASE_SIZE ? Outcome::Failed
                                                             : Outcome::Wrong;
}

void forget(std::string& secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

}  // namespace leat::crypto
