// Decoder: unpacks one stream of bytes after the other, all in one coding. Nothing that comes can harm it: what is no
// stream of the coding is said to be broken, and its memory is bounded by the coding.
//
//   decoder->begin()
//   step(piece, room)     while it is Going: again, with what of the piece was not used
//   at the end of what comes the last step said Ended, or it is truncated
//
// Thread: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "coding/coding.h"

namespace leat::coding {

class Decoder {
 public:
  enum class State : uint8_t {
    Going,     // there is more to be had: of the input or of what has been read of it
    Hungry,    // all of the input is used, and more is needed
    Ended,     // the stream is whole. What follows is another one of the same coding, or an error
    Broken,    // this is no such stream
    NoMemory,  // memory is out, or it asks for more than is given
  };
  struct Step {
    size_t used = 0;  // bytes of the input
    size_t made = 0;  // bytes of the output
    State state = State::Hungry;
  };

  virtual ~Decoder() = default;
  // False: memory is out.
  [[nodiscard]] virtual bool begin() = 0;
  // `out` has room for some bytes.
  [[nodiscard]] virtual Step step(std::string_view in, std::span<char> out) = 0;
  // Bytes that it holds.
  [[nodiscard]] virtual size_t memory() const = 0;
};

// For a coding that is decodable(). Null where memory is out.
std::unique_ptr<Decoder> make_decoder(Coding coding);

// Of the libraries, each in its file.
std::unique_ptr<Decoder> make_inflate_decoder(Coding coding);
std::unique_ptr<Decoder> make_brotli_decoder();
std::unique_ptr<Decoder> make_zstd_decoder();

}  // namespace leat::coding
