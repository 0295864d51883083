#include "support/conformance.h"

#include <fmt/core.h>

#include <algorithm>

namespace leat::test {

namespace {

using Cases = std::vector<ConformanceCase>;

const ConformanceCase::Fields kJson = {{"content-type", "application/json"}};
const ConformanceCase::Fields kProblem = {{"content-type", "application/problem+json"}};

// Whole answers, and what HTTP makes of them.
Cases answers() {
  return {
      {"a text", "GET", "/plaintext", {.body = "Hello, World!", .headers = {{"content-length", "13"}}}},
      {"HEAD has no body", "HEAD", "/plaintext", {.headers = {{"content-length", "13"}}}},
      {"JSON", "GET", "/json", {.body = R"({"message":"Hello, World!"})", .headers = kJson}},
      {"nothing",
       "GET",
       "/nocontent",
       {.status = 204, .headers = {{"content-length", ""}, {"content-type", ""}}}},
      {"no such path", "GET", "/nowhere", {.status = 404, .part = "\"status\":404", .headers = kProblem}},
      {"no such method", "DELETE", "/json", {.status = 405, .headers = {{"allow", "GET, HEAD, OPTIONS"}}}},
      {"a chain of results", "GET", "/chained/7", {.body = "a \"title\"!"}},
      {"a struct", "GET", "/owners", {.body = R"([{"name":"ann","age":41},{"name":"bob","age":null}])"}},
      {"a result that is a problem",
       "GET",
       "/item/0",
       {.status = 404, .part = "There is no item 0.", .headers = kProblem}},
      {"a JSON text made for the answer",
       "GET",
       "/made?text=a-text-that-is-too-long-for-the-string-itself",
       {.body = R"(["a-text-that-is-too-long-for-the-string-itself"])", .headers = kJson}},
      {"a result without a value", "GET", "/remove/1", {.status = 204}},
      {"a coroutine's result", "GET", "/later/1", {.part = R"("weight":0.5)", .headers = kJson}},
      {"a problem from a coroutine", "GET", "/later/0", {.status = 404}},
      {"a gathered problem", "GET", "/all?from=0", {.status = 404}},
      {"no content, and an end that says so",
       "GET",
       "/reset",
       {.status = 205, .headers = {{"content-length", "0"}}}},
      {"a path that is not UTF-8",
       "GET",
       "/shown/a%FFb",
       {.body = "{\"text\":\"a\xef\xbf\xbd"
                "b\"}",
        .headers = kJson}},
  };
}

// Parameters, of paths and queries.
Cases parameters() {
  return {
      {"typed parameters",
       "GET",
       "/users/7?limit=20&active=true",
       {.body = R"({"id":7,"limit":20,"active":true})"}},
      {"absent parameters", "GET", "/users/7", {.body = R"({"id":7,"limit":null,"active":null})"}},
      {"one that is no number",
       "GET",
       "/users/seven",
       {.status = 400, .part = R"("parameter":"id")", .headers = kProblem}},
      {"one that is out of range", "GET", "/users/7?limit=1001", {.status = 400, .part = "limit"}},
      {"percent-encoding",
       "GET",
       "/nap/1?q=a%20b%2bc",
       {.body = R"({"ms":1,"q":"a b+c","path":"/nap/1","header":"thing"})"},
       {{"X-Some", "thing"}}},
      {"cookies in two fields",
       "GET",
       "/crumb",
       {.body = "second"},
       {{"Cookie", "a=first"}, {"Cookie", "b=second"}}},
      {"by number",
       "GET",
       "/by_number?a=1&b=%zz&c",
       {.part = "10 me absent absent 0 a=1"},
       {{"User-Agent", "me"}}},
  };
}

// Bodies, whole and in pieces.
Cases bodies() {
  const std::string large(100'000, 'x');
  return {
      {"a body goes back",
       "POST",
       "/echo",
       {.body = "hello", .headers = {{"content-type", "text/plain"}}},
       {{"Content-Type", "text/plain"}},
       "hello"},
      {"byte by byte", "POST", "/echo", {.body = "hello"}, {}, "hello", true},
      {"an empty one", "POST", "/echo", {.body = ""}, {{"Content-Length", "0"}}},
      {"a large one", "POST", "/echo", {.body = large}, {}, large},
      {"one beyond the limit", "POST", "/notes", {.status = 413}, {{"Content-Length", "1000000000"}}},
      {"a long answer", "GET", "/bytes/300000", {.body = std::string(300'000, 'x')}},
      {"a body that is read", "POST", "/sum", {.body = R"({"sum":42})"}, {}, "[1,2,39]"},
      {"one that is not as it must be", "POST", "/sum", {.status = 400}, {}, "{}"},
      {"a number that is nearly nothing",
       "POST",
       "/weighed",
       {.body = R"({"weight":0.0})"},
       {{"Content-Type", "application/json"}},
       R"({"weight":1e-400})"},
      {"one that is too large",
       "POST",
       "/weighed",
       {.status = 400},
       {{"Content-Type", "application/json"}},
       R"({"weight":1e400})"},
      {"read in chunks", "POST", "/sum", {.body = R"({"sum":42})"}, {}, "[1,2,39]", true},
      {"a tail that waits", "POST", "/tail", {.body = R"({"bytes":7})"}, {}, "abcdefg", true},
      {"a rest after each piece", "POST", "/paced", {.body = R"({"bytes":7})"}, {}, "abcdefg", true},
      {"a rest before the first", "POST", "/rested", {.body = R"({"bytes":7})"}, {}, "abcdefg", true},
      {"another thread lets it flow", "POST", "/flows", {.body = R"({"bytes":7})"}, {}, "abcdefg"},
      {"a pause without an end", "POST", "/forgotten", {.status = 500}, {}, "abcdefg"},
  };
}

// What is kept between requests.
Cases state() {
  const ConformanceCase::Fields typed = {{"Content-Type", "application/json"}};
  return {
      {"nothing yet", "GET", "/notes", {.body = R"({"notes":[]})"}},
      {"a first one",
       "POST",
       "/notes",
       {.status = 201, .body = R"({"id":1,"text":"one"})", .headers = {{"location", "/notes/1"}}},
       typed,
       R"({"text":"one"})"},
      {"no more than one member", "POST", "/notes", {.status = 400}, typed, R"({"text":"one","b":2})"},
      {"it is there", "GET", "/notes/1", {.body = R"({"id":1,"text":"one"})"}},
      {"it is changed", "PUT", "/notes/1", {.body = R"({"id":1,"text":"two"})"}, typed, R"({"text":"two"})"},
      {"it goes", "DELETE", "/notes/1", {.status = 204}},
      {"it has gone", "GET", "/notes/1", {.status = 404}},
  };
}

// Answers that come later: from timers, tasks, the pool, other threads, other servers.
Cases later() {
  return {
      {"after a time", "GET", "/sleep/5", {.body = R"({"slept_ms":5})"}},
      {"steps", "GET", "/steps/2", {.part = "step number 1"}},
      {"an exception at the bottom", "GET", "/deep/5?end=throw", {.status = 500}},
      {"a problem at the bottom, late", "GET", "/deep/5?end=problem_late", {.status = 410}},
      {"from another thread", "GET", "/elsewhere?before=0", {.part = "text"}},
      {"a promise that is dropped", "GET", "/dropped", {.status = 500}},
      {"gathered",
       "GET",
       "/values?n=6&limit=2&how=",
       {.body = R"({"got":["0","1","2","3","4","5"],"most":2,"left":0})"}},
      {"gathered, and one throws", "GET", "/values?n=6&limit=2&bad=3&how=throw", {.status = 500}},
      {"nested", "GET", "/nested", {.part = R"(["0","1","2","3","4"])"}},
      {"over its time", "GET", "/within?ms=5&work=1000", {.part = R"("first":null)"}},
      {"on the pool", "GET", "/squares?n=4", {.body = "16 9"}},
      {"gathered on the pool", "GET", "/gathers?count=20&limit=3", {.part = "20 failed 0 skipped 0"}},
      {"a failure on the pool",
       "GET",
       "/gathers?count=5&limit=1&fail=3&fast=1",
       {.part = "5 failed 1 skipped 2 first 2: -77"}},
      {"work that throws", "GET", "/throws_on_pool", {.status = 500}},
      {"misuse of the pool", "GET", "/misuses", {.body = "-4 -4 -1 -1 -1 -1 -1 0"}},
      {"another server",
       "GET",
       "/pass/json",
       {.body =
            R"({"status":200,"type":"application/json","size":27,"body":"{\"message\":\"Hello, World!\"}"})"}},
      {"its problem", "GET", "/pass/nowhere", {.part = R"("status":404,"type":"application/problem+json")"}},
      {"a body for it", "POST", "/post", {.body = "text/plain: hello"}, {}, "hello"},
      {"many of its answers", "GET", "/many/5", {.body = "0 1 2 3 4 "}},
      {"one that is down", "GET", "/down", {.part = "-8 cannot connect to http://127.0.0.1:1: "}},
      {"and is not looked at", "GET", "/down_unhandled", {.status = 502}},
      {"one that is late", "GET", "/late", {.part = "-7 "}},
      {"one that is given up", "GET", "/given_up", {.body = "given up"}},
      {"one that is given up, and another", "GET", "/given_up_and_on", {.body = "given up 200"}},
      {"a request that cannot be sent", "GET", "/unfit", {.status = 500}},
  };
}

// What plugins share: services of each other, and the cache.
Cases shared() {
  return {
      {"services of three kinds", "GET", "/asks", {.body = "ann 1 1 2"}},
      {"a worker's state stays, a request's does not", "GET", "/asks", {.body = "ann 2 1 2"}},
      {"an optional service that is not there", "GET", "/missing", {.body = "missing"}},
      {"a value is stored", "GET", "/remember/a?text=one", {.body = "stored: one"}},
      {"and found", "GET", "/remember/a?text=two", {.body = "found: one"}},
      {"it is the answer", "GET", "/serve/a", {.body = "one"}},
      {"and was purged", "GET", "/serve/a", {.status = 404}},
      {"misuse of the cache", "GET", "/misuse_of_cache", {.body = "-4 -1 -1 -1 -1 -1 -1 0 0"}},
  };
}

// Clients that leave before they are answered, whatever their handler waits for.
Cases leaving() {
  Cases cases;
  for (const std::string_view target : {"/leave/waits", "/leave/sleeps", "/leave/events", "/leave/gathers",
                                        "/leave/asks", "/leave/completes", "/leave/works", "/leave/blocks"})
    cases.push_back(
        {.title = "the client leaves", .method = "GET", .target = std::string(target), .leaves = true});
  cases.push_back({.title = "the client leaves its body behind",
                   .method = "POST",
                   .target = "/leave/holds",
                   .body = "a body",
                   .leaves = true});
  cases.push_back({.title = "all that waited learn of it",
                   .method = "GET",
                   .target = "/leave/left",
                   .expected = {.body = R"({"here":0,"told":2})"},
                   .eventually = true});
  return cases;
}

// Mistakes of plugins, which harm their own request and no other.
Cases mistakes() {
  return {
      {"an exception", "GET", "/throws", {.status = 500, .headers = kProblem}},
      {"an exception that is none of the library's", "GET", "/throws_a_number", {.status = 500}},
      {"an exception half-way", "GET", "/throws_after_begin", {.cut = true}},
      {"two answers", "GET", "/twice", {.body = "once"}},
      {"an error after the answer", "GET", "/error_after_answer", {.body = "answered"}},
      {"done without an answer", "GET", "/done_without_answer", {.status = 500}},
      {"a promise that nothing keeps", "GET", "/never_answers", {.status = 500}},
      {"a beginning only", "GET", "/begins_only", {.cut = true}},
      {"no verdict", "GET", "/no_verdict", {.status = 500}},
      {"a refusal", "GET", "/fails", {.status = 500}},
      {"not found here", "GET", "/passes", {.status = 404}},
      {"a piece before the head", "GET", "/write_before_begin", {.body = "-2"}},
      {"pieces after the end", "GET", "/write_after_end", {.body = "body"}},
      {"too many bytes", "GET", "/writes_too_much", {.body = "1234"}},
      {"too few bytes", "GET", "/writes_too_little", {.cut = true}},
      {"headers in headers",
       "GET",
       "/injects",
       {.body = "-1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1", .headers = {{"x-evil", ""}, {"server", "leat"}}}},
      {"a head that is too large", "GET", "/large_head", {.status = 500, .headers = {{"x-large", ""}}}},
      {"one with pieces behind it", "GET", "/large_head_in_pieces", {.status = 500, .headers = kProblem}},
      {"no status", "GET", "/bad_status", {.body = "-1 -1 -1 -1 -1 -1"}},
      {"NULL", "GET", "/null_texts", {.part = "1 1 1"}},
      {"too many headers", "GET", "/too_many_headers", {.body = "-1"}},
      {"too much memory", "GET", "/too_much_memory", {.body = "refused"}},
      {"all of the memory", "GET", "/hoards", {.status = 503}},
      {"a request kept", "GET", "/keeps_request", {.body = "kept"}},
      {"no request", "GET", "/uses_null_request", {.body = "-4"}},
      {"another thread", "GET", "/other_thread", {.body = "-4"}},
      {"unfinished JSON", "GET", "/unfinished", {.status = 500}},
      {"it goes on", "GET", "/plaintext", {.body = "Hello, World!"}},
  };
}

// Kinds of middleware of a plugin, each in front of the same routes: "/with/KIND/json", and so on.
constexpr std::string_view kKinds[] = {
    "throws",
    "done_without_answer",
    "never_answers",
    "no_verdict",
    "fails",
    "throws_late",
    "head_throws",
    "head_nonsense",
    "twice",
    "next_after_answer",
    "body_throws",
    "body_nonsense",
    "body_waits",
    "body_nowhere",
    "body_grows",
    "shouts",
    "refuses_body",
    "piece_throws",
    "piece_fails",
    "piece_nonsense",
    "end_fails",
    "end_throws",
    "done_throws",
    "writable_throws",
    "writable_nonsense",
    "fields",
    "frames",
    "answers_late",
    "begins_late",
    "streams",
    "naps",
    "sums",
    "doubles",
    "count",
    "count_content",
    "sleeps",
    "waits",
    "error_after_answer",
    "cancel_throws",
    "watches",
};

Cases middleware() {
  const std::string text(50'000, 't');
  const std::string count = R"({"message":"Hello, World!"} seen )";
  Cases cases = {
      // Before the handler.
      {"it throws", "GET", "/with/throws/json", {.status = 500, .said = "a broken promise"}},
      {"it throws, later", "GET", "/with/throws_late/json", {.status = 500, .said = "late"}},
      {"done without an answer", "GET", "/with/done_without_answer/json", {.status = 500}},
      {"a promise that nothing keeps", "GET", "/with/never_answers/json", {.status = 500}},
      {"no verdict", "GET", "/with/no_verdict/json", {.status = 500, .said = "not a verdict: 1234"}},
      {"it fails", "GET", "/with/fails/json", {.status = 500}},
      {"two answers", "GET", "/with/twice/json", {.body = "once"}},
      {"on after its answer", "GET", "/with/next_after_answer/json", {.body = "once"}},
      {"an error after its answer", "GET", "/with/error_after_answer/json", {.body = "once"}},
      {"two answers, before a body", "POST", "/with/twice/echo", {.body = "once"}, {}, text},
      {"it answers late", "GET", "/with/answers_late/json", {.body = "late"}},
      {"late, before a body that streams", "POST", "/with/answers_late/echo", {.body = "late"}, {}, text},
      {"late, before one that does not", "POST", "/with/answers_late/notes", {.body = "late"}, {}, text},
      {"late, in pieces", "GET", "/with/begins_late/json", {.body = "late"}},
      {"late, in pieces, and a body", "POST", "/with/begins_late/echo", {.body = "late"}, {}, text},
      {"late, in pieces, and a body that is kept",
       "POST",
       "/with/begins_late/notes",
       {.body = "late"},
       {},
       text},
      {"late, before the pool", "GET", "/with/answers_late/pool", {.body = "late"}},
      {"at length", "GET", "/with/streams/json", {.body = std::string(3'000'000, 'y')}},
      {"at length, and a body",
       "POST",
       "/with/streams/echo",
       {.body = std::string(3'000'000, 'y')},
       {},
       text},
      {"it throws half-way", "GET", "/with/writable_throws/json", {.cut = true, .said = "there is room"}},
      {"no verdict half-way",
       "GET",
       "/with/writable_nonsense/json",
       {.cut = true, .said = "not a verdict: 97"}},
      // Bodies of requests.
      {"a body is changed", "POST", "/with/shouts/echo", {.body = "A BODY"}, {}, "a body"},
      {"piece by piece", "POST", "/with/shouts/echo", {.body = "A BODY"}, {}, "a body", true},
      {"a body is doubled", "POST", "/with/doubles/notes", {.status = 400}, {}, "{}"},
      {"it is replaced by nothing", "POST", "/with/doubles/notes", {.status = 400}, {{"X-Empty", "1"}}, "{}"},
      {"and refused", "POST", "/with/doubles/notes", {.status = 422}, {}, "bad"},
      {"or it throws", "POST", "/with/doubles/notes", {.status = 500, .said = "threw worse"}, {}, "worse"},
      {"a body is seen",
       "POST",
       "/with/sums/echo",
       {.body = text, .said = "summed 50000 to the end"},
       {},
       text},
      {"as it is read", "POST", "/with/sums/echo", {.body = "abc", .said = "summed 3 to"}, {}, "abc", true},
      {"a whole one", "POST", "/with/sums/notes", {.status = 400, .said = "summed 4 to the end"}, {}, "[12]"},
      {"it throws with a body",
       "POST",
       "/with/body_throws/notes",
       {.status = 500, .said = "with a body"},
       {},
       "{}"},
      {"no verdict of a body", "POST", "/with/body_nonsense/notes", {.status = 500}, {}, "{}"},
      {"it waits with a body", "POST", "/with/body_waits/notes", {.status = 500}, {}, "{}"},
      {"a body that is nowhere", "POST", "/with/body_nowhere/notes", {.status = 500}, {}, "{}"},
      {"a body without end", "POST", "/with/body_grows/notes", {.status = 503}, {}, "{}"},
      {"it throws while the body streams", "POST", "/with/body_throws/echo", {.cut = true}, {}, "{}"},
      {"no verdict meanwhile", "POST", "/with/body_nonsense/echo", {.cut = true}, {}, "{}"},
      {"an answer to a body whose answer has begun",
       "POST",
       "/with/refuses_body/echo",
       {.cut = true, .said = "failed on POST /with/refuses_body/echo"},
       {},
       "bad"},
      {"a refusal before", "POST", "/with/refuses_body/notes", {.status = 422}, {}, "bad"},
      // Answers.
      {"it throws with a head", "GET", "/with/head_throws/json", {.status = 500, .said = "in the head"}},
      {"and one in pieces", "GET", "/with/head_throws/bytes/9", {.status = 500}},
      {"wants nothing that there is", "GET", "/with/head_nonsense/json", {.status = 500}},
      {"a piece that throws", "GET", "/with/piece_throws/json", {.cut = true, .said = "a piece"}},
      {"a piece that fails", "GET", "/with/piece_fails/bytes/9", {.cut = true}},
      {"no verdict of a piece", "GET", "/with/piece_nonsense/json", {.cut = true}},
      {"an end that fails", "GET", "/with/end_fails/json", {.cut = true}},
      {"an end that throws", "GET", "/with/end_throws/json", {.cut = true, .said = "at the end"}},
      {"done() throws",
       "GET",
       "/with/done_throws/json",
       {.body = R"({"message":"Hello, World!"})", .said = "all is done"}},
      {"fields of the framing",
       "GET",
       "/with/fields/json",
       {.part = "Hello",
        .headers = {{"x-refused", "-1 -1 -1 -1 -1 -1 -1 -1 -1 0 -1"},
                    {"x-evil", ""},
                    {"content-length", "27"}}}},
      {"and an answer in the answer's place",
       "GET",
       "/with/frames/json",
       {.part = "Hello", .headers = {{"x-refused", "-1 -1 -2 -2 -2 -2"}, {"content-length", "27"}}}},
      {"bytes for HEAD", "HEAD", "/with/count/json", {.headers = {{"content-length", ""}}}},
      {"bytes for 204", "GET", "/with/count/nocontent", {.status = 204, .headers = {{"content-length", ""}}}},
      {"bytes for 304",
       "GET",
       "/with/count/stored",
       {.status = 304, .headers = {{"content-length", ""}}},
       {{"If-None-Match", "*"}}},
      // The cache, the pool, and what waits before them.
      {"it waits, and then the pool", "GET", "/with/naps/pool", {.part = "Hello"}},
      {"a changed one", "POST", "/with/shouts/pool", {.body = R"({"sum":42})"}, {}, "[1,2,39]"},
      {"none", "POST", "/with/doubles/pool", {.status = 400}, {{"X-Empty", "1"}}, "[1,2,39]"},
      {"the pool's answer is changed", "GET", "/with/count/pool", {.body = count + "1"}},
      {"and again", "GET", "/with/count/pool", {.body = count + "2"}},
      {"what is stored is changed once", "GET", "/with/count_content/cached", {.body = count + "1"}},
      {"and found so", "GET", "/with/count_content/cached", {.body = count + "1"}},
      {"what is found is changed", "GET", "/with/count/cached", {.body = count + "1"}},
      {"each time", "GET", "/with/count/cached", {.body = count + "2"}},
      {"who waits comes to the cache", "GET", "/with/naps/cached", {.part = "Hello"}},
      {"and finds it", "GET", "/with/naps/cached", {.part = "Hello", .headers = {{"age", "0"}}}},
      {"one that answers late, before the cache", "GET", "/with/answers_late/cached", {.body = "late"}},
      {"a coroutine before it", "GET", "/with/sleeps/cached", {.part = "Hello"}},
      {"refuses", "GET", "/with/sleeps/cached", {.status = 403}, {{"X-Refuse", "1"}}},
      {"one that watches", "GET", "/with/watches/cached", {.headers = {{"content-length", "27"}}}},
      {"what is found, too",
       "GET",
       "/with/watches/cached",
       {.headers = {{"content-length", "27"}}, .said = "watched 27"}},
      {"it goes on", "GET", "/plaintext", {.body = "Hello, World!"}},
  };
  cases.push_back({.title = "cancel() throws",
                   .method = "GET",
                   .target = "/with/cancel_throws/json",
                   .expected = {.said = "it was left"},
                   .leaves = true});
  return cases;
}

struct Route {
  std::string_view methods, path, handler;
};

constexpr std::string_view kGet = R"("GET")";

// Of the demo, in both hosts.
constexpr Route kDemo[] = {
    {kGet, "/plaintext", "demo:plaintext"},
    {kGet, "/json", "demo:json"},
    {kGet, "/nocontent", "demo:nocontent"},
    {kGet, "/users/{id}", "demo:users"},
    {kGet, "/bytes/{n}", "demo:bytes"},
    {kGet, "/sleep/{ms}", "demo:sleep"},
    {R"("POST")", "/echo", "demo:echo"},
    {R"("GET", "POST")", "/notes", "demo:notes"},
    {R"("GET", "PUT", "DELETE")", "/notes/{id}", "demo:note"},
};

constexpr Route kOthers[] = {
    {kGet, "/chained/{id}", "answers:chained"},
    {kGet, "/owners", "answers:owners"},
    {kGet, "/item/{id}", "answers:item"},
    {kGet, "/made", "answers:made"},
    {kGet, "/remove/{id}", "answers:remove"},
    {kGet, "/later/{id}", "answers:later"},
    {kGet, "/all", "answers:all"},
    {R"("POST")", "/sum", "answers:sum"},
    {R"("POST")", "/weighed", "answers:weighed"},
    {kGet, "/shown/{text}", "answers:shown"},
    {kGet, "/crumb", "answers:crumb"},
    {kGet, "/reset", "answers:reset"},
    {kGet, "/unfinished", "answers:unfinished"},
    {kGet, "/nap/{ms}", "tasks:nap"},
    {kGet, "/steps/{n}", "tasks:steps"},
    {kGet, "/deep/{depth}", "tasks:deep"},
    {kGet, "/elsewhere", "tasks:elsewhere"},
    {kGet, "/dropped", "tasks:dropped"},
    {R"("POST")", "/tail", "tasks:tail"},
    {R"("POST")", "/paced", "bodies:paced"},
    {R"("POST")", "/rested", "bodies:rested"},
    {R"("POST")", "/flows", "bodies:elsewhere"},
    {R"("POST")", "/forgotten", "bodies:forgotten"},
    {kGet, "/values", "gather:values"},
    {kGet, "/nested", "gather:nested"},
    {kGet, "/within", "gather:within"},
    {kGet, "/squares", "pool:squares"},
    {kGet, "/gathers", "pool:gathers"},
    {kGet, "/throws_on_pool", "pool:throws"},
    {kGet, "/misuses", "pool:misuses"},
    {kGet, "/pass/{rest...}", "fetches:pass"},
    {R"("POST")", "/post", "fetches:post"},
    {kGet, "/many/{count}", "fetches:many"},
    {kGet, "/down", "fetches:down"},
    {kGet, "/down_unhandled", "fetches:down_unhandled"},
    {kGet, "/late", "fetches:late"},
    {kGet, "/given_up", "fetches:given_up"},
    {kGet, "/given_up_and_on", "fetches:given_up_and_on"},
    {kGet, "/unfit", "fetches:unfit"},
    {kGet, "/asks", "consumer:asks"},
    {kGet, "/missing", "provider:missing"},
    {kGet, "/remember/{name}", "cached:remember"},
    {kGet, "/serve/{name}", "cached:serve"},
    {kGet, "/misuse_of_cache", "cached:misuse"},
    {kGet, "/leave/waits", "leaving:waits"},
    {kGet, "/leave/sleeps", "leaving:sleeps"},
    {kGet, "/leave/events", "leaving:events"},
    {kGet, "/leave/gathers", "leaving:gathers"},
    {kGet, "/leave/asks", "leaving:asks"},
    {kGet, "/leave/completes", "leaving:completes"},
    {kGet, "/leave/works", "leaving:works"},
    {R"("POST")", "/leave/holds", "leaving:holds"},
    {kGet, "/leave/left", "leaving:left"},
};

// The same routes behind each kind.
std::string middleware_tables(const std::string& plugins) {
  constexpr Route kBehind[] = {
      {kGet, "json", "demo:json"},           {kGet, "bytes/{n}", "demo:bytes"},
      {kGet, "nocontent", "demo:nocontent"}, {R"("POST")", "echo", "demo:echo"},
      {R"("POST")", "notes", "demo:notes"},  {kGet, "pool", "demo:json"},
      {R"("POST")", "pool", "answers:sum"},  {kGet, "cached", "demo:json"},
      {kGet, "stored", "demo:json"},
  };
  std::string text = fmt::format("[[plugin]]\nname = \"bad\"\nfile = \"{}/bad_middleware.so\"\n", plugins);
  for (const std::string_view kind : kKinds)
    for (const auto& [methods, path, handler] : kBehind)
      text += fmt::format(
          "[[route]]\npath = \"/with/{}/{}\"\nmethods = [{}]\nhandler = \"{}\"\n"
          "middleware = [{{kind = \"bad:{}\"}}]\n{}",
          kind, path, methods, handler, kind,
          path == "pool"                         ? "executor = \"pool\"\n"
          : path == "cached" || path == "stored" ? "[route.cache]\nttl = \"1h\"\n"
                                                 : "");
  return text;
}

template <class Routes>
std::string tables(const Routes& routes) {
  std::string text;
  for (const auto& [methods, path, handler] : routes)
    text +=
        fmt::format("[[route]]\npath = \"{}\"\nmethods = [{}]\nhandler = \"{}\"\n", path, methods, handler);
  return text;
}

std::string value_of(const ConformanceCase::Fields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &std::pair<std::string, std::string>::first);
  return found == fields.end() ? "" : found->second;
}

}  // namespace

const std::vector<ConformanceCase>& conformance_cases() {
  static const Cases all = [] {
    Cases cases;
    for (const Cases& some :
         {answers(), parameters(), bodies(), state(), later(), shared(), leaving(), mistakes(), middleware()})
      cases.insert(cases.end(), some.begin(), some.end());
    return cases;
  }();
  return all;
}

std::string judge(const ConformanceCase& asked, const ConformanceAnswer& answer) {
  const auto& expected = asked.expected;
  std::string wrong;
  if (answer.status != expected.status)
    wrong += fmt::format("status {}, not {}; ", answer.status, expected.status);
  if (answer.cut != expected.cut) wrong += answer.cut ? "it is cut; " : "it is whole; ";
  if (!expected.body.empty() && answer.body != expected.body) wrong += "the body is another; ";
  if (!answer.body.contains(expected.part)) wrong += fmt::format("the body has no `{}`; ", expected.part);
  for (const auto& [name, value] : expected.headers)
    if (value_of(answer.headers, name) != value)
      wrong += fmt::format("{} is `{}`, not `{}`; ", name, value_of(answer.headers, name), value);
  return wrong.empty() ? ""
                       : fmt::format("{}: {}its body: {}", asked.title, wrong, answer.body.substr(0, 300));
}

std::string upstream_configuration(const std::string& listen, const std::string& demo) {
  return fmt::format("{}[[plugin]]\nname = \"demo\"\nfile = \"{}\"\n", listen, demo) + tables(kDemo);
}

std::string conformance_configuration(const std::string& listen, const std::string& plugins,
                                      const std::string& demo, const std::string& upstream) {
  std::string text = upstream_configuration(listen, demo);
  for (const char* name :
       {"consumer", "provider", "cached", "answers", "bodies", "tasks", "gather", "pool", "misuse"})
    text += fmt::format("[[plugin]]\nname = \"{0}\"\nfile = \"{1}/{0}.so\"\n", name, plugins);
  for (const char* name : {"fetches", "leaving"})
    text += fmt::format(
        "[[plugin]]\nname = \"{0}\"\nfile = \"{1}/{0}.so\"\n[plugin.config]\nupstream = \"{2}\"\n", name,
        plugins, upstream);
  text += tables(kOthers);
  text += "[[route]]\npath = \"/leave/blocks\"\nhandler = \"leaving:blocks\"\nexecutor = \"pool\"\n";
  // Those of the misuse plugin go by their own names.
  for (const ConformanceCase& each : mistakes()) {
    const std::string name = each.target.substr(1);
    if (name != "plaintext" && name != "unfinished")
      text += fmt::format("[[route]]\npath = \"/{0}\"\nhandler = \"misuse:{0}\"\n", name);
  }
  text += "[[route]]\npath = \"/by_number\"\nhandler = \"misuse:by_number\"\n";
  return text + middleware_tables(plugins);
}

}  // namespace leat::test
