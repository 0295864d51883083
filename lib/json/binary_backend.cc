// CBOR (RFC 8949) and MessagePack behind json::Writer: the same events, other bytes.
//
// All is as short as it can be: integers, the heads of texts, and real numbers where a shorter one is the same number. What
// is whole and was given as a real number stays one. For CBOR that is what RFC 8949, section 4.1, prefers.
//
// Containers say how many they hold, of which their end alone knows. So a head of one byte is put at the beginning and
// written at the end; where it has to be longer, what has come so far moves on: 15 or 23 elements, and then 65,535. Rejected:
// CBOR's indefinite lengths, which are a byte more for each container, which not all readers take, and which MessagePack has
// not.
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "base/utf8.h"
#include "json/backend.h"
#include "json/replay.h"
#include "json/valid.h"

namespace leat::json {

namespace {

// The bytes of a number, the most significant first.
template <std::unsigned_integral T>
char* put_big(char* at, T number) {
  if constexpr (std::endian::native == std::endian::little && sizeof(T) > 1) number = std::byteswap(number);
  std::memcpy(at, &number, sizeof number);
  return at + sizeof number;
}
template <std::unsigned_integral T>
char* put_big(char* at, uint8_t head, T number) {
  *at = static_cast<char>(head);
  return put_big(at + 1, number);
}

// Whether a single is the same number.
bool is_single(double number) {
  if (!(std::fabs(number) <= std::numeric_limits<float>::max())) return std::isinf(number);
  return static_cast<double>(static_cast<float>(number)) == number;
}

struct Cbor {
  static constexpr size_t kMostHead = 9;
  // How many elements a container has when its head gets longer.
  static constexpr uint32_t longer_from(uint32_t count) {
    return count < 24 ? 24 : count < 256 ? 256 : 65536;
  }
  static constexpr size_t head_size(uint32_t count) {
    return count < 24 ? 1 : count < 256 ? 2 : count < 65536 ? 3 : 5;
  }
  static char* head(char* at, uint8_t major, uint64_t number) {
    const auto type = static_cast<uint8_t>(major << 5);
    if (number < 24) return put_big(at, static_cast<uint8_t>(type | number));
    if (number < 0x100) return put_big(at, type | 24, static_cast<uint8_t>(number));
    if (number < 0x10000) return put_big(at, type | 25, static_cast<uint16_t>(number));
    if (number < 0x1'0000'0000) return put_big(at, type | 26, static_cast<uint32_t>(number));
    return put_big(at, type | 27, number);
  }
  static char* container(char* at, bool object, uint32_t count) { return head(at, object ? 5 : 4, count); }
  static char* text(char* at, size_t size) { return head(at, 3, size); }
  static char* integer(char* at, uint64_t number) { return head(at, 0, number); }
  static char* negative(char* at, int64_t number) { return head(at, 1, ~static_cast<uint64_t>(number)); }
  static char* real(char* at, double number) {
    if (!is_single(number)) return put_big(at, 0xfb, std::bit_cast<uint64_t>(number));
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(number));
    uint16_t half = 0;
    if (to_half(bits, half)) return put_big(at, 0xf9, half);
    return put_big(at, 0xfa, bits);
  }
  static constexpr uint8_t kNull = 0xf6, kFalse = 0xf4, kTrue = 0xf5;

 private:
  // Of a single the half that is the same number. False: there is none.
  static bool to_half(uint32_t single, uint16_t& half) {
    const auto sign = static_cast<uint16_t>(single >> 16 & 0x8000);
    const int exponent = static_cast<int>(single >> 23 & 0xff) - 127;
    const uint32_t mantissa = single & 0x7fffff;
    if (exponent >= -14 && exponent <= 15) {
      if ((mantissa & 0x1fff) != 0) return false;
      half = static_cast<uint16_t>(sign | (exponent + 15) << 10 | mantissa >> 13);
      return true;
    }
    if (exponent == 128) {
      half = static_cast<uint16_t>(sign | 0x7c00);
      return mantissa == 0;
    }
    if (exponent < -24) {
      half = sign;
      return exponent == -127 && mantissa == 0;
    }
    if (exponent > 15) return false;
    // Denormal: so many units of 2^-24.
    const uint32_t whole = mantissa | 0x800000;
    const auto shift = static_cast<unsigned>(-1 - exponent);  // 14 to 23
    if ((whole & ((1U << shift) - 1)) != 0) return false;
    half = static_cast<uint16_t>(sign | whole >> shift);
    return true;
  }
};

// The format's specification of 2013-08 and later, https://github.com/msgpack/msgpack/blob/master/spec.md
struct MessagePack {
  static constexpr size_t kMostHead = 9;
  static constexpr uint32_t longer_from(uint32_t count) { return count < 16 ? 16 : 65536; }
  static constexpr size_t head_size(uint32_t count) { return count < 16 ? 1 : count < 65536 ? 3 : 5; }
  static char* container(char* at, bool object, uint32_t count) {
    if (count < 16) return put_big(at, static_cast<uint8_t>((object ? 0x80 : 0x90) | count));
    if (count < 65536) return put_big(at, object ? 0xde : 0xdc, static_cast<uint16_t>(count));
    return put_big(at, object ? 0xdf : 0xdd, count);
  }
  static char* text(char* at, size_t size) {
    if (size < 32) return put_big(at, static_cast<uint8_t>(0xa0 | size));
    if (size < 0x100) return put_big(at, 0xd9, static_cast<uint8_t>(size));
    if (size < 0x10000) return put_big(at, 0xda, static_cast<uint16_t>(size));
    return put_big(at, 0xdb, static_cast<uint32_t>(size));
  }
  static char* integer(char* at, uint64_t number) {
    if (number < 0x80) return put_big(at, static_cast<uint8_t>(number));
    if (number < 0x100) return put_big(at, 0xcc, static_cast<uint8_t>(number));
    if (number < 0x10000) return put_big(at, 0xcd, static_cast<uint16_t>(number));
    if (number < 0x1'0000'0000) return put_big(at, 0xce, static_cast<uint32_t>(number));
    return put_big(at, 0xcf, number);
  }
  static char* negative(char* at, int64_t number) {
    if (number >= -32) return put_big(at, static_cast<uint8_t>(number));
    if (number >= INT8_MIN) return put_big(at, 0xd0, static_cast<uint8_t>(number));
    if (number >= INT16_MIN) return put_big(at, 0xd1, static_cast<uint16_t>(number));
    if (number >= INT32_MIN) return put_big(at, 0xd2, static_cast<uint32_t>(number));
    return put_big(at, 0xd3, static_cast<uint64_t>(number));
  }
  static char* real(char* at, double number) {
    if (is_single(number)) return put_big(at, 0xca, std::bit_cast<uint32_t>(static_cast<float>(number)));
    return put_big(at, 0xcb, std::bit_cast<uint64_t>(number));
  }
  static constexpr uint8_t kNull = 0xc0, kFalse = 0xc2, kTrue = 0xc3;
};

// Text as UTF-8, each byte that is part of none become U+FFFD; `to` has three bytes for each. The end.
char* mend(char* to, std::string_view text) {
  while (!text.empty()) {
    const size_t size = encoding::utf8_sequence(text);
    const std::string_view taken = size != 0 ? text.substr(0, size) : "\xef\xbf\xbd";
    std::memcpy(to, taken.data(), taken.size());
    to += taken.size();
    text.remove_prefix(size != 0 ? size : 1);
  }
  return to;
}

template <class Code>
class BinaryBackend final : public EventBackend {
 public:
  explicit BinaryBackend(TextBuffer& out) : out_(out) {}

  void begin_object() override { open(true); }
  void end_object() override { close(); }
  void begin_array() override { open(false); }
  void end_array() override { close(); }
  bool key(std::string_view name) override {
    count();
    return write_text(name);
  }
  bool string(std::string_view text) override {
    element();
    return write_text(text);
  }
  void integer(int64_t number) override {
    if (!begin_value()) return;
    out_.at =
        number < 0 ? Code::negative(out_.at, number) : Code::integer(out_.at, static_cast<uint64_t>(number));
  }
  void unsigned_integer(uint64_t number) override {
    if (begin_value()) out_.at = Code::integer(out_.at, number);
  }
  void real(double number) override {
    if (begin_value()) out_.at = Code::real(out_.at, number);
  }
  void boolean(bool truth) override { simple(truth ? Code::kTrue : Code::kFalse); }
  void null() override { simple(Code::kNull); }
  void raw(std::string_view json) override {
    if (!replay(json, *this)) full_ = true;
  }
  [[nodiscard]] bool complete() const override { return !full_; }
  [[nodiscard]] std::optional<std::string_view> finish() override { return out_.text(); }

 private:
  // A container that is open: where its head lies, how many it has, and at how many that gets longer.
  struct Open {
    size_t head = 0;
    uint32_t count = 0;
    uint32_t longer_from = 0;
    bool object = true;  // none at the top, which counts as little as an object's values
  };

  [[nodiscard]] bool need(size_t size) {
    if (!full_ && out_.room(size)) [[likely]]
      return true;
    full_ = true;
    return false;
  }
  // One more in the innermost: a member, or an element.
  void count() {
    if (++open_.count == open_.longer_from) [[unlikely]]
      lengthen();
  }
  void element() {
    if (!open_.object) count();
  }
  [[nodiscard]] bool begin_value() {
    element();
    return need(Code::kMostHead);
  }
  void simple(uint8_t byte) {
    if (begin_value()) out_.put(static_cast<char>(byte));
  }
  void open(bool object) {
    element();
    if (!need(1)) return;
    outer_[depth_++] = std::exchange(
        open_,
        {.head = out_.text().size(), .count = 0, .longer_from = Code::longer_from(0), .object = object});
    ++out_.at;
  }
  void close() {
    if (full_) return;
    Code::container(out_.begin() + open_.head, open_.object, open_.count);
    open_ = outer_[--depth_];
  }
  [[gnu::noinline]] void lengthen() {
    const size_t was = Code::head_size(open_.count - 1), is = Code::head_size(open_.count);
    if (!need(is - was)) return;
    char* const content = out_.begin() + open_.head + was;
    std::memmove(content + (is - was), content, static_cast<size_t>(out_.at - content));
    out_.at += is - was;
    open_.longer_from = Code::longer_from(open_.count);
  }
  [[nodiscard]] bool write_text(std::string_view text) {
    if (!is_utf8(text)) [[unlikely]]
      return write_mended(text);
    if (!need(Code::kMostHead + text.size())) return false;
    out_.at = Code::text(out_.at, text.size());
    out_.put(text);
    return true;
  }
  [[gnu::noinline, nodiscard]] bool write_mended(std::string_view text) {
    if (!need(Code::kMostHead + 3 * text.size())) return false;
    // Behind where its head ends at most, and then to that.
    char* const mended = out_.at + Code::kMostHead;
    const auto size = static_cast<size_t>(mend(mended, text) - mended);
    out_.at = Code::text(out_.at, size);
    std::memmove(out_.at, mended, size);
    out_.at += size;
    return true;
  }

  TextBuffer& out_;
  Open open_;
  uint32_t depth_ = 0;
  bool full_ = false;
  std::array<Open, kMostDepth> outer_;
};

template <class Code>
EventBackend* make(TextBuffer& out) {
  void* const memory = out.arena().allocate(sizeof(BinaryBackend<Code>), alignof(BinaryBackend<Code>));
  return memory == nullptr ? nullptr : new (memory) BinaryBackend<Code>(out);
}

}  // namespace

EventBackend* make_cbor(TextBuffer& out) { return make<Cbor>(out); }
EventBackend* make_message_pack(TextBuffer& out) { return make<MessagePack>(out); }

}  // namespace leat::json
