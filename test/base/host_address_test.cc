#include "base/host_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>

namespace leat {
namespace {

std::string text_of(std::string_view text) {
  const auto address = HostAddress::parse(text);
  return address ? std::string(address->text().view()) : "none";
}
uint64_t group_of(std::string_view text) { return HostAddress::parse(text).value().group(); }
bool is_in(std::string_view address, std::string_view range) {
  const auto parsed = AddressRange::parse(range);
  REQUIRE(parsed);
  return parsed->contains(HostAddress::parse(address).value());
}
std::string range_text(std::string_view range) {
  const auto parsed = AddressRange::parse(range);
  return parsed ? parsed->text() : parsed.error();
}

}  // namespace

TEST_CASE("host address: one address has one text, and IPv4 is IPv4 however it comes") {
  CHECK(text_of("192.0.2.1") == "192.0.2.1");
  CHECK(text_of("2001:DB8:0:0::1") == "2001:db8::1");
  CHECK(text_of("::ffff:192.0.2.1") == "192.0.2.1");
  CHECK(text_of("::FFFF:c000:0201") == "192.0.2.1");
  CHECK(text_of("::192.0.2.1") == "::192.0.2.1");  // not a wrapped one
  CHECK(text_of("unix:") == "unix:");
  CHECK(HostAddress::parse("::ffff:192.0.2.1") == HostAddress::parse("192.0.2.1"));
  CHECK(HostAddress().text().view().empty());
  for (const std::string_view none :
       {"", "192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1:80", "[::1]", "fe80::1%eth0",
        "::1::", "localhost", "unix:/run/x", " 192.0.2.1", "0:0:0:0:0:0:0:0:0",
        "1111:2222:3333:4444:5555:6666:255.255.255.255:7777:8888"})
    CHECK(text_of(none) == "none");
  CHECK(text_of(std::string_view("1.2.3.4\0x", 9)) == "none");
}

TEST_CASE("host address: four numbers are taken as inet_pton takes them") {
  for (const char* text :
       {"0.0.0.0",    "255.255.255.255", "1.20.255.9", "1.2.3.4.5", "1..2.3",    ".1.2.3",   "1.2.3.",
        "1.2.3.4.",   "1.2.3",           "00.1.2.3",   "1.2.3.00",  "1.2.3.004", "1.2.3.0",  "0001.2.3.4",
        "1.2.3.1000", "1.2.3.256",       "999.1.1.1",  "1.2.3.4 ",  "1.2.3.-4",  "1.2.3.+4", "1.2.3.0x4",
        "1.2.3.4\n",  "1,2.3.4",         "1.2.3.4/8",  "...",       "."}) {
    INFO(text);
    std::array<uint8_t, 4> bytes;
    const bool good = ::inet_pton(AF_INET, text, bytes.data()) == 1;
    const auto parsed = HostAddress::parse(text);
    REQUIRE(parsed.has_value() == good);
    if (good) CHECK(std::ranges::equal(parsed->bytes().last<4>(), bytes));
  }
}

TEST_CASE("host address: clients are told apart by what each has of its own") {
  CHECK(group_of("127.0.0.1") == 0xffff'ffff'7f00'0001);
  CHECK(group_of("::ffff:127.0.0.1") == group_of("127.0.0.1"));
  CHECK(group_of("2001:db8:1:2::1") == group_of("2001:db8:1:2:ffff::"));
  CHECK(group_of("2001:db8:1:2::1") != group_of("2001:db8:1:3::1"));
  CHECK(group_of("::1") == 1);
  CHECK(group_of("unix:") == 0);
}

TEST_CASE("host address: what is near is this machine's or a private network's") {
  for (const std::string_view near :
       {"127.0.0.1", "10.255.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.0.1", "::1",
        "fd00::1", "fe80::1", "unix:", "::ffff:10.0.0.1"})
    CHECK(HostAddress::parse(near)->is_near());
  for (const std::string_view far : {"192.0.2.1", "172.32.0.1", "11.0.0.1", "2001:db8::1", "::2", "fec0::1"})
    CHECK_FALSE(HostAddress::parse(far)->is_near());
}

TEST_CASE("host address: ranges hold what begins like them, of their own family") {
  CHECK(is_in("10.1.2.3", "10.0.0.0/8"));
  CHECK_FALSE(is_in("11.1.2.3", "10.0.0.0/8"));
  CHECK(is_in("192.0.2.7", "192.0.2.0/29"));
  CHECK_FALSE(is_in("192.0.2.8", "192.0.2.0/29"));
  CHECK(is_in("192.0.2.1", "192.0.2.1"));
  CHECK_FALSE(is_in("192.0.2.2", "192.0.2.1"));
  CHECK(is_in("192.0.2.1", "0.0.0.0/0"));
  CHECK(is_in("::ffff:10.1.2.3", "10.0.0.0/8"));
  CHECK(is_in("10.1.2.3", "::ffff:10.0.0.0/104"));
  CHECK(is_in("2001:db8::1", "2001:db8::/32"));
  CHECK_FALSE(is_in("2001:db9::1", "2001:db8::/32"));
  CHECK(is_in("2001:db8::1", "::/0"));
  CHECK_FALSE(is_in("192.0.2.1", "::/0"));
  CHECK_FALSE(is_in("2001:db8::1", "0.0.0.0/0"));
  CHECK(is_in("unix:", "unix"));
  CHECK_FALSE(is_in("unix:", "0.0.0.0/0"));
  CHECK_FALSE(is_in("127.0.0.1", "unix"));
}

TEST_CASE("host address: a range is written in one way, and what is none is told") {
  CHECK(range_text("10.0.0.0/8") == "10.0.0.0/8");
  CHECK(range_text("192.0.2.1/32") == "192.0.2.1");
  CHECK(range_text("::ffff:10.0.0.0/104") == "10.0.0.0/8");
  CHECK(range_text("2001:DB8::/32") == "2001:db8::/32");
  CHECK(range_text("::/0") == "::/0");
  CHECK(range_text("unix") == "unix");
  CHECK(range_text("unix:") == "unix");
  CHECK(range_text("10.1.2.3/8") == "`10.1.2.3/8` has bits set behind its prefix: write 10.0.0.0/8");
  CHECK(range_text("2001:db8::1/32") ==
        "`2001:db8::1/32` has bits set behind its prefix: write 2001:db8::/32");
  CHECK(range_text("10.0.0.0/33") == "`10.0.0.0/33` has a prefix of `33` bits: write a number from 0 to 32");
  CHECK(range_text("::/129") == "`::/129` has a prefix of `129` bits: write a number from 0 to 128");
  CHECK(range_text("10.0.0.0/") == "`10.0.0.0/` has a prefix of `` bits: write a number from 0 to 32");
  CHECK(range_text("::ffff:0.0.0.0/90") ==
        "`::ffff:0.0.0.0/90` is of IPv4 and IPv6 at once: write the one of each");
  for (const std::string_view none :
       {"", "localhost", "10.0.0.0-10.0.0.9", "unix:/run/leat.sock", "unix/8", "*"})
    CHECK(range_text(none).contains(
        "is no range of addresses: write 192.0.2.1, 10.0.0.0/8, 2001:db8::/32 or unix"));
}

}  // namespace leat
