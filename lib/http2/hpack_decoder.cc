#include "http2/hpack_decoder.h"

#include <algorithm>

#include "http2/huffman.h"

namespace leat::http2 {

namespace {

// More than any index, size or length that could be meant.
constexpr uint32_t kLargestNumber = 1u << 28;

}  // namespace

// RFC 7541, section 5.1. The first byte is there.
bool HpackDecoder::read_number(Reader& reader, unsigned prefix, uint32_t& number) {
  const uint32_t full = (1u << prefix) - 1;
  number = static_cast<unsigned char>(*reader.at++) & full;
  if (number < full) return true;
  for (unsigned shift = 0; reader.at != reader.end && shift < 28; shift += 7) {
    const auto byte = static_cast<unsigned char>(*reader.at++);
    number += (byte & 0x7fu) << shift;
    if (number > kLargestNumber) return false;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

// Section 5.2. Behind the first `used` bytes of the scratch, of which it takes some where the text is coded.
bool HpackDecoder::read_text(Reader& reader, size_t& used, std::string_view& text) {
  if (reader.at == reader.end) return false;
  const bool coded = (*reader.at & 0x80) != 0;
  uint32_t size = 0;
  if (!read_number(reader, 7, size) || size > static_cast<size_t>(reader.end - reader.at)) return false;
  text = {reader.at, size};
  reader.at += size;
  if (!coded) return true;
  char* const at = scratch_.data() + used;
  const char* const end = huffman_decode(text, at);
  if (end == nullptr) return false;
  text = {at, static_cast<size_t>(end - at)};
  used += text.size();
  return true;
}

bool HpackDecoder::find(uint32_t index, Next& next) const {
  if (index == 0) return false;
  if (index <= kStaticFields) {
    next.kind = Next::Kind::Static;
    next.field = static_field(index);
    return true;
  }
  next.kind = Next::Kind::Kept;
  next.age = index - kStaticFields - 1;
  return table_.find(next.age, next.field);
}

// Section 6. `begins`: no field of this block was read yet.
HpackDecoder::Result HpackDecoder::read(Reader& reader, bool begins, Next& next) {
  const auto first = static_cast<unsigned char>(*reader.at);
  const bool updates = (first & 0xe0) == 0x20;
  if (must_shrink_ && !updates) return Result::Malformed;
  uint32_t number = 0;
  if ((first & 0x80) != 0)
    return read_number(reader, 7, number) && find(number, next) ? Result::Good : Result::Malformed;
  if (updates) {
    if (!begins || !read_number(reader, 5, number) || number > most_) return Result::Malformed;
    table_.set_most(number);
    must_shrink_ = false;
    next.kind = Next::Kind::SizeUpdate;
    return Result::Good;
  }
  const bool keep = (first & 0x40) != 0;
  const Result result = read_literal(reader, keep ? 6 : 4, next);
  next.kind = keep ? Next::Kind::Keep : Next::Kind::Literal;
  return result;
}

HpackDecoder::Result HpackDecoder::read_literal(Reader& reader, unsigned prefix, Next& next) {
  uint32_t index = 0;
  if (!read_number(reader, prefix, index)) return Result::Malformed;
  if (index != 0 && !find(index, next)) return Result::Malformed;
  // All that is left may be texts, beside the name that is there.
  const size_t room = most_decoded(static_cast<size_t>(reader.end - reader.at)) + next.field.name.size();
  if (scratch_.size() < room) scratch_.resize(std::max(room, scratch_.size() * 2));
  size_t used = 0;
  if (index == 0) {
    if (!read_text(reader, used, next.field.name)) return Result::Malformed;
    next.field.id =
        is_lower_name(next.field.name) ? http::find_header(next.field.name) : http::HeaderId::Unknown;
  } else if (index > kStaticFields) {
    // The table may change before it is used.
    used = next.field.name.copy(scratch_.data(), next.field.name.size());
    next.field.name = {scratch_.data(), used};
  }
  next.field.checked = false;
  return read_text(reader, used, next.field.value) ? Result::Good : Result::Malformed;
}

}  // namespace leat::http2
