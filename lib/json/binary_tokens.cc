#include "json/binary_tokens.h"

#include <cmath>

namespace leat::json {

namespace {

using Kind = Item::Kind;

const char* become(Item& item, Kind kind) {
  item.kind = kind;
  return nullptr;
}
const char* become(Item& item, Kind kind, uint64_t number) {
  item.number = number;
  return become(item, kind);
}
const char* become_real(Item& item, double number) {
  if (!std::isfinite(number)) return "must be a number that is finite";
  item.real = number;
  return become(item, Kind::Real);
}

double real_of_half(uint16_t half) {
  const int exponent = half >> 10 & 0x1f;
  const int mantissa = half & 0x3ff;
  double number = 0;
  if (exponent == 0) {
    number = std::ldexp(mantissa, -24);
  } else if (exponent == 31) {
    number = mantissa == 0 ? HUGE_VAL : NAN;
  } else {
    number = std::ldexp(mantissa + 1024, exponent - 25);
  }
  return (half & 0x8000) != 0 ? -number : number;
}

// A number with a point that follows, of 2, 4 or 8 bytes.
const char* take_real(ByteReader& bytes, unsigned size, Item& item) {
  uint64_t bits = 0;
  if (!bytes.take_wide(size == 2 ? 1 : size == 4 ? 2 : 3, bits)) return kEndsTooEarly;
  if (size == 2) return become_real(item, real_of_half(static_cast<uint16_t>(bits)));
  if (size == 4) return become_real(item, std::bit_cast<float>(static_cast<uint32_t>(bits)));
  return become_real(item, std::bit_cast<double>(bits));
}

// Of RFC 8949, section 3: what the five low bits of a head say beside its major type.
enum Argument : uint8_t { kOneByte = 24, kEightBytes = 27, kIndefinite = 31 };

// Major type 7.
const char* take_simple(ByteReader& bytes, uint8_t argument, Item& item) {
  switch (argument) {
    case 20:
      return become(item, Kind::False);
    case 21:
      return become(item, Kind::True);
    case 22:
    case 23:  // undefined
      return become(item, Kind::Null);
    case 25:
      return take_real(bytes, 2, item);
    case 26:
      return take_real(bytes, 4, item);
    case 27:
      return take_real(bytes, 8, item);
    case kIndefinite:
      return item.tagged ? "must have a value behind each tag" : become(item, Kind::Break);
    default:
      return argument > kOneByte ? "must not have a head that CBOR does not know"
                                 : "must not have a simple value but true, false, null and undefined";
  }
}

}  // namespace

const char* take_cbor(ByteReader& bytes, Item& item) {
  for (item.tagged = false;; item.tagged = true) {
    uint8_t head = 0;
    if (!bytes.take(head)) return kEndsTooEarly;
    const auto major = static_cast<uint8_t>(head >> 5), argument = static_cast<uint8_t>(head & 0x1f);
    if (major == 7) return take_simple(bytes, argument, item);
    item.open = argument == kIndefinite && major >= 2 && major <= 5;
    uint64_t number = argument;
    if (!item.open) {
      if (argument > kEightBytes) return "must not have a head that CBOR does not know";
      if (argument >= kOneByte && !bytes.take_wide(argument - kOneByte, number)) return kEndsTooEarly;
    }
    constexpr Kind kKinds[] = {Kind::Natural, Kind::Negative, Kind::Bytes,
                               Kind::Text,    Kind::Array,    Kind::Object};
    if (major != 6) return become(item, kKinds[major], number);
    if (number >= 2 && number <= 5)
      return "must not have bignums, decimal fractions or bigfloats (tags 2 to 5)";
  }
}

const char* take_message_pack(ByteReader& bytes, Item& item) {
  uint8_t head = 0;
  if (!bytes.take(head)) return kEndsTooEarly;
  item.open = false;
  if (head < 0x80) return become(item, Kind::Natural, head);
  if (head < 0x90) return become(item, Kind::Object, head & 0x0f);
  if (head < 0xa0) return become(item, Kind::Array, head & 0x0f);
  if (head < 0xc0) return become(item, Kind::Text, head & 0x1f);
  if (head >= 0xe0) return become(item, Kind::Negative, static_cast<uint8_t>(~head));
  uint64_t number = 0;
  // With a number behind it, of 2^power bytes.
  const auto counted = [&](Kind kind, unsigned power) {
    return bytes.take_wide(power, number) ? become(item, kind, number) : kEndsTooEarly;
  };
  switch (head) {
    case 0xc0:
      return become(item, Kind::Null);
    case 0xc1:
      return "must not have the byte 0xc1, which MessagePack does not use";
    case 0xc2:
      return become(item, Kind::False);
    case 0xc3:
      return become(item, Kind::True);
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return counted(Kind::Bytes, head - 0xc4U);
    case 0xca:
      return take_real(bytes, 4, item);
    case 0xcb:
      return take_real(bytes, 8, item);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      return counted(Kind::Natural, head - 0xccU);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: {
      const unsigned power = head - 0xd0U;
      if (!bytes.take_wide(power, number)) return kEndsTooEarly;
      const unsigned bits = 8U << power;
      if ((number >> (bits - 1) & 1) == 0) return become(item, Kind::Natural, number);
      return become(item, Kind::Negative, ~number & (UINT64_MAX >> (64 - bits)));
    }
    case 0xd9:
    case 0xda:
    case 0xdb:
      return counted(Kind::Text, head - 0xd9U);
    case 0xdc:
    case 0xdd:
      return counted(Kind::Array, head - 0xdcU + 1);
    case 0xde:
    case 0xdf:
      return counted(Kind::Object, head - 0xdeU + 1);
    default:  // 0xc7 to 0xc9, 0xd4 to 0xd8
      return "must not have extension types";
  }
}

}  // namespace leat::json
