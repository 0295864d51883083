// Sealing and the keys for it, by the examples of their standards.
#include "crypto/aead.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "base/text.h"
#include "json/allocations.h"

namespace leat::crypto {
namespace {

std::string from_hex(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(hex_digit(digits[i]) << 4 | hex_digit(digits[i + 1]));
  return bytes;
}

// RFC 8439, section 2.8.2.
const Digest kKey = read_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f").value();
const std::string kNonceBytes = from_hex("070000004041424344454647");
const std::string kBeside = from_hex("50515253c0c1c2c3c4c5c6c7");
constexpr std::string_view kPlain =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
    "would be it.";
const std::string kSealed = from_hex(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a"
    "9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9d"
    "e576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691");

std::string sealed(std::string_view plain, std::string_view beside) {
  std::string to(plain.size() + kTag, '\0');
  REQUIRE(seal(kKey, kNonceBytes, beside, plain, to.data()));
  return to;
}

bool opens(const Digest& key, std::string_view nonce, std::string_view beside, std::string_view text) {
  std::string to(text.size(), '\0');
  return open(key, nonce, beside, text, to.data());
}

}  // namespace

TEST_CASE("hkdf_sha256: the examples of RFC 5869 with SHA-256 whose salts are no longer than a block") {
  const auto key = [](std::string_view secret, std::string_view salt, std::string_view info) {
    return hex(hkdf_sha256(secret, salt, info).value());
  };
  CHECK(key(std::string(22, '\x0b'), from_hex("000102030405060708090a0b0c"),
            from_hex("f0f1f2f3f4f5f6f7f8f9")) ==
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
  CHECK(key(std::string(22, '\x0b'), "", "") ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

TEST_CASE("seal: the example of RFC 8439, section 2.8.2, and back") {
  CHECK(sealed(kPlain, kBeside) == kSealed);
  std::string plain(kPlain.size(), '\0');
  REQUIRE(open(kKey, kNonceBytes, kBeside, kSealed, plain.data()));
  CHECK(plain == kPlain);
  // In place.
  std::string both = kSealed;
  REQUIRE(open(kKey, kNonceBytes, kBeside, both, both.data()));
  CHECK(both.starts_with(kPlain));
}

TEST_CASE("open: nothing but what was sealed so") {
  for (size_t at = 0; at < kSealed.size(); ++at) {
    std::string changed = kSealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK_FALSE(opens(kKey, kNonceBytes, kBeside, changed));
    CHECK_FALSE(opens(kKey, kNonceBytes, kBeside, std::string_view(kSealed).substr(0, at)));
  }
  CHECK_FALSE(opens(kKey, kNonceBytes, kBeside, kSealed + "a"));
  CHECK_FALSE(opens(kKey, kNonceBytes, "other", kSealed));
  CHECK_FALSE(opens(kKey, kNonceBytes, "", kSealed));
  CHECK_FALSE(opens(kKey, std::string(kNonce, 'n'), kBeside, kSealed));
  CHECK_FALSE(opens(Digest{}, kNonceBytes, kBeside, kSealed));
  CHECK(opens(kKey, kNonceBytes, kBeside, kSealed));
}

TEST_CASE("seal: nothing at all has a tag, too") {
  const std::string tag = sealed("", "");
  CHECK(tag.size() == kTag);
  CHECK(opens(kKey, kNonceBytes, "", tag));
  CHECK_FALSE(opens(kKey, kNonceBytes, "a", tag));
}

TEST_CASE("seal: after the first time it asks nothing of the heap") {
  char to[64];
  const auto round = [&] {
    return hkdf_sha256("secret", "", "info") && seal(kKey, kNonceBytes, "beside", "plain", to) &&
           open(kKey, kNonceBytes, "beside", {to, 5 + kTag}, to);
  };
  REQUIRE(round());
  const size_t before = leat::test::allocations();
  size_t good = 0;
  for (int i = 0; i < 100; ++i) good += round() ? 1 : 0;
  CHECK(leat::test::allocations() - before == 0);
  CHECK(good == 100);
}

}  // namespace leat::crypto
