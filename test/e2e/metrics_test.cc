// What the daemon and its plugins count, as an operator and as a collector see it, through reloads.
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

// A plugin of the test folder as `name`, with options.
std::string plugin(const std::string& name, const std::string& options = "") {
  return "[[plugin]]\nname = \"" + name + "\"\nfile = \"" TEST_PLUGINS "/metrics.so\"\n[plugin.config]\n" +
         options + "[[route]]\npath = \"/" + name + "/{n}\"\nhandler = \"" + name + ":count\"\n";
}

constexpr const char* kScraped = "[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n";

class Site {
 public:
  explicit Site(const std::string& rest) : daemon_(configuration(rest), {.arguments = {"--workers", "2"}}) {}

  Outcome reload(const std::string& rest) {
    const std::string text = configuration(rest);
    FILE* file = fopen(daemon_.path("leat.toml").c_str(), "w");
    REQUIRE(file != nullptr);
    REQUIRE(fwrite(text.data(), 1, text.size(), file) == text.size());
    REQUIRE(fclose(file) == 0);
    return run_leat({"reload", "--socket", folder_.path("admin")});
  }
  [[nodiscard]] std::string metrics() const {
    const Outcome outcome = run_leat({"metrics", "--socket", folder_.path("admin")});
    CHECK(outcome.status == 0);
    return outcome.output;
  }
  void ask(const std::string& path) const { CHECK(Client(daemon_.address()).ask(get(path)).status == 200); }
  [[nodiscard]] Daemon& daemon() { return daemon_; }

 private:
  [[nodiscard]] std::string configuration(const std::string& rest) const {
    return "[server]\nlisten = \"127.0.0.1:0\"\nadmin_socket = \"" + folder_.path("admin") + "\"\n" + rest;
  }

  TempFolder folder_;
  Daemon daemon_;
};

}  // namespace

TEST_CASE("metrics: what all workers count is shown by a command and on a route, the same text") {
  Site site(plugin("a") + plugin("b", "kind = \"x\"\n") + kScraped);
  for (int i = 0; i < 20; ++i) site.ask("/a/3");
  site.ask("/b/4");
  const std::string text = site.metrics();
  INFO(text);
  CHECK(text.contains("\ntested_total{kind=\"a\",plugin=\"a\"} 20\n"));
  CHECK(text.contains("\ntested_total{kind=\"x\",plugin=\"b\"} 1\n"));
  CHECK(text.contains("\ntested_bytes_sum{plugin=\"a\"} 60\n"));
  CHECK(text.find("# TYPE tested_total") == text.rfind("# TYPE tested_total"));
  const Response scraped = Client(site.daemon().address()).ask(get("/metrics"));
  CHECK(scraped.status == 200);
  CHECK(scraped.field("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(scraped.body.contains("\ntested_total{kind=\"a\",plugin=\"a\"} 20\n"));
  CHECK(scraped.body.contains("\ntested_bytes_bucket{plugin=\"b\",le=\"+Inf\"} 1\n"));
}

TEST_CASE("metrics: counts go on through a reload, and go with their plugin") {
  Site site(plugin("a") + plugin("b"));
  for (int i = 0; i < 3; ++i) site.ask("/a/1");
  site.ask("/b/1");
  CHECK(site.reload(plugin("a") + plugin("b")).status == 0);
  site.ask("/a/1");
  CHECK(site.metrics().contains("\ntested_total{kind=\"a\",plugin=\"a\"} 4\n"));
  CHECK(site.metrics().contains("\ntested_total{kind=\"a\",plugin=\"b\"} 1\n"));

  // One that fails leaves nothing of what it declared.
  const Outcome refused = site.reload(plugin("a") + plugin("c") + plugin("d", "more = \"name\"\n"));
  CHECK(refused.status == 1);
  CHECK(refused.errors.contains("`no-name` is not a name for a metric"));
  CHECK(!site.metrics().contains("plugin=\"c\""));

  CHECK(site.reload(plugin("a", "bound = 20\n")).status == 0);
  CHECK(wait_until([&] { return !site.metrics().contains("plugin=\"b\""); }));
  const std::string text = site.metrics();
  CHECK(text.contains("\ntested_total{kind=\"a\",plugin=\"a\"} 4\n"));
  CHECK(text.contains("\ntested_bytes_bucket{plugin=\"a\",le=\"20\"} 0\n"));
}

TEST_CASE("metrics: the daemon tells of itself") {
  Site site(plugin("a"));
  CHECK(site.metrics().contains("\nleat_generation 1\n"));
  const std::string listener = "{listener=\"" + site.daemon().address() + "\"} ";
  {
    Client client(site.daemon().address());
    for (int i = 0; i < 3; ++i) CHECK(client.ask(get("/a/1")).status == 200);
    CHECK(client.ask(get("/nowhere")).status == 404);
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status == 400);
    const std::string text = site.metrics();
    INFO(text);
    CHECK(text.contains("\nleat_requests_total{route=\"GET /a/{n}\",method=\"GET\",status=\"200\"} 3\n"));
    CHECK(text.contains("\nleat_requests_total{route=\"(none)\",method=\"GET\",status=\"404\"} 1\n"));
    CHECK(text.contains("\nleat_protocol_errors_total{kind=\"malformed\"} 1\n"));
    CHECK(text.contains("\nleat_connections_opened_total" + listener + "1\n"));
    CHECK(text.contains("\nleat_log_lines_dropped_total 0\n"));
    CHECK(text.contains("\nleat_pool_queued 0\n"));
    CHECK(text.contains("\nleat_workers 2\n"));
    // The connection is between two requests, or gone: what they had is kept for the next ones.
    CHECK(text.contains("\nleat_memory_used_bytes 0\n"));
    CHECK_FALSE(text.contains("\nleat_memory_kept_bytes 0\n"));
    CHECK_FALSE(text.contains("\nleat_memory_peak_bytes 0\n"));
    CHECK(text.contains("\nleat_arena_largest_bytes 16384\n"));
    CHECK(text.contains("\nleat_arena_refused_total 0\n"));
    CHECK(text.contains("\nleat_build_info{plugin_abi=\""));
  }
  CHECK(wait_until(
      [&] { return site.metrics().contains("\nleat_connections_closed_total" + listener + "1\n"); }));
  CHECK(site.reload(plugin("a")).status == 0);
  CHECK(site.metrics().contains("\nleat_generation 2\n"));
  CHECK(site.metrics().contains(
      "\nleat_requests_total{route=\"GET /a/{n}\",method=\"GET\",status=\"200\"} 3\n"));
}

TEST_CASE("metrics: what cannot be shown is refused before it serves") {
  TempFolder folder;
  const auto refused = [&](const std::string& text, const std::string& why) {
    const Outcome outcome = run_leat({"check", "-c", folder.write("leat.toml", text)});
    INFO(outcome.errors);
    CHECK(outcome.status == 78);
    CHECK(outcome.errors.contains(why));
  };
  const std::string as_histogram =
      "more = \"histogram\"\n";  // of a name that is a counter in the other plugin
  refused(plugin("a") + plugin("b", as_histogram),
          "`more_total{a=\"b\",plugin=\"b\"}` (a histogram) cannot stand beside "
          "`more_total{a=\"b\",plugin=\"a\"}` (a counter)");
  refused("[metrics]\nseries = 12\n" + plugin("a") + plugin("b"), "metrics.series allows 12");
  refused(plugin("leat"), "no plugin can be named `leat`");
  refused("[[route]]\npath = \"/\"\nhandler = \"leat:metric\"\n", "the daemon has no handler `metric`");
}

}  // namespace leat::e2e
