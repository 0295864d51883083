// DEFLATE by zlib.
#include "coding/raw_deflate.h"

#ifdef LEAT_COMPRESS_ZLIB

#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <climits>
#include <new>

namespace leat::coding {

namespace {

constexpr int kRawMemoryLevel = 8;
constexpr int kMostWindow = 15;
constexpr unsigned kMostLastBlocks = 16;                      // a message has one, of those that have any
constexpr std::string_view kFlushEnd("\x00\x00\xff\xff", 4);  // of what is flushed (RFC 7692, section 7.2.1)

uInt at_most_uint(size_t size) { return static_cast<uInt>(std::min<size_t>(size, UINT_MAX)); }

class ZlibDeflater final : public RawDeflater {
 public:
  ZlibDeflater(unsigned window_bits, unsigned level)
      : made_(::deflateInit2(&stream_, static_cast<int>(level), Z_DEFLATED, -static_cast<int>(window_bits),
                             kRawMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK) {}
  ~ZlibDeflater() override {
    if (made_) ::deflateEnd(&stream_);
  }
  ZlibDeflater(const ZlibDeflater&) = delete;
  ZlibDeflater& operator=(const ZlibDeflater&) = delete;
  [[nodiscard]] bool made() const { return made_; }

  std::optional<size_t> pack(std::string_view message, std::span<char> out) override {
    if (message.size() > UINT_MAX || out.size() > UINT_MAX || ::deflateReset(&stream_) != Z_OK)
      return std::nullopt;
    stream_.next_in = reinterpret_cast<const Bytef*>(message.data());
    stream_.avail_in = at_most_uint(message.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = at_most_uint(out.size());
    const int result = ::deflate(&stream_, Z_SYNC_FLUSH);
    const size_t size = out.size() - stream_.avail_out;
    // Where no room is left there may be more to come.
    if (result != Z_OK || stream_.avail_in != 0 || stream_.avail_out == 0) return std::nullopt;
    if (!std::string_view(out.data(), size).ends_with(kFlushEnd)) return std::nullopt;
    return size - kFlushEnd.size();
  }

 private:
  z_stream stream_{};
  const bool made_;
};

class ZlibInflater final : public RawInflater {
 public:
  ZlibInflater() : made_(::inflateInit2(&stream_, -kMostWindow) == Z_OK) {}
  ~ZlibInflater() override {
    if (made_) ::inflateEnd(&stream_);
  }
  ZlibInflater(const ZlibInflater&) = delete;
  ZlibInflater& operator=(const ZlibInflater&) = delete;
  [[nodiscard]] bool made() const { return made_; }

  bool begin() override {
    last_blocks_ = 0;
    return ::inflateReset(&stream_) == Z_OK;
  }

  Step step(std::string_view in, std::span<char> out) override {
    const uInt given = at_most_uint(in.size()), room = at_most_uint(out.size());
    stream_.next_in = reinterpret_cast<const Bytef*>(in.data());
    stream_.avail_in = given;
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = room;
    int result = ::inflate(&stream_, Z_SYNC_FLUSH);
    // A block may say that it is the last, and others follow it all the same (RFC 7692, section 7.2.3.4).
    if (result == Z_STREAM_END) result = go_on();
    Step step{.used = given - stream_.avail_in, .made = room - stream_.avail_out};
    switch (result) {
      case Z_OK:
      case Z_BUF_ERROR:
        if (step.used == in.size() && stream_.avail_out != 0) step.state = State::Hungry;
        break;
      case Z_MEM_ERROR:
        step.state = State::NoMemory;
        break;
      default:
        step.state = State::Broken;
    }
    return step;
  }

 private:
  // Behind a last block, with the window that there is. Each costs a copy of that, however small it was.
  int go_on() {
    if (++last_blocks_ > kMostLastBlocks) return Z_DATA_ERROR;
    Bytef window[1U << kMostWindow];
    uInt size = 0;
    if (::inflateGetDictionary(&stream_, window, &size) != Z_OK || ::inflateReset(&stream_) != Z_OK)
      return Z_DATA_ERROR;
    return ::inflateSetDictionary(&stream_, window, size);
  }

  z_stream stream_{};
  const bool made_;
  unsigned last_blocks_ = 0;  // of the message
};

template <class T>
std::unique_ptr<T> if_made(T* made) {
  std::unique_ptr<T> owned(made);
  if (owned != nullptr && !owned->made()) owned = nullptr;
  return owned;
}

}  // namespace

std::unique_ptr<RawDeflater> make_raw_deflater(unsigned window_bits, unsigned level) {
  return if_made(new (std::nothrow) ZlibDeflater(window_bits, level));
}
std::unique_ptr<RawInflater> make_raw_inflater() { return if_made(new (std::nothrow) ZlibInflater); }
bool has_raw_deflate() { return true; }

}  // namespace leat::coding

#else

namespace leat::coding {

std::unique_ptr<RawDeflater> make_raw_deflater(unsigned, unsigned) { return nullptr; }
std::unique_ptr<RawInflater> make_raw_inflater() { return nullptr; }
bool has_raw_deflate() { return false; }

}  // namespace leat::coding

#endif
