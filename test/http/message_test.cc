// Requests, responses and the names of header fields.
#include "http/message.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "base/text.h"
#include "http/status.h"

namespace leat::test {

using http::find_header;
using http::header_name;
using http::HeaderId;
using http::Origin;
using http::Response;

TEST_CASE("header names: each is found by its own name in any case, and by no other's") {
  constexpr auto kLast = static_cast<unsigned>(http::kLastHeaderId);
  for (unsigned i = 1; i <= kLast; ++i) {
    const auto id = static_cast<HeaderId>(i);
    std::string name(header_name(id));
    INFO(name);
    REQUIRE_FALSE(name.empty());
    CHECK(find_header(name) == id);
    for (char& c : name) c = ascii_lower(c);
    CHECK(find_header(name) == id);
    for (char& c : name)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    CHECK(find_header(name) == id);
    CHECK(find_header(name + "x") == HeaderId::Unknown);
    CHECK(find_header(name.substr(1)) != id);
    for (size_t at = 0; at < name.size(); ++at) {
      std::string other = name;
      other[at] = '_';
      CHECK(find_header(other) == HeaderId::Unknown);
    }
  }
  CHECK(find_header("") == HeaderId::Unknown);
  CHECK(find_header("x") == HeaderId::Unknown);
  CHECK(find_header(std::string(1000, 'x')) == HeaderId::Unknown);
  CHECK(header_name(HeaderId::Unknown).empty());
}

TEST_CASE("response: takes fields, and refuses those that would break the message") {
  Response response;
  CHECK(response.add("X-A", "1"));
  CHECK(response.add("X-A", "2"));
  CHECK(response.add("Empty", ""));
  CHECK(response.find("x-a") == "1");
  CHECK(response.find("empty").data() != nullptr);
  CHECK(response.find("other").data() == nullptr);
  for (const char* name :
       {"Content-Length", "content-length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date", "Server",
        "server", "Upgrade", "", "a b", "a:b", "a\r\nb", "\x80"}) {
    INFO(name);
    CHECK_FALSE(response.add(name, "x"));
    CHECK_FALSE(response.set(name, "x"));
  }
  CHECK_FALSE(response.add("X", "a\r\nb"));
  CHECK_FALSE(response.add("X", "a\nb"));
  for (int c = 0; c < 256; ++c) {
    const char value[] = {'a', static_cast<char>(c), 'b'};
    INFO(c);
    const bool control = (c < 0x20 && c != '\t') || c == 0x7f;
    Response other;
    CHECK(other.add("X", {value, 3}) != control);
    CHECK(other.set("X", {value, 3}) != control);
    CHECK(other.add("Content-Type", {value, 3}) != control);
    CHECK((other.content_type.empty()) == control);
  }
  CHECK(response.fields().size() == 3);
}

TEST_CASE("response: Content-Type is kept apart, however it is given") {
  Response response;
  CHECK(response.add("content-type", "text/plain"));
  CHECK(response.content_type == "text/plain");
  CHECK(response.fields().empty());
  CHECK(response.find("Content-Type") == "text/plain");
  CHECK(response.set("Content-Type", "text/html"));
  CHECK(response.content_type == "text/html");
  response.remove("CONTENT-TYPE");
  CHECK(response.content_type.empty());
}

TEST_CASE("response: set replaces all fields of a name, remove takes them away") {
  Response response;
  CHECK(response.add("A", "1"));
  CHECK(response.add("B", "2"));
  CHECK(response.add("a", "3"));
  CHECK(response.set("A", "4"));
  REQUIRE(response.fields().size() == 2);
  CHECK(response.fields()[0].name == "B");
  CHECK(response.find("A") == "4");
  CHECK_FALSE(response.set("A", "5\n"));
  CHECK(response.find("A") == "4");
  response.remove("B");
  response.remove("C");
  CHECK(response.fields().size() == 1);
}

TEST_CASE("response: has room for so many fields and no more") {
  Response response;
  for (size_t i = 0; i < Response::kMostFields; ++i) CHECK(response.add("X", "y"));
  CHECK_FALSE(response.add("X", "y"));
  CHECK_FALSE(response.set("Y", "z"));
  CHECK(response.room() == 0);
  // It is kept apart, and takes no room.
  CHECK(response.add("Content-Type", "text/css"));
  CHECK(response.content_type == "text/css");
  CHECK(response.set("X", "z"));
  CHECK(response.fields().size() == 1);
  CHECK(response.room() == Response::kMostFields - 1);
}

TEST_CASE("response: what another answer in its place keeps is what middleware said of any") {
  Response response;
  response.status = 404;
  CHECK(response.add("Content-Type", "text/css"));
  CHECK(response.add("X-Handlers", "1"));
  response.set_author(Origin::Host);
  CHECK(response.add("X-Hosts", "1"));
  response.set_author(Origin::Middleware);
  for (const char* name : {"Content-Encoding", "content-range", "Content-Location", "Content-Disposition",
                           "Content-Digest", "Repr-Digest", "Content-Language", "Accept-Ranges", "ETag",
                           "Last-Modified", "Expires", "Age", "Cache-Control", "Location"})
    CHECK(response.add(name, "1"));
  for (const char* name : {"Content-Security-Policy", "Access-Control-Allow-Origin", "Vary", "X-Request-Id"})
    CHECK(response.add(name, "1"));
  response.keep_middleware();
  CHECK(response.status == 200);
  CHECK(response.content_type.empty());
  std::string names;
  for (const Response::Field& field : response.fields()) names += std::string(field.name) + " ";
  CHECK(names == "Content-Security-Policy Access-Control-Allow-Origin Vary X-Request-Id ");
}

TEST_CASE("response: copies into an arena, or says that it is full") {
  BlockPool pool(4, 4);
  Arena arena(pool, Block::kSize);
  Response response;
  {
    std::string name = "X-A", value = "1";
    CHECK(response.add_copy(arena, name, value));
    name.assign(3, '?');
    value = "?";
  }
  CHECK(response.find("X-A") == "1");
  CHECK_FALSE(response.add_copy(arena, "X-B", std::string(20'000, 'x')));
  CHECK(response.fields().size() == 1);
}

TEST_CASE("status: lines and phrases of the registry, nothing for other codes") {
  CHECK(http::status_line(200) == "HTTP/1.1 200 OK\r\n");
  CHECK(http::reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(http::status_line(299).empty());
  CHECK(http::reason_phrase(0).empty());
  CHECK_FALSE(http::status_allows_body(204));
  CHECK_FALSE(http::status_allows_body(304));
  CHECK_FALSE(http::status_allows_body(101));
  CHECK_FALSE(http::status_allows_body(205));
  CHECK(http::status_allows_framing(205));
  CHECK_FALSE(http::status_allows_framing(204));
  CHECK(http::status_allows_body(200));
  CHECK(http::is_final_status(599));
  CHECK_FALSE(http::is_final_status(199));
}

}  // namespace leat::test
