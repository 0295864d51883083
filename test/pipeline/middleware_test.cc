// Middleware that suspends requests and sees their bodies.
#include "pipeline/middleware.h"

#include <catch2/generators/catch_generators.hpp>

#include "pipeline/scripted.h"
#include "pipeline/stage.h"

namespace leat::pipeline {

namespace {

using test::calls;
using test::LogText;
using test::Scripted;
using test::ScriptHandler;
using test::Stage;
using test::status_of;
using Calls = std::vector<std::string>;

// Suspends each request, and resumes it with `verdict` when the harness says so.
struct Gate : Scripted {
  explicit Gate(std::string called = "gate") {
    name = std::move(called);
    request = [this](http::Exchange& exchange) {
      calls.push_back("suspend " + name);
      exchange.suspend();
      (void)exchange.worker().resume_after(exchange.ticket(), 0, open, this);
      return Verdict::Pending;
    };
  }
  static void open(http::Exchange& exchange, void* gate) {
    auto& self = *static_cast<Gate*>(gate);
    if (self.at_opening) self.at_opening(exchange);
    if (self.status != 0) {
      exchange.response.status = self.status;
      exchange.send("from the gate");
    }
    if (self.verdict == Verdict::Pending) {
      self.verdict = Verdict::Next;
      exchange.suspend();
      (void)exchange.worker().resume_after(exchange.ticket(), 0, open, gate);
      self.resumed = resume_chain(exchange, Verdict::Pending);
      return;
    }
    self.resumed = resume_chain(exchange, self.verdict);
  }
  Verdict verdict = Verdict::Next;
  std::function<void(http::Exchange&)> at_opening;
  uint16_t status = 0;
  bool resumed = false;
};

// The kinds of a stage with a gate in the midst.
struct Gated {
  Gated() {
    before.name = "first";
    before.request = [](http::Exchange&) {
      calls.emplace_back("forward first");
      return Verdict::Next;
    };
    after.name = "last";
    after.request = [](http::Exchange&) {
      calls.emplace_back("forward last");
      return Verdict::Next;
    };
    for (const auto& kind : kinds) stage.middleware(std::string(kind.name));
  }
  void open() {
    stage.harness().resume_all();
    out = leat::test::HttpHarness::take(stage.session());
  }

  Scripted before, after;
  Gate gate;
  // Names of kinds are views.
  std::vector<MiddlewareKind> kinds = {(before.name = "first", before.kind()), gate.kind(),
                                       (after.name = "last", after.kind())};
  Stage stage{kinds};
  std::string out;
};

}  // namespace

TEST_CASE("middleware: a request of the daemon's own passes what is about clients, and meets all else") {
  const bool own = GENERATE(false, true);
  Gated site;
  site.before.for_clients = true;
  site.gate.for_clients = true;
  if (own) site.stage.be_own();
  site.stage.route("/").on_handle = [](http::Exchange& exchange) {
    exchange.send("made");
    return Verdict::Done;
  };
  site.out = site.stage.get("/");
  if (own) {
    CHECK(calls == Calls{"forward last", "handle", "done", "end last", "end gate", "end first"});
  } else {
    CHECK(calls == Calls{"forward first", "suspend gate"});
    site.open();
    CHECK(calls == Calls{"forward first", "suspend gate", "forward last", "handle", "done", "end last",
                         "end gate", "end first"});
  }
  CHECK(site.out.ends_with("\r\n\r\nmade"));
}

TEST_CASE("middleware: a chain goes on behind the step that suspended it") {
  Gated gated;
  gated.stage.route("/");
  CHECK(gated.stage.get("/").empty());
  CHECK(calls == Calls{"forward first", "suspend gate"});
  gated.open();
  CHECK(gated.out.ends_with("hello"));
  CHECK(gated.gate.resumed);
  CHECK(calls == Calls{"forward first", "suspend gate", "forward last", "handle", "done", "end last",
                       "end gate", "end first"});
  CHECK(gated.stage.requests() == 0);
}

TEST_CASE("middleware: what resumes a request may suspend it again, answer it or fail") {
  Gated gated;
  gated.stage.route("/");
  SECTION("again") {
    gated.gate.verdict = Verdict::Pending;
    gated.stage.get("/");
    gated.open();
    CHECK(gated.out.empty());
    gated.open();
    CHECK(gated.out.ends_with("hello"));
  }
  SECTION("answer") {
    gated.gate.verdict = Verdict::Done;
    gated.gate.status = 401;
    gated.stage.get("/");
    gated.open();
    CHECK(status_of(gated.out) == 401);
    // It was answered before, so that there is nothing to go on with.
    CHECK_FALSE(gated.gate.resumed);
    CHECK(calls == Calls{"forward first", "suspend gate", "end gate", "end first"});
  }
  SECTION("neither") {
    LogText log;
    gated.gate.blames = "plugin gates";
    gated.gate.verdict = GENERATE(Verdict::Done, Verdict::Error);
    gated.stage.get("/");
    gated.open();
    CHECK(status_of(gated.out) == 500);
    const std::string text = log.take();
    CHECK((text.contains("plugin gates failed on GET /") ||
           text.contains("plugin gates ended without an answer on GET /")));
  }
}

TEST_CASE("middleware: a chain that waits for nobody is not resumed") {
  Gated gated;
  ScriptHandler& handler = gated.stage.route("/");
  bool twice = true;
  handler.on_handle = [&](http::Exchange& exchange) {
    twice = resume_chain(exchange, Verdict::Next);
    exchange.send("hello");
    return Verdict::Done;
  };
  gated.stage.get("/");
  gated.open();
  CHECK_FALSE(twice);
  CHECK(std::ranges::count(calls, "handle") == 1);
}

TEST_CASE("middleware: a body that comes while the chain waits is there for the handler") {
  Gated gated;
  ScriptHandler& handler = gated.stage.route("/", {"POST"});
  std::string seen;
  handler.streams = GENERATE(false, true);
  handler.on_handle = [&](http::Exchange& exchange) {
    if (!handler.streams) {
      seen = exchange.request.body();
      exchange.send(seen);
    }
    return Verdict::Done;
  };
  handler.on_piece = [&](http::Exchange&, std::string_view piece) {
    seen += piece;
    return Verdict::Done;
  };
  handler.on_end = [&](http::Exchange& exchange) {
    exchange.send(seen);
    return Verdict::Done;
  };
  const bool early = GENERATE(false, true);
  INFO((handler.streams ? "streamed, " : "whole, ") << (early ? "early" : "late"));
  CHECK(gated.stage.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234").empty());
  if (early) CHECK(gated.stage.feed("56789").empty());
  gated.open();
  if (!early) gated.out = gated.stage.feed("56789");
  CHECK(seen == "0123456789");
  CHECK(gated.out.ends_with("\r\n\r\n0123456789"));
  CHECK(gated.stage.feed("").empty());
}

TEST_CASE("middleware: one that answers by itself after a wait has the rest of the body read over") {
  Gated gated;
  ScriptHandler& handler = gated.stage.route("/", {"POST"});
  handler.streams = GENERATE(false, true);
  gated.gate.verdict = Verdict::Done;
  http::Exchange* begun = nullptr;
  gated.gate.at_opening = [&](http::Exchange& exchange) {
    REQUIRE(exchange.begin({}));
    exchange.write("begun");
    begun = &exchange;
  };
  CHECK(gated.stage.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234").empty());
  gated.open();
  CHECK(gated.out.ends_with("5\r\nbegun\r\n"));
  // While the answer is under way: more than a connection keeps for a request that waits.
  const size_t held = gated.stage.harness().worker.blocks().out();
  CHECK(gated.stage.feed("56789").empty());
  CHECK(gated.stage.session().wants_input());
  CHECK(gated.stage.harness().worker.blocks().out() == held);
  REQUIRE(begun != nullptr);
  begun->end();
  CHECK(gated.stage.feed("").ends_with("0\r\n\r\n"));
  CHECK_FALSE(std::ranges::contains(calls, "handle"));
  CHECK_FALSE(std::ranges::contains(calls, "body"));
  // And the next request is served.
  gated.gate.at_opening = nullptr;
  gated.gate.verdict = Verdict::Next;
  gated.stage.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n0");
  gated.open();
  CHECK(gated.out.ends_with("hello"));
}

TEST_CASE("middleware: a request without a body reaches a handler that streams, suspended or not") {
  Gated gated;
  ScriptHandler& handler = gated.stage.route("/");
  handler.streams = true;
  handler.on_handle = [](http::Exchange&) { return Verdict::Done; };
  handler.on_end = [](http::Exchange& exchange) {
    exchange.send("ended");
    return Verdict::Done;
  };
  gated.stage.get("/");
  gated.open();
  CHECK(gated.out.ends_with("ended"));
}

TEST_CASE("middleware: what no route answers is a 404 when the chain has gone on") {
  Gated gated;
  gated.stage.route("/", {"POST"});
  gated.stage.get("/nowhere");
  gated.open();
  CHECK(status_of(gated.out) == 404);
  gated.stage.get("/");
  gated.open();
  CHECK(status_of(gated.out) == 405);
  CHECK(gated.out.contains("Allow: "));
}

TEST_CASE("middleware: a client that leaves ends what a middleware has suspended") {
  Gated gated;
  gated.stage.route("/");
  gated.stage.get("/");
  gated.stage.session().disconnect();
  CHECK(calls == Calls{"forward first", "suspend gate", "cancel gate", "end gate", "end first"});
  gated.stage.harness().resume_all();
  CHECK_FALSE(gated.gate.resumed);
  CHECK(gated.stage.requests() == 0);
}

TEST_CASE("middleware: one that never resumes is ended by the answer timeout, and named") {
  LogText log;
  Gated gated;
  gated.gate.blames = "plugin gates";
  gated.stage.route("/");
  gated.stage.route("/stream", {"POST"}).streams = true;
  const bool held = GENERATE(false, true);
  if (held)
    gated.stage.feed("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0");
  else
    gated.stage.get("/");
  auto& harness = gated.stage.harness();
  harness.worker.now_ms += harness.limits.answer_timeout_ms - 1;
  gated.stage.session().deadline_passed();
  CHECK(leat::test::HttpHarness::take(gated.stage.session()).empty());
  harness.worker.now_ms += 1;
  CHECK(gated.stage.session().deadline_ms() <= harness.worker.now_ms);
  gated.stage.session().deadline_passed();
  CHECK(status_of(leat::test::HttpHarness::take(gated.stage.session())) == 504);
  gated.open();
  CHECK(gated.out.empty());
  CHECK_FALSE(std::ranges::contains(calls, "handle"));
  CHECK(log.take().contains("plugin gates did not answer in time on"));
}

TEST_CASE("middleware: it may see and change a request's body, whole or in pieces, or refuse it") {
  Scripted scan;
  scan.name = "scan";
  std::vector<std::string> pieces;
  scan.body = [&](http::Exchange& exchange, std::string_view& piece, bool last) {
    pieces.push_back(std::string(piece) + (last ? "$" : ""));
    if (piece.contains("bad")) {
      exchange.send_problem(403, "No.");
      return Verdict::Done;
    }
    std::string upper(piece);
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    if (last) upper += "!";
    piece = exchange.arena().copy(upper);
    return Verdict::Next;
  };
  const std::vector kinds = {scan.kind()};
  Stage stage(kinds);
  stage.middleware("scan");
  ScriptHandler& handler = stage.route("/", {"GET", "POST"});
  handler.streams = GENERATE(false, true);
  std::string seen;
  handler.on_handle = [&](http::Exchange& exchange) {
    if (!handler.streams) exchange.send(seen = exchange.request.body());
    return Verdict::Done;
  };
  handler.on_piece = [&](http::Exchange&, std::string_view piece) {
    seen += piece;
    return Verdict::Done;
  };
  handler.on_end = [&](http::Exchange& exchange) {
    exchange.send(seen);
    return Verdict::Done;
  };
  SECTION("changed") {
    stage.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    CHECK(stage.feed("def").ends_with("\r\n\r\nABCDEF!"));
    CHECK(pieces == (handler.streams ? Calls{"abc", "def", "$"} : Calls{"abcdef$"}));
  }
  SECTION("refused") {
    const std::string answer = stage.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nbad");
    CHECK(status_of(answer) == 403);
    CHECK(std::ranges::contains(calls, "handle") == handler.streams);
    CHECK(stage.get("/").ends_with("\r\n\r\n"));  // one without a body is not shown
    CHECK(pieces.size() == 1);
  }
}

TEST_CASE("middleware: it is made with its place, its name and what it is made in") {
  struct Seen {
    uint32_t line = 0, workers = 0;
    std::string name;
    bool metrics = false;
  };
  static Seen seen;
  const MiddlewareKind kinds[] = {{"curious", Phase::Limit, "", {}, [](const BuildContext& context) {
                                     seen = {context.place.line, context.surroundings.workers,
                                             std::string(context.name),
                                             context.surroundings.metrics != nullptr};
                                     return std::unique_ptr<Middleware>();
                                   }}};
  metrics::Registry registry;
  SiteBuilder builder(kinds, {.workers = 3, .metrics = &registry});
  builder.add_middleware({.kind = "curious", .name = "me", .place = test::line(7)});
  Diagnostics diagnostics;
  (void)builder.build(diagnostics);
  CHECK(seen.line == 7);
  CHECK(seen.workers == 3);
  CHECK(seen.name == "me");
  CHECK(seen.metrics);
}

TEST_CASE("middleware: what one keeps for the process outlives a site, and ends with the last that has it") {
  struct Table {
    explicit Table(int& count) : living(count) { ++living; }
    ~Table() { --living; }
    int& living;
    int requests = 0;
  };
  static int living = 0;
  static std::vector<Table*> made;
  struct Keeper final : Middleware {
    explicit Keeper(std::shared_ptr<Table> shared) : table(std::move(shared)) { made.push_back(table.get()); }
    [[nodiscard]] uint8_t hooks() const override { return kRequest; }
    std::shared_ptr<Table> table;
  };
  const MiddlewareKind kinds[] = {
      {"keeper", Phase::Limit, "", {}, [](const BuildContext& context) -> std::unique_ptr<Middleware> {
         return std::make_unique<Keeper>(context.share<Table>(living));
       }}};
  KeptStates states;
  // Of one instance for each pair of name and rate. What each has is in `made`.
  const auto build = [&](const std::vector<std::pair<std::string, int64_t>>& instances) {
    made.clear();
    SiteBuilder builder(kinds, {.states = &states});
    for (const auto& [name, rate] : instances)
      builder.add_middleware({.kind = "keeper",
                              .name = name,
                              .options = test::table({test::entry("rate", rate)}),
                              .place = test::line(1)});
    Diagnostics diagnostics;
    auto site = builder.build(diagnostics);
    REQUIRE(site);
    return site;
  };
  auto first = build({{"", 1}, {"", 2}, {"named", 3}});
  const std::vector<Table*> before = made;
  CHECK(living == 3);
  made[1]->requests = 7;
  // The next one: options changed with and without a name, and one that goes.
  auto second = build({{"", 2}, {"named", 4}, {"", 5}});
  CHECK(living == 4);
  CHECK(made[0] == before[1]);
  CHECK(made[0]->requests == 7);
  CHECK(made[1] == before[2]);
  first.reset();
  CHECK(living == 3);
  // A configuration that is refused takes nothing with it.
  build({{"named", 9}}).reset();
  CHECK(living == 3);
  second.reset();
  CHECK(living == 0);
  second = build({{"", 2}});
  CHECK(made[0]->requests == 0);
  // Without a place for them each has its own.
  SiteBuilder alone(kinds);
  alone.add_middleware({.kind = "keeper", .options = test::table(), .place = test::line(1)});
  Diagnostics diagnostics;
  const auto third = alone.build(diagnostics);
  REQUIRE(third);
  CHECK(living == 2);
}

TEST_CASE("middleware: states are found by their type and owner, and end with the request") {
  struct Counted {
    explicit Counted(int& count) : living(count) { ++living; }
    ~Counted() { --living; }
    int& living;
  };
  int living = 0;
  Scripted keeper;
  keeper.name = "keeper";
  keeper.request = [&](http::Exchange& exchange) {
    REQUIRE(exchange.states.make<Counted>(&keeper, living) != nullptr);
    REQUIRE(exchange.states.make<int>(&keeper, 7) != nullptr);
    return Verdict::Next;
  };
  const std::vector kinds = {keeper.kind()};
  Stage stage(kinds);
  stage.middleware("keeper");
  stage.route("/").on_handle = [&](http::Exchange& exchange) {
    CHECK(living == 1);
    CHECK(exchange.states.find<Counted>(&keeper) != nullptr);
    CHECK(exchange.states.find<Counted>(&living) == nullptr);
    CHECK(exchange.states.find<long>() == nullptr);
    CHECK(*exchange.states.find<int>() == 7);
    exchange.send("hello");
    return Verdict::Done;
  };
  stage.get("/");
  CHECK(living == 0);
  stage.get("/");
  CHECK(living == 0);
}

}  // namespace leat::pipeline
