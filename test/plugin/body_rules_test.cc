// Rules of what is in a body: the fields of multipart forms, as a whole and in pieces, and members of JSON.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "pipeline/parameter_rules.h"
#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

using pipeline::In;
using pipeline::ParameterSpec;
using pipeline::ParameterType;

constexpr std::string_view kMultipart = "multipart/form-data; boundary=b";

std::string post_of(std::string_view target, std::string_view body, std::string_view type = kMultipart) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: test\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
std::string part(std::string_view parameters, std::string_view content, std::string_view fields = "") {
  return "--b\r\nContent-Disposition: form-data; " + std::string(parameters) + "\r\n" + std::string(fields) +
         "\r\n" + std::string(content) + "\r\n";
}
std::string text(std::string_view name, std::string_view content) {
  return part("name=\"" + std::string(name) + "\"", content);
}
std::string file(std::string_view name, std::string_view content, std::string_view type = "image/png",
                 std::string_view file_name = "f") {
  return part("name=\"" + std::string(name) + "\"; filename=\"" + std::string(file_name) + "\"", content,
              "Content-Type: " + std::string(type) + "\r\n");
}
constexpr std::string_view kEnd = "--b--\r\n";

// The same request in pieces of that size.
Answer ask_in_pieces(Site& site, std::string_view wire, size_t size) {
  http1::Session session(site.environment(), "192.0.2.7", 0);
  for (size_t at = 0; at < wire.size(); at += size) session.feed(wire.substr(at, size));
  Answer answer = parse_answer(take_output(session));
  answer.cut = session.cut();
  session.disconnect();
  return answer;
}

ParameterSpec text_spec(std::string name, In in, uint32_t most = UINT32_MAX) {
  return {.name = std::move(name), .in = in, .required = true, .max_length = most};
}
ParameterSpec file_spec(std::string name, uint64_t most, std::vector<std::string> types = {}) {
  ParameterSpec spec{.name = std::move(name), .in = In::Multipart, .type = ParameterType::File};
  spec.max_size = most;
  spec.choices = std::move(types);
  spec.required = true;
  return spec;
}

}  // namespace

TEST_CASE("body rules: fields and files of a multipart form are parameters") {
  Site site("rules");
  const std::string good = text("title", "a\r\nb") + text("nobody", "asks for it") + text("year", "1999") +
                           file("photo", "\x89PNG", "Image/PNG; x=y", "\xc3\xa4.png") +
                           file("more", "1", "a/b", "m1") + file("more", "", "a/b", "m2") + text("tag", "x") +
                           text("tag", "yz") + std::string(kEnd);
  const Answer answer = site.ask(post_of("/upload", good));
  CHECK(answer.body ==
        "{\"title\":\"a\\r\\nb\",\"year\":1999,\"name\":\"\xc3\xa4.png\",\"type\":\"Image/PNG; x=y\","
        "\"content\":\"\xef\xbf\xbdPNG\",\"size\":4,\"more\":\"m1=1;m2=;\",\"extra\":false,"
        "\"tags\":[\"x\",\"yz\"]}");
  // A field of a form without a file in it comes all the same, with neither name nor content.
  const std::string unchosen = text("title", "a") + file("photo", "x", "text/css") +
                               file("extra", "", "application/octet-stream", "") + std::string(kEnd);
  CHECK(site.ask(post_of("/upload", unchosen)).body.contains(R"("extra":false)"));
  const std::string chosen = text("title", "a") + file("photo", "x", "text/css") +
                             file("extra", "", "application/octet-stream", "empty") + std::string(kEnd);
  CHECK(site.ask(post_of("/upload", chosen)).body.contains(R"("extra":true)"));
  CHECK(site.handled == site.ended);
}

TEST_CASE("body rules: all that is wrong with a form is told at once") {
  Site site("rules");
  const std::string bad = text("title", "") + text("year", "1899") + file("photo", std::string(17, 'x')) +
                          text("tag", "ok") + text("tag", "long") + text("tag", "") + file("more", "1") +
                          file("more", "2") + file("more", "3") + std::string(kEnd);
  const Answer answer = site.ask(post_of("/upload", bad));
  INFO(answer.body);
  CHECK(answer.status == 400);
  CHECK(answer.head.contains("application/problem+json"));
  CHECK(answer.body.contains("The request has 6 mistakes."));
  for (
      const std::string_view each :
      {R"({"detail":"must be a text of 1 to 10 characters","in":"multipart","parameter":"title"})",
       R"({"detail":"must be a whole number from 1900 to 2100","in":"multipart","parameter":"year"})",
       R"({"detail":"must be a file of 16 bytes at most of the type `image/png` or `text/*`","in":"multipart","parameter":"photo"})",
       R"({"detail":"must be a text of 1 to 3 characters","in":"multipart","parameter":"tag","index":1})",
       R"({"detail":"must be a text of 1 to 3 characters","in":"multipart","parameter":"tag","index":2})",
       R"({"detail":"must have 0 to 2 values","in":"multipart","parameter":"more"})"})
    CHECK(answer.body.contains(each));
  CHECK(site.ask(post_of("/upload", "")).body.contains("The request has 2 mistakes."));
  CHECK(site.handled == site.ended);
}

TEST_CASE("body rules: what is no form, or none that can be read, has a clear answer each") {
  Site site("rules");
  site.form_limits = {.parts = 4, .text_bytes = 8};
  REQUIRE(site.route("upload"));
  const std::string photo = file("photo", "x");
  const struct {
    std::string body, type;
    std::string_view detail;
  } cases[] = {
      {"title=a", "application/x-www-form-urlencoded", "The body must be multipart/form-data."},
      {"x", "multipart/form-data", "names a boundary of 1 to 70 characters."},
      {"x", std::string(kMultipart),
       "The body has no parts: the boundary that its Content-Type names is not in it, at byte 1."},
      {std::string(kEnd), std::string(kMultipart), "The body has no parts, at byte 5."},
      {text("title", "a"), std::string(kMultipart),
       "The body ends before the boundary that ends the form, at byte"},
      {"--b\r\nX: " + std::string(5000, 'x'), std::string(kMultipart), "more than 4096 bytes, at byte 4101."},
      {text("x", "") + text("x", "") + text("x", "") + text("x", "") + text("x", ""), std::string(kMultipart),
       "The body has more than 4 parts, at byte"},
      {text("title", "a") + photo + photo + std::string(kEnd), std::string(kMultipart),
       "The form field `photo` must not come twice."},
      {text("title", "123456789") + photo + std::string(kEnd), std::string(kMultipart),
       "The form field `title` must be a text of 8 bytes at most."},
      {text("title", "a") + part("name=photo", "x") + std::string(kEnd), std::string(kMultipart),
       "The form field `photo` must be a file, which has a `filename`."},
      {file("title", "a", "text/plain") + photo + std::string(kEnd), std::string(kMultipart),
       "The form field `title` must be a text and no file."},
      {text("title", "a") + file("photo", "--c--", "Multipart/Mixed; boundary=c") + std::string(kEnd),
       std::string(kMultipart), "The form field `photo` must not be a multipart of its own"},
      {text("title", "a") + part("name=\"photo\"; filename*=UTF-8''x", "x") + std::string(kEnd),
       std::string(kMultipart),
       "The body has a part with `filename*` and no `filename`, which forms do not have"},
  };
  for (const auto& each : cases) {
    INFO(each.body.substr(0, 200));
    const Answer answer = site.ask(post_of("/upload", each.body, each.type));
    INFO(answer.body);
    CHECK(answer.status == 400);
    CHECK(answer.body.contains(each.detail));
  }
  // Beside a filename it is read over; names may be in quotes, or not.
  CHECK(site.ask(post_of("/upload", part("name=title", "a") +
                                        part("name=\"photo\"; filename=\"a\\\"b\"; filename*=UTF-8''x", "x",
                                             "Content-Type: image/png\r\n") +
                                        std::string(kEnd)))
            .body.contains(R"("name":"a\"b")"));
  CHECK(site.handled == site.ended);
}

TEST_CASE("body rules: a form in pieces is checked as it comes, and its handler told at the end") {
  Site site("rules");
  site.form_limits = {.parts = 10, .text_bytes = 200};
  REQUIRE(site.route("streamed", {},
                     {text_spec("title", In::Multipart, 3), file_spec("photo", 1000, {"image/*"})}));
  const std::string good = file("photo", std::string(1000, 'x')) + text("title", "abc") +
                           text("other", std::string(300, 'x')) + std::string(kEnd);
  const std::string large = text("title", "abcd") + file("photo", std::string(1001, 'x')) + std::string(kEnd);
  const std::string cut = text("title", "abcd") + file("photo", "x", "text/plain") + "--b";
  const std::string long_text = text("title", std::string(201, 'x')) + file("photo", "") + std::string(kEnd);
  for (const size_t size : {size_t{1}, size_t{7}, size_t{100'000}}) {
    INFO("in pieces of " << size);
    CHECK(ask_in_pieces(site, post_of("/streamed?n=7", good), size).body ==
          R"({"n":7,"bytes":)" + std::to_string(good.size()) + "}");
    const Answer both = ask_in_pieces(site, post_of("/streamed?n=7", large), size);
    CHECK(both.status == 400);
    CHECK(both.body.contains("The request has 2 mistakes."));
    CHECK(both.body.contains("must be a file of 1000 bytes at most of the type `image/*`"));
    CHECK(ask_in_pieces(site, post_of("/streamed?n=7", cut), size)
              .body.contains("The request has 3 mistakes."));
    CHECK(ask_in_pieces(site, post_of("/streamed?n=7", long_text), size)
              .body.contains("a text of 200 bytes at most"));
    CHECK(ask_in_pieces(site, post_of("/streamed?n=7", "--b\r\nnothing\r\n\r\n"), size)
              .body.contains("no header field, at byte 16."));
    CHECK(ask_in_pieces(site, post_of("/streamed?n=7", "a=b", "text/plain"), size)
              .body.contains("The body must be multipart/form-data."));
  }
  CHECK(site.post("/streamed?n=7", "").body.contains("The request has 2 mistakes."));
  CHECK(site.post("/streamed?n=256", "").body.contains("must be a whole number from 0 to 255"));
  CHECK(site.handled == site.ended);
}

TEST_CASE("body rules: members of a JSON body are asked of by name or pointer") {
  Site site("rules");
  ParameterSpec size{.name = "size", .in = In::Json, .type = ParameterType::Integer};
  size.least = 1;
  size.most = 9;
  ParameterSpec tags{.name = "/a~1b/tags", .in = In::Json, .list = true, .max_length = 2, .max_items = 2};
  const ParameterSpec city = text_spec("/address/city", In::Json, 5);
  const ParameterSpec gift{.name = "gift", .in = In::Json, .type = ParameterType::Boolean};
  REQUIRE(site.route("any", {}, {size, tags, city, gift}));
  const auto post = [&](std::string_view body, std::string_view type = "application/json") {
    return site.ask(post_of("/any?q", body, type));
  };
  for (const std::string_view good :
       {R"({"address":{"city":"Ulm"}})",
        R"( {"size":9,"a/b":{"tags":["a","bc"]},"address":{"x":[{}],"city":"\u00c4"},"gift":true} )",
        R"({"address":{"city":""},"size":null,"a/b":{"tags":[]}})",
        R"({"address":{"city":"x"},"a/b":null})"}) {
    INFO(good);
    CHECK(post(good).body == "q");
    CHECK(post(good, "application/merge+JSON; charset=utf-8").body == "q");
  }
  const struct {
    std::string_view body, pointer, detail;
  } cases[] = {
      {R"({})", "#/address/city", "is missing"},
      {R"({"address":{"city":null}})", "#/address/city", "is missing"},
      {R"({"address":[]})", "#/address", "must be an object"},
      {R"({"address":{"city":"Berlin"}})", "#/address/city", "must be a text of 5 characters at most"},
      {R"({"address":{"city":7}})", "#/address/city", "must be a text of 5 characters at most"},
      {R"({"address":{"city":"x"},"size":"1"})", "#/size", "must be a whole number from 1 to 9"},
      {R"({"address":{"city":"x"},"size":1.5})", "#/size", "must be a whole number from 1 to 9"},
      {R"({"address":{"city":"x"},"gift":"true"})", "#/gift", "must be true or false"},
      {R"({"address":{"city":"x"},"a/b":{"tags":"a"}})", "#/a~1b/tags", "must be an array"},
      {R"({"address":{"city":"x"},"a/b":{"tags":["a","b","c"]}})", "#/a~1b/tags", "must have 0 to 2 values"},
      {R"({"address":{"city":"x"},"a/b":{"tags":["a",{}]}})", "#/a~1b/tags/1",
       "must be a text of 2 characters at most"},
      {R"({"address":{"city":"x"},"size":1,"size":1})", "#/size", "must not appear twice"},
      {R"({"address":{"city":"x"},"address":{}})", "#/address", "must not appear twice"},
      {R"({"address":{"city":"x"},"b":[tru]})", "#/b/0", "must be a value"},
      {R"({"address":{"city":"x"}} x)", "#", "must end after its value"},
      {R"([])", "#", "must be an object"},
  };
  for (const auto& each : cases) {
    INFO(each.body);
    const Answer answer = post(each.body);
    INFO(answer.body);
    CHECK(answer.status == 400);
    CHECK(answer.body.contains("\"errors\":[{\"detail\":\"" + std::string(each.detail) + "\",\"pointer\":\"" +
                               std::string(each.pointer) + "\"}]"));
  }
  CHECK(post("{}", "text/plain").body.contains("The body must be application/json."));
  CHECK(
      post(R"({"size":0,"gift":1,"a/b":{"tags":["long",2]}})").body.contains("The request has 5 mistakes."));
  CHECK(post(std::string(1000, '[')).body.contains("must be an object"));
  CHECK(post(R"({"x":)" + std::string(1000, '[')).body.contains("is nested too deep"));
  CHECK(site.get("/any").body.contains("The body's `/address/city` is missing."));
  // The handler, which reads the same body, does not say the same again.
  REQUIRE(site.route("tree", {}, {text_spec("name", In::Json)}));
  const Answer twice = site.ask(post_of("/tree", R"({"id":1,)", "application/json"));
  CHECK(twice.body.contains("The body"));
  CHECK_FALSE(twice.body.contains("2 mistakes"));
}

TEST_CASE("body rules: names in a JSON body are looked up, however many there are on either side") {
  Site site("rules");
  std::vector<ParameterSpec> specs;
  for (int i = 0; i < 128; ++i)
    specs.push_back(
        {.name = "/a" + std::to_string(i % 8) + "/b" + std::to_string(i % 32) + "/c" + std::to_string(i),
         .in = In::Json,
         .type = ParameterType::Integer,
         .required = true});
  REQUIRE(site.route("any", {}, specs));
  const auto post = [&](const std::string& body) {
    return site.ask(post_of("/any?q", body, "application/json"));
  };
  // Each where it was asked of, among names of other places, written in another way.
  const auto body_with = [](int without, int twice) {
    std::string text = R"({"c0":1,"b0":{"a0":{}})";
    for (int a = 0; a < 8; ++a) {
      text += R"(,"\u0061)" + std::to_string(a) + R"(":{"a0":{"b0":{}},"c0":"x")";
      for (int b = a; b < 32; b += 8) {
        text += ",\"b" + std::to_string(b) + R"(":{"b0":null,"c":[])";
        for (int c = b; c < 128; c += 32)
          for (int times = c == without ? 0 : c == twice ? 2 : 1; times > 0; --times)
            text += ",\"c" + std::to_string(c) + "\":" + std::to_string(c);
        text += "}";
      }
      text += "}";
    }
    return text + "}";
  };
  CHECK(post(body_with(-1, -1)).body == "q");
  for (const int each : {0, 31, 77, 127}) {
    const std::string place = "`/a" + std::to_string(each % 8) + "/b" + std::to_string(each % 32) + "/c" +
                              std::to_string(each) + "`";
    CHECK(post(body_with(each, -1)).body.contains("The body's " + place + " is missing."));
    CHECK(post(body_with(-1, each)).body.contains("The body's " + place + " must not appear twice."));
  }
  // What many are asked of is told once.
  CHECK(
      post(R"({"a0":1,"a1":{"b1":[]}})").body.contains(R"({"detail":"must be an object","pointer":"#/a0"})"));
  CHECK(post(R"({"a0":1,"a1":{"b1":[]}})")
            .body.contains(R"({"detail":"must be an object","pointer":"#/a1/b1"})"));
}

TEST_CASE("body rules: of a list no more is kept than it may have") {
  Site site("rules");
  const ParameterSpec form{.name = "x", .in = In::Form, .list = true, .max_items = 3};
  ParameterSpec json = form;
  json.in = In::Json;
  site.form_limits = {.parts = 1'000'000};
  // Far more than there is memory for.
  std::string pairs, texts;
  for (int i = 0; i < 700'000; ++i) {
    pairs += "x=%41&";
    texts += i == 0 ? R"("\u0041")" : R"(,"\u0041")";
  }
  REQUIRE(site.route("any", {}, {form}));
  const auto told = [&](std::string_view body, std::string_view type) {
    const Answer answer = site.ask(post_of("/any?q", body, type));
    return std::to_string(answer.status) + " " + std::string(answer.body);
  };
  constexpr std::string_view kForm = "application/x-www-form-urlencoded", kJson = "application/json";
  CHECK(told("x=1&x=2&x=3", kForm) == "200 q");
  for (const std::string& body : {std::string("x=1&x=2&x=3&x=4"), pairs}) {
    const std::string answer = told(body, kForm);
    CHECK(answer.starts_with("400 "));
    CHECK(answer.contains("The form field `x` must have 0 to 3 values."));
  }
  REQUIRE(site.route("any", {}, {json}));
  CHECK(told(R"({"x":["1","2","3"]})", kJson) == "200 q");
  for (const std::string& body : {std::string(R"({"x":["1","2","3",4]})"), "{\"x\":[" + texts + "]}"}) {
    const std::string answer = told(body, kJson);
    CHECK(answer.starts_with("400 "));
    CHECK(answer.contains("The body's `/x` must have 0 to 3 values."));
  }
  // What is wrong with the text behind them is told all the same.
  const std::string broken = told("{\"x\":[" + texts + ",x]}", kJson);
  CHECK(broken.contains(R"({"detail":"must have 0 to 3 values","pointer":"#/x"})"));
  CHECK(broken.contains(R"({"detail":"must be a value","pointer":"#/x/700000"})"));
}

TEST_CASE("body rules: fields of a form are as many as limits.form_parts has it") {
  Site site("rules");
  site.form_limits = {.parts = 4};
  const auto told = [&](std::string_view body) {
    return std::string(site.ask(post_of("/form", body, "application/x-www-form-urlencoded")).body);
  };
  CHECK(told("a=1&&b=2&&c&name=x") == R"({"name":"x","age":null,"page":1})");
  CHECK(told("a=1&b=2&c&name=x&d").contains("The body has more than 4 fields."));
  CHECK(told("name=x&name=y&name=z&n%61me=%41&name").contains("The body has more than 4 fields."));
  CHECK(told("&&&&&&&&n%61me=%41&a%67e=7") == R"({"name":"A","age":7,"page":1})");
}

TEST_CASE("body rules: what a body cannot have is told when the route is loaded") {
  Site site("rules");
  const auto message = [&](const std::string& name, std::vector<ParameterSpec> specs) {
    const auto bound = site.route(name, {}, std::move(specs));
    REQUIRE_FALSE(bound);
    return bound.error().message;
  };
  CHECK(message("any", {text_spec("a", In::Json), file_spec("b", 1)})
            .contains("parameters of one route cannot be in two of them"));
  CHECK(message("any", {text_spec("/a", In::Json), text_spec("/a/b", In::Json)})
            .contains("`/a` and `/a/b` are one"));
  CHECK(message("any", {text_spec("a", In::Json), text_spec("/a", In::Json)}).contains("are one"));
  CHECK(message("streamed", {text_spec("a", In::Json)}).contains("takes its body in pieces"));
  CHECK(message("upload", {{.name = "photo", .in = In::Multipart, .type = ParameterType::Uuid}})
            .contains("as a file"));
  // Both have a say in how large a file is.
  REQUIRE(site.route("upload", {}, {{.name = "photo", .in = In::Multipart, .max_size = 2}}));
  const std::string form = text("title", "a") + file("photo", "abc") + std::string(kEnd);
  CHECK(site.ask(post_of("/upload", form)).body.contains("a file of 2 bytes at most"));
}

}  // namespace leat::plugin::test
