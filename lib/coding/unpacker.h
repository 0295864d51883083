// Unpacker: takes a body out of one coding, or of several on top of each other, and stops where it gets too large.
//
//   Unpacker unpacker(decoders, bounds)
//   add(Coding::Gzip)        for each coding, the one that was put on last first
//   give(piece)              all of what was given before has been used
//   take(room)               again, until it makes nothing
//   end()                    nothing follows: is it whole?
//
// Its bounds are about what is made of the input, and about what each coding makes of what lies below it: a bomb need not
// be in the last one.
//
// Thread: its decoders'.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "coding/decoders.h"

namespace leat::coding {

class Unpacker {
 public:
  static constexpr size_t kMostLayers = 4;

  struct Bounds {
    uint64_t size = UINT64_MAX;   // bytes that are made
    uint64_t ratio = UINT64_MAX;  // of those, for each byte of the input ...
    uint64_t free = 0;            // ... beyond these
  };
  enum class Problem : uint8_t {
    None,
    Broken,     // it is no such coding
    Truncated,  // it ends too soon
    TooLarge,
    Bomb,  // more is made of a byte than may be
    NoMemory
  };

  Unpacker(Decoders& decoders, const Bounds& bounds) : decoders_(decoders), bounds_(bounds) {}
  ~Unpacker() { close(); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  // `between` has room for what comes of the layer below, which is kBetween bytes; the first layer needs none. False:
  // memory is out. At most kMostLayers.
  static constexpr size_t kBetween = size_t{4} << 10;
  [[nodiscard]] bool add(Coding coding, char* between);
  void set_most(uint64_t size) { bounds_.size = size; }

  // `piece` must stay until it is used; see rest().
  void give(std::string_view piece) {
    taken_ += piece.size();
    layers_[0].waiting = piece;
  }
  // How many bytes were made. 0: all of the input is used, or there is a problem().
  [[nodiscard]] size_t take(std::span<char> out);
  // What of the input is not used yet; and where that is from now on.
  [[nodiscard]] std::string_view rest() const { return layers_[0].waiting; }
  void move_rest(std::string_view rest) { layers_[0].waiting = rest; }
  // Whether take() may make something without being given more.
  [[nodiscard]] bool has_more() const;
  // Nothing was given, or all of it is whole; else there is a problem().
  bool end();
  [[nodiscard]] Problem problem() const { return problem_; }
  // Bytes that its decoders hold.
  [[nodiscard]] size_t memory() const;
  // Gives the decoders back.
  void close();

  [[nodiscard]] uint64_t taken() const { return taken_; }
  [[nodiscard]] uint64_t made() const { return count_ == 0 ? 0 : layers_[count_ - 1].made; }

 private:
  struct Layer {
    Coding coding = Coding::Gzip;
    std::unique_ptr<Decoder> decoder;
    char* between = nullptr;
    std::string_view waiting;
    Decoder::State state = Decoder::State::Hungry;
    bool begun = false;
    uint64_t made = 0;
  };
  size_t fill(size_t at, std::span<char> out);
  bool judge(const Layer& layer, const Decoder::Step& step);

  Decoders& decoders_;
  Bounds bounds_;
  // The first is the one that was put on last.
  std::array<Layer, kMostLayers> layers_;
  size_t count_ = 0;
  uint64_t taken_ = 0;
  Problem problem_ = Problem::None;
};

}  // namespace leat::coding
