// br by libbrotli (RFC 7932). Its states cannot be set back: each stream has its own, whose memory is the last one's.
#include <brotli/decode.h>
#include <brotli/encode.h>

#include <algorithm>
#include <bit>
#include <new>

#include "coding/decoder.h"
#include "coding/encoder.h"
#include "coding/recycler.h"

namespace leat::coding {

namespace {

// Of the window of a stream: 256 KiB. 4 MiB, its default, would be held for each answer that is under way, for some
// percent of large ones.
constexpr uint32_t kStreamWindow = 18;
constexpr uint32_t kLeastWindow = 16, kMostWindow = 22;

const uint8_t* bytes_of_text(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }
uint8_t* bytes_of_room(std::span<char> room) { return reinterpret_cast<uint8_t*>(room.data()); }

class BrotliEncoder final : public Encoder {
 public:
  BrotliEncoder() = default;
  ~BrotliEncoder() override { end(); }
  BrotliEncoder(const BrotliEncoder&) = delete;
  BrotliEncoder& operator=(const BrotliEncoder&) = delete;

  bool begin(unsigned level) override { return begin(level, kStreamWindow, 0); }

  Step step(std::string_view in, std::span<char> out, Until until) override {
    size_t left = in.size(), room = out.size();
    const uint8_t* from = bytes_of_text(in);
    uint8_t* to = bytes_of_room(out);
    const auto operation = until == Until::Ended ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_FLUSH;
    const bool good =
        ::BrotliEncoderCompressStream(state_, operation, &left, &from, &room, &to, nullptr) == BROTLI_TRUE;
    Step step{.used = in.size() - left, .made = out.size() - room, .failed = !good};
    step.done = good && left == 0 && ::BrotliEncoderHasMoreOutput(state_) == BROTLI_FALSE &&
                (until == Until::Flushed || ::BrotliEncoderIsFinished(state_) == BROTLI_TRUE);
    return step;
  }

  size_t whole(unsigned level, std::string_view in, std::span<char> out) override {
    const auto window = static_cast<uint32_t>(std::bit_width(in.size()));
    if (!begin(level, std::clamp(window, kLeastWindow, kMostWindow), in.size())) return 0;
    const Step all = step(in, out, Until::Ended);
    end();
    return all.done ? all.made : 0;
  }

  [[nodiscard]] size_t memory() const override { return memory_.held(); }

 private:
  bool begin(unsigned level, uint32_t window, size_t size) {
    end();
    state_ = ::BrotliEncoderCreateInstance(Recycler::allocate_bytes, Recycler::free_bytes, &memory_);
    if (state_ == nullptr) return false;
    ::BrotliEncoderSetParameter(state_, BROTLI_PARAM_QUALITY, level);
    ::BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGWIN, window);
    if (size != 0)
      ::BrotliEncoderSetParameter(state_, BROTLI_PARAM_SIZE_HINT,
                                  static_cast<uint32_t>(std::min<size_t>(size, UINT32_MAX)));
    return true;
  }
  void end() {
    if (state_ != nullptr) ::BrotliEncoderDestroyInstance(state_);
    state_ = nullptr;
  }

  Recycler memory_;
  BrotliEncoderState* state_ = nullptr;
};

class BrotliDecoder final : public Decoder {
 public:
  BrotliDecoder() { memory_.set_limit(kMostMemory); }
  ~BrotliDecoder() override { end(); }
  BrotliDecoder(const BrotliDecoder&) = delete;
  BrotliDecoder& operator=(const BrotliDecoder&) = delete;

  bool begin() override {
    end();
    state_ = ::BrotliDecoderCreateInstance(Recycler::allocate_bytes, Recycler::free_bytes, &memory_);
    ended_ = false;
    return state_ != nullptr;
  }

  Step step(std::string_view in, std::span<char> out) override {
    if (ended_) return {.state = in.empty() ? State::Ended : State::Broken};
    size_t left = in.size(), room = out.size();
    const uint8_t* from = bytes_of_text(in);
    uint8_t* to = bytes_of_room(out);
    const auto result = ::BrotliDecoderDecompressStream(state_, &left, &from, &room, &to, nullptr);
    Step step{.used = in.size() - left, .made = out.size() - room, .state = State::Going};
    switch (result) {
      case BROTLI_DECODER_RESULT_SUCCESS:
        ended_ = true;
        step.state = State::Ended;
        break;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        // It says so, too, while it holds what there was no room for.
        if (::BrotliDecoderHasMoreOutput(state_) == BROTLI_FALSE) step.state = State::Hungry;
        break;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        break;
      default: {
        const int code = ::BrotliDecoderGetErrorCode(state_);
        const bool memory = code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                            code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
        step.state = memory ? State::NoMemory : State::Broken;
      }
    }
    return step;
  }

  [[nodiscard]] size_t memory() const override { return memory_.held(); }

 private:
  // The largest window of RFC 7932 is 16 MiB, and its tables come to less than one.
  static constexpr size_t kMostMemory = size_t{18} << 20;

  void end() {
    if (state_ != nullptr) ::BrotliDecoderDestroyInstance(state_);
    state_ = nullptr;
  }

  Recycler memory_;
  BrotliDecoderState* state_ = nullptr;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_brotli_encoder() {
  return std::unique_ptr<Encoder>(new (std::nothrow) BrotliEncoder);
}
std::unique_ptr<Decoder> make_brotli_decoder() {
  return std::unique_ptr<Decoder>(new (std::nothrow) BrotliDecoder);
}

}  // namespace leat::coding
