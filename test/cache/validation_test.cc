// Conditions: of clients on what is stored, and of the cache on what its handler has.
#include "cache/site.h"

#include <catch2/generators/catch_generators.hpp>

namespace leat::cache {

TEST_CASE("response cache: conditions are judged by what is stored") {
  Site site;
  site.script->fields = {{"Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"}};
  const std::string etag = site.get("/a").field("ETag");
  const auto status = [&](const std::string& fields) { return site.get("/a", fields).status; };
  CHECK(status("If-None-Match: " + etag + "\r\n") == 304);
  CHECK(status("If-None-Match: \"x\", W/" + etag + "\r\n") == 304);
  CHECK(status("If-None-Match: \"x\"\r\n") == 200);
  CHECK(status("If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n") == 304);
  CHECK(status("If-Modified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n") == 200);
  CHECK(status("If-Modified-Since: yesterday\r\n") == 200);
  // If-None-Match goes first (RFC 9110, section 13.1.3).
  CHECK(status("If-None-Match: \"x\"\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n") == 200);
  const Answer unchanged = site.get("/a", "If-None-Match: *\r\n");
  CHECK(unchanged.status == 304);
  CHECK(unchanged.body.empty());
  CHECK(unchanged.field("ETag") == etag);
  CHECK(unchanged.field("Content-Type").empty());
  CHECK(site.script->runs == 1);
  // Also by whoever has it made.
  site.pass(60'000);
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "run 1"); };
  CHECK(status("If-None-Match: " + etag + "\r\n") == 304);
  CHECK(site.script->runs == 2);
  CHECK(site.body("/a") == "run 1");
}

TEST_CASE("response cache: a condition is read over all its lines, and a date in any of its forms") {
  Site site;
  site.script->fields = {{"ETag", "\"a\""}, {"Last-Modified", "Sat, 29 Oct 1994 19:43:31 GMT"}};
  CHECK(site.body("/a") == "run 1");
  const auto status = [&](const std::string& fields) { return site.get("/a", fields).status; };
  CHECK(status("If-None-Match: \"a\"\r\nIf-None-Match: \"x\"\r\n") == 304);
  CHECK(status("If-None-Match: \"x\"\r\nIf-None-Match: \"y\", \"a\"\r\n") == 304);
  CHECK(status("If-None-Match: \"x\"\r\nIf-None-Match: \"y\"\r\n") == 200);
  CHECK(status("If-None-Match:\r\nIf-None-Match: *\r\n") == 304);
  CHECK(status("If-None-Match:\r\n") == 200);
  const std::string since = "If-Modified-Since: ";
  CHECK(status(since + "Saturday, 29-Oct-94 19:43:31 GMT\r\n") == 304);
  CHECK(status(since + "Saturday, 29-Oct-94 19:43:30 GMT\r\n") == 200);
  CHECK(status(since + "Sat Oct 29 19:43:31 1994\r\n") == 304);
  CHECK(status(since + "Sat Oct 29 19:43:30 1994\r\n") == 200);
  // One that is two says nothing (RFC 9110, section 13.1.3).
  CHECK(status(since + "Sat Oct 29 19:43:31 1994\r\n" + since + "Sat Oct 29 19:43:31 1994\r\n") == 200);
  CHECK(site.get("/a", "If-None-Match: \"x\"\r\nIf-None-Match: \"a\"\r\n", "HEAD").status == 304);
  CHECK(site.script->runs == 1);
  // The same for who has it made.
  site.pass(60'000);
  CHECK(status("If-None-Match: \"x\"\r\nIf-None-Match: \"a\"\r\n") == 304);
  CHECK(site.script->runs == 2);
  // A handler's date may have another form, too.
  site.script->fields = {{"Last-Modified", "Saturday, 29-Oct-94 19:43:31 GMT"}};
  CHECK(site.get("/b").status == 200);
  CHECK(site.get("/b", since + "Sat, 29 Oct 1994 19:43:31 GMT\r\n").status == 304);
}

TEST_CASE(
    "response cache: what is stale is validated by the handler's tag and date, and good again by its 304") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = 30'000;
  Site site(policy);
  site.harness->worker.asks_self = true;
  const std::string date = "Tue, 14 Nov 2023 22:13:20 GMT";
  site.script->fields = {{"ETag", "\"one\""}, {"Last-Modified", date}, {"X-Kept", "a"}, {"X-Run", "1"}};
  std::string seen;
  site.script->answer = [&](http::Exchange& exchange) {
    const http::Request& request = exchange.request;
    seen = fmt::format("{} {} {}", request.header(http::HeaderId::IfNoneMatch),
                       request.header(http::HeaderId::IfModifiedSince), request.header("X-Asked"));
    CHECK(add_tag(exchange, fmt::format("run-{}", site.script->runs)));
    const bool same = request.header(http::HeaderId::IfNoneMatch) == "\"one\"";
    return site.script->say(exchange, same ? "" : "body", same ? 304 : 200);
  };
  CHECK(site.body("/a", "X-Asked: yes\r\n") == "body");
  CHECK(seen == "  yes");
  site.pass(91'000);
  site.script->fields = {{"X-Run", "2"}, {"Cache-Control", "max-age=120"}, {"Content-Language", "de"}};

  SECTION("for the client who finds it stale") {
    const Answer fresh = site.get("/a", "X-Asked: yes\r\n");
    CHECK(seen == "\"one\" " + date + " yes");
    CHECK(fresh.status == 200);
    CHECK(fresh.body == "body");
    CHECK(fresh.field("Cache-Status") == "leat; fwd=stale; fwd-status=304; stored");
    CHECK(fresh.field("Content-Type") == "text/plain");
    CHECK(fresh.field("ETag") == "\"one\"");
    CHECK(fresh.field("X-Kept") == "a");
    CHECK(fresh.field("X-Run") == "2");
    CHECK(fresh.field("Content-Language").empty());  // of the body, which is the stored one
    site.pass(119'000);
    const Answer hit = site.get("/a");
    CHECK(hit.body == "body");
    CHECK(hit.field("Cache-Status") == "leat; hit; ttl=1");
    CHECK(hit.field("X-Run") == "2");
    CHECK(site.script->runs == 2);
  }
  SECTION("and the client's own conditions are judged by it") {
    CHECK(site.get("/a", "If-None-Match: \"zero\", \"one\"\r\n").status == 304);
    CHECK(seen == "\"one\" " + date + " ");
    site.pass(200'000);
    CHECK(site.get("/a", "If-None-Match: \"zero\"\r\n").body == "body");
    CHECK(seen == "\"one\" " + date + " ");
    site.pass(200'000);
    CHECK(site.get("/a", "If-Modified-Since: " + date + "\r\n").status == 304);
    CHECK(site.script->runs == 4);
  }
  SECTION("in the background") {
    site.pass(200'000);
    CHECK(site.body("/a") == "body");  // now good for two minutes
    site.pass(130'000);
    CHECK(site.get("/a").field("Cache-Status") == "leat; hit; ttl=-10");
    site.refresh();
    CHECK(seen == "\"one\" " + date + " ");
    CHECK(site.get("/a").field("Cache-Status") == "leat; hit; ttl=120");
    CHECK(site.script->runs == 3);
  }
  SECTION("and keeps the tags by which it is purged, beside new ones") {
    CHECK(site.body("/a") == "body");
    CHECK(site.body("/a") == "body");
    CHECK(site.script->runs == 2);
    CHECK(site.purge(PurgeBy::Tag, GENERATE("run-1", "run-2"), true).empty());
    CHECK(site.body("/a") == "body");
    CHECK(seen == "  ");  // there is nothing to be validated
    CHECK(site.script->runs == 3);
  }
  SECTION("unless it has another by now") {
    site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "other"); };
    CHECK(site.body("/a") == "other");
    CHECK(site.body("/a") == "other");
    CHECK(site.script->runs == 2);
  }
  SECTION("or fails") {
    site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "", 500); };
    CHECK(site.get("/a").status == 500);
  }
}

TEST_CASE(
    "response cache: a tag that was made here is not shown to the handler, and its 304 not taken for more") {
  Site site;
  std::string seen = "nothing";
  const std::string etag = site.get("/a").field("ETag");
  CHECK(etag.size() == 34);
  site.script->answer = [&](http::Exchange& exchange) {
    seen = exchange.request.header(http::HeaderId::IfNoneMatch);
    return site.script->say(exchange, "", 304);
  };
  site.pass(60'000);
  CHECK(site.get("/a").status == 304);
  CHECK(seen.empty());
  CHECK(site.get("/a", "If-None-Match: \"z\"\r\n").status == 304);
  CHECK(seen == "\"z\"");
  CHECK(site.script->runs == 3);
}

TEST_CASE("response cache: a 304 about another answer than the stored one updates nothing") {
  struct Case {
    std::vector<std::pair<std::string, std::string>> stored, found;
    char outcome;  // 'f': fresh again; 'k': kept as it is, and sent; 'r': refused, and gone
  };
  const std::string date = "Tue, 14 Nov 2023 22:13:20 GMT", later = "Tue, 14 Nov 2023 22:13:21 GMT";
  const std::vector<Case> cases = {
      {{{"ETag", "\"a\""}}, {}, 'f'},
      {{{"ETag", "\"a\""}}, {{"ETag", "\"a\""}}, 'f'},
      {{{"ETag", "\"a\""}}, {{"ETag", "W/\"a\""}}, 'f'},
      {{{"ETag", "W/\"a\""}}, {{"ETag", "W/\"a\""}}, 'f'},
      {{{"ETag", "\"a\""}, {"Last-Modified", date}}, {{"ETag", "\"a\""}, {"Last-Modified", later}}, 'f'},
      {{{"Last-Modified", date}}, {{"Last-Modified", date}}, 'f'},
      {{{"Last-Modified", date}}, {}, 'f'},
      {{{"Last-Modified", date}}, {{"Last-Modified", "Tuesday, 14-Nov-23 22:13:20 GMT"}}, 'f'},
      {{{"ETag", "\"a\""}}, {{"Last-Modified", date}}, 'k'},
      {{{"Last-Modified", date}}, {{"ETag", "W/\"a\""}}, 'k'},
      {{{"Last-Modified", date}}, {{"ETag", "\"a\""}, {"Last-Modified", date}}, 'k'},
      {{{"ETag", "\"a\""}}, {{"ETag", "\"b\""}}, 'r'},
      {{{"ETag", "\"a\""}}, {{"ETag", "W/\"b\""}}, 'r'},
      {{{"ETag", "W/\"a\""}}, {{"ETag", "\"a\""}}, 'r'},
      {{{"ETag", "\"a\""}, {"Last-Modified", date}}, {{"ETag", "\"b\""}, {"Last-Modified", date}}, 'r'},
      {{{"Last-Modified", date}}, {{"Last-Modified", later}}, 'r'}};
  for (size_t i = 0; i < cases.size(); ++i) {
    INFO(i);
    const Case& each = cases[i];
    Site site;
    site.script->fields = {each.stored.begin(), each.stored.end()};
    site.script->fields["X-Run"] = "1";
    CHECK(site.body("/a") == "run 1");
    site.pass(60'000);
    site.script->answer = [&](http::Exchange& exchange) {
      const http::Request& request = exchange.request;
      const bool asked = request.header(http::HeaderId::IfNoneMatch).data() != nullptr ||
                         request.header(http::HeaderId::IfModifiedSince).data() != nullptr;
      site.script->fields = {{"X-Run", "2"}};
      if (asked) site.script->fields.insert(each.found.begin(), each.found.end());
      return site.script->say(exchange, asked ? "" : "new", asked ? 304 : 200);
    };
    const Answer answer = site.get("/a");
    CHECK(answer.status == (each.outcome == 'r' ? 502 : 200));
    CHECK(answer.field("X-Run") == (each.outcome == 'f' ? "2" : each.outcome == 'k' ? "1" : ""));
    if (each.outcome != 'r') CHECK(answer.body == "run 1");
    CHECK(site.script->runs == 2);
    const Answer next = site.get("/a");
    CHECK(next.body == (each.outcome == 'r' ? "new" : "run 1"));
    CHECK(site.script->runs == (each.outcome == 'f' ? 2 : 3));
  }
}

TEST_CASE("response cache: a 304 about what the client has goes to the client") {
  Site site;
  site.script->fields = {{"ETag", "\"a\""}};
  CHECK(site.body("/a") == "run 1");
  site.pass(60'000);
  site.script->fields = {{"ETag", "\"b\""}};
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "", 304); };
  const Answer answer = site.get("/a", "If-None-Match: \"c\"\r\nIf-None-Match: \"b\"\r\n");
  CHECK(answer.status == 304);
  CHECK(answer.field("ETag") == "\"b\"");
}

}  // namespace leat::cache
