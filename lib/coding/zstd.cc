// zstd by libzstd (RFC 8878), with windows as RFC 9659 bounds them for HTTP: 8 MiB at most.
#include <zstd.h>
#include <zstd_errors.h>

#include <new>

#include "coding/decoder.h"
#include "coding/encoder.h"

namespace leat::coding {

namespace {

// Of the window of a stream, as brotli's here: 256 KiB.
constexpr int kStreamWindowLog = 18;
constexpr int kMostWindowLog = 23;

class ZstdEncoder final : public Encoder {
 public:
  ZstdEncoder() : context_(::ZSTD_createCCtx()) {}
  ~ZstdEncoder() override { ::ZSTD_freeCCtx(context_); }
  ZstdEncoder(const ZstdEncoder&) = delete;
  ZstdEncoder& operator=(const ZstdEncoder&) = delete;

  bool begin(unsigned level) override {
    if (!reset(level)) return false;
    ::ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, kStreamWindowLog);
    return true;
  }

  Step step(std::string_view in, std::span<char> out, Until until) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const size_t left =
        ::ZSTD_compressStream2(context_, &to, &from, until == Until::Ended ? ZSTD_e_end : ZSTD_e_flush);
    const bool failed = ::ZSTD_isError(left) != 0;
    return {.used = from.pos,
            .made = to.pos,
            .done = !failed && left == 0 && from.pos == in.size(),
            .failed = failed};
  }

  size_t whole(unsigned level, std::string_view in, std::span<char> out) override {
    if (!reset(level)) return 0;
    const size_t made = ::ZSTD_compress2(context_, out.data(), out.size(), in.data(), in.size());
    return ::ZSTD_isError(made) != 0 ? 0 : made;
  }

  [[nodiscard]] size_t memory() const override { return ::ZSTD_sizeof_CCtx(context_); }

 private:
  bool reset(unsigned level) {
    if (context_ == nullptr) return false;
    ::ZSTD_CCtx_reset(context_, ZSTD_reset_session_and_parameters);
    ::ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, static_cast<int>(level));
    return true;
  }

  ZSTD_CCtx* const context_;
};

// Any number of frames.
class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder() : context_(::ZSTD_createDCtx()) {
    if (context_ != nullptr) ::ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMostWindowLog);
  }
  ~ZstdDecoder() override { ::ZSTD_freeDCtx(context_); }
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  bool begin() override {
    if (context_ == nullptr) return false;
    ::ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    ended_ = false;
    return true;
  }

  Step step(std::string_view in, std::span<char> out) override {
    if (in.empty() && ended_) return {.state = State::Ended};
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const size_t left = ::ZSTD_decompressStream(context_, &to, &from);
    Step step{.used = from.pos, .made = to.pos, .state = State::Going};
    if (::ZSTD_isError(left) != 0) {
      step.state =
          ::ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? State::NoMemory : State::Broken;
      return step;
    }
    ended_ = left == 0;
    if (ended_) {
      step.state = State::Ended;
    } else if (from.pos == in.size() && to.pos < out.size()) {
      step.state = State::Hungry;
    }
    return step;
  }

  [[nodiscard]] size_t memory() const override { return ::ZSTD_sizeof_DCtx(context_); }

 private:
  ZSTD_DCtx* const context_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_zstd_encoder() {
  return std::unique_ptr<Encoder>(new (std::nothrow) ZstdEncoder);
}
std::unique_ptr<Decoder> make_zstd_decoder() {
  return std::unique_ptr<Decoder>(new (std::nothrow) ZstdDecoder);
}

}  // namespace leat::coding
