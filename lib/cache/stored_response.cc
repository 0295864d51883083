#include "cache/stored_response.h"

#include "base/text.h"

namespace leat::cache {

StoredResponse StoredResponse::read(std::string_view bytes) {
  StoredResponse stored;
  std::memcpy(&stored.header, bytes.data(), sizeof stored.header);
  const Header& header = stored.header;
  const char* at = bytes.data() + sizeof header;
  const auto take = [&at](size_t size) {
    at += size;
    return at - size;
  };
  stored.slots = take(header.slot_count * sizeof(uint32_t));
  stored.sizes = take(header.field_count * 2 * sizeof(uint32_t));
  stored.content_type = std::string_view(take(header.content_type_size), header.content_type_size);
  stored.variant = std::string_view(take(header.variant_size), header.variant_size);
  stored.fields = at;
  stored.body = bytes.substr(bytes.size() - header.body_size);
  return stored;
}

std::string_view StoredResponse::field(std::string_view name) const {
  std::string_view found;
  for_each_field([&](std::string_view each, std::string_view value) {
    if (found.empty() && equal_ignoring_case(each, name)) found = value;
  });
  return found;
}

std::string pack(StoredResponse::Header header, std::span<const uint32_t> slots,
                 std::string_view content_type, std::string_view variant,
                 std::span<const http::Response::Field> fields, std::string_view body) {
  header.slot_count = static_cast<uint32_t>(slots.size());
  header.field_count = static_cast<uint32_t>(fields.size());
  header.content_type_size = static_cast<uint32_t>(content_type.size());
  header.variant_size = static_cast<uint32_t>(variant.size());
  header.body_size = body.size();
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(slots.data()), slots.size_bytes());
  for (const auto& [name, value, origin, ready] : fields) {
    const uint32_t sizes[] = {static_cast<uint32_t>(name.size()), static_cast<uint32_t>(value.size())};
    bytes.append(reinterpret_cast<const char*>(sizes), sizeof sizes);
  }
  bytes.append(content_type).append(variant);
  for (const auto& [name, value, origin, ready] : fields) bytes.append(name).append(value);
  bytes.append(body);
  return bytes;
}

}  // namespace leat::cache
