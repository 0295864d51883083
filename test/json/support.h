// What the tests of json share: an arena of their own, and RapidJSON's reader as the judge of a text.
#pragma once

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <string_view>

#include "base/arena.h"
#include "base/block_pool.h"

namespace leat::test {

struct Memory {
  explicit Memory(size_t limit = size_t{64} << 20) : arena(pool, limit) {}
  BlockPool pool{8192, 8192};
  Arena arena;
};

// Whether RapidJSON reads `text` as one value in well-formed UTF-8.
inline bool rapidjson_reads(std::string_view text) {
  rapidjson::MemoryStream stream(text.data() == nullptr ? "" : text.data(), text.size());
  rapidjson::BaseReaderHandler<> ignore;
  rapidjson::Reader reader;
  // Numbers as texts: whether one fits a double is not a matter of grammar.
  constexpr unsigned kFlags = rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
  return !reader.Parse<kFlags>(stream, ignore).IsError();
}

}  // namespace leat::test
