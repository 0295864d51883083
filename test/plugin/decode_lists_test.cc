// What is made of the lists in a body that LEAT_JSON reads: no more than they may have.
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/sdk/plugin_json.hpp"

namespace leat::plugin::test {
namespace {

// Counts how many there have been.
struct Counted {
  Counted() { ++made; }
  Counted(const Counted&) = default;
  Counted& operator=(const Counted&) = default;
  Counted(Counted&&) = default;
  Counted& operator=(Counted&&) = default;
  ~Counted() = default;
  int32_t x = 0;
  static inline size_t made = 0;
};
LEAT_JSON(Counted, (x, leat::Range{0, 9}));

struct Bounded {
  std::vector<Counted> parts;
  std::optional<std::vector<std::string>> names;
  std::vector<bool> flags;
  int32_t last = 0;
};
LEAT_JSON(Bounded, (parts, leat::Count{1, 3}), (names, leat::Count{0, 2}, leat::Length{1, 4}),
          (flags, leat::Count{0, 2}), (last, leat::Range{0, 9}));

// Far larger than "{}".
struct Wide {
  Wide() { ++made; }
  std::optional<std::string> a, b, c, d, e, f, g, h;
  static inline size_t made = 0;
};
LEAT_JSON(Wide, a, b, c, d, e, f, g, h);

std::string list_of(std::string_view element, size_t count) {
  std::string text = "[";
  for (size_t i = 0; i < count; ++i) text += std::string(i == 0 ? "" : ",") + std::string(element);
  return text + "]";
}

// "POINTER MESSAGE; " of each.
template <class T>
std::string wrong_in(const std::string& text, T& value) {
  Decoder decoder(text, nullptr, nullptr);
  std::string told;
  try {
    decoder.read(value);
  } catch (const Decoder::Error&) {
  }
  for (const Decoder::Error& each : decoder.errors()) told += each.pointer + " " + each.message + "; ";
  return told;
}
std::string wrong_in(const std::string& text) {
  Bounded value;
  return wrong_in(text, value);
}

}  // namespace

TEST_CASE("decode lists: of one that is too long as much is made as it may have, and all else is told") {
  const auto body = [](const std::string& parts, const std::string& more) {
    return R"({"parts":)" + parts + R"(,"flags":[],"last":1)" + more + "}";
  };
  CHECK(wrong_in(body(list_of(R"({"x":1})", 3), "")).empty());
  Counted::made = 0;
  Bounded value;
  CHECK(wrong_in(body(list_of(R"({"x":1})", 100'000), R"(,"names":["long names"])"), value) ==
        "/parts must have 1 to 3 elements; /names/0 must be a text of 1 to 4 characters; ");
  CHECK(Counted::made == 3);
  CHECK(value.parts.size() == 3);
  // What is wrong with those that may be there is told, and nothing of what is behind them.
  CHECK(wrong_in(body(list_of(R"({"x":10})", 4), "")) ==
        "/parts/0/x must be a whole number from 0 to 9; /parts/1/x must be a whole number from 0 to 9; "
        "/parts/2/x must be a whole number from 0 to 9; /parts must have 1 to 3 elements; ");
  CHECK(wrong_in(body("[]", R"(,"names":["a","b","too long",7])")) ==
        "/parts must have 1 to 3 elements; /names must have 0 to 2 elements; ");
  CHECK(wrong_in(R"({"parts":[{"x":1}],"flags":[true,false,1],"last":10})") ==
        "/flags must have 0 to 2 elements; /last must be a whole number from 0 to 9; ");
  // It must be JSON all the same.
  CHECK(wrong_in(body(R"([{"x":1},{"x":1},{"x":1},{"x":1},{"x":tru}])", "")) ==
        "/parts must have 1 to 3 elements; /parts/4/x must be a value; ");
}

TEST_CASE("decode lists: their elements take so many bytes for each of the text") {
  constexpr size_t kFree = Decoder::kFreeBytes / sizeof(Wide);
  const auto made_of = [](size_t count, std::string& told) {
    Wide::made = 0;
    std::vector<Wide> value;
    told = wrong_in(list_of("{}", count), value);
    return Wide::made;
  };
  std::string told;
  // Few are nothing to speak of, however large each is.
  CHECK(made_of(kFree, told) == kFree);
  CHECK(told.empty());
  constexpr size_t kMany = 200'000;
  const size_t made = made_of(kMany, told);
  const size_t size = list_of("{}", kMany).size();
  CHECK(made * sizeof(Wide) <= Decoder::kFreeBytes + Decoder::kMostSpread * size);
  CHECK((made + 1) * sizeof(Wide) > Decoder::kFreeBytes + Decoder::kMostSpread * size);
  CHECK(told == "/" + std::to_string(made) + " is one of more elements than a body of this size may have; ");
  // What plain lists take is less.
  std::vector<std::string> texts;
  CHECK(wrong_in(list_of("\"\"", kMany), texts).empty());
  CHECK(texts.size() == kMany);
  std::vector<uint64_t> numbers;
  CHECK(wrong_in(list_of("0", kMany), numbers).empty());
  std::vector<std::vector<double>> rows;
  CHECK(wrong_in(list_of("[1,2.5]", kMany), rows).empty());
}

}  // namespace leat::plugin::test
