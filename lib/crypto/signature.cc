#include "crypto/signature.h"

#include <fmt/core.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "crypto/digest.h"

namespace leat::crypto {

namespace {

constexpr int kLeastRsaBits = 2048;
constexpr int kMostRsaBits = 16384;  // as OpenSSL has it
constexpr const char* kOtherCurve = "the curve of a key is P-256, P-384 or P-521";

struct Free {
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(OSSL_PARAM* parameters) const { OSSL_PARAM_free(parameters); }
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(char* text) const { OPENSSL_free(text); }
  void operator()(unsigned char* bytes) const { OPENSSL_free(bytes); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// What went wrong is said by those who call; nothing is to be left in the queue of this thread.
struct NoErrors {
  ~NoErrors() { ERR_clear_error(); }
};

std::shared_ptr<EVP_PKEY> shared(EVP_PKEY* key) {
  return {key, [](EVP_PKEY* each) { EVP_PKEY_free(each); }};
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

const char* hash_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::HS256:
    case Algorithm::RS256:
    case Algorithm::PS256:
    case Algorithm::ES256:
      return "SHA256";
    case Algorithm::HS384:
    case Algorithm::RS384:
    case Algorithm::PS384:
    case Algorithm::ES384:
      return "SHA384";
    case Algorithm::HS512:
    case Algorithm::RS512:
    case Algorithm::PS512:
    case Algorithm::ES512:
      return "SHA512";
    case Algorithm::EdDSA:
      break;
  }
  return nullptr;  // it has its own
}

bool is_pss(Algorithm algorithm) { return algorithm >= Algorithm::PS256 && algorithm <= Algorithm::PS512; }

// A signature as OpenSSL takes it: of the numbers R and S of equal size (RFC 7518, section 3.4) their ASN.1. Empty: memory
// is out.
std::string der_of(std::string_view signature) {
  const size_t half = signature.size() / 2;
  const Owned<ECDSA_SIG> made(ECDSA_SIG_new());
  Owned<BIGNUM> r(BN_bin2bn(bytes_of(signature), static_cast<int>(half), nullptr));
  Owned<BIGNUM> s(BN_bin2bn(bytes_of(signature) + half, static_cast<int>(half), nullptr));
  if (made == nullptr || r == nullptr || s == nullptr || ECDSA_SIG_set0(made.get(), r.get(), s.get()) != 1)
    return {};
  (void)r.release(), (void)s.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(made.get(), &der);
  const Owned<unsigned char> owned(der);
  return size <= 0 ? std::string()
                   : std::string(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
}

VerificationKey::Outcome verify_secret(EVP_PKEY* key, const char* hash, std::string_view message,
                                       std::string_view signature) {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::array<unsigned char, EVP_MAX_MD_SIZE> made;
  size_t size = made.size();
  if (context == nullptr ||
      EVP_DigestSignInit_ex(context.get(), nullptr, hash, nullptr, nullptr, key, nullptr) != 1 ||
      EVP_DigestSign(context.get(), made.data(), &size, bytes_of(message), message.size()) != 1)
    return VerificationKey::Outcome::Failed;
  return equal_in_constant_time({reinterpret_cast<const char*>(made.data()), size}, signature)
             ? VerificationKey::Outcome::Good
             : VerificationKey::Outcome::Bad;
}

}  // namespace

// The curves of RFC 7518, section 6.2.1.1, each with the one algorithm that it is for (section 3.4).
struct VerificationKey::Curve {
  Kind kind;
  Algorithm algorithm;
  std::string_view name, group;  // the second is OpenSSL's
  size_t bytes;                  // of a number
};
constexpr VerificationKey::Curve VerificationKey::kCurves[] = {
    {Kind::P256, Algorithm::ES256, "P-256", "prime256v1", 32},
    {Kind::P384, Algorithm::ES384, "P-384", "secp384r1", 48},
    {Kind::P521, Algorithm::ES512, "P-521", "secp521r1", 66}};

// Null: it is on none.
const VerificationKey::Curve* VerificationKey::curve_of(Kind kind) {
  const auto* const found = std::ranges::find(kCurves, kind, &Curve::kind);
  return found == std::end(kCurves) ? nullptr : found;
}

std::optional<Algorithm> find_algorithm(std::string_view name) {
  const auto* const found = std::ranges::find(kAlgorithmNames, name);
  if (found == std::end(kAlgorithmNames)) return std::nullopt;
  return static_cast<Algorithm>(found - std::begin(kAlgorithmNames));
}

VerificationKey::Made VerificationKey::of_secret(std::string_view secret) {
  constexpr size_t kLeast = 32;
  if (secret.size() < kLeast)
    return std::unexpected(fmt::format("a secret has {} bytes at least (RFC 7518, section 3.2)", kLeast));
  auto key =
      shared(EVP_PKEY_new_raw_private_key_ex(nullptr, "HMAC", nullptr, bytes_of(secret), secret.size()));
  if (key == nullptr) return std::unexpected("OpenSSL does not take the secret");
  return VerificationKey(Kind::Secret, std::move(key), secret.size());
}

VerificationKey::Made VerificationKey::of_parameters(const char* type, const OSSL_PARAM* parameters) {
  const NoErrors clean;
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || parameters == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(parameters)) != 1)
    return std::unexpected("this is no public key");
  return of_key(shared(key));
}

VerificationKey::Made VerificationKey::of_rsa(std::string_view modulus, std::string_view exponent) {
  const NoErrors clean;
  const Owned<BIGNUM> n(BN_bin2bn(bytes_of(modulus), static_cast<int>(modulus.size()), nullptr));
  const Owned<BIGNUM> e(BN_bin2bn(bytes_of(exponent), static_cast<int>(exponent.size()), nullptr));
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (n == nullptr || e == nullptr || builder == nullptr ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return std::unexpected("this is no key of RSA");
  const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  return of_parameters("RSA", parameters.get());
}

VerificationKey::Made VerificationKey::of_curve(std::string_view curve, std::string_view x,
                                                std::string_view y) {
  const auto* const known = std::ranges::find(kCurves, curve, &Curve::name);
  if (known == std::end(kCurves)) return std::unexpected(kOtherCurve);
  if (x.size() != known->bytes || y.size() != known->bytes)
    return std::unexpected(fmt::format("this is no point of {}", curve));
  std::string point = "\x04";  // not compressed
  point.append(x).append(y);
  std::string group(curve);
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  return of_parameters("EC", parameters);
}

VerificationKey::Made VerificationKey::of_ed25519(std::string_view bytes) {
  const NoErrors clean;
  auto key =
      shared(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, bytes_of(bytes), bytes.size()));
  if (key == nullptr) return std::unexpected("this is no key of Ed25519");
  return VerificationKey(Kind::Ed25519, std::move(key), 0);
}

VerificationKey::Made VerificationKey::of_key(std::shared_ptr<EVP_PKEY> key) {
  const NoErrors clean;
  const bool rsa = EVP_PKEY_is_a(key.get(), "RSA") == 1;
  const int bits = EVP_PKEY_get_bits(key.get());
  if (rsa && (bits < kLeastRsaBits || bits > kMostRsaBits))
    return std::unexpected(fmt::format("a key of RSA has {} to {} bits", kLeastRsaBits, kMostRsaBits));
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (context == nullptr || EVP_PKEY_public_check_quick(context.get()) != 1)
    return std::unexpected("the numbers of this key cannot be right");
  if (rsa) return VerificationKey(Kind::Rsa, std::move(key), 0);
  if (EVP_PKEY_is_a(key.get(), "ED25519") == 1) return VerificationKey(Kind::Ed25519, std::move(key), 0);
  if (EVP_PKEY_is_a(key.get(), "EC") == 1) {
    char group[32];
    size_t size = 0;
    (void)EVP_PKEY_get_group_name(key.get(), group, sizeof group, &size);
    const std::string_view name(group, size);
    for (const Curve& curve : kCurves)
      if (name == curve.group || name == curve.name) return VerificationKey(curve.kind, std::move(key), 0);
    return std::unexpected(kOtherCurve);
  }
  return std::unexpected("a key is of RSA, P-256, P-384, P-521 or Ed25519");
}

std::expected<std::vector<VerificationKey>, std::string> VerificationKey::of_pem(std::string_view text) {
  const NoErrors clean;
  const Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  std::vector<VerificationKey> keys;
  for (size_t number = 1; bio != nullptr; ++number) {
    char *name = nullptr, *header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) {
      if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) break;
      return std::unexpected(fmt::format("block {} of PEM is not whole", number));
    }
    const Owned<char> owned_name(name), owned_header(header);
    const Owned<unsigned char> owned_data(data);
    const std::string_view title(name);
    if (title.contains("PRIVATE KEY"))
      return std::unexpected(
          "this is a private key, which belongs to who makes tokens: take the public one of it");
    const unsigned char* at = data;
    std::shared_ptr<EVP_PKEY> key;
    if (title == "PUBLIC KEY") {
      key = shared(d2i_PUBKEY_ex(nullptr, &at, size, nullptr, nullptr));
    } else if (title == "CERTIFICATE") {
      const Owned<X509> certificate(d2i_X509(nullptr, &at, size));
      if (certificate != nullptr) key = shared(X509_get_pubkey(certificate.get()));
    } else {
      return std::unexpected(
          fmt::format("block {} of PEM is neither a PUBLIC KEY nor a CERTIFICATE", number));
    }
    if (key == nullptr) return std::unexpected(fmt::format("block {} of PEM is no key", number));
    auto made = of_key(std::move(key));
    if (!made) return std::unexpected(fmt::format("block {} of PEM: {}", number, made.error()));
    keys.push_back(std::move(*made));
  }
  if (keys.empty()) return std::unexpected("there is no key in it");
  return keys;
}

bool VerificationKey::fits(Algorithm algorithm) const {
  switch (kind_) {
    case Kind::Secret:
      return algorithm == Algorithm::HS256 || (algorithm == Algorithm::HS384 && size_ >= 48) ||
             (algorithm == Algorithm::HS512 && size_ >= 64);
    case Kind::Rsa:
      return algorithm >= Algorithm::RS256 && algorithm <= Algorithm::PS512;
    case Kind::P256:
    case Kind::P384:
    case Kind::P521:
      return algorithm == curve_of(kind_)->algorithm;
    case Kind::Ed25519:
      return algorithm == Algorithm::EdDSA;
  }
  return false;
}

VerificationKey::Outcome VerificationKey::verify(Algorithm algorithm, std::string_view message,
                                                 std::string_view signature) const {
  ENSURE(fits(algorithm));
  const NoErrors clean;
  if (kind_ == Kind::Secret) return verify_secret(key_.get(), hash_of(algorithm), message, signature);
  std::string der;
  if (const Curve* const curve = curve_of(kind_)) {
    if (signature.size() != 2 * curve->bytes) return Outcome::Bad;
    der = der_of(signature);
    if (der.empty()) return Outcome::Failed;
    signature = der;
  }
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;  // the other one's
  if (context == nullptr || EVP_DigestVerifyInit_ex(context.get(), &options, hash_of(algorithm), nullptr,
                                                    nullptr, key_.get(), nullptr) != 1)
    return Outcome::Failed;
  if (is_pss(algorithm) && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
                            EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1))
    return Outcome::Failed;
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message),
                          message.size()) == 1
             ? Outcome::Good
             : Outcome::Bad;
}

}  // namespace leat::crypto
