// The items that CBOR and MessagePack are made of, one after the other: what stands between the bytes and what they mean
// (binary_reader.cc).
//
// Private to json.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace leat::json {

struct Item {
  enum class Kind : uint8_t {
    Natural,   // number
    Negative,  // -1 - number
    Real,
    True,
    False,
    Null,
    Text,    // number: its bytes, which follow; with `open`, pieces of that kind follow, and a Break
    Bytes,   // likewise
    Array,   // number: of elements; with `open`, as many as there are before a Break
    Object,  // number: of members; likewise
    Break
  };
  Kind kind = Kind::Null;
  bool open = false;
  bool tagged = false;
  uint64_t number = 0;
  double real = 0;
};

// Bytes, from the front. What is missing at the end is told by take(), whose caller asks.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] size_t at() const { return at_; }
  void go_to(size_t at) { at_ = at; }
  [[nodiscard]] size_t size() const { return bytes_.size(); }
  [[nodiscard]] size_t left() const { return bytes_.size() - at_; }

  // A number of so many bytes, the most significant first. False: there are fewer.
  template <std::unsigned_integral T>
  [[nodiscard]] bool take(T& number) {
    if (left() < sizeof number) return false;
    std::memcpy(&number, bytes_.data() + at_, sizeof number);
    if constexpr (std::endian::native == std::endian::little && sizeof(T) > 1) number = std::byteswap(number);
    at_ += sizeof number;
    return true;
  }
  // The same as a number of 64 bits, of 2^power bytes.
  [[nodiscard]] bool take_wide(unsigned power, uint64_t& number) {
    switch (power) {
      case 0:
        return take_as<uint8_t>(number);
      case 1:
        return take_as<uint16_t>(number);
      case 2:
        return take_as<uint32_t>(number);
      default:
        return take(number);
    }
  }
  // There are so many.
  std::string_view take_bytes(size_t size) {
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
  }

 private:
  template <std::unsigned_integral T>
  [[nodiscard]] bool take_as(uint64_t& number) {
    T taken{};
    if (!take(taken)) return false;
    number = taken;
    return true;
  }

  std::string_view bytes_;
  size_t at_ = 0;
};

inline constexpr char kEndsTooEarly[] = "must not end within a value";  // compared by its address

// Each takes the head of the item that comes next: null, or what is wrong with it.
const char* take_cbor(ByteReader& bytes, Item& item);
const char* take_message_pack(ByteReader& bytes, Item& item);

}  // namespace leat::json
