// HostAddress: an address without a port, as a number that can be compared: what clients are told apart by, and
// what it is asked of whether somebody is to be believed.
//
// An IPv4 address is the same whether it comes by itself or wrapped in IPv6 (RFC 4291, section 2.5.5.2), and
// is written as IPv4. All unix sockets are one address.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace leat {

// An address as text: "192.0.2.1", "2001:db8::1", "unix:"; empty for none.
struct HostAddressText {
  static constexpr size_t kMost = 46;  // INET6_ADDRSTRLEN
  std::array<char, kMost> bytes;
  uint8_t size = 0;
  [[nodiscard]] std::string_view view() const { return {bytes.data(), size}; }
};

class HostAddress {
 public:
  enum class Kind : uint8_t { None, Ipv4, Ipv6, Unix };

  constexpr HostAddress() = default;
  static HostAddress ipv4(std::span<const uint8_t, 4> bytes);
  static HostAddress ipv6(std::span<const uint8_t, 16> bytes);
  static constexpr HostAddress unix_socket() { return HostAddress(Kind::Unix); }
  // "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1" or "unix:"; no port, brackets or zone.
  static std::optional<HostAddress> parse(std::string_view text);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is_ip() const { return kind_ == Kind::Ipv4 || kind_ == Kind::Ipv6; }
  [[nodiscard]] HostAddressText text() const;
  // In network order: 16 bytes, of which those of an IPv4 address are the last four.
  [[nodiscard]] std::span<const uint8_t, 16> bytes() const { return bytes_; }
  // Tells clients apart: the IPv4 address, or the first 64 bits of an IPv6 one, since who has one has all that
  // begin with them (RFC 6177). 0 for none and for unix sockets.
  [[nodiscard]] uint64_t group() const;
  // Of this machine or of a network that is nobody else's: loopback, private (RFC 1918, RFC 4193), link-local,
  // a unix socket.
  [[nodiscard]] bool is_near() const;
  bool operator==(const HostAddress&) const = default;

 private:
  constexpr explicit HostAddress(Kind kind) : kind_(kind) {}

  std::array<uint8_t, 16> bytes_{};
  Kind kind_ = Kind::None;
};

// Addresses that begin alike: "10.0.0.0/8", "2001:db8::/32", "192.0.2.1" (it alone), "unix" (every unix
// socket).
class AddressRange {
 public:
  // On failure a sentence that says what is wrong with `text`.
  static std::expected<AddressRange, std::string> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool contains(const HostAddress& address) const;
  // Which of them it has; and of IP ones the first and the last, as HostAddress::bytes() has them.
  [[nodiscard]] HostAddress::Kind kind() const { return first_.kind(); }
  [[nodiscard]] std::array<uint8_t, 16> first() const;
  [[nodiscard]] std::array<uint8_t, 16> last() const;
  bool operator==(const AddressRange&) const = default;

 private:
  HostAddress first_;
  uint8_t bits_ = 128;  // of the 16 bytes
};

}  // namespace leat
