// What the C++ wrapper shows of requests, and what it lets an answer be.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

std::string form_request(std::string_view target, std::string_view type, std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: test\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace

TEST_CASE("requests: header fields come in their order, repeated ones apart, found in any case") {
  Site site("requests");
  CHECK(
      site.get("/headers", "Accept: a\r\nX-One: 1\r\naccept: b\r\n").body ==
      R"({"all":[["Host","test"],["Accept","a"],["X-One","1"],["accept","b"]],"accept":["a","b"],"none":null})");
}

TEST_CASE("requests: cookies of several fields are one list") {
  Site site("requests");
  CHECK(site.get("/cookies", "Cookie: a=1; b=\"2\";c; =d\r\nX: y\r\nCookie: b=3;  e=4=5 \r\n").body ==
        R"({"all":[["a","1"],["b","2"],["","d"],["b","3"],["e","4=5"]],"b":"2"})");
  CHECK(site.get("/cookies").body == R"({"all":[],"b":null})");
}

TEST_CASE("requests: a query's values come decoded, all of a name") {
  Site site("requests");
  CHECK(site.get("/queries?tag=a&x&&t%61g=b+c&tag=%26&=").body ==
        R"({"all":[["tag","a"],["x",""],["tag","b c"],["tag","&"],["",""]],"tags":["a","b c","&"]})");
  CHECK(site.get("/queries").body == R"({"all":[],"tags":[]})");
  const Answer broken = site.get("/queries?tag=a&q=100%");
  CHECK(broken.status == 400);
  CHECK(broken.body.contains("The query parameter `q` has a `%` that two hexadecimal digits do not follow."));
}

TEST_CASE("requests: a form's fields are read as a query is, of its own type alone") {
  Site site("requests");
  CHECK(site.ask(form_request("/form", "application/x-www-form-urlencoded; charset=utf-8",
                              "a=1+2&b=%C3%A4&a=3"))
            .body == "[[\"a\",\"1 2\"],[\"b\",\"\xc3\xa4\"],[\"a\",\"3\"]]");
  CHECK(site.ask(form_request("/form", "APPLICATION/X-WWW-FORM-URLENCODED ;x", "")).body == "[]");
  CHECK(site.ask(form_request("/form", "text/plain", "a=1")).status == 415);
  CHECK(site.post("/form", "a=1").status == 415);
  CHECK(site.ask(form_request("/form", "application/x-www-form-urlencoded", "a=%4"))
            .body.contains("The form field `a` has a `%`"));
}

TEST_CASE("requests: trailers are there with the end of the body") {
  Site site("requests");
  CHECK(site.ask("POST /trailers HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "1\r\nx\r\n0\r\nX-Sum: 7\r\nX-More: y\r\n\r\n")
            .body == R"({"none_before":true,"all":[["X-Sum","7"],["X-More","y"]],"sum":"7"})");
  CHECK(site.post("/trailers", "x").body == R"({"none_before":true,"all":[],"sum":null})");
}

TEST_CASE("requests: the time that is left is that until the daemon gives up") {
  Site site("requests");
  site.limits.answer_timeout_ms = 5000;
  CHECK(site.get("/time_left").body == R"({"ms":5000})");
  // It is counted from the end of the request.
  CHECK(site.get("/time_left_early").body == "none, then some");
}

TEST_CASE("requests: a redirect leads to what it was given, relative or absolute") {
  Site site("requests");
  for (const std::string target : {"/users/7?a=b%20c#d", "deeper", "?page=2", "../up", "/a:b",
                                   "http://example.test/", "https://example.test"}) {
    std::string escaped;
    for (const char c : target)
      escaped += c == '%' ? "%25" : c == '&' ? "%26" : c == '#' ? "%23" : std::string(1, c);
    INFO(target);
    const Answer answer = site.get("/redirect?to=" + escaped);
    CHECK(answer.status == 303);
    CHECK(answer.head.contains("\r\nLocation: " + target + "\r\n"));
    CHECK(answer.body.empty());
  }
  for (const int status : {301, 302, 307, 308})
    CHECK(site.get("/redirect?to=/x&status=" + std::to_string(status)).status == status);
}

TEST_CASE("requests: a redirect that could be another one, or lead elsewhere, is refused") {
  LogText log;
  {
    Site site("requests");
    for (const std::string_view target :
         {"", "//evil.test/x", "/%5Cevil.test", "/x%0d%0aSet-Cookie:%20a=b", "/x%20y", "/%C3%A4",
          "javascript:alert(1)", "/%22%3E", "data:text/html,x", "x:y"}) {
      INFO(target);
      const Answer answer = site.get("/redirect?to=" + std::string(target));
      CHECK(answer.status == 500);
      CHECK_FALSE(answer.head.contains("Location"));
      CHECK_FALSE(answer.head.contains("Set-Cookie"));
    }
    CHECK(site.get("/redirect?to=/x&status=200").status == 500);
    CHECK(site.get("/local?to=//evil.test").head.contains("\r\nLocation: /\r\n"));
    CHECK(site.get("/local?to=/here").head.contains("\r\nLocation: /here\r\n"));
  }
  CHECK(log.take().contains("leads to another server: write its scheme"));
}

TEST_CASE("requests: cookies are set with what is safest, or what is asked for") {
  Site site("requests");
  const std::string head = site.get("/sets_cookies").head;
  INFO(head);
  CHECK(head.contains("\r\nSet-Cookie: plain=a=b/c; Path=/; Secure; HttpOnly; SameSite=Lax\r\n"));
  CHECK(head.contains(
      "\r\nSet-Cookie: __Host-session=x; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax\r\n"));
  CHECK(head.contains(
      "\r\nSet-Cookie: other=; Path=/deep; Domain=example.test; Secure; SameSite=None; Partitioned\r\n"));
  CHECK(head.contains("\r\nSet-Cookie: old=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict\r\n"));
}

TEST_CASE("requests: a cookie that no browser would keep, or that is another one, is refused") {
  Site site("requests");
  int refused = 0;
  for (;; ++refused) {
    const Answer answer = site.get("/bad_cookie?number=" + std::to_string(refused));
    INFO(refused << " " << answer.body);
    CHECK_FALSE(answer.head.contains("Set-Cookie"));
    if (answer.body == "no more") break;
    REQUIRE(answer.body.starts_with("refused: "));
  }
  CHECK(refused == 15);
}

TEST_CASE("requests: a problem has the members that it was given") {
  Site site("requests");
  CHECK(site.get("/problem").body ==
        R"({"type":"about:blank","title":"Conflict","status":409,"detail":"It is lent.",)"
        R"("until":"a \"day\"","left":3,"to":["ann","bob"]})");
  CHECK(site.get("/throws_problem").body.ends_with(R"("detail":"Later.","after_s":1.5})"));
  for (const std::string_view name :
       {"", "type", "title", "status", "detail", "instance", "request_id", "nan"}) {
    INFO(name);
    CHECK(site.get("/bad_member?name=" + std::string(name)).body == "refused");
  }
  CHECK(site.get("/bad_member?name=%22x").body.ends_with(R"(,"\"x":1.0})"));
}

TEST_CASE("requests: a type that was given stays, whatever the body is made with") {
  Site site("requests");
  for (const std::string_view how : {"text", "literal", "html", "json", "kept", "bytes"}) {
    INFO(how);
    CHECK(site.get("/typed?how=" + std::string(how)).head.contains("Content-Type: image/png\r\n"));
  }
  CHECK(site.get("/typed?how=explicit").head.contains("Content-Type: font/woff2\r\n"));
  CHECK(site.get("/typed?how=bytes").body == std::string("made \0 here", 11));
  const Answer untyped = site.get("/untyped");
  CHECK(untyped.head.contains("Content-Type: application/octet-stream\r\n"));
  CHECK(untyped.body == std::string("\x89PNG\0\xff", 6));
}

TEST_CASE("requests: a form with files is read as it arrives, or as a whole") {
  Site site("requests");
  constexpr std::string_view kType = "multipart/form-data; boundary=xyz";
  constexpr std::string_view kBody =
      "--xyz\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA day\r\n"
      "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"day.png\"\r\nContent-Type: "
      "image/png\r\n\r\n"
      "1\r\n2\r\n--xyz--\r\n";
  CHECK(site.ask(form_request("/upload", kType, kBody)).body ==
        R"({"parts":2,"names":["title","file"],"bytes":4})");
  CHECK(site.ask(form_request("/parts", kType, kBody)).body ==
        R"([{"name":"title","file":null,"type":"text/plain","content":"A day"},)"
        R"({"name":"file","file":"day.png","type":"image/png","content":"1\r\n2"}])");
  CHECK(site.ask(form_request("/upload", "application/json", "{}")).status == 415);
  CHECK(site.post("/parts", "x").status == 415);
  CHECK(site.ask(form_request("/upload", "multipart/form-data", kBody)).status == 400);
  const Answer cut = site.ask(form_request("/upload", kType, kBody.substr(0, 100)));
  CHECK(cut.status == 400);
  CHECK(cut.body.contains(
      R"("detail":"The form in the body ends before the boundary that ends the form.","offset":100)"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n";
  CHECK(site.ask(form_request("/upload", kType, many)).body.contains("has more than 3 parts"));
  CHECK(site.handled == site.ended);
}

}  // namespace leat::plugin::test
