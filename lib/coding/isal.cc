// gzip of what is there all at once, at the quick levels, by ISA-L: three times as fast as libdeflate, for a few bytes more.
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <climits>
#include <new>

#include "coding/encoder.h"

namespace leat::coding {

namespace {

class IsalGzip final : public WholeGzip {
 public:
  size_t whole(unsigned, std::string_view in, std::span<char> out) override {
    if (in.size() > UINT_MAX) return 0;
    ::isal_deflate_stateless_init(&stream_);
    stream_.level = kLevel;
    stream_.level_buf = buffer_;
    stream_.level_buf_size = sizeof buffer_;
    stream_.gzip_flag = IGZIP_GZIP;
    stream_.flush = NO_FLUSH;
    stream_.end_of_stream = 1;
    // It changes nothing there (igzip_lib.h).
    stream_.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uint32_t>(in.size());
    stream_.next_out = reinterpret_cast<uint8_t*>(out.data());
    stream_.avail_out = static_cast<uint32_t>(std::min<size_t>(out.size(), UINT_MAX));
    return ::isal_deflate_stateless(&stream_) == COMP_OK ? stream_.total_out : 0;
  }
  [[nodiscard]] size_t memory() const override { return sizeof *this; }

 private:
  // Its others take longer for no fewer bytes, but for 0, which makes many more.
  static constexpr uint32_t kLevel = 1;

  isal_zstream stream_;
  uint8_t buffer_[ISAL_DEF_LVL1_DEFAULT];
};

}  // namespace

std::unique_ptr<WholeGzip> make_isal_gzip() {
  return std::unique_ptr<WholeGzip>(new (std::nothrow) IsalGzip);
}

}  // namespace leat::coding
