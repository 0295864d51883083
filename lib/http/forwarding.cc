#include "http/forwarding.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "http/authority.h"
#include "http/edited_head.h"

namespace leat::http {

namespace {

// The longest text of a node or scheme: an IPv6 address with brackets and port takes half of it.
constexpr size_t kMostText = 128;

// "_" and letters, digits, '.', '_' and '-' (RFC 7239, section 6.3).
bool is_obfuscated(std::string_view text) {
  return text.size() > 1 && text.size() <= kMostText && text.front() == '_' &&
         std::ranges::all_of(text, [](char c) {
           const char lower = ascii_lower(c);
           return (lower >= 'a' && lower <= 'z') || is_digit(c) || c == '.' || c == '_' || c == '-';
         });
}

bool is_node_port(std::string_view text) {
  return parse_number<uint16_t>(text).has_value() || is_obfuscated(text);
}

// What one element of a list says of whom the request is for.
struct Node {
  HostAddress address;    // where it is one
  std::string_view name;  // where it is none: "unknown" or "_hidden"
};

// An address with or without a port, in brackets or not, or a name in its place. Nothing where it is none of them.
std::optional<Node> parse_node(std::string_view text) {
  // By what it has at its end an IPv6 address cannot be told from one with a port: without brackets it has none.
  if (const auto whole = HostAddress::parse(text)) return Node{.address = *whole};
  std::string_view host = text;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == text.npos) return std::nullopt;
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && (!rest.starts_with(':') || !is_node_port(rest.substr(1)))) return std::nullopt;
    const auto address = HostAddress::parse(host);
    if (!address || !host.contains(':') || !address->is_ip()) return std::nullopt;
    return Node{.address = *address};
  }
  if (const size_t colon = text.find(':'); colon != text.npos) {
    if (!is_node_port(text.substr(colon + 1))) return std::nullopt;
    host = text.substr(0, colon);
  }
  if (equal_ignoring_case(host, ClientIdentity::kUnknown)) return Node{.name = ClientIdentity::kUnknown};
  if (is_obfuscated(host)) return Node{.name = host};
  const auto address = HostAddress::parse(host);
  if (!address || !address->is_ip()) return std::nullopt;
  return Node{.address = *address};
}

std::optional<std::string_view> parse_scheme(std::string_view text) {
  for (const std::string_view scheme : {"http", "https"})
    if (equal_ignoring_case(text, scheme)) return scheme;
  return std::nullopt;
}

// What the fields of a request say, as far as they are believed.
struct Said {
  HostAddress address;    // the client's
  std::string_view name;  // in its place
  std::string_view scheme;
  std::string_view host;  // in the head's bytes
  bool any = false;       // an element was read
  bool unclear = false;   // there is one that nobody understands, or there are too many
};

// The walk from proxy to proxy, one element after the other from the right.
class Walk {
 public:
  Walk(const ProxyTrust& trust, Said& said) : trust_(trust), said_(said) {}

  // False: the client is found, or nobody can say who it is.
  bool pass(const std::optional<Node>& node) {
    if (!node || hops_++ == trust_.hops) {
      said_.unclear = true;
      return false;
    }
    said_.any = true;
    said_.address = node->address;
    said_.name = node->name;
    return node->name.empty() && trust_.trusts(node->address);
  }

 private:
  const ProxyTrust& trust_;
  Said& said_;
  uint32_t hops_ = 0;
};

// Calls `take` with the values of a field, the last one first, until it returns false.
template <class Take>
void for_each_from_right(const Head& head, HeaderId id, Take take) {
  for (size_t i = head.slot_count; i-- > 0;)
    if (head.slots[i].id == id && !take(head.view(head.slots[i].value))) return;
}

// The last item of the last field of that name which is not empty.
std::string_view last_item(const Head& head, HeaderId id) {
  std::string_view last;
  for_each_from_right(head, id, [&](std::string_view value) {
    while (last.empty() && !value.empty()) {
      const size_t comma = value.rfind(',');
      last = trim(value.substr(comma + 1));
      value = value.substr(0, comma == value.npos ? 0 : comma);
    }
    return last.empty();
  });
  return last;
}

void read_x_forwarded_for(const Head& head, Walk walk) {
  for_each_from_right(head, HeaderId::XForwardedFor, [&](std::string_view value) {
    while (!value.empty()) {
      const size_t comma = value.rfind(',');
      const std::string_view item = trim(value.substr(comma + 1));
      value = value.substr(0, comma == value.npos ? 0 : comma);
      if (!item.empty() && !walk.pass(parse_node(item))) return false;
    }
    return true;
  });
}

// --- Forwarded

// A value without the quotes and backslashes that it may have. Nothing: it is neither a token nor a quoted text.
struct Unquoted {
  std::array<char, kMostText> bytes;
  size_t size = 0;
  [[nodiscard]] std::string_view view() const { return {bytes.data(), size}; }
};
bool unquote(std::string_view value, Unquoted& into) {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  if (!quoted && !is_token(value)) return false;
  if (quoted) value = value.substr(1, value.size() - 2);
  into.size = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    if (quoted && value[i] == '\\' && ++i == value.size()) return false;
    if (into.size == into.bytes.size()) return false;
    into.bytes[into.size++] = value[i];
  }
  return true;
}

// Takes the part of `text` up to the next `end` that stands in no quotes, and that. Nothing: quotes do not end.
std::optional<std::string_view> take_until(std::string_view& text, char end) {
  bool quoted = false;
  size_t at = 0;
  for (; at < text.size() && (quoted || text[at] != end); ++at) {
    if (text[at] == '"') quoted = !quoted;
    if (quoted && text[at] == '\\') ++at;
  }
  if (quoted) return std::nullopt;
  at = std::min(at, text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

// One element: who, by which scheme, and which host that one has asked for. Who does not say it leaves it unknown.
struct Element {
  Node node{.name = ClientIdentity::kUnknown};
  std::string_view scheme;
  std::string_view host;
};
// False: it is malformed. A name in place of an address is kept in `arena`.
bool parse_element(std::string_view text, Arena& arena, Element& element) {
  bool has_for = false, has_proto = false, has_host = false;
  while (!text.empty()) {
    const auto part = take_until(text, ';');
    if (!part) return false;
    const std::string_view pair = trim(*part);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    if (equals == pair.npos || !is_token(pair.substr(0, equals))) return false;
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value = pair.substr(equals + 1);
    Unquoted plain;
    if (equal_ignoring_case(name, "for")) {
      if (std::exchange(has_for, true) || !unquote(value, plain)) return false;
      const auto node = parse_node(plain.view());
      if (!node) return false;
      element.node = *node;
      std::string_view& kept = element.node.name;
      if (kept.empty() || kept == ClientIdentity::kUnknown) continue;
      kept = arena.copy(kept);
      if (kept.data() == nullptr) return false;
    } else if (equal_ignoring_case(name, "proto")) {
      if (std::exchange(has_proto, true) || !unquote(value, plain)) return false;
      element.scheme = parse_scheme(plain.view()).value_or("");
    } else if (equal_ignoring_case(name, "host")) {
      if (std::exchange(has_host, true) || !(is_token(value) || value.starts_with('"'))) return false;
      element.host = value.starts_with('"') ? value.substr(1, value.size() - 2) : value;
    }
  }
  return true;
}

void read_forwarded(const Head& head, Arena& arena, Walk walk, Said& said) {
  for_each_from_right(head, HeaderId::Forwarded, [&](std::string_view value) {
    // The last elements of the line: where quotes begin is told from the left alone.
    std::array<std::string_view, ProxyTrust::kMostHops + 1> last;
    size_t count = 0;
    while (!value.empty()) {
      const auto element = take_until(value, ',');
      if (!element) return walk.pass(std::nullopt);
      if (const std::string_view text = trim(*element); !text.empty()) last[count++ % last.size()] = text;
    }
    for (size_t left = std::min(count, last.size()); left-- > 0;) {
      Element element;
      if (!parse_element(last[--count % last.size()], arena, element)) return walk.pass(std::nullopt);
      // The next one says how the client has come to the proxy before.
      said.scheme = element.scheme;
      said.host = element.host;
      if (!walk.pass(element.node)) return false;
    }
    return true;
  });
}

// --- The head that is shown

constexpr bool is_forwarding(const HeaderSlot& slot) { return is_forwarding_field(slot.id); }

// `head` without the forwarding fields that are not believed, and with `host`, if it is not empty, as the one that
// was asked for. It lies in its bytes. Null: memory is out.
const Head* show_believed(const Head& head, const ProxyTrust* trust, std::string_view host, Arena& arena) {
  EditedHead edited(head, arena, 0, 0);
  if (!edited.good()) return nullptr;
  Head& shown = edited.shown();
  if (!host.empty())
    shown.host = {static_cast<uint32_t>(host.data() - head.bytes), static_cast<uint32_t>(host.size())};
  for (const HeaderSlot& slot : head.headers()) {
    if (slot.id == HeaderId::Host) {
      edited.keep(slot, shown.host);
    } else if (!is_forwarding(slot) || (trust != nullptr && trust->believes(slot.id))) {
      edited.keep(slot);
    }
  }
  return &edited.done();
}

void tell_of_stranger(const ClientIdentity& connection, const Head& head) {
  const std::string_view field = header_name(std::ranges::find_if(head.headers(), is_forwarding)->id);
  const auto address = HostAddress::parse(connection.client);
  // A proxy that nobody has told Leat of is near, most of the time; who is not is used to it that anybody tries.
  const bool near = address && address->is_near();
  log::limited(near ? log::Level::Warn : log::Level::Info, {field},
               "{} sends {} and is not one of server.trusted_proxies: the field is taken from its requests",
               connection.client.empty() ? "somebody" : connection.client, field);
}

}  // namespace

std::expected<ForwardingField, std::string> ForwardingField::parse(std::string_view name) {
  const HeaderId id = find_header(name);
  if (is_forwarding_field(id)) return ForwardingField(id);
  return std::unexpected(
      fmt::format("`{}` is no field by which proxies tell of a request: there are forwarded, "
                  "x-forwarded-for, x-forwarded-proto, "
                  "x-forwarded-host, x-forwarded-port, x-forwarded-prefix, x-forwarded-server and x-real-ip",
                  name));
}

std::string ForwardingField::text() const {
  std::string text(header_name(id_));
  std::ranges::transform(text, text.begin(), ascii_lower);
  return text;
}

bool ProxyTrust::trusts(const HostAddress& address) const {
  return std::ranges::any_of(proxies, [&](const AddressRange& range) { return range.contains(address); });
}

bool ProxyTrust::trusts(std::string_view address) const {
  if (proxies.empty()) return false;
  const auto parsed = HostAddress::parse(address);
  return parsed && trusts(*parsed);
}

bool ProxyTrust::believes(HeaderId field) const {
  return std::ranges::contains(fields, field, &ForwardingField::id);
}

bool tell_twice(const std::vector<ForwardingField>& fields) {
  const auto has = [&](HeaderId id) { return std::ranges::contains(fields, id, &ForwardingField::id); };
  return has(HeaderId::Forwarded) &&
         (has(HeaderId::XForwardedFor) || has(HeaderId::XForwardedProto) || has(HeaderId::XForwardedHost));
}

bool identify(Request& request, Arena& arena, const ClientIdentity& connection, const ProxyTrust* trust) {
  const Head& head = request.head();
  void* const place = arena.allocate(sizeof(ClientIdentity), alignof(ClientIdentity));
  if (place == nullptr) return false;
  auto* const identity = new (place) ClientIdentity(connection);
  request.set_identity(*identity);
  Said said;
  if (trust == nullptr) {
    identity->in_doubt = true;
    tell_of_stranger(connection, head);
  } else {
    const Walk walk(*trust, said);
    if (trust->believes(HeaderId::Forwarded)) read_forwarded(head, arena, walk, said);
    if (trust->believes(HeaderId::XForwardedFor)) read_x_forwarded_for(head, walk);
    if (trust->believes(HeaderId::XForwardedProto))
      said.scheme = parse_scheme(last_item(head, HeaderId::XForwardedProto)).value_or("");
    if (trust->believes(HeaderId::XForwardedHost)) said.host = last_item(head, HeaderId::XForwardedHost);
  }
  if (said.unclear) {
    identity->in_doubt = true;
    identity->client = ClientIdentity::kUnknown;
    log::limited(log::Level::Warn, {},
                 "{}, which is trusted, sends a list of addresses that is malformed or longer than "
                 "limits.proxies: the client of its request is unknown",
                 connection.client);
  } else if (said.any) {
    identity->client = said.name;
    if (said.name.empty()) {
      identity->client = arena.copy(said.address.text().view());
      if (identity->client.data() == nullptr) return false;
    }
  }
  if (!said.scheme.empty()) identity->scheme = said.scheme;
  if (!said.host.empty() && !is_authority(said.host)) said.host = {};
  const bool all_believed =
      trust != nullptr && std::ranges::all_of(head.headers(), [&](const HeaderSlot& slot) {
        return !is_forwarding(slot) || trust->believes(slot.id);
      });
  if (all_believed && said.host.empty()) return true;
  const Head* const shown = show_believed(head, trust, said.host, arena);
  if (shown != nullptr) request.show_head(*shown);
  return shown != nullptr;
}

}  // namespace leat::http
