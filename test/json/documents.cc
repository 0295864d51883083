// Prints JSON texts, one a line, that every backend writes alike, for python_test.py to read and write again.
//
//   json_documents SEED
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <random>
#include <string>

#include "base/arena.h"
#include "json/writer.h"

namespace {

using leat::json::Writer;

void print(const std::function<void(Writer&)>& events) {
  leat::BlockPool pool(1024, 8);
  std::string first;
  for (const leat::json::Backend backend : leat::json::built_backends()) {
    leat::Arena arena(pool, size_t{16} << 20);
    Writer writer(arena, backend);
    events(writer);
    const auto text = writer.finish();
    if (!text || (!first.empty() && *text != first)) {
      std::fprintf(stderr, "%s differs: %s\n", std::string(leat::json::backend_name(backend)).c_str(),
                   text ? std::string(*text).c_str() : writer.error());
      std::exit(1);
    }
    first = *text;
  }
  std::puts(first.c_str());
}

std::string utf8(uint32_t code) {
  const auto tail = [code](unsigned shift) { return static_cast<char>(0x80 | (code >> shift & 63)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xc0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xe0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | code >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  std::mt19937_64 random(std::strtoull(arguments[1], nullptr, 10));
  // Every exponent, with a few fractions each.
  for (uint64_t exponent = 0; exponent < 2047; ++exponent) {
    const uint64_t fractions[] = {0, 1, (uint64_t{1} << 52) - 1, random() >> 12, random() >> 12};
    print([&](Writer& w) {
      w.begin_array();
      for (const uint64_t fraction : fractions)
        for (const uint64_t sign : {0, 1})
          w.real(std::bit_cast<double>(sign << 63 | exponent << 52 | fraction));
      w.end_array();
    });
  }
  for (int power = -330; power <= 308; ++power) print([&](Writer& w) { w.real(std::pow(10.0, power)); });
  for (int i = 0; i < 5000; ++i) {
    const double number = static_cast<double>(random() % 1'000'000'000'000) / std::pow(10, random() % 12);
    print([number](Writer& w) { w.real(number); });
  }
  print([](Writer& w) {
    w.begin_array();
    w.integer(std::numeric_limits<int64_t>::min());
    w.integer(std::numeric_limits<int64_t>::max());
    w.unsigned_integer(std::numeric_limits<uint64_t>::max());
    for (int shift = 0; shift < 64; ++shift) w.unsigned_integer(uint64_t{1} << shift);
    w.end_array();
  });
  // All of Unicode, as names and as texts.
  for (uint32_t begin = 0; begin < 0x110000; begin += 256)
    print([begin](Writer& w) {
      w.begin_object();
      std::string all;
      for (uint32_t code = begin; code < begin + 256; ++code)
        if (code < 0xd800 || code > 0xdfff) all += utf8(code);
      w.key(all + "name");
      w.string(all);
      w.end_object();
    });
  // As deep as it goes.
  print([](Writer& w) {
    for (int i = 0; i < 128; ++i) w.begin_array();
    for (int i = 0; i < 128; ++i) w.end_array();
  });
}
