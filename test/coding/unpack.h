// What tests unpack answers with, and pack requests.
#pragma once

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "coding/decoder.h"
#include "coding/encoder.h"

namespace leat::coding::test {

// `text`, all of it; nothing where it is no whole stream.
inline std::optional<std::string> unpack(Coding coding, std::string_view text) {
  const auto decoder = make_decoder(coding);
  REQUIRE(decoder != nullptr);
  REQUIRE(decoder->begin());
  std::string out;
  std::array<char, 5000> room;
  Decoder::Step step;
  do {
    step = decoder->step(text, room);
    text.remove_prefix(step.used);
    out.append(room.data(), step.made);
  } while (step.state == Decoder::State::Going || (step.state == Decoder::State::Ended && !text.empty()));
  return step.state == Decoder::State::Ended ? std::optional(out) : std::nullopt;
}

// What can be read of `text` so far.
inline std::string unpack_begun(Coding coding, std::string_view text) {
  const auto decoder = make_decoder(coding);
  REQUIRE(decoder->begin());
  std::string out;
  std::array<char, 5000> room;
  Decoder::Step step;
  do {
    step = decoder->step(text, room);
    text.remove_prefix(step.used);
    out.append(room.data(), step.made);
  } while (step.state == Decoder::State::Going);
  return out;
}

// One step of a stream, all that comes of it.
inline std::string pack_piece(Encoder& encoder, std::string_view in, Encoder::Until until,
                              size_t room = 700) {
  std::string out, piece(room, '\0');
  Encoder::Step step;
  do {
    step = encoder.step(in, piece, until);
    REQUIRE_FALSE(step.failed);
    in.remove_prefix(step.used);
    out.append(piece, 0, step.made);
  } while (!step.done);
  return out;
}

inline std::string pack(Coding coding, std::string_view text, unsigned level = 3) {
  const auto encoder = make_encoder(coding);
  REQUIRE(encoder->begin(level));
  return pack_piece(*encoder, text, Encoder::Until::Ended, 5000);
}

}  // namespace leat::coding::test
