// gzip and deflate by zlib.
#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <climits>
#include <new>
#include <utility>

#include "coding/decoder.h"
#include "coding/encoder.h"
#include "coding/recycler.h"

namespace leat::coding {

namespace {

// 32 KiB of window, which all decoders have, and a gzip frame (zlib.h, deflateInit2).
constexpr int kWindowBits = 15;
constexpr int kGzip = 16;
constexpr int kMemoryLevel = 8;

void use(z_stream& stream, Recycler& memory) {
  stream.zalloc = Recycler::allocate_items;
  stream.zfree = Recycler::free_bytes;
  stream.opaque = &memory;
}

uInt clamped(size_t size) { return static_cast<uInt>(std::min<size_t>(size, UINT_MAX)); }
const Bytef* bytes_of(std::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }
Bytef* bytes_of(std::span<char> room) { return reinterpret_cast<Bytef*>(room.data()); }

class GzipEncoder final : public Encoder {
 public:
  GzipEncoder() = default;
  ~GzipEncoder() override {
    if (made_) ::deflateEnd(&stream_);
  }
  GzipEncoder(const GzipEncoder&) = delete;
  GzipEncoder& operator=(const GzipEncoder&) = delete;

  bool begin(unsigned level) override {
    if (made_) return ::deflateReset(&stream_) == Z_OK && set_level(level);
    use(stream_, memory_);
    made_ = ::deflateInit2(&stream_, static_cast<int>(level), Z_DEFLATED, kWindowBits + kGzip, kMemoryLevel,
                           Z_DEFAULT_STRATEGY) == Z_OK;
    level_ = level;
    return made_;
  }

  Step step(std::string_view in, std::span<char> out, Until until) override {
    const uInt given = clamped(in.size()), room = clamped(out.size());
    stream_.next_in = bytes_of(in);
    stream_.avail_in = given;
    stream_.next_out = bytes_of(out);
    stream_.avail_out = room;
    const int result = ::deflate(&stream_, until == Until::Ended ? Z_FINISH : Z_SYNC_FLUSH);
    Step step{.used = given - stream_.avail_in, .made = room - stream_.avail_out};
    // Z_BUF_ERROR: there was nothing left to do.
    step.failed = result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR;
    // A flush that fills the room to its last byte may have more (zlib.h).
    step.done = until == Until::Ended ? result == Z_STREAM_END
                                      : stream_.avail_in == 0 && in.size() == given && stream_.avail_out != 0;
    return step;
  }

  size_t whole(unsigned level, std::string_view in, std::span<char> out) override {
    WholeGzip* quicker = level <= kMostIsalLevel ? isal_.get(make_isal_gzip) : nullptr;
    if (quicker == nullptr) quicker = libdeflate_.get(make_libdeflate_gzip);
    if (quicker != nullptr) return quicker->whole(level, in, out);
    if (!begin(level)) return 0;
    const Step all = step(in, out, Until::Ended);
    return all.done ? all.made : 0;
  }

  [[nodiscard]] size_t memory() const override {
    return memory_.held() + isal_.memory() + libdeflate_.memory();
  }

 private:
  // One of the libraries that pack all at once, asked for once there is something to pack.
  class Quicker {
   public:
    WholeGzip* get(std::unique_ptr<WholeGzip> (*make)()) {
      if (!std::exchange(asked_, true)) gzip_ = make();
      return gzip_.get();
    }
    [[nodiscard]] size_t memory() const { return gzip_ != nullptr ? gzip_->memory() : 0; }

   private:
    bool asked_ = false;
    std::unique_ptr<WholeGzip> gzip_;
  };

  bool set_level(unsigned level) {
    if (level == level_) return true;
    level_ = level;
    // Nothing has come since it was set back, so that nothing is flushed.
    return ::deflateParams(&stream_, static_cast<int>(level), Z_DEFAULT_STRATEGY) == Z_OK;
  }

  Recycler memory_;
  z_stream stream_{};
  bool made_ = false;
  unsigned level_ = 0;
  Quicker isal_, libdeflate_;
};

// Of gzip any number of members (RFC 1952, section 2.2), of deflate the one stream: with zlib's frame (RFC 1950), as the
// coding is defined, or without, as many send it.
class InflateDecoder final : public Decoder {
 public:
  explicit InflateDecoder(Coding coding) : gzip_(coding == Coding::Gzip) {}
  ~InflateDecoder() override {
    if (made_) ::inflateEnd(&stream_);
  }
  InflateDecoder(const InflateDecoder&) = delete;
  InflateDecoder& operator=(const InflateDecoder&) = delete;

  bool begin() override {
    begun_ = ended_ = false;
    return gzip_ ? reset(kWindowBits + kGzip) : true;
  }

  Step step(std::string_view in, std::span<char> out) override {
    if (in.empty() && (ended_ || !begun_)) return {.state = ended_ ? State::Ended : State::Hungry};
    if (ended_) {
      if (!gzip_) return {.state = State::Broken};
      if (!reset(kWindowBits + kGzip)) return {.state = State::NoMemory};
      ended_ = false;
    }
    if (!begun_) {
      begun_ = true;
      // A zlib header has 8 for its method in the low bits of the first byte; a raw stream cannot begin so, but for a
      // stored or dynamic block that no encoder begins with.
      if (!gzip_ && !reset((in[0] & 0x0f) == 8 ? kWindowBits : -kWindowBits))
        return {.state = State::NoMemory};
    }
    const uInt given = clamped(in.size()), room = clamped(out.size());
    stream_.next_in = bytes_of(in);
    stream_.avail_in = given;
    stream_.next_out = bytes_of(out);
    stream_.avail_out = room;
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    Step step{.used = given - stream_.avail_in, .made = room - stream_.avail_out, .state = State::Going};
    switch (result) {
      case Z_STREAM_END:
        ended_ = true;
        step.state = State::Ended;
        break;
      case Z_OK:
      case Z_BUF_ERROR:
        if (stream_.avail_out != 0 && step.used == in.size()) step.state = State::Hungry;
        break;
      case Z_MEM_ERROR:
        step.state = State::NoMemory;
        break;
      default:
        step.state = State::Broken;
    }
    return step;
  }

  [[nodiscard]] size_t memory() const override { return memory_.held(); }

 private:
  bool reset(int window_bits) {
    if (made_) return ::inflateReset2(&stream_, window_bits) == Z_OK;
    use(stream_, memory_);
    made_ = ::inflateInit2(&stream_, window_bits) == Z_OK;
    return made_;
  }

  const bool gzip_;
  Recycler memory_;
  z_stream stream_{};
  bool made_ = false;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_gzip_encoder() {
  return std::unique_ptr<Encoder>(new (std::nothrow) GzipEncoder);
}
std::unique_ptr<Decoder> make_inflate_decoder(Coding coding) {
  return std::unique_ptr<Decoder>(new (std::nothrow) InflateDecoder(coding));
}

}  // namespace leat::coding
