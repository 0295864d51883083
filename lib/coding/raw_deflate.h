// DEFLATE without a frame (RFC 1951), message by message, each flushed to a byte's end: what permessage-deflate of WebSocket is
// made of (RFC 7692, section 7.2). Messages know nothing of each other: no window is kept from one to the next, so that one
// packer serves any number of connections.
//
// Thread: its owner's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace leat::coding {

class RawDeflater {
 public:
  virtual ~RawDeflater() = default;
  // Packs all of `message`, without the four bytes 00 00 ff ff at its end, which are the same for all. The size; nothing
  // where it does not fit into `out`, or memory is out.
  virtual std::optional<size_t> pack(std::string_view message, std::span<char> out) = 0;
};

class RawInflater {
 public:
  enum class State : uint8_t {
    Going,
    Hungry,
    Broken,
    NoMemory
  };  // Hungry: all of `in` was used, nothing is held back
  struct Step {
    size_t used = 0;  // of `in`
    size_t made = 0;  // of `out`
    State state = State::Going;
  };
  virtual ~RawInflater() = default;
  // A new message. False: memory is out.
  virtual bool begin() = 0;
  // As much as there is input and room for.
  virtual Step step(std::string_view in, std::span<char> out) = 0;
};

// Null where memory is out, or zlib is not there (has_raw_deflate). `window_bits`: 9 to 15.
std::unique_ptr<RawDeflater> make_raw_deflater(unsigned window_bits, unsigned level);
std::unique_ptr<RawInflater> make_raw_inflater();
[[nodiscard]] bool has_raw_deflate();

}  // namespace leat::coding
