// Digests, by the examples of their standards.
#include "crypto/digest.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "json/allocations.h"

namespace leat::crypto {

TEST_CASE("sha256: the examples of FIPS 180-4, in one piece and in several") {
  const auto digest = [](std::initializer_list<std::string_view> pieces) {
    return hex(sha256(pieces).value());
  };
  CHECK(digest({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest({"abc"}) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest({"abcdbcdecdefdefgefghfghighij", "", "hijkijkljklmklmnlmnomnopnopq"}) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(digest({std::string(1'000'000, 'a')}) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("hmac_sha256: the examples of RFC 4231 whose keys are no longer than a block") {
  const auto mac = [](std::string_view key, std::initializer_list<std::string_view> pieces) {
    return hex(hmac_sha256(key, pieces).value());
  };
  CHECK(mac(std::string(20, '\x0b'), {"Hi ", "There"}) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(mac("Jefe", {"what do ya want for nothing?"}) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(mac(std::string(20, '\xaa'), {std::string(50, '\xdd')}) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
}

TEST_CASE("digests: after the first one they ask nothing of the heap") {
  (void)sha256({"warm"});
  const size_t before = leat::test::allocations();
  for (int i = 0; i < 100; ++i) {
    REQUIRE(sha256({"a", "b"}));
    REQUIRE(hmac_sha256("key", {"a", "b"}));
  }
  CHECK(leat::test::allocations() - before == 0);
}

TEST_CASE("equal_in_constant_time: by all of their bytes") {
  CHECK(equal_in_constant_time("", ""));
  CHECK(equal_in_constant_time("same", "same"));
  CHECK_FALSE(equal_in_constant_time("same", "sane"));
  CHECK_FALSE(equal_in_constant_time("same", "samey"));
  CHECK_FALSE(equal_in_constant_time(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

TEST_CASE("hexadecimal digits: of either case, and nothing else") {
  const Digest digest = sha256({"abc"}).value();
  std::string text = hex(digest);
  CHECK(read_hex(text) == digest);
  for (char& c : text)
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  CHECK(read_hex(text) == digest);
  CHECK_FALSE(read_hex(text + "0"));
  CHECK_FALSE(read_hex(text.substr(1)));
  CHECK_FALSE(read_hex(std::string(63, '0') + "g"));
  CHECK_FALSE(read_hex(""));
}

}  // namespace leat::crypto
