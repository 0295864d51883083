// OTLP's encoding, by the examples of Protocol Buffers' own description, and what collectors answer. Whole spans are read by
// protoc in test/observing/trace_test.py.
#include "middleware/otlp.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace leat::middleware::otlp {
namespace {

using namespace std::string_view_literals;

template <class Write>
std::string encoded(Write write, size_t room = 4096) {
  std::string memory(room, '\0');
  Encoder out(memory.data(), room);
  write(out);
  return out.overflowed() ? "(overflowed)" : std::string(out.written());
}

// A span of one attribute, as its fields.
std::string attribute_of(std::string_view key, std::string_view value, size_t most = 1024) {
  std::string memory(4096, '\0');
  SpanEncoder span(memory.data(), memory.size(), most);
  span.attribute(key, value);
  return std::string(*span.fields());
}

}  // namespace

TEST_CASE("otlp: numbers, texts and lengths are as Protocol Buffers have them") {
  // From "Encoding", protobuf.dev.
  CHECK(encoded([](Encoder& out) { out.varint(1, 150); }) == "\x08\x96\x01"sv);
  CHECK(encoded([](Encoder& out) { out.text(2, "testing"); }) == "\x12\x07testing"sv);
  CHECK(encoded([](Encoder& out) { out.varint(1, UINT64_MAX); }) ==
        "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv);
  CHECK(encoded([](Encoder& out) { out.varint(1, 0); }) == "\x08\0"sv);
  CHECK(encoded([](Encoder& out) { out.fixed64(7, 0x0102030405060708); }) ==
        "\x39\x08\x07\x06\x05\x04\x03\x02\x01"sv);
  CHECK(encoded([](Encoder& out) { out.fixed32(16, 0x01020304); }) == "\x85\x01\x04\x03\x02\x01"sv);
  CHECK(encoded([](Encoder& out) { out.bytes(1, std::string(200, 'x')); }).starts_with("\x0a\xc8\x01xxx"sv));
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{16'383}, uint64_t{16'384}, UINT64_MAX})
    CHECK(varint_size(value) + 1 == encoded([&](Encoder& out) { out.varint(1, value); }).size());
}

TEST_CASE("otlp: what does not fit is left out, and that is said") {
  for (size_t room = 0; room < 9; ++room)
    CHECK(encoded([](Encoder& out) { out.text(2, "testing"); }, room) == "(overflowed)");
  CHECK(encoded([](Encoder& out) { out.text(2, "testing"); }, 9) == "\x12\x07testing"sv);
  // Once it has overflowed, nothing more is taken, even if it would fit.
  CHECK(encoded(
            [](Encoder& out) {
              out.text(2, "testing");
              out.varint(1, 1);
            },
            4) == "(overflowed)");
}

TEST_CASE("otlp: texts are UTF-8, of their own length") {
  const auto text = [](std::string_view value) {
    return encoded([&](Encoder& out) { out.text(1, value); }).substr(2);
  };
  for (const std::string_view good :
       {"", "plain", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xef\xbf\xbf\xf4\x8f\xbf\xbf"})
    CHECK(text(good) == good);
  CHECK(text("a\xff"
             "b") == "a?b");
  CHECK(text("\xc0\xaf") == "??");            // longer than it need be
  CHECK(text("\xed\xa0\x80") == "???");       // half of a pair
  CHECK(text("\xf4\x90\x80\x80") == "????");  // beyond the last
  CHECK(text("\xe2\x82") == "??");            // cut off
  CHECK(text("\x80") == "?");
  // Cut between two characters.
  CHECK(attribute_of("k", "\xe2\x82\xac\xe2\x82\xac", 5).ends_with("\x0a\x03\xe2\x82\xac"));
}

TEST_CASE("otlp: an attribute's lengths count what is in it") {
  // attributes { key: "k" value { string_value: "v" } }
  CHECK(attribute_of("k", "v") == "\x4a\x08\x0a\x01k\x12\x03\x0a\x01v"sv);
  const std::string large = attribute_of("key", std::string(300, 'v'));
  CHECK(large.size() == 3 + 5 + 3 + 3 + 300);
  CHECK(large.starts_with("\x4a\xb7\x02\x0a\x03key\x12\xaf\x02\x0a\xac\x02"sv));
}

TEST_CASE("otlp: what is around the spans ends where they begin") {
  for (const size_t spans : {size_t{0}, size_t{100}, size_t{20'000}, size_t{3'000'000}}) {
    const Envelope envelope({{"service.name", "leat"}}, "leat", "1");
    std::string memory(envelope.most(), '#');
    char* const end = memory.data() + memory.size();
    const char* const begin = envelope.put_before(end, spans);
    REQUIRE(begin >= memory.data());
    const std::string_view around(begin, static_cast<size_t>(end - begin));
    CHECK(around.front() == '\x0a');
    CHECK(around.ends_with("\x0a\x09\x0a\x04leat\x12\x01\x31"));
    CHECK(around.contains("service.name"));
    CHECK_FALSE(around.contains('#'));
  }
}

TEST_CASE("otlp: a collector says how many spans it has refused") {
  CHECK(rejected_spans("") == 0);
  CHECK(rejected_spans("\x0a\x02\x08\x05"sv) == 5);
  CHECK(rejected_spans("\x0a\x08\x08\xac\x02\x12\x03why"sv) == 300);
  CHECK(rejected_spans("\x12\x01x\x0a\x02\x08\x07\x19"
                       "12345678\x25"
                       "1234"sv) == 7);  // beside fields that are not known
  for (const std::string_view bad : {"\x0a"sv, "\x0a\x05\x08"sv, "\x0a\x02\x08\x80"sv, "\x80"sv, "\x0b\x00"sv,
                                     "{}"sv, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"sv, "\x19\x01"sv,
                                     "\x00\x01"sv, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv})
    CHECK_FALSE(rejected_spans(bad).has_value());
}

}  // namespace leat::middleware::otlp
