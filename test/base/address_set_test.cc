#include "base/address_set.h"

#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace leat {
namespace {

AddressSet set_of(const std::vector<std::string_view>& texts) {
  std::vector<AddressRange> ranges;
  for (const std::string_view text : texts) ranges.push_back(AddressRange::parse(text).value());
  return AddressSet(ranges);
}
bool has(const AddressSet& set, std::string_view address) {
  return set.contains(HostAddress::parse(address).value());
}

}  // namespace

TEST_CASE("address set: it has what its ranges have, and nothing of another kind") {
  const AddressSet set =
      set_of({"192.0.2.0/24", "192.0.2.7", "10.0.0.0/8", "10.1.0.0/16", "::/0", "2001:db8::/32"});
  CHECK(set.size() == 3);
  CHECK(has(set, "192.0.2.0"));
  CHECK(has(set, "192.0.2.255"));
  CHECK(has(set, "::ffff:192.0.2.1"));
  CHECK(!has(set, "192.0.1.255"));
  CHECK(!has(set, "192.0.3.0"));
  CHECK(has(set, "10.1.2.3"));
  CHECK(has(set, "10.255.255.255"));
  CHECK(!has(set, "11.0.0.0"));
  CHECK(has(set, "::"));
  CHECK(has(set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
  CHECK(!has(set, "unix:"));
  CHECK(!set.contains(HostAddress()));
  CHECK(!has(AddressSet(), "192.0.2.1"));
  CHECK(!has(AddressSet(), "unix:"));
  CHECK(has(set_of({"unix"}), "unix:"));
  CHECK(has(set_of({"0.0.0.0/0"}), "255.255.255.255"));
  CHECK(!has(set_of({"0.0.0.0/0"}), "::1"));
}

TEST_CASE("address set: it says what its ranges say one by one") {
  const uint32_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto number = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
  for (int round = 0; round < 200; ++round) {
    std::vector<AddressRange> ranges;
    std::vector<HostAddress> addresses;
    // Of few different bytes, so that many lie in each other.
    for (uint32_t i = 0; i < 20; ++i) {
      std::array<uint8_t, 16> bytes{};
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(number(3) * 0x7f);
      const bool four = number(2) == 0;
      const HostAddress address =
          four ? HostAddress::ipv4(std::span(bytes).first<4>()) : HostAddress::ipv6(bytes);
      addresses.push_back(address);
      // The longest prefix that has no bits behind it, or it alone.
      for (uint32_t bits = number(four ? 33 : 129); bits <= (four ? 32 : 128); ++bits)
        if (const auto range =
                AddressRange::parse(std::string(address.text().view()) + "/" + std::to_string(bits))) {
          ranges.push_back(*range);
          break;
        }
    }
    const AddressSet set(ranges);
    for (const HostAddress& address : addresses) {
      bool wanted = false;
      for (const AddressRange& range : ranges) wanted |= range.contains(address);
      REQUIRE(set.contains(address) == wanted);
    }
    const std::span<const AddressRange> some(ranges.data(), ranges.size() / 2);
    const AddressSet half(some);
    for (const HostAddress& address : addresses) {
      bool wanted = false;
      for (const AddressRange& range : some) wanted |= range.contains(address);
      REQUIRE(half.contains(address) == wanted);
    }
  }
}

}  // namespace leat
