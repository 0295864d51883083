// Encoders against decoders: whatever is packed, in whatever pieces, comes out as it was, and what is broken is told.
#include <algorithm>
#include <random>
#include <vector>

#include "coding/encoders.h"
#include "coding/recycler.h"
#include "coding/unpack.h"

namespace leat::coding {

namespace {

using test::pack;
using test::pack_piece;
using test::unpack;
using test::unpack_begun;
using State = Decoder::State;

class Random {
 public:
  Random() : seed_(std::random_device{}()), engine_(seed_) {}
  [[nodiscard]] uint64_t seed() const { return seed_; }
  size_t below(size_t bound) { return engine_() % bound; }

  // Words that repeat, runs and noise, as documents have them.
  std::string document(size_t most) {
    static constexpr std::string_view kWords[] = {"\"name\":", "value", ",",   "{", "}",
                                                  "true",      "the ",  "of ", "\n"};
    std::string text;
    for (const size_t size = below(most) + 1; text.size() < size;) {
      const size_t what = below(10);
      if (what < 8) {
        text += kWords[below(std::size(kWords))];
      } else if (what == 8) {
        text.append(below(300), static_cast<char>(below(256)));
      } else {
        for (size_t i = below(100); i > 0; --i) text += static_cast<char>(below(256));
      }
    }
    return text;
  }

 private:
  const uint64_t seed_;
  std::mt19937_64 engine_;
};

}  // namespace

TEST_CASE("coding: names, and those that stand for one") {
  CHECK(find_coding("gzip") == Coding::Gzip);
  CHECK(find_coding("X-GZip") == Coding::Gzip);
  CHECK(find_coding("BR") == Coding::Brotli);
  CHECK(find_coding("zstd") == Coding::Zstd);
  CHECK(find_coding("deflate") == Coding::Deflate);
  CHECK_FALSE(find_coding("identity"));
  CHECK_FALSE(find_coding("compress"));
  CHECK_FALSE(find_coding(""));
  for (const Coding each : decodable()) CHECK(find_coding(name_of(each)) == each);
}

TEST_CASE("coding: whatever is packed in whatever pieces comes out as it was") {
  Random random;
  INFO("seed " << random.seed());
  REQUIRE_FALSE(encodable().empty());
  for (const Coding coding : encodable()) {
    const auto encoder = make_encoder(coding);  // one, begun anew for each
    for (int round = 0; round < 60; ++round) {
      const std::string text = random.document(round % 5 == 0 ? 200'000 : 5000);
      const auto level = static_cast<unsigned>(1 + random.below(9));
      INFO(name_of(coding) << " " << level << " " << text.size());
      REQUIRE(encoder->begin(level));
      std::string packed;
      size_t at = 0;
      while (at < text.size()) {
        const size_t size = std::min(text.size() - at, 1 + random.below(text.size()));
        packed += pack_piece(*encoder, std::string_view(text).substr(at, size), Encoder::Until::Flushed,
                             Encoder::kLeastRoom + random.below(2000));
        at += size;
        // All of it can be read by now.
        if (round % 4 == 0) {
          const bool readable = unpack_begun(coding, packed) == text.substr(0, at);
          REQUIRE(readable);
        };
      }
      packed += pack_piece(*encoder, {}, Encoder::Until::Ended, Encoder::kLeastRoom + random.below(100));
      const bool same = unpack(coding, packed) == text;
      REQUIRE(same);
    }
  }
}

TEST_CASE("coding: an encoder that was left half-way begins anew") {
  for (const Coding coding : encodable()) {
    const auto encoder = make_encoder(coding);
    REQUIRE(encoder->begin(5));
    (void)pack_piece(*encoder, std::string(100'000, 'x'), Encoder::Until::Flushed);
    REQUIRE(encoder->begin(1));
    CHECK(unpack(coding, pack_piece(*encoder, "hello", Encoder::Until::Ended)) == "hello");
    char room[100];
    REQUIRE(encoder->begin(9));
    (void)encoder->step("half", room, Encoder::Until::Flushed);
    const size_t size = encoder->whole(4, "whole", room);
    CHECK(unpack(coding, {room, size}) == "whole");
  }
}

TEST_CASE("coding: all at once, at each level, and not where it does not fit") {
  Random random;
  INFO("seed " << random.seed());
  Encoders encoders;
  const std::string text = random.document(50'000) + std::string(1000, 'a');
  for (const Coding coding : encodable()) {
    for (unsigned level = levels_of(coding).least; level <= levels_of(coding).most; ++level) {
      INFO(name_of(coding) << " " << level);
      const std::string packed(encoders.whole(coding, level, text, text.size()));
      REQUIRE_FALSE(packed.empty());
      CHECK(packed.size() < text.size());
      const bool same = unpack(coding, packed) == text;
      REQUIRE(same);
      CHECK(encoders.whole(coding, level, text, packed.size() / 2).empty());
      const bool again = encoders.whole(coding, level, text, text.size()) == packed;
      REQUIRE(again);
    }
  }
}

TEST_CASE("coding: a higher level makes less of it") {
  std::string text;
  for (int i = 0; i < 2000; ++i)
    text += "{\"id\":" + std::to_string(i * 7919 % 10'007) + ",\"name\":\"user " + std::to_string(i % 97) +
            "\"},";
  Encoders encoders;
  for (const Coding coding : encodable()) {
    INFO(name_of(coding));
    CHECK(encoders.whole(coding, 9, text, text.size()).size() <
          encoders.whole(coding, 1, text, text.size()).size());
  }
}

TEST_CASE("coding: a stream byte by byte, and with room for one byte") {
  const std::string text = "{\"a\":1,\"b\":[1,2,3],\"c\":\"" + std::string(500, 'c') + "\"}";
  for (const Coding coding : decodable()) {
    if (!is_encodable(coding)) continue;
    INFO(name_of(coding));
    const std::string packed = pack(coding, text);
    const auto decoder = make_decoder(coding);
    REQUIRE(decoder->begin());
    std::string out;
    State state = State::Hungry;
    for (size_t i = 0; i < packed.size(); ++i) {
      REQUIRE(state != State::Ended);
      std::string_view in = std::string_view(packed).substr(i, 1);
      char room;
      Decoder::Step step;
      do {
        step = decoder->step(in, {&room, 1});
        in.remove_prefix(step.used);
        if (step.made != 0) out += room;
        state = step.state;
      } while (state == State::Going);
    }
    CHECK(state == State::Ended);
    CHECK(out == text);
    CHECK(decoder->step({}, {}).state == State::Ended);
  }
}

TEST_CASE("coding: what is cut, changed or followed by something else is no stream") {
  const std::string text = "some text, some text, some text";
  for (const Coding coding : decodable()) {
    if (!is_encodable(coding)) continue;
    INFO(name_of(coding));
    const std::string packed = pack(coding, text);
    for (size_t size = 0; size < packed.size(); ++size)
      CHECK_FALSE(unpack(coding, std::string_view(packed).substr(0, size)));
    CHECK_FALSE(unpack(coding, packed + "x"));
    CHECK_FALSE(unpack(coding, "x" + packed));
    CHECK_FALSE(unpack(coding, "plain text"));
  }
  if (!is_decodable(Coding::Gzip)) return;
  // A checksum that is wrong.
  std::string packed = pack(Coding::Gzip, text);
  packed[packed.size() - 6] ^= 1;
  CHECK_FALSE(unpack(Coding::Gzip, packed));
}

TEST_CASE("coding: members of gzip and frames of zstd follow each other") {
  for (const Coding coding : {Coding::Gzip, Coding::Zstd})
    if (is_decodable(coding)) CHECK(unpack(coding, pack(coding, "one ") + pack(coding, "two")) == "one two");
}

TEST_CASE("coding: deflate is understood with zlib's frame and without") {
  if (!is_decodable(Coding::Deflate)) return;
  // "hello hello hello hello", by zlib.compress() and by a compressobj with wbits=-15.
  const std::string framed("\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x27\x01\x68\x03\x08\xb1", 16);
  CHECK(unpack(Coding::Deflate, framed) == "hello hello hello hello");
  const std::string raw = framed.substr(2, framed.size() - 6);
  CHECK(unpack(Coding::Deflate, raw) == "hello hello hello hello");
  std::string wrong = framed;
  wrong.back() ^= 1;
  CHECK_FALSE(unpack(Coding::Deflate, wrong));
  CHECK_FALSE(unpack(Coding::Deflate, framed + "x"));
}

TEST_CASE("coding: a window of more than 8 MiB is refused") {
  if (!is_decodable(Coding::Zstd)) return;
  // A frame header without a size, whose window descriptor says 2 to the power of 24 (RFC 8878, section 3.1.1.1.2).
  const std::string frame("\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00", 9);
  CHECK_FALSE(unpack(Coding::Zstd, frame));
  std::string good = frame;
  good[5] = 0x68;  // 8 MiB
  CHECK(unpack(Coding::Zstd, good) == "");
}

TEST_CASE("coding: encoders that come back are lent again, and no more are kept than a few") {
  Encoders encoders;
  const Coding coding = encodable().front();
  std::vector<std::unique_ptr<Encoder>> out;
  for (size_t i = 0; i < Encoders::kMostIdle + 3; ++i) out.push_back(encoders.take(coding));
  Encoder* const last = out[Encoders::kMostIdle - 1].get();
  for (auto& each : out) encoders.give(coding, std::move(each));
  CHECK(encoders.take(coding).get() == last);
}

TEST_CASE("recycler: what came back is lent again, and no more is held than its limit") {
  Recycler memory;
  void* const first = memory.allocate(1000);
  void* const other = memory.allocate(64);
  CHECK(memory.held() == 1064);
  memory.free(first);
  memory.free(other);
  CHECK(memory.allocate(64) == other);
  CHECK(memory.allocate(900) == first);  // a quarter more than is needed will do
  memory.free(first);
  void* const third = memory.allocate(100);
  CHECK(third != first);  // ten times as much will not
  CHECK(memory.held() == 1164);
  memory.set_limit(1164);
  void* const fourth = memory.allocate(1000);
  CHECK(fourth == first);
  CHECK(memory.allocate(1) == nullptr);
  CHECK(memory.allocate(SIZE_MAX) == nullptr);
  memory.free(fourth);
  // What is idle goes for what is needed.
  void* const fifth = memory.allocate(500);
  CHECK(fifth != nullptr);
  CHECK(memory.held() == 664);
  for (void* each : {other, third, fifth}) memory.free(each);
}

}  // namespace leat::coding
