// Workspace: what all WebSockets of a thread use in turn, so that none of them has it for itself: room for a message that is
// received whole, and what packs and unpacks messages.
//
// Since a message's compression knows nothing of those before it, one packer serves all.
//
// Thread: each has its own, workspace().
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "coding/raw_deflate.h"

namespace leat::websocket {

struct Workspace {
  // Messages up to this lie here, larger ones in memory of their own. It is what one receive brings at most.
  static constexpr size_t kRoom = size_t{64} * 1024;
  static constexpr unsigned kLeastWindow = 9, kMostWindow = 15;

  char room[kRoom];   // of what is received
  char other[kRoom];  // of what is packed or unpacked
  std::unique_ptr<coding::RawInflater> inflater;
  std::array<std::unique_ptr<coding::RawDeflater>, kMostWindow + 1>
      deflaters;  // by the bits of their windows

  // Null where memory is out.
  coding::RawInflater* unpacker() {
    if (inflater == nullptr) inflater = coding::make_raw_inflater();
    return inflater.get();
  }
  coding::RawDeflater* packer(unsigned window_bits) {
    // The default of zlib; a level more costs half as much again for some percent of size.
    constexpr unsigned kLevel = 6;
    auto& deflater = deflaters[window_bits];
    if (deflater == nullptr) deflater = coding::make_raw_deflater(window_bits, kLevel);
    return deflater.get();
  }
};

inline Workspace& workspace() {
  static thread_local const std::unique_ptr<Workspace> mine(new Workspace);
  return *mine;
}

}  // namespace leat::websocket
