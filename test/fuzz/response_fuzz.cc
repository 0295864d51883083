// An upstream's answer must mean the same whatever pieces it comes in: whole, and byte by byte or in random
// pieces, each in memory of its own, the parser must come to the same end, with the same fields and body. And
// it must stay within its limits.
//
// Input: a byte that chooses limits and the request's kind, a byte that seeds the pieces, then the answer.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "client/response_parser.h"
#include "fuzz/choices.h"

namespace leat::fuzz {

namespace {

using client::ResponseParser;

// All that comes of an answer, as text that two runs can be compared by.
std::string read(std::string_view bytes, const client::UpstreamOptions& limits, bool head_request,
                 unsigned most, unsigned seed) {
  static BlockPool pool(4096, 1024);
  Arena arena(pool, size_t{4} << 20);
  ResponseParser parser;
  parser.reset(arena, limits, head_request);
  std::mt19937 random(seed);
  auto step = ResponseParser::Step::More;
  size_t used = 0;
  while (step == ResponseParser::Step::More && used < bytes.size()) {
    const size_t size = std::min<size_t>(bytes.size() - used, most == 0 ? SIZE_MAX : 1 + random() % most);
    const std::vector<char> piece(bytes.begin() + static_cast<std::ptrdiff_t>(used),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(used + size));
    step = parser.feed({piece.data(), piece.size()});
    used += step == ResponseParser::Step::Done ? parser.used() : size;
  }
  if (step == ResponseParser::Step::More) step = parser.end();
  ENSURE(step != ResponseParser::Step::More);
  if (step == ResponseParser::Step::Failed) return "failed";
  ENSURE(parser.code() >= 200 && parser.code() <= 599);
  ENSURE(parser.body().size() <= limits.body_bytes && parser.fields().size() <= limits.fields);
  std::string text =
      std::to_string(parser.code()) + (parser.reusable() ? " keep " : " close ") + std::to_string(used);
  for (const client::Field& field : parser.fields())
    text += "\n[" + std::string(field.name) + "] [" + std::string(field.value) + "]";
  return text + "\n" + std::string(parser.body());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Choices choices(data, size);
  const uint8_t kind = choices.byte();
  const uint8_t seed = choices.byte();
  const client::UpstreamOptions limits =
      (kind & 1) != 0 ? client::UpstreamOptions{}
                      : client::UpstreamOptions{.head_bytes = 100, .fields = 4, .body_bytes = 50};
  const bool head_request = (kind & 2) != 0;
  const std::string whole = read(choices.rest(), limits, head_request, 0, 0);
  for (const unsigned most : {1u, 7u, 64u}) {
    const std::string pieces = read(choices.rest(), limits, head_request, most, seed);
    if (pieces == whole) continue;
    std::fprintf(stderr, "whole:\n%s\nin pieces of up to %u:\n%s\n", whole.c_str(), most, pieces.c_str());
    std::abort();
  }
  return 0;
}

}  // namespace leat::fuzz
