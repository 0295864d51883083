// SipHash, held to the vectors that its authors and others have published.
#include "base/siphash.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace leat {

TEST_CASE("siphash: the published values, for texts of 0, 1, 2, ... bytes") {
  const SipKey key{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  std::string text;
  for (char c = 0; c < 15; ++c) text += c;
  const auto of = [&](size_t size) { return std::string_view(text).substr(0, size); };
  CHECK(sip_hash<2, 4>(of(0), key) == 0x726fdb47dd0e0e31u);
  CHECK(sip_hash<2, 4>(of(1), key) == 0x74f839c593dc67fdu);
  CHECK(sip_hash<2, 4>(of(15), key) == 0xa129ca6149be45e5u);
  CHECK(sip_hash<1, 3>(of(0), key) == 0xabac0158050fc4dcu);
  CHECK(sip_hash<1, 3>(of(1), key) == 0xc9f49bf37d57ca93u);
}

TEST_CASE("siphash: another key, another hash; every byte counts") {
  const std::string text(100, 'x');
  const uint64_t hash = sip_hash(text, {1, 2});
  CHECK(sip_hash(text, {1, 3}) != hash);
  CHECK(sip_hash(text, {2, 2}) != hash);
  for (size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = 'y';
    CHECK(sip_hash(other, {1, 2}) != hash);
    CHECK(sip_hash(std::string_view(text).substr(0, i), {1, 2}) != hash);
  }
}

}  // namespace leat
