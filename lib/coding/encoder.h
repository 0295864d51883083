// Encoder: packs one stream of bytes after the other, all in one coding.
//
//   encoder->begin(level, nothing)
//   step(piece, room, Until::Flushed)   again until `done`; what has come is then whole for who reads
//   step({}, room, Until::Ended)        likewise, at the end
//
// One that has ended, or was left half-way, is begun anew; its memory stays. whole() is all of it in one call, and may
// be another library's.
//
// Thread: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "coding/coding.h"

namespace leat::coding {

class Encoder {
 public:
  enum class Until : uint8_t {
    Flushed,  // all that has come can be read
    Ended     // and nothing follows
  };
  struct Step {
    size_t used = 0;      // bytes of the input
    size_t made = 0;      // bytes of the output
    bool done = false;    // it has come as far as it was to
    bool failed = false;  // memory is out: the stream is lost
  };

  virtual ~Encoder() = default;
  // A step's output has room for so many bytes: zlib would put one mark of a flush behind the other into a few.
  static constexpr size_t kLeastRoom = 64;

  // `level` is one of levels_of(). False: memory is out.
  [[nodiscard]] virtual bool begin(unsigned level) = 0;
  [[nodiscard]] virtual Step step(std::string_view in, std::span<char> out, Until until) = 0;
  // `in`, packed into `out`: how many bytes that takes, or 0 where it does not fit or memory is out. Ends any stream.
  [[nodiscard]] virtual size_t whole(unsigned level, std::string_view in, std::span<char> out) = 0;
  // Bytes that it holds.
  [[nodiscard]] virtual size_t memory() const = 0;
};

// For a coding that is encodable(). Null where memory is out.
std::unique_ptr<Encoder> make_encoder(Coding coding);

// Of the libraries, each in its file.
std::unique_ptr<Encoder> make_gzip_encoder();
std::unique_ptr<Encoder> make_brotli_encoder();
std::unique_ptr<Encoder> make_zstd_encoder();

// gzip of all at once, by libraries that are quicker than zlib at that. One for each worker.
class WholeGzip {
 public:
  virtual ~WholeGzip() = default;
  // As Encoder's.
  [[nodiscard]] virtual size_t whole(unsigned level, std::string_view in, std::span<char> out) = 0;
  [[nodiscard]] virtual size_t memory() const = 0;
};
// Up to this level it is ISA-L's, which has no other that is worth its time, and from there on libdeflate's.
inline constexpr unsigned kMostIsalLevel = 3;
// Null each where memory is out, or the library is not built in.
std::unique_ptr<WholeGzip> make_isal_gzip();
std::unique_ptr<WholeGzip> make_libdeflate_gzip();

}  // namespace leat::coding
