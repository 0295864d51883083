// JSON that strangers send must mean the same whoever reads it, and however. The same text goes through
//  - json::is_json_value, which shares no code with the others but what UTF-8 is,
//  - JsonReader: read over in one step; value by value; and by a walk that leaves out, leaves early and takes
//    whole what it likes,
//  - the reader of structs, and JsonReader asked for the same members.
// They must agree on what is JSON, but for halves of surrogate pairs, which the readers refuse; and the
// readers, on the byte, the place and the words of what is wrong. What a struct has understood must be the
// same once it was written and read again.
//
// Input: a byte that seeds the walk, then the text.
#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/check.h"
#include "fuzz/choices.h"
#include "json/valid.h"
#include "plugin/json_reader.h"
#include "plugin/sdk/plugin_json.hpp"

namespace leat::fuzz {

namespace {

using plugin::JsonReader;

struct Inner {
  int64_t x;
  std::optional<double> y;
};
LEAT_JSON(Inner, x, y);
struct Order {
  std::string item;
  uint8_t count;
  std::optional<bool> express;
  std::vector<Inner> inner;
};
LEAT_JSON(Order, item, count, express, inner);

struct Verdict {
  bool good = true;
  size_t offset = 0;
  std::string message, pointer;
  bool operator==(const Verdict&) const = default;
};

Verdict verdict_of(JsonReader& reader) {
  reader.finish();
  ENSURE(reader.state() == JsonReader::State::Fine || reader.state() == JsonReader::State::BadText);
  if (reader.state() == JsonReader::State::Fine) return {};
  return {false, reader.offset(), std::string(reader.message()), std::string(reader.pointer())};
}

// Whether an escape of a text that is JSON is one half of a surrogate pair.
bool has_half_pair(std::string_view text) {
  const auto code_at = [&](size_t at) -> unsigned {
    if (!text.substr(at).starts_with("\\u")) return 0;
    return static_cast<unsigned>(std::stoul(std::string(text.substr(at + 2, 4)), nullptr, 16));
  };
  for (size_t at = 0; (at = text.find('\\', at)) != std::string_view::npos;) {
    const unsigned code = code_at(at) & 0xfc00;
    if (code == 0xdc00) return true;
    if (code == 0xd800) {
      if ((code_at(at + 6) & 0xfc00) != 0xdc00) return true;
      at += 6;
    }
    at += 2;
  }
  return false;
}

// Reads a value and what is in it; with `random`, only as much as it says.
void walk(JsonReader& reader, std::mt19937* random) {
  const auto chance = [&] { return random != nullptr && (*random)() % 8 == 0; };
  if (chance()) return;  // not read
  if (chance()) return void(reader.raw());
  switch (reader.kind()) {
    case LEAT_JSON_IS_OBJECT:
      if (!reader.object({}, 0)) return;
      while (reader.member() >= 0) {
        ENSURE(reader.name().data() != nullptr);
        walk(reader, random);
        if (chance()) return reader.leave();
      }
      return;
    case LEAT_JSON_IS_ARRAY:
      if (!reader.array()) return;
      while (reader.element()) {
        walk(reader, random);
        if (chance()) return reader.leave();
      }
      return;
    case LEAT_JSON_IS_STRING:
      (void)reader.string();
      return;
    case LEAT_JSON_IS_NULL:
      if (!reader.null()) reader.raw();
      return;
    default:
      reader.raw();
  }
}

void read(JsonReader& reader, Inner& inner) {
  constexpr std::array<leat_str, 2> kNames = {leat_str LEAT_STR_INIT("x"), leat_str LEAT_STR_INIT("y")};
  if (!reader.object(kNames, 1)) return;
  for (int32_t which; (which = reader.member()) >= 0;) {
    if (which == 0)
      inner.x = reader.integer(INT64_MIN, INT64_MAX);
    else if (!reader.null())
      inner.y = reader.real();
  }
}
void read(JsonReader& reader, Order& order) {
  static constexpr std::array<leat_str, 4> kNames = {
      leat_str LEAT_STR_INIT("item"), leat_str LEAT_STR_INIT("count"), leat_str LEAT_STR_INIT("express"),
      leat_str LEAT_STR_INIT("inner")};
  if (!reader.object(kNames, 0b1011)) return;
  for (int32_t which; (which = reader.member()) >= 0;) {
    if (which == 0) {
      order.item = reader.string();
    } else if (which == 1) {
      order.count = static_cast<uint8_t>(reader.unsigned_integer(0, 255));
    } else if (which == 2) {
      if (!reader.null()) order.express = reader.boolean();
    } else if (reader.array()) {
      while (reader.element()) read(reader, order.inner.emplace_back());
    }
  }
}

std::string written(const Order& order) {
  std::vector<char> room(1 << 20);
  Encoder encoder(
      room.data(), room.data() + room.size(), [](void*, char*&, char*&, size_t) { return false; }, nullptr);
  encoder.value(order);
  return {room.data(), encoder.end()};
}

Verdict decode(std::string_view text, Order& order) {
  try {
    Decoder(text, nullptr, nullptr).read(order);
    return {};
  } catch (const Decoder::Error& error) {
    return {false, error.offset, error.message, error.pointer};
  }
}

void run(const uint8_t* data, size_t size) {
  static BlockPool pool(1024, 1024);
  Arena arena(pool, size_t{8} << 20);
  Choices choices(data, size);
  std::mt19937 random(choices.byte());
  // In memory of its own, so that a byte read past it is seen.
  const std::vector<char> copy(choices.rest().begin(), choices.rest().end());
  const std::string_view text(copy.data(), copy.size());

  const bool good = json::is_json_value(text, JsonReader::kMostDepth) && !has_half_pair(text);
  JsonReader over(arena, text), whole(arena, text), part(arena, text), members(arena, text);
  const Verdict verdict = verdict_of(over);
  ENSURE(verdict.good == good);
  ENSURE(verdict.offset <= text.size());
  walk(whole, nullptr);
  ENSURE(verdict_of(whole) == verdict);
  walk(part, &random);
  ENSURE(verdict_of(part) == verdict);

  Order decoded{}, read_by_steps{};
  const Verdict of_struct = decode(text, decoded);
  read(members, read_by_steps);
  ENSURE(verdict_of(members) == of_struct);
  if (!of_struct.good) return;
  ENSURE(good);
  const std::string once = written(decoded);
  ENSURE(written(read_by_steps) == once);
  Order again{};
  ENSURE(decode(once, again).good);
  ENSURE(written(again) == once);
}

}  // namespace

}  // namespace leat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size <= size_t{1} << 16) leat::fuzz::run(data, size);
  return 0;
}
