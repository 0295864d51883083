// compress: packs answers for clients that take them so (RFC 9110, sections 8.4 and 12.5.3).
//
// It stands behind the response cache, in the phase content: what is stored is packed, once for each coding, and a hit
// does no work. For that it puts the request's Accept-Encoding into one spelling for each choice before the cache looks
// (accept_encoding.h), and its answers say Vary.
//
// A whole answer is packed in one go, before it is sent, and has a length. One in pieces is packed piece by piece, each
// so that a client can read it at once: who streams events waits for nobody. What a worker needs for that it keeps.
//
// It is never done twice, and not where a client or a cache could not make sense of it: to a part of an answer, against
// no-transform, beside a digest of the bytes. A strong entity tag becomes a weak one, since the same content in another
// coding is not the same bytes (RFC 9110, section 8.8.3.3); a suffix would be a tag that the handler never gave, in
// conditions that come to it. Where a client asks with the weak one, the 304 is made here if the handler has not made it.
//
// The level falls while a worker is busy: `busy`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "coding/coding.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct CompressOptions {
  std::vector<std::string> codings = {"zstd", "br", "gzip"};
  std::vector<std::string> types = {"text/*",
                                    "application/json",
                                    "application/*+json",
                                    "application/xml",
                                    "application/*+xml",
                                    "application/javascript",
                                    "application/graphql",
                                    "application/manifest+json",
                                    "application/wasm",
                                    "application/cbor",
                                    "application/vnd.msgpack",
                                    "application/msgpack",
                                    "application/x-msgpack",
                                    "image/svg+xml"};
  uint64_t least = 1024;
  uint64_t most = uint64_t{1} << 20;
  uint32_t gzip_level = 1;
  uint32_t brotli_level = 4;
  uint32_t zstd_level = 3;
  uint32_t busy = 70;
};

// A Row::Check each: of a content coding that answers can have; of a media type, "text/html", "text/*" or
// "application/*+json".
std::string check_answer_coding(std::string_view called, std::string_view text);
std::string check_media_type(std::string_view called, std::string_view text);

inline constexpr schema::Row kCompressRows[] = {
    schema::list<&CompressOptions::codings>("codings", "content codings", check_answer_coding, 0,
                                            "Content codings, `zstd`, `br` and `gzip`, the one first that is "
                                            "taken where a client likes several as much."),
    schema::list<&CompressOptions::types>("types", "media types", check_media_type, 0,
                                          "Media types of answers that are packed: `text/html`, `text/*` for "
                                          "all of text, `application/*+json` for all "
                                          "that are written in JSON."),
    schema::size<&CompressOptions::least>("least", 1, int64_t{1} << 20,
                                          "Answers of less are left as they are."),
    schema::size<&CompressOptions::most>("most", 1024, int64_t{16} << 20,
                                         "Whole answers of more are left as they are: packing one keeps its "
                                         "worker from all else. A worker keeps as much memory."),
    schema::count<&CompressOptions::gzip_level>(
        "gzip_level", 1, 9,
        "How much work is put into gzip. 1 to 3 are one, of whole answers, where ISA-L is built in."),
    schema::count<&CompressOptions::brotli_level>("brotli_level", 1, 11, "How much work is put into br."),
    schema::count<&CompressOptions::zstd_level>("zstd_level", 1, 19, "How much work is put into zstd."),
    schema::count<&CompressOptions::busy>("busy", 1, 100,
                                          "Percent of a worker's time: while it is busier than that, levels "
                                          "are lower, down to 1 where it has no time to spare. "
                                          "100: they stay."),
};

// The level while a worker is busy for `busy` percent of its time: `level` up to `from` percent, then evenly less.
constexpr unsigned level_under_load(unsigned level, unsigned least, unsigned busy, unsigned from) {
  if (busy <= from || level <= least) return level;
  const unsigned over = (busy < 100 ? busy : 100) - from, room = 100 - from;
  return level - ((level - least) * over + room / 2) / room;
}

std::unique_ptr<pipeline::Middleware> create_compress(const CompressOptions& options,
                                                      const pipeline::BuildContext& context);

}  // namespace leat::middleware
