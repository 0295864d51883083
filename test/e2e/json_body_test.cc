// Bodies that plugins read as structs, over real sockets: what fits is understood, everything else is a 400
// that says where, and the daemon goes on.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

const std::string kConfiguration =
    "[server]\nlisten = \"127.0.0.1:0\"\n[limits]\nbody = \"4MiB\"\n[[plugin]]\nname = \"r\"\nfile = "
    "\"" TEST_PLUGINS
    "/responses.so\"\n[[route]]\npath = \"/read\"\nmethod = \"POST\"\nhandler = \"r:read\"\n";
constexpr std::string_view kJson = "Content-Type: application/json\r\n";
constexpr std::string_view kGood =
    R"({"name":"a \"b\"","note":"plain","sides":4,"closed":true,"points":[{"x":1,"y":2.5}],"size":[3,4]})";

}  // namespace

TEST_CASE("json body: what fits is understood") {
  Daemon daemon(kConfiguration);
  Client client(daemon.address());
  const auto understood = [&](std::string_view body, std::string_view fields = kJson) {
    const Response response = client.ask(with_body("POST", "/read", body, fields));
    CHECK(response.status == 200);
    return response.body;
  };
  CHECK(
      understood(kGood) ==
      R"({"name":"a \"b\"","note":"plain","sides":4,"closed":true,"id":null,"points":[{"x":1,"y":2.5}],"size":[3,4]})");
  // Any order, white space, what it lacks, escapes in a view, all of Unicode.
  CHECK(understood(
            R"( { "size" : [ 0 , -1 ] , "more" : [ {"a":[null,true,1e5,"x"]} ] , "points" : [ ] , "id" : -9 ,
      "closed" : false , "sides" : 255 , "note" : "\u00e4\n\ud83d\ude00" , "name" : "" } )") ==
        "{\"name\":\"\",\"note\":\"\xc3\xa4\\n\xf0\x9f\x98\x80\",\"sides\":255,\"closed\":false,\"id\":-9,"
        "\"points\":[],"
        "\"size\":[0,-1]}");
  (void)understood(kGood, "Content-Type: application/vnd.shape+json; charset=utf-8\r\n");
  (void)understood(kGood, "");
}

TEST_CASE("json body: what does not fit is a 400 that says where and why") {
  Daemon daemon(kConfiguration);
  Client client(daemon.address());
  const auto refused = [&](std::string body, std::string_view what, std::string_view where,
                           std::string_view why) {
    // `what` in the good body becomes `body`.
    std::string text(kGood);
    const size_t at = text.find(what);
    REQUIRE(at != std::string::npos);
    text.replace(at, what.size(), body);
    const Response response = client.ask(with_body("POST", "/read", text, kJson));
    INFO(text);
    INFO(response.body);
    CHECK(response.is_problem(400));
    // Of several mistakes each is in `errors`, with its pointer as a fragment.
    const bool several = response.body.contains("\"errors\":");
    CHECK(response.body.contains(fmt::format("\"pointer\":\"{}{}\"", several ? "#" : "", where)));
    CHECK(response.body.contains(why));
    return response.body;
  };
  CHECK(refused("256,", "4,", "/sides", "whole number from 0 to 255")
            .contains("\"offset\":" + std::to_string(kGood.find("4,")) + ","));
  refused("-1,", "4,", "/sides", "whole number from 0 to 255");
  refused("4.5,", "4,", "/sides", "whole number");
  refused("\"4\",", "4,", "/sides", "whole number");
  refused("04,", "4,", "/sides", "comma or a closing brace");
  refused("1", "true", "/closed", "true or false");
  refused("null", "true", "/closed", "true or false");
  refused("7", "\"plain\"", "/note", "must be a text");
  refused("\"\xff\"", "\"plain\"", "/note", "must be UTF-8");
  refused("\"\\ud83d\"", "\"plain\"", "/note", "surrogate");
  refused("\"a\nb\"", "\"plain\"", "/note", "control character");
  refused("\"\\x\"", "\"plain\"", "/note", "escape");
  refused("\"x\"", "1", "/points/0/x", "whole number");
  refused("99999999999", "1", "/points/0/x", "whole number");
  refused("1e999", "2.5", "/points/0/y", "number that fits");
  refused("-1e999", "2.5", "/points/0/y", "number that fits");
  refused("NaN", "2.5", "/points/0/y", "must be a number");
  refused("-Infinity", "2.5", "/points/0/y", "must have a digit here");
  refused("18446744073709551616", "1", "/points/0/x", "whole number");
  refused(std::string("\"a\0b\"", 5), "\"plain\"", "/note", "control character");
  refused("\"\xed\xa0\x80\"", "\"plain\"", "/note", "must be UTF-8");
  refused("\"\xc0\xaf\"", "\"plain\"", "/note", "must be UTF-8");
  refused("\xef\xbb\xbf{", "{", "", "must be an object");
  refused("{}", "{\"x\":1,\"y\":2.5}", "/points/0/x", "is missing");
  refused("[]", "{\"x\":1,\"y\":2.5}", "/points/0", "must be an object");
  refused("[3]", "[3,4]", "/size", "must have 2 elements");
  refused("[3,4,5]", "[3,4]", "/size/2", "one too many");
  refused("[3,]", "[3,4]", "/size/1", "whole number");
  refused("{\"name\":\"\",", "{", "/name", "must not appear twice");
  refused("{\"a/b~c\":x,", "{", "/a~1b~0c", "must be a value");
}

TEST_CASE("json body: hostile ones are refused, and the daemon goes on") {
  Daemon daemon(kConfiguration);
  const auto status = [&](const std::string& body, std::string_view fields = kJson) {
    return Client(daemon.address()).ask(with_body("POST", "/read", body, fields)).status;
  };
  CHECK(status("") == 400);
  CHECK(status("null") == 400);
  CHECK(status("{}x") == 400);
  CHECK(status(std::string(1'000'000, '[')) == 400);
  CHECK(status("{\"a\":" + std::string(1'000'000, '[') + "}") == 400);
  std::string nested = "{\"a\":";
  for (int i = 0; i < 200'000; ++i) nested += "{\"a\":";
  CHECK(status(nested) == 400);
  CHECK(status("{\"a\":\"" + std::string(3'000'000, 'x')) == 400);
  CHECK(status("{\"a\":" + std::string(3'000'000, '9') + "}") == 400);
  CHECK(status("{\"a\":1e" + std::string(3'000'000, '9') + "}") == 400);
  CHECK(status("{\"" + std::string(100'000, '\\') + "\":1}") == 400);
  CHECK(status(std::string(kGood), "Content-Type: text/plain\r\n") == 415);
  // Members that nobody knows may come as often as they like; they take time, and no memory.
  std::string many = "{";
  for (int i = 0; i < 200'000; ++i) many += i % 2 == 0 ? "\"a\":[]," : "\"\\u0061\":{},";
  CHECK(status(many + std::string(kGood.substr(1))) == 200);
  CHECK(status("{\"" + std::string(3'000'000, 'k') + "\":1," + std::string(kGood.substr(1))) == 200);
  CHECK(status(std::string(5 << 20, ' ')) == 413);
  // Its size was not said before.
  std::string chunks;
  for (int i = 0; i < 5; ++i) chunks += "100000\r\n" + std::string(1 << 20, ' ') + "\r\n";
  CHECK(Client(daemon.address())
            .ask("POST /read HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n" +
                 chunks + "0\r\n\r\n")
            .status == 413);
  for (size_t size = 0; size < kGood.size(); ++size) CHECK(status(std::string(kGood.substr(0, size))) == 400);
  CHECK(status(std::string(kGood)) == 200);
}

}  // namespace leat::e2e
