// CBOR and MessagePack: the tables of their specifications, both ways; what is refused, where, and in which words.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "json/binary.h"

namespace leat::test {
namespace {

using json::Backend;
using json::Writer;

struct Row {
  const char* hex;
  std::string json;
  bool written = true;  // as the shortest form: it is written so as well
};

void check_rows(Backend backend, std::span<const Row> rows) {
  for (const Row& row : rows) {
    INFO(row.hex);
    CHECK(read_binary(backend, bytes_of(row.hex)) == row.json);
    if (row.written) CHECK(hex_of(write_binary(backend, [&](Writer& w) { w.raw(row.json); })) == row.hex);
  }
}

std::string numbered(int count) {
  std::string text = "[";
  for (int i = 1; i <= count; ++i) text += (i == 1 ? "" : ",") + std::to_string(i);
  return text + "]";
}

constexpr bool kReadOnly = false;

}  // namespace

TEST_CASE("cbor: the examples of RFC 8949, appendix A") {
  const Row rows[] = {
      {"00", "0"},
      {"01", "1"},
      {"0a", "10"},
      {"17", "23"},
      {"1818", "24"},
      {"1819", "25"},
      {"1864", "100"},
      {"1903e8", "1000"},
      {"1a000f4240", "1000000"},
      {"1b000000e8d4a51000", "1000000000000"},
      {"1bffffffffffffffff", "18446744073709551615"},
      {"3bffffffffffffffff", "-18446744073709551616", kReadOnly},
      {"20", "-1"},
      {"29", "-10"},
      {"3863", "-100"},
      {"3903e7", "-1000"},
      {"f90000", "0.0", kReadOnly},
      {"f98000", "-0.0", kReadOnly},
      {"f93c00", "1.0", kReadOnly},
      {"fb3ff199999999999a", "1.1"},
      {"f93e00", "1.5", kReadOnly},
      {"f97bff", "65504.0", kReadOnly},
      {"fa47c35000", "100000.0"},
      {"fa7f7fffff", "3.4028234663852886e+38"},
      {"fb7e37e43c8800759c", "1e+300"},
      {"f90001", "5.960464477539063e-08", kReadOnly},
      {"f90400", "6.103515625e-05", kReadOnly},
      {"f9c400", "-4.0", kReadOnly},
      {"fbc010666666666666", "-4.1"},
      {"f4", "false"},
      {"f5", "true"},
      {"f6", "null"},
      {"f7", "null", kReadOnly},
      {"c074323031332d30332d32315432303a30343a30305a", "\"2013-03-21T20:04:00Z\"", kReadOnly},
      {"c11a514b67b0", "1363896240", kReadOnly},
      {"c1fb41d452d9ec200000", "1363896240.5", kReadOnly},
      {"d74401020304", "\"AQIDBA\"", kReadOnly},
      {"d818456449455446", "\"ZElFVEY\"", kReadOnly},
      {"d82076687474703a2f2f7777772e6578616d706c652e636f6d", "\"http://www.example.com\"", kReadOnly},
      {"40", "\"\"", kReadOnly},
      {"4401020304", "\"AQIDBA\"", kReadOnly},
      {"60", "\"\""},
      {"6161", "\"a\""},
      {"6449455446", "\"IETF\""},
      {"62225c", "\"\\\"\\\\\""},
      {"62c3bc", "\"\u00fc\""},
      {"63e6b0b4", "\"\u6c34\""},
      {"64f0908591", "\"\U00010151\""},
      {"80", "[]"},
      {"83010203", "[1,2,3]"},
      {"8301820203820405", "[1,[2,3],[4,5]]"},
      {"98190102030405060708090a0b0c0d0e0f101112131415161718181819", numbered(25)},
      {"a0", "{}"},
      {"a26161016162820203", "{\"a\":1,\"b\":[2,3]}"},
      {"826161a161626163", "[\"a\",{\"b\":\"c\"}]"},
      {"a56161614161626142616361436164614461656145", R"({"a":"A","b":"B","c":"C","d":"D","e":"E"})"},
      {"5f42010243030405ff", "\"AQIDBAU\"", kReadOnly},
      {"7f657374726561646d696e67ff", "\"streaming\"", kReadOnly},
      {"9fff", "[]", kReadOnly},
      {"9f018202039f0405ffff", "[1,[2,3],[4,5]]", kReadOnly},
      {"9f01820203820405ff", "[1,[2,3],[4,5]]", kReadOnly},
      {"83018202039f0405ff", "[1,[2,3],[4,5]]", kReadOnly},
      {"83019f0203ff820405", "[1,[2,3],[4,5]]", kReadOnly},
      {"9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", numbered(25), kReadOnly},
      {"bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}", kReadOnly},
      {"826161bf61626163ff", "[\"a\",{\"b\":\"c\"}]", kReadOnly},
      {"bf6346756ef563416d7421ff", "{\"Fun\":true,\"Amt\":-2}", kReadOnly},
      // JSON has no word for these of the table.
      {"c249010000000000000000", "0  must not have bignums, decimal fractions or bigfloats (tags 2 to 5)",
       kReadOnly},
      {"c349010000000000000000", "0  must not have bignums, decimal fractions or bigfloats (tags 2 to 5)",
       kReadOnly},
      {"f97c00", "0  must be a number that is finite", kReadOnly},
      {"f97e00", "0  must be a number that is finite", kReadOnly},
      {"f9fc00", "0  must be a number that is finite", kReadOnly},
      {"fa7f800000", "0  must be a number that is finite", kReadOnly},
      {"fa7fc00000", "0  must be a number that is finite", kReadOnly},
      {"faff800000", "0  must be a number that is finite", kReadOnly},
      {"fb7ff0000000000000", "0  must be a number that is finite", kReadOnly},
      {"fb7ff8000000000000", "0  must be a number that is finite", kReadOnly},
      {"fbfff0000000000000", "0  must be a number that is finite", kReadOnly},
      {"f0", "0  must not have a simple value but true, false, null and undefined", kReadOnly},
      {"f8ff", "0  must not have a simple value but true, false, null and undefined", kReadOnly},
      {"a201020304", "1  must have texts as the names of its members", kReadOnly},
  };
  check_rows(Backend::Cbor, rows);
}

TEST_CASE("msgpack: each format of the specification, at its ends") {
  const std::string a31(31, 'a'), a32(32, 'a');
  const std::string hex31 = hex_of(a31), hex32 = hex_of(a32);
  const std::string text31 = "bf" + hex31, text32 = "d920" + hex32;
  const Row rows[] = {
      {"c0", "null"},
      {"c2", "false"},
      {"c3", "true"},
      {"00", "0"},
      {"7f", "127"},
      {"cc80", "128"},
      {"ccff", "255"},
      {"cd0100", "256"},
      {"cdffff", "65535"},
      {"ce00010000", "65536"},
      {"ceffffffff", "4294967295"},
      {"cf0000000100000000", "4294967296"},
      {"cfffffffffffffffff", "18446744073709551615"},
      {"ff", "-1"},
      {"e0", "-32"},
      {"d0df", "-33"},
      {"d080", "-128"},
      {"d1ff7f", "-129"},
      {"d18000", "-32768"},
      {"d2ffff7fff", "-32769"},
      {"d280000000", "-2147483648"},
      {"d3ffffffff7fffffff", "-2147483649"},
      {"d38000000000000000", "-9223372036854775808"},
      {"ca3fc00000", "1.5"},
      {"ca80000000", "-0.0"},
      {"cb3ff199999999999a", "1.1"},
      {"a0", "\"\""},
      {text31.c_str(), "\"" + a31 + "\""},
      {text32.c_str(), "\"" + a32 + "\""},
      {"90", "[]"},
      {"93010203", "[1,2,3]"},
      {"9f0102030405060708090a0b0c0d0e0f", numbered(15)},
      {"dc00100102030405060708090a0b0c0d0e0f10", numbered(16)},
      {"80", "{}"},
      {"82a16101a16292c0c3", "{\"a\":1,\"b\":[null,true]}"},
      // Longer than they have to be.
      {"cc01", "1", kReadOnly},
      {"cd0001", "1", kReadOnly},
      {"ce00000001", "1", kReadOnly},
      {"cf0000000000000001", "1", kReadOnly},
      {"d001", "1", kReadOnly},
      {"d10001", "1", kReadOnly},
      {"d200000001", "1", kReadOnly},
      {"d30000000000000001", "1", kReadOnly},
      {"d3ffffffffffffffff", "-1", kReadOnly},
      {"cb3ff8000000000000", "1.5", kReadOnly},
      {"d90161", "\"a\"", kReadOnly},
      {"da000161", "\"a\"", kReadOnly},
      {"db0000000161", "\"a\"", kReadOnly},
      {"dc000101", "[1]", kReadOnly},
      {"dd0000000101", "[1]", kReadOnly},
      {"de0001a16101", "{\"a\":1}", kReadOnly},
      {"df00000001a16101", "{\"a\":1}", kReadOnly},
      {"c400", "\"\"", kReadOnly},
      {"c4040102ff03", "\"AQL_Aw\"", kReadOnly},
      {"c500010a", "\"Cg\"", kReadOnly},
      {"c6000000010a", "\"Cg\"", kReadOnly},
      {"c1", "0  must not have the byte 0xc1, which MessagePack does not use", kReadOnly},
      {"c70005", "0  must not have extension types", kReadOnly},
      {"c8000005", "0  must not have extension types", kReadOnly},
      {"c90000000005", "0  must not have extension types", kReadOnly},
      {"d40500", "0  must not have extension types", kReadOnly},
      {"d6ff00000000", "0  must not have extension types", kReadOnly},
      {"d8", "0  must not have extension types", kReadOnly},
      {"ca7f800000", "0  must be a number that is finite", kReadOnly},
      {"cb7ff8000000000000", "0  must be a number that is finite", kReadOnly},
      {"810102", "1  must have texts as the names of its members", kReadOnly},
      {"81c4016101", "1  must have texts as the names of its members", kReadOnly},
  };
  check_rows(Backend::MessagePack, rows);
}

TEST_CASE("binary: what is wrong is told with its byte and its place") {
  const struct {
    Backend backend;
    const char* hex;
    const char* told;
  } rows[] = {
      {Backend::Cbor, "", "0  must not end within a value"},
      {Backend::Cbor, "0000", "1  must end after its value"},
      {Backend::Cbor, "18", "1  must not end within a value"},
      {Backend::Cbor, "1c", "0  must not have a head that CBOR does not know"},
      {Backend::Cbor, "1f", "0  must not have a head that CBOR does not know"},
      {Backend::Cbor, "df00", "0  must not have a head that CBOR does not know"},
      {Backend::Cbor, "fc", "0  must not have a head that CBOR does not know"},
      {Backend::Cbor, "ff", "0  must not have an end of what was not begun"},
      {Backend::Cbor, "81ff", "1 /0 must not have an end of what was not begun"},
      {Backend::Cbor, "9fc1ff", "1 /0 must have a value behind each tag"},
      {Backend::Cbor, "bf6161ff", "3 /a must not have an end of what was not begun"},
      {Backend::Cbor, "a1ff", "1  must have texts as the names of its members"},
      {Backend::Cbor, "8261", "2 /0 must not end within a value"},
      {Backend::Cbor, "8201", "2 /1 must not end within a value"},
      {Backend::Cbor, "a2616101", "4  must not end within a value"},
      {Backend::Cbor, "a161617a", "4 /a must not end within a value"},
      {Backend::Cbor, "a16161827f6131ff", "8 /a/1 must not end within a value"},
      {Backend::Cbor, "a1627e2f8162ff00", "6 /~0~1/0 must be UTF-8"},
      {Backend::Cbor, "bf7f616161627fff",
       "6  must have strings in pieces of their own kind, each with its length"},
      {Backend::Cbor, "bf7f61616162ff8142", "9 /ab/0 must not end within a value"},
      {Backend::Cbor, "61c3", "1  must be UTF-8"},
      // A character in two pieces is in neither (RFC 8949, section 3.2.3).
      {Backend::Cbor, "7f61c361bcff", "2  must be UTF-8"},
      {Backend::Cbor, "7f41006161ff",
       "1  must have strings in pieces of their own kind, each with its length"},
      {Backend::Cbor, "5fc1410000", "1  must have strings in pieces of their own kind, each with its length"},
      {Backend::Cbor, "7bffffffffffffffff61", "10  must not end within a value"},
      {Backend::Cbor, "9bffffffffffffffff00", "10 /1 must not end within a value"},
      {Backend::Cbor, "bbffffffffffffffff", "9  must not end within a value"},
      {Backend::MessagePack, "", "0  must not end within a value"},
      {Backend::MessagePack, "c0c0", "1  must end after its value"},
      {Backend::MessagePack, "82a16101", "4  must not end within a value"},
      {Backend::MessagePack, "82a16101a162d5", "6 /b must not have extension types"},
      {Backend::MessagePack, "92c0a2ff00", "3 /1 must be UTF-8"},
      {Backend::MessagePack, "ddffffffffc0", "6 /1 must not end within a value"},
      {Backend::MessagePack, "dbffffffff61", "6  must not end within a value"},
  };
  for (const auto& row : rows) {
    INFO(row.hex);
    CHECK(read_binary(row.backend, bytes_of(row.hex)) == row.told);
  }
}

TEST_CASE("binary: as deep as JSON, and no deeper") {
  for (const bool open : {false, true}) {
    const std::string begin = open ? "9f" : "81", end = open ? "ff" : "";
    std::string good, brackets, deep;
    for (uint32_t i = 0; i < json::kMostDepth - 1; ++i) good += begin, brackets += '[';
    deep = good + "8180";
    good += "80";
    brackets += "[]";
    for (uint32_t i = 0; i < json::kMostDepth - 1; ++i) good += end, brackets += ']';
    CHECK(read_binary(Backend::Cbor, bytes_of(good)) == brackets);
    std::string pointer;
    for (uint32_t i = 0; i < json::kMostDepth; ++i) pointer += "/0";
    CHECK(read_binary(Backend::Cbor, bytes_of(deep)) ==
          std::to_string(json::kMostDepth) + " " + pointer + " is nested too deep");
  }
}

TEST_CASE("binary: no more room is asked for than there is, and what was asked for is kept to") {
  const std::string long_text(1000, '\1');
  const auto events = [&](Writer& w) {
    w.begin_array();
    w.string(long_text);
    for (int i = 0; i < 20; ++i) w.real(-1.7976931348623157e308);
    w.end_array();
  };
  for (const Backend backend : {Backend::Cbor, Backend::MessagePack}) {
    const std::string bytes = write_binary(backend, events);
    CHECK(read_binary(backend, bytes) == write_binary(Backend::Direct, events));
    for (size_t most = 0; most < 6000; most += 97)
      CHECK(read_binary(backend, bytes, most).ends_with("  "));  // no message: there was no room
  }
}

TEST_CASE("binary: containers of every length of head, in each other") {
  for (const Backend backend : {Backend::Cbor, Backend::MessagePack}) {
    for (const int count : {0, 1, 14, 15, 16, 17, 22, 23, 24, 25, 254, 255, 256, 257, 65535, 65536}) {
      const auto events = [count](Writer& w) {
        w.begin_array();
        w.string("before");
        w.begin_object();
        for (int i = 0; i < count; ++i) {
          w.key("k" + std::to_string(i));
          w.begin_array();
          for (int j = 0; j < i % 30; ++j) w.integer(j);
          w.end_array();
        }
        w.end_object();
        w.begin_array();
        for (int i = 0; i < count; ++i) w.integer(i);
        w.end_array();
        w.end_array();
      };
      INFO(count);
      CHECK(read_binary(backend, write_binary(backend, events)) == write_binary(Backend::Direct, events));
    }
  }
}

TEST_CASE("binary: texts of every length of head, and what is not UTF-8 in them") {
  for (const Backend backend : {Backend::Cbor, Backend::MessagePack}) {
    for (const size_t size : {0U, 1U, 7U, 8U, 9U, 23U, 24U, 31U, 32U, 255U, 256U, 65535U, 65536U}) {
      for (const std::string_view spoilt : {"", "\xff", "\xc3", "\xc3\xbc"}) {
        const std::string text = std::string(size, 'x') + std::string(spoilt) + "y";
        const auto events = [&](Writer& w) {
          w.begin_object();
          w.key(text);
          w.string(text);
          w.end_object();
        };
        CHECK(read_binary(backend, write_binary(backend, events)) == write_binary(Backend::Direct, events));
      }
    }
  }
}

TEST_CASE("binary: text that is JSON already becomes what it means") {
  const std::pair<const char*, const char*> rows[] = {
      {" [ 1 , -2 , { } , [ ] ] ", "840121a080"},
      {"{\"a\" : {\"b\" : [] } , \"c\":\"\\u00fc\\n\"}",
       "a26161a16162806163"
       "63c3bc0a"},
      {"\"\\ud800\"", "63efbfbd"},
      {"\"\\ud800\\u0041\"", "64efbfbd41"},
      {"\"\\ud800\\udc00\\\\\"", "65f09080805c"},
      {"-0", "fa80000000"},
      {"1e2", "fa42c80000"},
      {"18446744073709551616", "fa5f800000"},
      {"-9223372036854775809", "fadf000000"},
      {"1e999", "fa7f800000"},
      {"-1e999", "faff800000"},
      {"1e-999", "fa00000000"},
      {"9007199254740993", "1b0020000000000001"},
  };
  for (const auto& [json, hex] : rows) {
    INFO(json);
    CHECK(hex_of(write_binary(Backend::Cbor, [&](Writer& w) { w.raw(json); })) == hex);
  }
  CHECK(write_binary(Backend::Cbor, [](Writer& w) { w.raw("[1,]"); }) ==
        "error: raw text that is not one JSON value");
  CHECK(write_binary(Backend::Cbor, [](Writer& w) { w.real(HUGE_VAL); }) ==
        "error: a number that is not finite");
}

TEST_CASE("binary: a number that is the same as a single or half is read as that, and written as a single") {
  // All halves that are finite.
  for (uint32_t half = 0; half < 0x10000; ++half) {
    if ((half & 0x7c00) == 0x7c00) continue;
    const double units = std::ldexp((half & 0x3ff) + ((half & 0x7c00) != 0 ? 1024.0 : 0.0),
                                    std::max(1, static_cast<int>(half >> 10 & 0x1f)) - 25);
    const double number = (half & 0x8000) != 0 ? -units : units;
    const std::string hex = "f9" + hex_of(std::string{static_cast<char>(half >> 8), static_cast<char>(half)});
    if (read_binary(Backend::Cbor, bytes_of(hex)) !=
        write_binary(Backend::Direct, [number](Writer& w) { w.real(number); }))
      FAIL(hex);
  }
  std::mt19937 random(std::random_device{}());
  for (int i = 0; i < 20'000; ++i) {
    const float single = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (!std::isfinite(single)) continue;
    const auto event = [single](Writer& w) { w.real(single); };
    const std::string cbor = write_binary(Backend::Cbor, event),
                      packed = write_binary(Backend::MessagePack, event);
    CHECK(cbor.size() == 5);
    CHECK(packed.size() == 5);
    CHECK(read_binary(Backend::Cbor, cbor) == write_binary(Backend::Direct, event));
    CHECK(read_binary(Backend::MessagePack, packed) == write_binary(Backend::Direct, event));
  }
}

namespace {

// Events at random; the same for the same seed.
void write_some(Writer& w, std::mt19937_64& random, int depth) {
  const auto below = [&](uint64_t bound) { return random() % bound; };
  const auto text = [&] {
    std::string made;
    for (uint64_t left = below(4) == 0 ? below(300) : below(12); left > 0; --left)
      made += static_cast<char>(below(8) == 0 ? below(256) : 'a' + below(26));
    return made;
  };
  switch (below(depth < 7 ? 10 : 7)) {
    case 0:
      return w.null();
    case 1:
      return w.boolean(below(2) == 0);
    case 2:
      return w.integer(static_cast<int64_t>(random()) >> below(64));
    case 3:
      return w.unsigned_integer(random() >> below(64));
    case 4: {
      const double number = std::bit_cast<double>(random());
      return w.real(std::isfinite(number) ? number : 0.1);
    }
    case 5:
      return w.real(static_cast<double>(static_cast<int32_t>(random())) / 16);
    case 6:
      return w.string(text());
    case 7:
    case 8:
      w.begin_array();
      for (uint64_t left = below(below(10) == 0 ? 40 : 5); left > 0; --left) write_some(w, random, depth + 1);
      return w.end_array();
    default:
      w.begin_object();
      for (uint64_t left = below(below(10) == 0 ? 40 : 5); left > 0; --left) {
        w.key(text());
        write_some(w, random, depth + 1);
      }
      return w.end_object();
  }
}

}  // namespace

TEST_CASE("binary: events mean the same in each form, and no beginning of it means anything") {
  const uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  for (uint64_t turn = 0; turn < 300; ++turn) {
    const auto events = [&](Writer& w) {
      std::mt19937_64 random(seed + turn);
      write_some(w, random, 0);
    };
    const std::string json = write_binary(Backend::Direct, events);
    for (const Backend backend : {Backend::Cbor, Backend::MessagePack}) {
      const std::string bytes = write_binary(backend, events);
      REQUIRE(read_binary(backend, bytes) == json);
      // What was JSON already is the same as events.
      REQUIRE(write_binary(backend, [&](Writer& w) { w.raw(json); }) == bytes);
      for (size_t cut = 0; cut < bytes.size() && bytes.size() < 400; ++cut)
        REQUIRE(read_binary(backend, std::string_view(bytes).substr(0, cut))
                    .ends_with(" must not end within a value"));
    }
  }
}

TEST_CASE("binary: a full arena is told, whenever it gets full") {
  const auto events = [](Writer& w) {
    w.begin_array();
    for (int i = 0; i < 3000; ++i) {
      w.begin_object();
      w.key("name");
      w.string("some text of some length");
      w.key("numbers");
      w.raw("[1,2.5,\"three\",{\"four\":[]}]");
      w.end_object();
    }
    w.end_array();
  };
  for (const Backend backend : {Backend::Cbor, Backend::MessagePack})
    for (size_t limit = 0; limit < 120'000; limit += 7000)
      CHECK(write_binary(backend, events, limit) == "error: no memory left for this request");
}

}  // namespace leat::test
