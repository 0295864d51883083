#include "websocket/handshake.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "coding/raw_deflate.h"
#include "crypto/digest.h"
#include "http/list.h"
#include "websocket/workspace.h"

namespace leat::websocket {

namespace {

constexpr std::string_view kVersion = "13";
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, section 1.3

struct Field {
  size_t count = 0;
  std::string_view value;  // of the first
};

Field field_of(const http::Request& request, std::string_view name) {
  Field field;
  for (const http::HeaderSlot& slot : request.head().headers()) {
    if (!equal_ignoring_case(request.head().view(slot.name), name)) continue;
    if (field.count++ == 0) field.value = request.head().view(slot.value);
  }
  return field;
}

// Calls `visit` for each item of all fields of that name.
template <class Visit>
void for_each_of(const http::Request& request, std::string_view name, Visit visit) {
  for (const http::HeaderSlot& slot : request.head().headers())
    if (equal_ignoring_case(request.head().view(slot.name), name))
      http::for_each_item(request.head().view(slot.value), visit);
}

// 16 bytes in base64 (section 4.2.1, point 5).
bool is_key(std::string_view key) {
  char bytes[20];
  if (key.size() != 24) return false;
  const auto decoded = decode_base64(Base64::Padded, key, bytes);
  return decoded && decoded->size() == 16;
}

// An offer of permessage-deflate, by its parameters (RFC 7692, section 7.1). Nothing: it cannot be agreed to.
std::optional<Compression> read_offer(std::string_view offer, bool& window_said) {
  Compression compression{.agreed = true};
  bool good = true, first = true;
  unsigned seen = 0;
  window_said = false;
  http::for_each_item(
      offer,
      [&](std::string_view part) {
        if (std::exchange(first, false)) return;  // the name
        const size_t equals = part.find('=');
        const std::string_view name = trim(part.substr(0, equals));
        std::string_view value;
        if (equals != std::string_view::npos) value = trim(part.substr(equals + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
          value = value.substr(1, value.size() - 2);
        const bool has_value = equals != std::string_view::npos;
        const auto bits = parse_number<unsigned>(value);
        const bool is_bits = bits && *bits >= 8 && *bits <= 15 && !value.starts_with('0');
        unsigned which = 0;
        if (name == "server_no_context_takeover") {
          which = 1;
          good = good && !has_value;
        } else if (name == "client_no_context_takeover") {
          which = 2;
          good = good && !has_value;
        } else if (name ==
                   "client_max_window_bits") {  // whatever it is, it is less than what is unpacked here
          which = 4;
          good = good && (!has_value || is_bits);
        } else if (name == "server_max_window_bits") {
          which = 8;
          // zlib packs by no window of 256 bytes.
          good = good && is_bits && *bits >= Workspace::kLeastWindow;
          if (good) compression.window_bits = static_cast<uint8_t>(*bits);
          window_said = true;
        } else {
          good = false;
        }
        good = good && (seen & which) == 0;
        seen |= which;
      },
      http::Backslash::Hides, ';');
  return good ? std::optional(compression) : std::nullopt;
}

void agree_on_compression(const http::Request& request, Arena& arena, Handshake& handshake) {
  constexpr std::string_view kName = "permessage-deflate";
  constexpr std::string_view kPlain =
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  for_each_of(request, "Sec-WebSocket-Extensions", [&](std::string_view offer) {
    if (handshake.compression.agreed || trim(offer.substr(0, offer.find(';'))) != kName) return;
    bool window_said = false;
    const auto agreed = read_offer(offer, window_said);
    if (!agreed) return;
    std::string_view told = kPlain;
    if (window_said) {
      constexpr size_t kMore = sizeof("; server_max_window_bits=15");
      char* const text = arena.allocate_array<char>(kPlain.size() + kMore);
      if (text == nullptr) return;  // without it, then
      const auto end = fmt::format_to_n(text, kPlain.size() + kMore, "{}; server_max_window_bits={}", kPlain,
                                        agreed->window_bits);
      told = {text, end.size};
    }
    handshake.compression = *agreed;
    handshake.extensions = told;
  });
}

// Programs send no Origin; pages cannot leave it out.
bool is_welcome(const http::Request& request, const Offer& offer) {
  const Field origin = field_of(request, "Origin");
  if (origin.count != 1) return origin.count == 0;
  if (!offer.origins.empty())
    return std::ranges::contains(offer.origins, "*") || std::ranges::contains(offer.origins, origin.value);
  const size_t scheme = origin.value.find("://");
  return scheme != std::string_view::npos &&
         equal_ignoring_case(origin.value.substr(scheme + 3), request.host());
}

Handshake refused(uint16_t status, std::string_view detail) { return {.status = status, .detail = detail}; }

}  // namespace

bool make_accept(std::string_view key, char* to) {
  const auto digest = crypto::sha1({key, kGuid});
  if (!digest) return false;
  encode_base64(Base64::Padded, {reinterpret_cast<const char*>(digest->data()), digest->size()}, to);
  return true;
}

Handshake judge(const http::Request& request, const Offer& offer, bool keyed, Arena& arena) {
  const Field version = field_of(request, "Sec-WebSocket-Version");
  if (version.count != 1 || version.value != kVersion)
    return refused(426, "This resource speaks version 13 of WebSocket.");
  const Field key = field_of(request, "Sec-WebSocket-Key");
  if (keyed && (key.count != 1 || !is_key(key.value)))
    return refused(400, "Sec-WebSocket-Key is to be 16 bytes in base64, once.");
  if (!is_welcome(request, offer))
    return refused(403, "Pages of that origin may not connect to this resource.");
  Handshake handshake;
  bool good = true;
  for_each_of(request, "Sec-WebSocket-Protocol", [&](std::string_view protocol) {
    good = good && is_token(protocol);
    if (handshake.protocol.empty() && std::ranges::contains(offer.protocols, protocol))
      handshake.protocol = protocol;
  });
  if (!good) return refused(400, "Sec-WebSocket-Protocol is to be a list of tokens.");
  if (keyed) {
    char* const accept = arena.allocate_array<char>(kAcceptSize);
    if (accept == nullptr || !make_accept(key.value, accept))
      return refused(503, "The server has no memory left for this.");
    handshake.accept = {accept, kAcceptSize};
  }
  if (offer.compression && coding::has_raw_deflate()) agree_on_compression(request, arena, handshake);
  return handshake;
}

}  // namespace leat::websocket
