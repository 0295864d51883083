// Encoders and decoders by their coding, of the libraries that are built in.
#include "base/check.h"
#include "coding/decoder.h"
#include "coding/encoder.h"

namespace leat::coding {

std::unique_ptr<Encoder> make_encoder(Coding coding) {
  switch (coding) {
#ifdef LEAT_COMPRESS_ZLIB
    case Coding::Gzip:
      return make_gzip_encoder();
#endif
#ifdef LEAT_COMPRESS_BROTLI
    case Coding::Brotli:
      return make_brotli_encoder();
#endif
#ifdef LEAT_COMPRESS_ZSTD
    case Coding::Zstd:
      return make_zstd_encoder();
#endif
    default:
      break;
  }
  ENSURE(!is_encodable(coding));
  return nullptr;
}

std::unique_ptr<Decoder> make_decoder(Coding coding) {
  switch (coding) {
#ifdef LEAT_COMPRESS_ZLIB
    case Coding::Gzip:
    case Coding::Deflate:
      return make_inflate_decoder(coding);
#endif
#ifdef LEAT_COMPRESS_BROTLI
    case Coding::Brotli:
      return make_brotli_decoder();
#endif
#ifdef LEAT_COMPRESS_ZSTD
    case Coding::Zstd:
      return make_zstd_decoder();
#endif
    default:
      break;
  }
  ENSURE(!is_decodable(coding));
  return nullptr;
}

#ifndef LEAT_COMPRESS_ISAL
std::unique_ptr<WholeGzip> make_isal_gzip() { return nullptr; }
#endif
#ifndef LEAT_COMPRESS_LIBDEFLATE
std::unique_ptr<WholeGzip> make_libdeflate_gzip() { return nullptr; }
#endif

}  // namespace leat::coding
