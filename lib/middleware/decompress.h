// decompress: takes requests' bodies out of their content codings (RFC 9110, section 8.4) for handlers that want them plain.
//
// A body that a handler collects is unpacked when it has come, one that it streams piece by piece; a pause holds for what
// is unpacked, too. Handlers see neither Content-Encoding nor Content-Length, which are not those of what they get.
//
//   415  a coding that is not taken here, or more on top of each other than `layers`; with Accept-Encoding (RFC 7694)
//   400  what is no such coding, or ends too soon
//   413  more than the body's limit (`limits.body`, or the route's), which is of what is unpacked as well; or more than
//        `ratio` bytes made of one, once `free` are: nothing that is sent in good faith is packed so well
//
// What a decoder and an unpacked body take counts as all that a request has. A piece that is unpacked goes on 16 KiB at a
// time, so that a small body which is large inside is never there at once unless its handler collects it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct DecompressOptions {
  std::vector<std::string> codings = {"gzip", "deflate", "br", "zstd"};
  uint32_t ratio = 100;
  uint64_t free = uint64_t{1} << 20;
  uint32_t layers = 2;
};

// A Row::Check: of a content coding that requests can have.
std::string check_request_coding(std::string_view called, std::string_view text);

inline constexpr schema::Row kDecompressRows[] = {
    schema::list<&DecompressOptions::codings>(
        "codings", "content codings", check_request_coding, 0,
        "Content codings that are taken: `gzip`, `deflate`, `br` and `zstd`."),
    schema::count<&DecompressOptions::ratio>(
        "ratio", 1, 100'000,
        "Bytes that may come of one, beyond `free`: a body of which more comes is refused."),
    schema::size<&DecompressOptions::free>("free", 0, int64_t{1} << 30,
                                           "Unpacked bytes that are not looked at for their ratio."),
    schema::count<&DecompressOptions::layers>("layers", 1, 4,
                                              "Content codings on top of each other, at most."),
};

std::unique_ptr<pipeline::Middleware> create_decompress(const DecompressOptions& options,
                                                        const pipeline::BuildContext& context);

}  // namespace leat::middleware
