// Decoders: those of one worker, used again and again. A few that came back wait for the next request, with their
// memory where that is not much; what the others hold is their owners' to count.
//
// Thread: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "coding/decoder.h"

namespace leat::coding {

class Decoders {
 public:
  // So many of each coding wait at most, with so many bytes each: those of gzip and of usual windows. One that had a large
  // window is not worth keeping for the next client, who may not need it.
  static constexpr size_t kMostIdle = 8;
  static constexpr size_t kMostIdleBytes = size_t{512} << 10;

  Decoders() {
    for (auto& each : idle_) each.reserve(kMostIdle);
  }
  Decoders(Decoders&&) = default;

  // One that is begun. Null where memory is out.
  [[nodiscard]] std::unique_ptr<Decoder> take(Coding coding) {
    auto& idle = idle_[static_cast<size_t>(coding)];
    std::unique_ptr<Decoder> decoder;
    if (idle.empty()) {
      decoder = make_decoder(coding);
    } else {
      decoder = std::move(idle.back());
      idle.pop_back();
    }
    if (decoder != nullptr && !decoder->begin()) decoder.reset();
    return decoder;
  }
  void give(Coding coding, std::unique_ptr<Decoder> decoder) {
    auto& idle = idle_[static_cast<size_t>(coding)];
    if (decoder != nullptr && idle.size() < kMostIdle && decoder->memory() <= kMostIdleBytes)
      idle.push_back(std::move(decoder));
  }

 private:
  std::array<std::vector<std::unique_ptr<Decoder>>, kCodings> idle_;
};

}  // namespace leat::coding
