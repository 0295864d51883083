// Signatures, by the examples of RFC 7515 and RFC 8037; and which key is for which algorithm.
#include "crypto/signature.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "base/base64.h"

namespace leat::crypto {

namespace {

using Outcome = VerificationKey::Outcome;

std::string bytes(std::string_view text) {
  std::string room(most_decoded(text), '\0');
  const auto found = decode_base64(Base64::Url, text, room.data());
  REQUIRE(found);
  return std::string(*found);
}

// What all three examples of RFC 7515 sign.
const std::string kClaims =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

// Good as it is, and not with any other byte.
void check(const VerificationKey& key, Algorithm algorithm, const std::string& message,
           const std::string& signature) {
  REQUIRE(key.fits(algorithm));
  CHECK(key.verify(algorithm, message, signature) == Outcome::Good);
  CHECK(key.verify(algorithm, message + "x", signature) == Outcome::Bad);
  CHECK(key.verify(algorithm, message, "") == Outcome::Bad);
  CHECK(key.verify(algorithm, message, signature.substr(1)) == Outcome::Bad);
  CHECK(key.verify(algorithm, message, signature + '\0') == Outcome::Bad);
  for (size_t i = 0; i < signature.size(); i += 7) {
    std::string other = signature;
    other[i] = static_cast<char>(other[i] ^ 1);
    CHECK(key.verify(algorithm, message, other) == Outcome::Bad);
  }
  CHECK(key.verify(algorithm, message, std::string(signature.size(), '\0')) == Outcome::Bad);
}

std::string fitting(const VerificationKey& key) {
  std::string names;
  for (const std::string_view name : kAlgorithmNames)
    if (key.fits(*find_algorithm(name))) names += std::string(name) + " ";
  return names;
}

}  // namespace

TEST_CASE("signature: HS256, RFC 7515, A.1") {
  const auto key = VerificationKey::of_secret(
      bytes("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"));
  REQUIRE(key);
  check(*key, Algorithm::HS256, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + kClaims,
        bytes("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
  CHECK(fitting(*key) == "HS256 HS384 HS512 ");
}

TEST_CASE("signature: RS256, RFC 7515, A.2") {
  const auto key =
      VerificationKey::of_rsa(bytes("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
                                    "4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-"
                                    "SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
                                    "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
                                    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
                                    "I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2et"
                                    "hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"),
                              bytes("AQAB"));
  REQUIRE(key);
  check(*key, Algorithm::RS256, "eyJhbGciOiJSUzI1NiJ9." + kClaims,
        bytes("cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
              "O8W2Fp5jujGbds9uJ"
              "dbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
              "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN"
              "9383LcOLn6_dO--xi12jzDwusC-"
              "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXL"
              "IhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"));
  CHECK(fitting(*key) == "RS256 RS384 RS512 PS256 PS384 PS512 ");
}

TEST_CASE("signature: ES256, RFC 7515, A.3") {
  const auto key = VerificationKey::of_curve("P-256", bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
                                             bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
  REQUIRE(key);
  check(*key, Algorithm::ES256, "eyJhbGciOiJFUzI1NiJ9." + kClaims,
        bytes("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"));
  CHECK(fitting(*key) == "ES256 ");
}

TEST_CASE("signature: ES512, RFC 7515, A.4") {
  const std::string x =
      "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk";
  const std::string y =
      "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2";
  const auto key = VerificationKey::of_curve("P-521", bytes(x), bytes(y));
  REQUIRE(key);
  // RFC 7518, section 3.4: each of the two numbers has 66 bytes, the zeros in front of it too.
  check(
      *key, Algorithm::ES512, "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
      bytes(
          "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKd"
          "CAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"));
  CHECK(fitting(*key) == "ES512 ");
  CHECK_FALSE(VerificationKey::of_curve("P-521", bytes(x).substr(1), bytes(y)));
  CHECK_FALSE(VerificationKey::of_curve("P-384", bytes(x), bytes(y)));
  CHECK_FALSE(VerificationKey::of_curve("P-521", bytes(y), bytes(x)));  // not on it
}

TEST_CASE("signature: EdDSA, RFC 8037, A.4") {
  const auto key = VerificationKey::of_ed25519(bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
  REQUIRE(key);
  check(*key, Algorithm::EdDSA, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        bytes("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"));
  CHECK(fitting(*key) == "EdDSA ");
}

TEST_CASE("signature: a secret is for no hash that is longer than it is") {
  CHECK(fitting(*VerificationKey::of_secret(std::string(32, 's'))) == "HS256 ");
  CHECK(fitting(*VerificationKey::of_secret(std::string(48, 's'))) == "HS256 HS384 ");
  CHECK_FALSE(VerificationKey::of_secret(std::string(31, 's')));
  CHECK_FALSE(VerificationKey::of_secret(""));
}

TEST_CASE("signature: what is no key, or too weak a one, is refused") {
  const auto wrong = [](const auto& made) { return made ? std::string() : made.error(); };
  CHECK(wrong(VerificationKey::of_rsa(std::string(128, '\xff'), "\x01"))
            .contains("RSA has 2048 to 16384 bits"));
  CHECK_FALSE(VerificationKey::of_rsa("", ""));
  CHECK_FALSE(VerificationKey::of_curve("P-256", std::string(32, 'x'), std::string(32, 'y')));  // not on it
  CHECK(wrong(VerificationKey::of_curve("P-256", "x", "y")) == "this is no point of P-256");
  CHECK(wrong(VerificationKey::of_curve("secp256k1", "x", "y")) ==
        "the curve of a key is P-256, P-384 or P-521");
  CHECK_FALSE(VerificationKey::of_ed25519("short"));
  CHECK(wrong(VerificationKey::of_pem("nothing")) == "there is no key in it");
  CHECK(wrong(VerificationKey::of_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n")) ==
        "block 1 of PEM is not whole");
  CHECK(wrong(VerificationKey::of_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")) ==
        "block 1 of PEM is no key");
  CHECK(wrong(VerificationKey::of_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
            .contains("this is a private key"));
  CHECK(wrong(VerificationKey::of_pem("-----BEGIN X-----\nAAAA\n-----END X-----\n")) ==
        "block 1 of PEM is neither a PUBLIC KEY nor a CERTIFICATE");
}

TEST_CASE("signature: keys in PEM") {
  // openssl genpkey -algorithm ed25519 | openssl pkey -pubout, of the key of RFC 8037, A.2.
  const std::string pem =
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END "
      "PUBLIC "
      "KEY-----\n";
  const auto keys = VerificationKey::of_pem("Some words.\n" + pem + pem);
  REQUIRE(keys);
  REQUIRE(keys->size() == 2);
  CHECK(fitting((*keys)[1]) == "EdDSA ");
}

TEST_CASE("signature: names of algorithms, in capitals as they are, and no other") {
  for (const std::string_view name : kAlgorithmNames) CHECK(algorithm_name(*find_algorithm(name)) == name);
  for (const char* none : {"none", "None", "", "hs256", "HS257", "ES521", "ES256K", "RS256 "})
    CHECK_FALSE(find_algorithm(none));
}

}  // namespace leat::crypto
