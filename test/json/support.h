// What the tests of json share: an arena of their own, and RapidJSON's reader as the judge of a text.
#pragma once

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <string_view>

#include "base/arena.h"
#include "base/block_pool.h"

namespace leat::test {

struct JsonMemory {
  explicit JsonMemory(size_t limit = size_t{64} << 20) : arena(pool, limit) {}
  BlockPool pool{8192, 8192};
  Arena arena;
};

// What RapidJSON says to `text` as one value in well-formed UTF-8. Without its full precision for numbers,
// which counts the leading zero bits of 0 for some.
inline rapidjson::ParseErrorCode rapidjson_judges(std::string_view text) {
  rapidjson::MemoryStream stream(text.data() == nullptr ? "" : text.data(), text.size());
  rapidjson::BaseReaderHandler<> ignore;
  rapidjson::Reader reader;
  return reader.Parse<rapidjson::kParseValidateEncodingFlag>(stream, ignore).Code();
}

inline bool rapidjson_reads(std::string_view text) {
  return rapidjson_judges(text) == rapidjson::kParseErrorNone;
}

}  // namespace leat::test
