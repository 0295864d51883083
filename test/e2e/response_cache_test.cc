// Routes with a cache on the real daemon: several workers, both engines, purges from outside and from
// plugins.
#include <fmt/core.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

std::string route(std::string_view path, std::string_view handler, std::string_view cache = "") {
  return fmt::format("[[route]]\npath = \"{}\"\nhandler = \"r:{}\"\n{}", path, handler,
                     cache.empty() ? "" : fmt::format("[route.cache]\njitter = 0\n{}\n", cache));
}

class Site {
 public:
  explicit Site(const std::string& routes, std::vector<std::string> arguments = {"--workers", "2"},
                const std::string& more = "")
      : daemon_("[server]\nlisten = \"127.0.0.1:0\"\nadmin_socket = \"" + folder_.path("admin") + "\"\n" +
                    more + "[[plugin]]\nname = \"r\"\nfile = \"" TEST_PLUGINS "/responses.so\"\n" +
                    route("/set", "set") + route("/purge", "purge") + routes,
                {.arguments = std::move(arguments)}) {}

  Response ask(std::string_view target) const { return Client(daemon_.address()).ask(get(target)); }
  std::string body(std::string_view target) const { return ask(target).body; }
  // Made here and not on the threads that use them: making one asserts.
  std::vector<Client> clients(size_t count) const { return connect_all(daemon_.address(), count); }
  Outcome admin(std::vector<std::string> words) const {
    words.insert(words.begin() + 1, {"--socket", folder_.path("admin")});
    return run_leat(words);
  }
  Daemon& daemon() { return daemon_; }

 private:
  TempFolder folder_;
  Daemon daemon_;
};

}  // namespace

TEST_CASE(
    "response cache: a plugin's 304 makes what is stale good again, for a client and in the background") {
  Site site(route("/client/{name}", "make", "ttl = \"1h\"") +
            route("/behind/{name}", "make", "ttl = \"1h\"\nstale_while_revalidate = \"1h\""));
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(60)); };
  CHECK(site.ask("/client/a?etag=one&ttl=50").field("x-run") == "1");
  pause();
  const Response fresh = site.ask("/client/a?etag=one&ttl=50");
  CHECK(fresh.status == 200);
  CHECK(fresh.body.starts_with("run 1"));
  CHECK(fresh.field("etag") == "\"one\"");
  CHECK(fresh.field("x-run") == "2");
  CHECK(fresh.field("cache-status") == "leat; fwd=stale; fwd-status=304; stored");

  CHECK(site.ask("/behind/a?etag=one&ttl=50").field("x-run") == "3");
  // Until what was made in the background is seen.
  Response answer;
  for (int tries = 0; tries < 500 && answer.field("x-run") != "5"; ++tries) {
    pause();
    answer = site.ask("/behind/a?etag=one&ttl=50");
    CHECK(answer.body.starts_with("run 3"));
  }
  CHECK(answer.field("x-run") == "5");
}

TEST_CASE("response cache: its statistics are shown by route") {
  Site site(route("/a/{name}", "make", "ttl = \"1h\"") + route("/b", "make", "ttl = \"1h\""));
  for (int i = 0; i < 3; ++i) CHECK(site.ask("/a/x").status == 200);
  CHECK(site.ask("/a/y?header=Cache-Control:no-store").status == 200);
  const Outcome json = site.admin({"cache", "stats", "--json"});
  CHECK(json.status == 0);
  CHECK(json.output.contains("\"entries\":2"));  // and a mark that y is not stored
  CHECK(json.output.contains(R"({"route":"GET /a/{name}","hit":2,"stale":0,"miss":2,"waited":0,"pass":0})"));
  CHECK(json.output.contains(R"({"route":"GET /b","hit":0,"stale":0,"miss":0,"waited":0,"pass":0})"));
  const Outcome text = site.admin({"cache", "stats"});
  CHECK(text.status == 0);
  CHECK(text.output.starts_with("store: bytes "));
  CHECK(text.output.contains(
      "GET /a/{name}            2            0            2            0            0\n"));
}

TEST_CASE("response cache: clients of all workers share one run of the handler", "[engines]") {
  for (const char* engine : kEngines) {
    INFO(engine);
    Site site(route("/{name}", "make", "ttl = \"1h\""), {"--workers", "4", "--engine", engine});
    constexpr size_t kClients = 40;
    std::vector<std::string> bodies(kClients);
    std::vector<Client> clients = site.clients(kClients);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kClients; ++i)
      threads.emplace_back([&, i] {
        Client& client = clients[i];
        if (client.try_send(get("/a?wait=150&size=9000"))) bodies[i] = client.try_read_body();
      });
    for (std::thread& thread : threads) thread.join();
    CHECK(bodies[0].starts_with("run 1 ."));
    CHECK(std::set<std::string>(bodies.begin(), bodies.end()).size() == 1);
    CHECK(site.body("/a?wait=150&size=9000") == bodies[0]);
    CHECK(site.body("/b").starts_with("run 2"));
  }
}

TEST_CASE("response cache: what is stale is made anew by a request that no client sent") {
  Site site(route("/{name}", "make", "ttl = \"50ms\"\nstale_while_revalidate = \"1h\""));
  CHECK(site.body("/a?wait=100") == "run 1 ");
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK(site.body("/a?wait=100") == "run 1 ");
  CHECK(wait_until([&] { return site.body("/a?wait=100") != "run 1 "; }));
}

TEST_CASE("response cache: purged by the admin socket and by a plugin") {
  Site site(route("/u/{name}", "make", "ttl = \"1h\""));
  CHECK(site.body("/u/a?tag=x&tag=y") == "run 1 ");
  CHECK(site.body("/u/b?ttl=3600000") == "run 2 ");
  CHECK(site.admin({"purge", "/u/a"}).status == 0);
  CHECK(site.body("/u/a?tag=x&tag=y") == "run 3 ");
  CHECK(site.admin({"purge", "--tag", "y", "--hard"}).status == 0);
  CHECK(site.body("/u/a?tag=x&tag=y") == "run 4 ");
  CHECK(site.body("/purge?tag=x") == "purged");
  CHECK(site.body("/u/a?tag=x&tag=y") == "run 5 ");
  CHECK(site.body("/u/b?ttl=3600000") == "run 2 ");
  CHECK(site.admin({"purge", "--folder", "/u"}).status == 0);
  CHECK(site.body("/u/b?ttl=3600000") == "run 6 ");
  CHECK(site.admin({"purge", "--all"}).status == 0);
  CHECK(site.body("/u/b?ttl=3600000") == "run 7 ");
  const Outcome wrong = site.admin({"purge", "no path"});
  CHECK(wrong.status == 1);
  CHECK(wrong.errors.contains("a path begins with /"));
  CHECK(site.admin({"purge"}).status == 2);
  CHECK(site.admin({"purge", "/a", "--all"}).status == 2);
  CHECK(site.body("/u/b?ttl=0") == "run 8 ");  // the plugin wants none of it
  CHECK(site.body("/u/b?ttl=0") == "run 9 ");
}

TEST_CASE("response cache: a path is the same however it is written, and whichever route changes it") {
  Site site(route("/u/{name}", "make", "ttl = \"1h\"") +
            "[[route]]\npath = \"/u/{name}\"\nmethod = \"POST\"\nhandler = \"r:set\"\n");
  CHECK(site.body("/u/a") == "run 1 ");
  CHECK(site.body("/u/a") == "run 1 ");
  CHECK(Client(site.daemon().address()).ask(with_body("POST", "/%75/x/../a", "")).body == "set");
  CHECK(site.body("/u/a") == "run 2 ");
  CHECK(site.admin({"purge", "/%75/%61"}).status == 0);
  CHECK(site.body("/u/a") == "run 3 ");
  CHECK(site.admin({"purge", "--folder", "/./%75"}).status == 0);
  CHECK(site.body("/u/a") == "run 4 ");
  const Outcome wrong = site.admin({"purge", "/u/%6"});
  CHECK(wrong.status == 1);
  CHECK(wrong.errors.contains("malformed percent-encoding"));
}

TEST_CASE("response cache: a client with as many fields as there may be has what is stale made anew") {
  Site site(route("/{name}", "make", "ttl = \"50ms\"\nstale_while_revalidate = \"1h\""), {"--workers", "1"},
            "[limits]\nheader_count = 10\n");
  std::string request = "GET /a HTTP/1.1\r\nHost: a\r\n";
  for (int i = 1; i < 10; ++i) request += fmt::format("X-{}: v\r\n", i);
  Client client(site.daemon().address());
  CHECK(client.ask(request + "\r\n").body == "run 1 ");
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK(client.ask(request + "\r\n").body == "run 1 ");
  CHECK(wait_until([&] { return client.ask(request + "\r\n").body != "run 1 "; }));
}

TEST_CASE("response cache: what is made anew in the background passes all that is about clients") {
  Site site(route("/{name}", "make", "ttl = \"50ms\"\nstale_while_revalidate = \"1h\"") +
                "[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n",
            {"--workers", "1"}, R"(
[[middleware]]
kind = "access"
rules = [{action = "allow", client = ["127.0.0.1"]}]
[[middleware]]
kind = "maintenance"
on = true
allow = ["127.0.0.1"]
[[middleware]]
kind = "rate_limit"
rate = "1000/h"
[[middleware]]
kind = "concurrency"
limit = 1
)");
  uint64_t asked = 0;
  const auto ask = [&] {
    ++asked;
    return site.body("/a");
  };
  CHECK(ask() == "run 1 ");
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK(ask() == "run 1 ");
  CHECK(wait_until([&] { return ask() != "run 1 "; }));
  // Each of them has seen as many requests as clients have sent: the one for these numbers is the last.
  const std::string text = site.body("/metrics");
  for (const char* line :
       {"leat_access_requests_total{instance=\"access\",result=\"allowed\"} ",
        "leat_rate_limit_requests_total{instance=\"rate_limit\",result=\"allowed\"} ",
        "leat_concurrency_requests_total{instance=\"concurrency\",result=\"admitted\"} "}) {
    INFO(line << '\n' << text);
    CHECK(number_after(text, line) == static_cast<int64_t>(asked + 1));
  }
}

TEST_CASE("response cache: a reload has everything made anew") {
  Site site(route("/{name}", "make", "ttl = \"1h\""));
  CHECK(site.body("/a") == "run 1 ");
  CHECK(site.body("/a") == "run 1 ");
  CHECK(site.admin({"reload"}).status == 0);
  CHECK(site.body("/a") == "run 2 ");
}

TEST_CASE("response cache: a handler that never answers keeps nobody for longer than `wait` twice") {
  Site site(route("/{name}", "make", "ttl = \"1h\"\nwait = \"200ms\""), {"--workers", "2"},
            "[limits]\nanswer_timeout = \"5s\"\n");
  CHECK(site.body("/set?stick=true") == "set");
  std::atomic<int> gateway_timeouts = 0, others = 0;
  std::vector<Client> clients = site.clients(8);
  std::vector<std::thread> threads;
  for (Client& client : clients)
    threads.emplace_back([&] {
      if (!client.try_send(get("/a"))) return;
      const std::string body = client.try_read_body();
      ++(body.contains("\"status\":504") ? gateway_timeouts : others);
    });
  // Those that lead are let go in time; the others have been told by then.
  CHECK(wait_until([&] { return gateway_timeouts == 6; }));
  CHECK(site.body("/set?stick=false") == "set");
  for (std::thread& thread : threads) thread.join();
  CHECK(gateway_timeouts == 6);
  CHECK(others == 2);
  CHECK(site.body("/a").starts_with("run "));
}

TEST_CASE("response cache: a storm of purges during load changes no answer and blocks nobody") {
  Site site(route("/{name}/{more...}", "make", "ttl = \"1h\"\nstale_while_revalidate = \"1h\""),
            {"--workers", "2"}, "[cache]\nsize = \"1MiB\"\nentry_size = \"64KiB\"\n");
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> bad = 0, asked = 0, purged = 0;
  std::vector<Client> clients = site.clients(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      Client& client = clients[t];
      for (size_t i = 0; !stop; ++i) {
        const size_t size = 100 + (i * 7 + t) % 50 * 400;
        if (!client.try_send(get(fmt::format("/a/{}?tag=t{}&size={}", i % 50, i % 5, size)))) return;
        const std::string body = client.try_read_body();
        if (!body.starts_with("run ") || body.size() != size) ++bad;
        ++asked;
      }
    });
  threads.emplace_back([&] {
    Client& client = clients[3];
    for (int i = 0; !stop; ++i) {
      if (!client.try_send(get(fmt::format("/purge?tag=t{}", i % 7)))) return;
      if (client.try_read_body() != "purged") ++bad;
      ++purged;
    }
  });
  CHECK(wait_until([&] { return asked > 3000 && purged > 1000; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(bad == 0);
}

TEST_CASE("response cache: what is wrong with its settings is said") {
  const auto complaint = [](const std::string& cache, const std::string& method = "GET") {
    TempFolder folder;
    const std::string file = folder.write("leat.toml", "[[plugin]]\nname = \"r\"\nfile = \"" TEST_PLUGINS
                                                       "/responses.so\"\n[[route]]\npath = \"/\"\n"
                                                       "method = \"" +
                                                           method + "\"\nhandler = \"r:make\"\n" + cache);
    const Outcome outcome = run_leat({"check", "-c", file});
    CHECK(outcome.status == 78);
    return outcome.errors;
  };
  CHECK(complaint("cache = true\n").contains("`cache` is a table"));
  CHECK(complaint("[route.cache]\nttl = 5\n").contains("ttl"));
  CHECK(complaint("[route.cache]\nttl = \"9000d\"\n").contains("365d"));
  CHECK(complaint("[route.cache]\ntttl = \"5s\"\n").contains("did you mean `ttl`?"));
  CHECK(complaint("[route.cache]\njitter = 101\n").contains("jitter"));
  CHECK(complaint("[route.cache]\nquery = \"some\"\n").contains("\"all\", \"none\" or a list"));
  CHECK(complaint("[route.cache]\nttl = \"5s\"\n", "POST").contains("routes with the method GET"));
}

}  // namespace leat::e2e
