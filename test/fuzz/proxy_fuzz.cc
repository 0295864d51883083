// What proxies say, by the PROXY protocol or by the fields of a request, must mean the same whatever pieces it comes in, and
// whoever says it must not get more than it stands for.
//
// A header of the PROXY protocol: whole, byte by byte and in random pieces, each in memory of its own, the reader comes to
// the same end, takes the same bytes and no other, and stays within its limit.
//
// Fields: the client is an address, one of the two forms of a name, or unknown, and in the latter case that is said. What is
// not believed is not shown. What a client puts in front of an element that a trusted proxy has written changes nothing.
//
// Input: a byte that chooses, a byte that seeds the pieces, then the header, or lines that are fields' values.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "fuzz/choices.h"
#include "http/forwarding.h"
#include "transport/proxy_protocol.h"

namespace leat::fuzz {

namespace {

[[noreturn]] void differ(const std::string& first, const std::string& second) {
  std::fprintf(stderr, "one way:\n%s\nthe other:\n%s\n", first.c_str(), second.c_str());
  std::abort();
}

// --- The PROXY protocol

// All that comes of it, as text that two runs can be compared by.
std::string read(std::string_view bytes, unsigned most, unsigned seed) {
  using Step = transport::ProxyHeaderReader::Step;
  transport::ProxyHeaderReader reader;
  Step step = Step::More;
  std::mt19937 random(seed);
  size_t used = 0;
  while (step == Step::More && used < bytes.size()) {
    const size_t size = std::min<size_t>(bytes.size() - used, most == 0 ? SIZE_MAX : 1 + random() % most);
    const std::vector<char> piece(bytes.begin() + static_cast<std::ptrdiff_t>(used),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(used + size));
    std::string_view left(piece.data(), piece.size());
    step = reader.read(left);
    used += step == Step::Done ? size - left.size() : size;
  }
  if (step == Step::More) {
    ENSURE(used < transport::ProxyHeaderReader::kMostBytes);
    return "more";
  }
  if (step == Step::Failed) {
    ENSURE(!reader.failure().empty());
    return "failed: " + std::string(reader.failure());
  }
  ENSURE(used <= transport::ProxyHeaderReader::kMostBytes);
  const transport::ProxyHeader& header = reader.header();
  ENSURE(header.has_client || header.client == HostAddress());
  ENSURE(!header.has_client || header.client.kind() != HostAddress::Kind::None);
  return std::to_string(used) + " " + std::string(header.client.text().view()) + " " +
         std::to_string(header.client_port) + " " + std::string(header.destination.text().view()) + " " +
         std::to_string(header.destination_port) + (header.tls ? " tls " : " ") + header.alpn + " " +
         header.authority + " " + header.unique_id;
}

void check_header(std::string_view bytes, unsigned seed) {
  const std::string whole = read(bytes, 0, 0);
  for (const unsigned most : {1u, 7u, 64u})
    if (const std::string pieces = read(bytes, most, seed); pieces != whole) differ(whole, pieces);
}

// --- Fields

struct Asked {
  std::string bytes = "GET / HTTP/1.1\r\n";
  std::vector<http::HeaderSlot> slots;

  void add(std::string_view name, std::string_view value) {
    const auto at = static_cast<uint32_t>(bytes.size());
    const auto size = static_cast<uint32_t>(name.size());
    slots.push_back({.name = {at, size},
                     .value = {at + size + 2, static_cast<uint32_t>(value.size())},
                     .id = http::find_header(name)});
    bytes.append(name).append(": ").append(value).append("\r\n");
  }
};

std::string identify(Asked& asked, const http::ProxyTrust& trust) {
  static BlockPool pool(4096, 1024);
  Arena arena(pool, size_t{4} << 20);
  http::Head head{.bytes = asked.bytes.data(),
                  .size = static_cast<uint32_t>(asked.bytes.size()),
                  .slot_count = static_cast<uint32_t>(asked.slots.size()),
                  .slots = asked.slots.data()};
  const http::ClientIdentity connection{.peer = "10.0.0.1", .client = "10.0.0.1"};
  http::Request request;
  request.show_head(head);
  ENSURE(http::identify(request, arena, connection, &trust));
  for (const http::HeaderSlot& slot : request.head().headers())
    ENSURE(!http::is_forwarding_field(slot.id) || trust.believes(slot.id));
  const std::string_view client = request.client();
  const auto address = HostAddress::parse(client);
  ENSURE(address || client == http::ClientIdentity::kUnknown || client.starts_with('_'));
  // Who is trusted is the client only where nothing is left that another could be named in.
  ENSURE(!request.client_in_doubt() || client == http::ClientIdentity::kUnknown);
  ENSURE(request.scheme() == "http" || request.scheme() == "https");
  return std::string(client) + " " + std::string(request.scheme()) + " " + std::string(request.host());
}

void check_fields(Choices& choices, bool by_rfc) {
  http::ProxyTrust trust;
  trust.proxies = {*AddressRange::parse("10.0.0.0/8")};
  using http::HeaderId;
  if (by_rfc)
    trust.fields = {http::ForwardingField(HeaderId::Forwarded)};
  else
    trust.fields.emplace_back(HeaderId::XForwardedHost);
  constexpr std::string_view kNames[] = {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
                                         "Forwarded", "Accept"};
  Asked asked;
  asked.add("Host", "site.example");
  std::string_view rest = choices.rest();
  while (!rest.empty() && asked.slots.size() < 64) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty()) continue;
    asked.add(kNames[static_cast<uint8_t>(line.front()) % std::size(kNames)], line.substr(1));
  }
  (void)identify(asked, trust);
  // A proxy writes behind all of it whom it has seen, in a line of its own.
  asked.add(by_rfc ? "Forwarded" : "X-Forwarded-For", by_rfc ? "for=192.0.2.1;proto=https" : "192.0.2.1");
  if (!by_rfc) asked.add("X-Forwarded-Proto", "https");
  if (!by_rfc) asked.add("X-Forwarded-Host", "site.example");
  const std::string seen = identify(asked, trust);
  if (!seen.starts_with("192.0.2.1 https ")) differ(seen, "192.0.2.1 https");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Choices choices(data, size);
  const uint8_t kind = choices.byte();
  const uint8_t seed = choices.byte();
  if (kind % 3 == 0)
    check_header(choices.rest(), seed);
  else
    check_fields(choices, kind % 3 == 1);
  return 0;
}

}  // namespace leat::fuzz
