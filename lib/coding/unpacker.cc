#include "coding/unpacker.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace leat::coding {

bool Unpacker::add(Coding coding, char* between) {
  ENSURE(count_ < kMostLayers && (count_ == 0 || between != nullptr));
  Layer& layer = layers_[count_];
  layer.coding = coding;
  layer.decoder = decoders_.take(coding);
  layer.between = between;
  if (layer.decoder == nullptr) return false;
  ++count_;
  return true;
}

size_t Unpacker::take(std::span<char> out) {
  if (count_ == 0 || problem_ != Problem::None) return 0;
  return fill(count_ - 1, out);
}

// Of the layer at that place.
size_t Unpacker::fill(size_t at, std::span<char> out) {
  Layer& layer = layers_[at];
  while (true) {
    if (layer.waiting.empty() && layer.state != Decoder::State::Going) {
      if (at == 0) return 0;
      layer.waiting = {layer.between, fill(at - 1, {layer.between, kBetween})};
      if (layer.waiting.empty()) return 0;
    }
    const Decoder::Step step = layer.decoder->step(layer.waiting, out);
    layer.begun = true;
    layer.waiting.remove_prefix(step.used);
    layer.state = step.state;
    layer.made += step.made;
    if (!judge(layer, step)) return 0;
    if (step.made != 0) return step.made;
  }
}

// False: there is a problem.
bool Unpacker::judge(const Layer& layer, const Decoder::Step& step) {
  // What makes nothing of nothing and wants no more is broken as well.
  const bool stuck = step.state == Decoder::State::Going && step.used == 0 && step.made == 0;
  if (step.state == Decoder::State::Broken || stuck) {
    problem_ = Problem::Broken;
  } else if (step.state == Decoder::State::NoMemory) {
    problem_ = Problem::NoMemory;
  } else if (layer.made > bounds_.size) {
    problem_ = Problem::TooLarge;
  } else if (layer.made > bounds_.free && (layer.made - bounds_.free) / bounds_.ratio > taken_) {
    problem_ = Problem::Bomb;
  }
  return problem_ == Problem::None;
}

bool Unpacker::has_more() const {
  return problem_ == Problem::None &&
         std::ranges::any_of(std::span(layers_).first(count_), [](const Layer& layer) {
           return !layer.waiting.empty() || layer.state == Decoder::State::Going;
         });
}

bool Unpacker::end() {
  if (problem_ != Problem::None) return false;
  const auto layers = std::span(layers_).first(count_);
  if (taken_ == 0) return true;
  // A layer on top of one that made nothing has not begun, and its content is missing.
  const bool whole = std::ranges::all_of(layers, [](const Layer& layer) {
    return layer.begun && layer.waiting.empty() && layer.state == Decoder::State::Ended;
  });
  if (!whole) problem_ = Problem::Truncated;
  return whole;
}

size_t Unpacker::memory() const {
  size_t bytes = 0;
  for (const Layer& layer : std::span(layers_).first(count_))
    if (layer.decoder != nullptr) bytes += layer.decoder->memory();
  return bytes;
}

void Unpacker::close() {
  for (Layer& layer : std::span(layers_).first(count_))
    decoders_.give(layer.coding, std::move(layer.decoder));
  count_ = 0;
}

}  // namespace leat::coding
