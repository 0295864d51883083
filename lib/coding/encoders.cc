#include "coding/encoders.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

namespace leat::coding {

Encoders::Encoders() {
  for (OfCoding& each : codings_) each.idle.reserve(kMostIdle);
}

std::unique_ptr<Encoder> Encoders::take(Coding coding) {
  auto& idle = codings_[static_cast<size_t>(coding)].idle;
  if (idle.empty()) return make_encoder(coding);
  std::unique_ptr<Encoder> encoder = std::move(idle.back());
  idle.pop_back();
  return encoder;
}

void Encoders::give(Coding coding, std::unique_ptr<Encoder> encoder) {
  auto& idle = codings_[static_cast<size_t>(coding)].idle;
  if (encoder != nullptr && idle.size() < kMostIdle) idle.push_back(std::move(encoder));
}

std::string_view Encoders::whole(Coding coding, unsigned level, std::string_view in, size_t most) {
  auto& encoder = codings_[static_cast<size_t>(coding)].whole;
  if (encoder == nullptr) encoder = make_encoder(coding);
  const std::span<char> out = scratch(most);
  if (encoder == nullptr || out.empty()) return {};
  return {out.data(), encoder->whole(level, in, out.first(most))};
}

std::span<char> Encoders::scratch(size_t size) {
  constexpr size_t kLeast = size_t{64} << 10;
  if (size > scratch_size_) {
    const size_t room = std::bit_ceil(std::max(size, kLeast));
    scratch_.reset(new (std::nothrow) char[room]);
    scratch_size_ = scratch_ == nullptr ? 0 : room;
  }
  return {scratch_.get(), scratch_size_};
}

}  // namespace leat::coding
