// Base64 and base64url, by the examples of RFC 4648 and by what they are not.
#include "base/base64.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>

namespace leat {

namespace {

std::optional<std::string> decoded(Base64 kind, std::string_view text) {
  std::string room(most_decoded(text), '\0');
  const auto bytes = decode_base64(kind, text, room.data());
  return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
}

}  // namespace

TEST_CASE("base64: the examples of RFC 4648, section 10") {
  for (const auto& [bytes, text] :
       {std::pair{"", ""}, std::pair{"f", "Zg=="}, std::pair{"fo", "Zm8="}, std::pair{"foo", "Zm9v"},
        std::pair{"foob", "Zm9vYg=="}, std::pair{"fooba", "Zm9vYmE="}, std::pair{"foobar", "Zm9vYmFy"}}) {
    INFO(text);
    CHECK(encode_base64(Base64::Padded, bytes) == text);
    CHECK(decoded(Base64::Padded, text) == bytes);
    const std::string bare = std::string(text).substr(0, std::string(text).find('='));
    CHECK(encode_base64(Base64::Url, bytes) == bare);
    CHECK(decoded(Base64::Url, bare) == bytes);
    CHECK(encode_base64(Base64::Bare, bytes) == bare);
    CHECK(decoded(Base64::Bare, bare) == bytes);
  }
  CHECK(encode_base64(Base64::Padded, "\xfb\xff\xfe") == "+//+");
  CHECK(encode_base64(Base64::Bare, "\xfb\xff\xfe") == "+//+");
  CHECK(encode_base64(Base64::Url, "\xfb\xff\xfe") == "-__-");
}

TEST_CASE("base64: all bytes come back") {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    for (const Base64 kind : {Base64::Padded, Base64::Bare, Base64::Url})
      CHECK(decoded(kind, encode_base64(kind, bytes)) == bytes);
    bytes += static_cast<char>(i * 7);
  }
}

TEST_CASE("base64: what is written otherwise is none") {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Z", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm 9v",
                           "Zm9v====", "=Zg=", "Zg==Zg==", "-__-", "Zm9vYmF\xff"}) {
    INFO(text);
    CHECK_FALSE(decoded(Base64::Padded, text));
  }
  for (const char* text : {"Zg==", "Zh", "-__-"}) CHECK_FALSE(decoded(Base64::Bare, text));
  for (const char* text : {"Zg==", "Z", "Zh", "Zm9", "+//+", "Zm9v ", "Zm9v.", "AAAAA"}) {
    INFO(text);
    CHECK_FALSE(decoded(Base64::Url, text));
  }
}

}  // namespace leat
