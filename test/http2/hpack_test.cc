// HPACK: RFC 7541's own examples, what is no header block, and the same fields through nghttp2's coder and back.
#include "http2/hpack_decoder.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "http2/hpack_encoder.h"
#include "http2/huffman.h"

namespace leat::test {

namespace {

using namespace std::string_literals;
using Fields = std::vector<std::pair<std::string, std::string>>;
using http2::HpackDecoder;

struct Sink {
  Fields fields;
  bool field(const http2::TableField& field) {
    fields.emplace_back(field.name, field.value);
    return true;
  }
};

struct Coder {
  BlockPool memory{64, 4};
  std::vector<char> scratch;
  HpackDecoder decoder{memory, scratch};
  Fields decode(std::string_view block, HpackDecoder::Result expected = HpackDecoder::Result::Good) {
    Sink sink;
    CHECK(decoder.decode(block, sink) == expected);
    return sink.fields;
  }
};

std::string from_hex(std::string_view text) {
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high * 16 + digit);
      high = -1;
    }
  }
  return bytes;
}

Fields requests(const std::string& path, const std::string& scheme) {
  return {{":method", "GET"}, {":scheme", scheme}, {":path", path}, {":authority", "www.example.com"}};
}
Fields join(Fields fields, const Fields& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

}  // namespace

TEST_CASE("hpack: the numbers of RFC 7541, C.1") {
  for (const auto& [number, prefix, hex] : {std::tuple(10u, 5u, "0a"), std::tuple(1337u, 5u, "1f9a0a"),
                                            std::tuple(42u, 8u, "2a"), std::tuple(31u, 5u, "1f00")}) {
    char bytes[http2::kMostNumber];
    CHECK(std::string(bytes, http2::put_number(bytes, 0, prefix, number)) == from_hex(hex));
  }
}

TEST_CASE("hpack: the literals of RFC 7541, C.2") {
  Coder coder;
  CHECK(coder.decode(from_hex("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572")) ==
        Fields{{"custom-key", "custom-header"}});
  CHECK(coder.decoder.table().size() == 55);
  CHECK(coder.decode(from_hex("040c 2f73 616d 706c 652f 7061 7468")) == Fields{{":path", "/sample/path"}});
  CHECK(coder.decode(from_hex("1008 7061 7373 776f 7264 0673 6563 7265 74")) ==
        Fields{{"password", "secret"}});
  CHECK(coder.decode(from_hex("82")) == Fields{{":method", "GET"}});
  CHECK(coder.decoder.table().count() == 1);
}

TEST_CASE("hpack: the requests of RFC 7541, C.3 and C.4") {
  const Fields none, cache{{"cache-control", "no-cache"}}, custom{{"custom-key", "custom-value"}};
  for (const auto& blocks :
       {std::vector<std::string_view>{
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65"},
        std::vector<std::string_view>{"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
                                      "8286 84be 5886 a8eb 1064 9cbf",
                                      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"}}) {
    Coder coder;
    CHECK(coder.decode(from_hex(blocks[0])) == requests("/", "http"));
    CHECK(coder.decoder.table().size() == 57);
    CHECK(coder.decode(from_hex(blocks[1])) == join(requests("/", "http"), cache));
    CHECK(coder.decoder.table().size() == 110);
    CHECK(coder.decode(from_hex(blocks[2])) == join(requests("/index.html", "https"), custom));
    CHECK(coder.decoder.table().size() == 164);
    CHECK(coder.decoder.table().count() == 3);
  }
}

TEST_CASE("hpack: what is no header block") {
  using Result = HpackDecoder::Result;
  for (const auto& [what, block] : {
           std::pair("index 0", "\x80"s),
           std::pair("an index that nothing has", "\xbe"s),
           std::pair("an index past all that there could be", "\xff\xff\xff\xff\x7f"s),
           std::pair("a number that is cut", "\xff"s),
           std::pair("a number without end", "\xff\x80\x80\x80\x80\x80\x80\x80\x80\x01"s),
           std::pair("a name by an index that nothing has", "\x7f\x00\x01x"s),
           std::pair("a name that is cut",
                     "\x40\x05"
                     "abc"s),
           std::pair("no value", "\x40\x01x"s),
           std::pair("a value that is cut", "\x40\x01x\x02y"s),
           std::pair("a value's size that is cut", "\x40\x01x\x7f"s),
           std::pair("the end of a text within one", "\x40\x01x\x84\xff\xff\xff\xfc"s),
           std::pair("padding of a byte", "\x40\x01x\x82\x1f\xff"s),
           std::pair("padding of zeros", "\x40\x01x\x81\x18"s),
           std::pair("a code that is cut", "\x40\x01x\x81\xfe"s),
           std::pair("a table that is larger than was agreed", "\x3f\xe2\x1f"s),
           std::pair("another size of the table behind a field", "\x82\x20"s),
       }) {
    INFO(what);
    Coder coder;
    CHECK(coder.decode(block, Result::Malformed).size() <= 1);
  }
}

TEST_CASE("hpack: the table's size is the peer's to choose, up to what it was told") {
  Coder coder;
  (void)coder.decode("\x40\x01x\x01y"s);
  CHECK(coder.decode("\x20\x82"s) == Fields{{":method", "GET"}});
  CHECK(coder.decoder.table().count() == 0);
  (void)coder.decode("\x40\x01x\x01y\xbe"s, HpackDecoder::Result::Malformed);  // it has no room for one
  CHECK(coder.decode("\x20\x3f\xe1\x1f\x40\x01x\x01y\xbe"s).size() ==
        2);  // two sizes, of which the last counts
  // One that was told a smaller size has to say that it has heard so.
  coder.decoder.allow(100);
  (void)coder.decode("\xbe", HpackDecoder::Result::Malformed);
  CHECK(coder.decode("\x3f\x45\xbe"s) == Fields{{"x", "y"}});
  // A field that is larger than the table empties it.
  (void)coder.decode("\x40\x01x\x64"s + std::string(100, 'y'));
  CHECK(coder.decoder.table().count() == 0);
}

TEST_CASE("hpack: what leaves the table as it was is known by its epoch") {
  Coder coder;
  const auto changes = [&](std::string_view block) {
    const uint64_t before = coder.decoder.table().epoch();
    (void)coder.decode(block);
    return coder.decoder.table().epoch() != before;
  };
  CHECK(changes("\x40\x01x\x01y"s));
  CHECK(!changes("\x82\xbe"));
  CHECK(!changes("\x00\x01x\x01y\x0f\x2f\x01z"s));  // kept nowhere
  CHECK(changes("\x3f\xe1\x1f\x82"s));              // the size that it has
  CHECK(changes("\x20\x82"s));
}

TEST_CASE("hpack: memory is what its fields need, and counted") {
  Coder coder;
  CHECK(coder.memory.charged() == 0);
  (void)coder.decode("\x82\x86\x84"s);
  CHECK(coder.memory.charged() == 0);
  for (int i = 0; i < 10'000; ++i)
    (void)coder.decode(
        "\x40\x03"
        "abc\x20"s +
        std::string(32, static_cast<char>('a' + i % 26)));
  CHECK(coder.decoder.table().size() <= 4096);
  CHECK(coder.memory.charged() == coder.decoder.table().footprint());
  CHECK(coder.memory.charged() <= 4096 * 3);
  // Where there is none left, it says so.
  BlockPool none(0, 0);
  HpackDecoder poor(none, coder.scratch);
  Sink sink;
  CHECK(poor.decode("\x40\x01x\x01y"s, sink) == HpackDecoder::Result::OutOfMemory);
}

TEST_CASE("hpack: the Huffman code of every text is read back") {
  std::mt19937 random(Catch::getSeed());
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 70, '\0');
    for (char& c : text) c = static_cast<char>(i % 2 == 0 ? random() : 'a' + random() % 26);
    std::string coded(http2::huffman_size(text), '\0');
    CHECK(http2::huffman_encode(text, coded.data()) == coded.data() + coded.size());
    std::string decoded(http2::most_decoded(coded.size()), '\0');
    char* const end = http2::huffman_decode(coded, decoded.data());
    REQUIRE(end != nullptr);
    CHECK(std::string(decoded.data(), end) == text);
  }
}

// Both decoders see the same blocks: those of nghttp2's coder, and the same with bytes that are changed.
TEST_CASE("hpack: it reads what nghttp2 reads") {
  std::mt19937 random(Catch::getSeed());
  const Fields pool = {{":method", "GET"},
                       {":path", "/"},
                       {":path", "/a/b?c=d"},
                       {"cookie", "a=b"},
                       {"user-agent", "x"},
                       {"accept", "*/*"},
                       {"x-custom", "one"},
                       {"x-custom", "two"},
                       {"x", ""},
                       {"authorization", "s"},
                       {"accept-encoding", "gzip, deflate"},
                       {"x-long", std::string(500, 'y')}};
  uint64_t good = 0, bad = 0;
  for (int connection = 0; connection < 300; ++connection) {
    nghttp2_hd_deflater* deflater = nullptr;
    nghttp2_hd_inflater* inflater = nullptr;
    REQUIRE(nghttp2_hd_deflate_new(&deflater, 4096) == 0);
    REQUIRE(nghttp2_hd_inflate_new(&inflater) == 0);
    Coder coder;
    bool alive = true;
    for (int block = 0; block < 30 && alive; ++block) {
      if (random() % 8 == 0) nghttp2_hd_deflate_change_table_size(deflater, random() % 4097);
      std::vector<nghttp2_nv> pairs;
      Fields sent;
      for (size_t i = random() % 8 + 1; i-- > 0;) sent.push_back(pool[random() % pool.size()]);
      for (auto& [name, value] : sent)
        pairs.push_back(
            {reinterpret_cast<uint8_t*>(name.data()), reinterpret_cast<uint8_t*>(value.data()), name.size(),
             value.size(),
             static_cast<uint8_t>(random() % 5 == 0 ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)});
      std::string bytes(nghttp2_hd_deflate_bound(deflater, pairs.data(), pairs.size()), '\0');
      const auto size = nghttp2_hd_deflate_hd(deflater, reinterpret_cast<uint8_t*>(bytes.data()),
                                              bytes.size(), pairs.data(), pairs.size());
      REQUIRE(size >= 0);
      bytes.resize(static_cast<size_t>(size));
      const bool spoiled = connection % 3 == 0 && random() % 6 == 0 && !bytes.empty();
      if (spoiled) bytes[random() % bytes.size()] = static_cast<char>(random());

      Fields theirs;
      size_t at = 0;
      bool right = true, over = false;
      while (right && !over) {
        nghttp2_nv field;
        int flags = 0;
        const auto used =
            nghttp2_hd_inflate_hd2(inflater, &field, &flags,
                                   reinterpret_cast<const uint8_t*>(bytes.data()) + at, bytes.size() - at, 1);
        right = used >= 0;
        if (!right) break;
        at += static_cast<size_t>(used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
          theirs.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                              std::string(reinterpret_cast<char*>(field.value), field.valuelen));
        over = (flags & NGHTTP2_HD_INFLATE_FINAL) != 0;
      }
      if (right) nghttp2_hd_inflate_end_headers(inflater);
      Sink sink;
      const bool ours = coder.decoder.decode(bytes, sink) == HpackDecoder::Result::Good;
      CHECK(ours == right);
      if (ours && right) CHECK(sink.fields == theirs);
      if (connection % 3 != 0) CHECK(theirs == sent);
      (ours ? good : bad) += 1;
      alive = ours && right;
      if (alive) CHECK(coder.decoder.table().size() == nghttp2_hd_inflate_get_dynamic_table_size(inflater));
    }
    nghttp2_hd_deflate_del(deflater);
    nghttp2_hd_inflate_del(inflater);
  }
  CHECK(good > 1000);
  CHECK(bad > 10);
}

}  // namespace leat::test
