// What is packed must mean the same whatever pieces it comes in and goes out in, and nothing that comes may make more of
// itself than it is allowed.
//
// Unpacking: a body in one coding or two, whole and in random pieces, each in memory of its own, and with room for little or
// for much. Both ways find it good or both do not, and what a good one is made of is the same. No layer makes more than its
// bound, and a piece more.
//
// Packing: any bytes in random pieces, flushed after each, come out as they were, as far as they have come.
//
// Input: a byte that chooses, a byte that seeds the pieces, then the body.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "coding/encoder.h"
#include "coding/unpacker.h"
#include "fuzz/choices.h"

namespace leat::fuzz {

namespace {

using coding::Coding;
using coding::Unpacker;

constexpr uint64_t kMostMade = uint64_t{1} << 20;
constexpr size_t kMostRoom = size_t{16} << 10;

struct Result {
  bool good = false;
  std::string text;
};

Result unpack_by(std::string_view bytes, std::span<const Coding> layers, size_t most_piece, size_t room,
                 unsigned seed) {
  static coding::Decoders decoders;
  std::mt19937 random(seed);
  std::array<std::array<char, Unpacker::kBetween>, 2> between;
  Unpacker unpacker(decoders, {.size = kMostMade, .ratio = 2000, .free = kMostMade / 2});
  for (size_t i = 0; i < layers.size(); ++i)
    ENSURE(unpacker.add(layers[i], i == 0 ? nullptr : between[i].data()));
  Result result;
  std::vector<char> out(room);
  do {
    const size_t size =
        std::min<size_t>(bytes.size(), most_piece == 0 ? SIZE_MAX : 1 + random() % most_piece);
    const std::vector<char> piece(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    bytes.remove_prefix(size);
    ENSURE(unpacker.rest().empty());
    unpacker.give({piece.data(), piece.size()});
    while (const size_t made = unpacker.take(out)) {
      ENSURE(made <= room);
      result.text.append(out.data(), made);
    }
  } while (!bytes.empty() && unpacker.problem() == Unpacker::Problem::None);
  ENSURE(unpacker.made() <= kMostMade + kMostRoom);
  ENSURE(result.text.size() <= unpacker.made());
  ENSURE(unpacker.memory() < size_t{40} << 20);
  result.good = unpacker.end();
  ENSURE(result.good == (unpacker.problem() == Unpacker::Problem::None));
  return result;
}

void check_unpacking(std::string_view bytes, std::span<const Coding> layers, unsigned seed) {
  const Result whole = unpack_by(bytes, layers, 0, kMostRoom, 0);
  for (const size_t most : {size_t{1}, size_t{7}, size_t{300}}) {
    // Where little is made of it at a time, less is made of a body that is refused for what it makes of little.
    const Result pieces = unpack_by(bytes, layers, most, most == 7 ? 1 : kMostRoom, seed);
    if (whole.text.size() > kMostMade / 2) continue;
    ENSURE(whole.good == pieces.good);
    ENSURE(!whole.good || whole.text == pieces.text);
  }
}

void check_packing(std::string_view text, Coding coding, unsigned level, unsigned seed) {
  static std::array<std::unique_ptr<coding::Encoder>, coding::kCodings> encoders;
  auto& encoder = encoders[static_cast<size_t>(coding)];
  if (encoder == nullptr) encoder = coding::make_encoder(coding);
  ENSURE(encoder->begin(level));
  std::mt19937 random(seed);
  std::string packed;
  char out[coding::Encoder::kLeastRoom * 3];
  const auto put = [&](std::string_view piece, coding::Encoder::Until until) {
    const size_t room = coding::Encoder::kLeastRoom + random() % (sizeof out - coding::Encoder::kLeastRoom);
    for (bool more = true; more;) {
      const auto step = encoder->step(piece, std::span(out).first(room), until);
      ENSURE(!step.failed);
      piece.remove_prefix(step.used);
      packed.append(out, step.made);
      more = !step.done;
    }
  };
  for (size_t at = 0; at < text.size();) {
    const size_t size = 1 + random() % 1000;
    put(text.substr(at, size), coding::Encoder::Until::Flushed);
    at += size;
  }
  put({}, coding::Encoder::Until::Ended);
  const Coding layers[] = {coding};
  const Result result = unpack_by(packed, layers, 0, kMostRoom, 0);
  ENSURE(result.good && result.text == text);
  std::string room(text.size() + text.size() / 8 + 1024, '\0');
  const size_t size = encoder->whole(level, text, room);
  ENSURE(size != 0);
  const Result all = unpack_by(std::string_view(room).substr(0, size), layers, 0, kMostRoom, 0);
  ENSURE(all.good && all.text == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Choices choices(data, size);
  const uint8_t kind = choices.byte();
  const uint8_t seed = choices.byte();
  const auto decodable = coding::decodable();
  const auto encodable = coding::encodable();
  if (decodable.empty() || encodable.empty()) return 0;
  const Coding layers[] = {decodable[kind / 4 % decodable.size()], decodable[kind / 16 % decodable.size()]};
  switch (kind % 4) {
    case 0:
      check_packing(choices.rest(), encodable[kind / 4 % encodable.size()], 1 + seed % 6, seed);
      break;
    case 1:
      check_unpacking(choices.rest(), layers, seed);
      break;
    default:
      check_unpacking(choices.rest(), std::span(layers).first(1), seed);
  }
  return 0;
}

}  // namespace leat::fuzz
