#include "base/host_address.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace leat {

namespace {

constexpr std::string_view kUnixText = "unix:";
// What an IPv4 address has before it in IPv6.
constexpr std::array<uint8_t, 12> kWrapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kWrappedBits = 96;
static_assert(HostAddressText::kMost == INET6_ADDRSTRLEN);

// So that an address is in a range if all bits of the range's length are alike.
bool begins_alike(std::span<const uint8_t, 16> a, std::span<const uint8_t, 16> b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

// As inet_pton() takes it, in a quarter of its time with what has to be done for it: four numbers up to 255, without zeros
// in front. It is done for requests.
std::optional<std::array<uint8_t, 4>> parse_ipv4(std::string_view text) {
  std::array<uint8_t, 4> bytes;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0 && (at == end || *at++ != '.')) return std::nullopt;
    const char* const begin = at;
    unsigned number = 0;
    while (at != end && at != begin + 3 && is_digit(*at))
      number = number * 10 + static_cast<unsigned>(*at++ - '0');
    if (at == begin || number > 255 || (*begin == '0' && at != begin + 1)) return std::nullopt;
    bytes[i] = static_cast<uint8_t>(number);
  }
  return at == end ? std::optional(bytes) : std::nullopt;
}

}  // namespace

HostAddress HostAddress::ipv4(std::span<const uint8_t, 4> bytes) {
  HostAddress address(Kind::Ipv4);
  std::ranges::copy(bytes, std::ranges::copy(kWrapped, address.bytes_.begin()).out);
  return address;
}

HostAddress HostAddress::ipv6(std::span<const uint8_t, 16> bytes) {
  HostAddress address(std::ranges::equal(bytes.first<12>(), kWrapped) ? Kind::Ipv4 : Kind::Ipv6);
  std::ranges::copy(bytes, address.bytes_.begin());
  return address;
}

std::optional<HostAddress> HostAddress::parse(std::string_view text) {
  if (const auto bytes = parse_ipv4(text)) return ipv4(*bytes);
  if (text == kUnixText) return unix_socket();
  char copy[HostAddressText::kMost];
  if (text.empty() || text.size() >= sizeof copy || text.contains('\0')) return std::nullopt;
  copy[text.copy(copy, text.size())] = '\0';
  std::array<uint8_t, 16> bytes;
  if (::inet_pton(AF_INET6, copy, bytes.data()) != 1) return std::nullopt;
  return ipv6(bytes);
}

HostAddressText HostAddress::text() const {
  HostAddressText text;
  if (kind_ == Kind::Unix) {
    text.size = static_cast<uint8_t>(kUnixText.copy(text.bytes.data(), text.bytes.size()));
  } else if (is_ip()) {
    const bool four = kind_ == Kind::Ipv4;
    const uint8_t* from = bytes_.data() + (four ? kWrapped.size() : 0);
    if (::inet_ntop(four ? AF_INET : AF_INET6, from, text.bytes.data(), HostAddressText::kMost) != nullptr)
      text.size = static_cast<uint8_t>(std::strlen(text.bytes.data()));
  }
  return text;
}

uint64_t HostAddress::group() const {
  if (!is_ip()) return 0;
  const auto number = [this](size_t from, size_t to) {
    uint64_t value = 0;
    for (size_t i = from; i < to; ++i) value = value << 8 | bytes_[i];
    return value;
  };
  // IPv4 addresses among the first halves of IPv6 ones: with all bits set before them, which is no sender's.
  if (kind_ == Kind::Ipv4) return 0xffff'ffff'0000'0000 | number(12, 16);
  // Those that begin with zeros are few, the loopback among them: by the rest of the address.
  const uint64_t half = number(0, 8);
  return half != 0 ? half : number(12, 16);
}

bool HostAddress::is_near() const {
  if (kind_ == Kind::Unix) return true;
  if (kind_ == Kind::Ipv4) {
    const uint8_t first = bytes_[12], second = bytes_[13];
    return first == 127 || first == 10 || (first == 172 && second >= 16 && second < 32) ||
           (first == 192 && second == 168) || (first == 169 && second == 254);
  }
  if (kind_ != Kind::Ipv6) return false;
  constexpr std::array<uint8_t, 16> kLoopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return bytes_ == kLoopback || (bytes_[0] & 0xfe) == 0xfc ||
         (bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80);
}

std::expected<AddressRange, std::string> AddressRange::parse(std::string_view text) {
  const auto refuse = [](std::string what) { return std::unexpected(std::move(what)); };
  AddressRange range;
  if (text == "unix" || text == kUnixText) {
    range.first_ = HostAddress::unix_socket();
    return range;
  }
  const size_t slash = std::min(text.find('/'), text.size());
  const auto address = HostAddress::parse(text.substr(0, slash));
  if (!address || !address->is_ip())
    return refuse(fmt::format(
        "`{}` is no range of addresses: write 192.0.2.1, 10.0.0.0/8, 2001:db8::/32 or unix", text));
  range.first_ = *address;
  if (slash == text.size()) return range;
  // One of IPv4 that is written as IPv6 counts all bits.
  const bool wrapped = address->kind() == HostAddress::Kind::Ipv4 && text.contains(':');
  const int most = address->kind() == HostAddress::Kind::Ipv4 && !wrapped ? 32 : 128;
  const std::string_view digits = text.substr(slash + 1);
  const auto bits = parse_number<uint8_t>(digits);
  if (!bits || *bits > most)
    return refuse(
        fmt::format("`{}` has a prefix of `{}` bits: write a number from 0 to {}", text, digits, most));
  range.bits_ = static_cast<uint8_t>(*bits + 128 - most);
  if (wrapped && range.bits_ < kWrappedBits)
    return refuse(fmt::format("`{}` is of IPv4 and IPv6 at once: write the one of each", text));
  std::array<uint8_t, 16> first{};
  for (size_t bit = 0; bit < range.bits_; ++bit)
    first[bit / 8] |= static_cast<uint8_t>(address->bytes()[bit / 8] & (0x80 >> bit % 8));
  range.first_ = HostAddress::ipv6(first);
  // ::/0 begins like any address, but is not of IPv4.
  if (range.first_ != *address)
    return refuse(fmt::format("`{}` has bits set behind its prefix: write {}", text, range.text()));
  return range;
}

std::string AddressRange::text() const {
  if (first_.kind() == HostAddress::Kind::Unix) return "unix";
  const HostAddressText address = first_.text();
  if (bits_ == 128) return std::string(address.view());
  const int before = first_.kind() == HostAddress::Kind::Ipv4 ? kWrappedBits : 0;
  return fmt::format("{}/{}", address.view(), bits_ - before);
}

bool AddressRange::contains(const HostAddress& address) const {
  if (address.kind() != first_.kind()) return false;
  return !address.is_ip() || begins_alike(address.bytes(), first_.bytes(), bits_);
}

std::array<uint8_t, 16> AddressRange::first() const {
  std::array<uint8_t, 16> bytes;
  std::ranges::copy(first_.bytes(), bytes.begin());
  return bytes;
}

std::array<uint8_t, 16> AddressRange::last() const {
  std::array<uint8_t, 16> bytes = first();
  for (size_t bit = bits_; bit < 128; ++bit) bytes[bit / 8] |= static_cast<uint8_t>(0x80 >> bit % 8);
  return bytes;
}

}  // namespace leat
