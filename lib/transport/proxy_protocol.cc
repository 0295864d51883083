#include "transport/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "base/text.h"

namespace leat::transport {

namespace {

using Step = ProxyHeaderReader::Step;

constexpr std::string_view kText = "PROXY ";
constexpr std::string_view kBinary{"\r\n\r\n\0\r\nQUIT\n", 12};
// The longest line of version 1, with its end (section 2.1).
constexpr size_t kMostText = 107;
// Of version 2, before the addresses: signature, version and command, family and protocol, the rest's length.
constexpr size_t kFixed = 16;

constexpr std::string_view kNoHeader = "it does not begin with a header of the PROXY protocol";
constexpr std::string_view kMalformed = "its header of the PROXY protocol is malformed";
constexpr std::string_view kTooLong = "its header of the PROXY protocol is too long";
constexpr std::string_view kBadChecksum = "the checksum in its header of the PROXY protocol is wrong";

// Types of what version 2 may say besides addresses (section 2.2).
constexpr uint8_t kAlpn = 0x01, kAuthority = 0x02, kChecksum = 0x03, kUniqueId = 0x05, kTls = 0x20;
constexpr size_t kMostUniqueId = 128;
constexpr size_t kTlsFixed = 5;  // before what is said of it: how the client has come, and its certificate
constexpr uint8_t kClientTls = 0x01;  // it has come by TLS

uint8_t byte_at(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }
uint16_t number_at(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

std::span<const uint8_t> span_of(std::string_view bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

// CRC32c (RFC 3720, appendix B.4), a byte at a time: there is one in a connection's life at most.
constexpr std::array<uint32_t, 256> kCrc = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f6'3b78U : 0);
    table[i] = value;
  }
  return table;
}();
uint32_t crc32c(uint32_t crc, std::string_view bytes) {
  for (const uint8_t byte : span_of(bytes)) crc = (crc >> 8) ^ kCrc[(crc ^ byte) & 0xff];
  return crc;
}

// The words of a line are apart by one space each. The first, which goes from `line`; empty where there is none.
std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

// Without zeros before it.
std::optional<uint16_t> parse_port(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return parse_number<uint16_t>(text);
}

// Pieces of a type, a length of two bytes and as many of a value. False: they do not come out even, or `take` says
// so.
template <class Take>
bool for_each_extra(std::string_view extras, Take take) {
  while (!extras.empty()) {
    if (extras.size() < 3) return false;
    const size_t size = number_at(extras, 1);
    if (extras.size() - 3 < size || !take(byte_at(extras, 0), extras.substr(3, size))) return false;
    extras.remove_prefix(3 + size);
  }
  return true;
}

}  // namespace

Step ProxyHeaderReader::fail(std::string_view why) {
  failure_ = why;
  return Step::Failed;
}

Step ProxyHeaderReader::read(std::string_view& bytes) {
  if (!failure_.empty()) return Step::Failed;
  const size_t before = taken_.size();
  taken_.append(bytes.substr(0, kMostBytes - before));
  const std::string_view taken = taken_;
  const auto begins = [&](std::string_view with) {
    const size_t size = std::min(with.size(), taken.size());
    return taken.substr(0, size) == with.substr(0, size);
  };
  Step step = Step::More;
  if (begins(kText)) {
    if (taken.size() >= kText.size()) step = read_text();
  } else if (begins(kBinary)) {
    if (taken.size() >= kFixed) step = read_binary();
  } else {
    step = fail(kNoHeader);
  }
  // All that was there before was header.
  if (step == Step::Done) bytes.remove_prefix(size_ - before);
  return step;
}

Step ProxyHeaderReader::read_text() {
  const std::string_view taken = std::string_view(taken_).substr(0, kMostText);
  const size_t end = taken.find("\r\n");
  if (end == taken.npos) return taken.size() == kMostText ? fail(kTooLong) : Step::More;
  size_ = end + 2;
  return read_line(taken.substr(kText.size(), end - kText.size())) ? Step::Done : fail(kMalformed);
}

bool ProxyHeaderReader::read_line(std::string_view line) {
  using Kind = HostAddress::Kind;
  const std::string_view family = take_word(line);
  if (family == "UNKNOWN") return true;  // what follows means nothing
  if (family != "TCP4" && family != "TCP6") return false;
  const std::string_view client = take_word(line), destination = take_word(line);
  const auto client_port = parse_port(take_word(line));
  const auto destination_port = parse_port(line);
  const auto from = HostAddress::parse(client), to = HostAddress::parse(destination);
  if (!from || !to || !from->is_ip() || !to->is_ip() || !client_port || !destination_port) return false;
  // An address of IPv4 may be one that IPv6 wraps.
  const bool six = family == "TCP6";
  if (six != client.contains(':') || six != destination.contains(':')) return false;
  if (!six && from->kind() != Kind::Ipv4) return false;
  header_.has_client = true;
  header_.client = *from;
  header_.client_port = *client_port;
  header_.destination = *to;
  header_.destination_port = *destination_port;
  return true;
}

Step ProxyHeaderReader::read_binary() {
  const std::string_view taken = taken_;
  const uint8_t version = byte_at(taken, 12) >> 4, command = byte_at(taken, 12) & 15;
  const uint8_t family = byte_at(taken, 13) >> 4, protocol = byte_at(taken, 13) & 15;
  if (version != 2 || command > 1 || family > 3 || protocol > 2) return fail(kMalformed);
  size_ = kFixed + number_at(taken, 14);
  if (size_ > kMostBytes) return fail(kTooLong);
  if (taken.size() < size_) return Step::More;
  const std::string_view whole = taken.substr(0, size_);
  if (command == 0) return Step::Done;  // the proxy's own: the rest means nothing
  std::string_view rest = whole.substr(kFixed);
  // By the family: two addresses, with ports where it has them.
  constexpr size_t kSizes[] = {0, 12, 36, 216};
  if (rest.size() < kSizes[family]) return fail(kMalformed);
  if (family != 0 && protocol == 1 && !read_addresses(rest, family)) return fail(kMalformed);
  rest.remove_prefix(kSizes[family]);
  if (!read_extras(rest, whole)) return failure_.empty() ? fail(kMalformed) : Step::Failed;
  return Step::Done;
}

bool ProxyHeaderReader::read_addresses(std::string_view addresses, uint8_t family) {
  header_.has_client = true;
  if (family == 3) {
    header_.client = header_.destination = HostAddress::unix_socket();
    return true;
  }
  const size_t size = family == 1 ? 4 : 16;
  const auto address_at = [&](size_t at) {
    const auto bytes = span_of(addresses.substr(at, size));
    return family == 1 ? HostAddress::ipv4(bytes.first<4>()) : HostAddress::ipv6(bytes.first<16>());
  };
  header_.client = address_at(0);
  header_.destination = address_at(size);
  header_.client_port = number_at(addresses, 2 * size);
  header_.destination_port = number_at(addresses, 2 * size + 2);
  return true;
}

bool ProxyHeaderReader::read_extras(std::string_view extras, std::string_view whole) {
  return for_each_extra(extras,
                        [&](uint8_t type, std::string_view value) { return read_extra(type, value, whole); });
}

bool ProxyHeaderReader::read_extra(uint8_t type, std::string_view value, std::string_view whole) {
  switch (type) {
    case kAlpn:
      header_.alpn = value;
      return true;
    case kAuthority:
      header_.authority = value;
      return true;
    case kUniqueId:
      header_.unique_id = value;
      return value.size() <= kMostUniqueId;
    case kTls:
      header_.tls = !value.empty() && (byte_at(value, 0) & kClientTls) != 0;
      return value.size() >= kTlsFixed &&
             for_each_extra(value.substr(kTlsFixed), [](uint8_t, std::string_view) { return true; });
    case kChecksum: {
      if (value.size() != 4) return false;
      // Of the whole header, with zeros in the place of the sum.
      const auto at = static_cast<size_t>(value.data() - whole.data());
      uint32_t crc = crc32c(UINT32_MAX, whole.substr(0, at));
      crc = crc32c(crc, {"\0\0\0\0", 4});
      crc = ~crc32c(crc, whole.substr(at + 4));
      const uint32_t sent = uint32_t{number_at(value, 0)} << 16 | number_at(value, 2);
      if (crc != sent) failure_ = kBadChecksum;
      return crc == sent;
    }
    default:
      return true;  // padding, names of networks, what others have agreed on
  }
}

void ProxyProtocol::received(std::string_view wire, PlainSink& sink) {
  if (state_ == State::Handshake) {
    switch (reader_.read(wire)) {
      case Step::More:
        return;
      case Step::Failed:
        state_ = State::Failed;
        return;
      case Step::Done:
        state_ = State::Open;
    }
  }
  if (state_ == State::Open && !wire.empty()) sink.plain(wire);
}

}  // namespace leat::transport
