// Reloads of the real daemon: new requests go to the new plugins, old ones end with theirs, and nothing that
// is wrong with a new file reaches a client.
#include <signal.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"
#include "e2e/reload_site.h"

namespace leat::e2e {

TEST_CASE("reload: a new build answers new requests, on connections that are open already too") {
  Site site;
  Client open(site.daemon().address());
  CHECK(open.ask(get("/")).body == "1");
  CHECK(site.ask("/") == "1");
  site.install("2");
  const Outcome outcome = site.reload();
  CHECK(outcome.status == 0);
  CHECK(outcome.output.contains("generation 2 serves"));
  CHECK(open.ask(get("/")).body == "2");
  CHECK(site.ask("/") == "2");
  CHECK(site.daemon().logs("generation 1 has ended"));
}

TEST_CASE("reload: a request ends with the plugin it began with, and holds that until then") {
  Site site;
  Client slow(site.daemon().address());
  slow.send(get("/slow/2000") + get("/"));
  CHECK(site.ask("/") == "1");
  site.install("2");
  CHECK(site.reload().status == 0);
  CHECK(site.ask("/") == "2");
  const std::string during = site.plugins();
  INFO(during);
  CHECK(during.contains("generation 2, serving"));
  CHECK(during.contains("generation 1, draining"));
  CHECK(during.contains("1 request under way"));
  CHECK(slow.read_response().body == "1");
  CHECK(slow.read_response().body == "2");  // behind it on the same connection, and begun after the reload
  CHECK(site.daemon().logs("generation 1 has ended"));
  CHECK(!site.plugins().contains("generation 1,"));
}

TEST_CASE("reload: work that outlasts its request holds the plugin, and nobody else") {
  Site site("\n[[plugin]]\nname = \"p\"\nfile = \"" TEST_PLUGINS
            "/pool.so\"\n"
            "[[route]]\npath = \"/stays\"\nhandler = \"p:stays\"\n"
            "[[route]]\npath = \"/counts\"\nhandler = \"p:counts\"\n"
            "[[route]]\npath = \"/opens\"\nhandler = \"p:opens\"\n");
  Client leaving(site.daemon().address());
  leaving.send(get("/stays"));
  CHECK(wait_until([&] { return site.ask("/counts").starts_with("alive 1 works 1 delivered 0"); }));
  leaving.reset();
  CHECK(wait_until([&] { return site.plugins().contains("0 requests under way"); }));
  site.install("2");
  CHECK(site.reload().status == 0);
  CHECK(site.plugins().contains("generation 1, draining"));
  for (int i = 0; i < 20; ++i) CHECK(site.ask("/") == "2");  // on every worker
  CHECK(site.plugins().contains("generation 1, draining"));
  CHECK(site.ask("/opens") == "open");
  CHECK(site.daemon().logs("generation 1 has ended"));
  CHECK(site.ask("/counts").contains("alive 0 works 0 delivered 1 without 1"));
}

TEST_CASE("reload: a plugin hands its state to the next") {
  Site site;
  for (int i = 1; i <= 3; ++i) CHECK(site.ask("/count") == "{\"count\":" + std::to_string(i) + "}");
  site.install("2");
  CHECK(site.reload().status == 0);
  CHECK(site.ask("/count") == "{\"count\":4}");
}

TEST_CASE("reload: routes come and go with the configuration") {
  Site site;
  CHECK(Client(site.daemon().address()).ask(get("/more")).status == 404);
  site.configure(site.configuration("[[route]]\npath = \"/more\"\nhandler = \"g:version\"\n"));
  CHECK(site.reload().status == 0);
  CHECK(site.ask("/more") == "1");
  site.configure(site.configuration(""));
  CHECK(site.reload().status == 0);
  CHECK(Client(site.daemon().address()).ask(get("/more")).status == 404);
}

TEST_CASE("reload: a setting that cannot change while it serves is named") {
  Site site;
  std::string text = site.configuration("");
  text.replace(text.find("[[plugin]]"), 0, "[pool]\nthreads = 7\n");
  site.configure(text);
  const Outcome outcome = site.reload();
  CHECK(outcome.status == 0);
  CHECK(outcome.output.contains("`pool.threads` has changed"));
}

TEST_CASE("reload: a new build runs on all workers that there are, whatever the file says by now") {
  const std::string several = "workers = 3\n";
  Site site(several, {.arguments = {"--no-supervise"}});
  site.install("2");
  std::string text = site.configuration("");
  text.replace(text.find(several), several.size(), "workers = 1\n");
  site.configure(text);
  const Outcome outcome = site.reload();
  CHECK(outcome.status == 0);
  CHECK(outcome.output.contains("`server.workers` has changed"));
  for (int i = 0; i < 20; ++i) CHECK(site.ask("/") == "2");
}

TEST_CASE("reload: what is wrong with the new one is said, and the old one serves on") {
  Site site;
  const auto refused = [&](const std::string& reason) {
    const Outcome outcome = site.reload();
    INFO(outcome.errors);
    CHECK(outcome.status == 1);
    CHECK(outcome.errors.contains(reason));
    CHECK(site.ask("/") == "1");
    CHECK(site.plugins().starts_with("generation 1, serving"));
  };
  site.install("CRASHES_IN_LOAD");
  refused("was ended by SIGSEGV in plugin g");
  site.install("FAILS_SELF_TEST");
  refused("its self-test failed: it does not feel well");
  site.install("FAILS_WORKER_INIT");
  refused("this worker is not to its taste");
  site.install("REFUSES_STATE");
  refused("import_state failed: it cannot read 0");
  std::filesystem::resize_file(site.path("plugin.so"), 100);
  refused("LT0300");
  std::filesystem::remove(site.path("plugin.so"));
  refused("cannot open");
  site.configure("[server]\nlisten = 1\n");
  refused("LT0108");
  // And then a good one.
  site.configure(site.configuration(""));
  site.install("2");
  CHECK(site.reload().status == 0);
  CHECK(site.ask("/") == "2");
}

TEST_CASE("reload: HUP does it too, and the log says how it went") {
  Site site;
  site.install("2");
  site.daemon().signal(SIGHUP);
  CHECK(site.daemon().logs("generation 2 serves"));
  CHECK(site.ask("/") == "2");
  site.install("FAILS_SELF_TEST");
  site.daemon().signal(SIGHUP);
  CHECK(site.daemon().logs("the reload failed, generation 2 goes on"));
  CHECK(site.ask("/") == "2");
}

TEST_CASE("reload: what still drains at its deadline is given up") {
  Site site("drain_timeout = \"300ms\"\n");
  Client slow(site.daemon().address());
  slow.send(get("/slow/60000"));
  CHECK(site.ask("/") == "1");
  site.install("2");
  CHECK(site.reload().status == 0);
  CHECK(slow.read_response().is_problem(503));
  CHECK(slow.ask(get("/")).body == "2");
  CHECK(site.daemon().logs("generation 1 has ended"));
}

TEST_CASE("reload: a daemon that is told to stop while it drains ends in order") {
  Site site;
  Client slow(site.daemon().address());
  slow.send(get("/slow/400"));
  CHECK(site.ask("/") == "1");
  CHECK(site.reload().status == 0);
  site.daemon().signal(SIGTERM);
  CHECK(slow.read_response().body == "1");
  CHECK(site.daemon().wait() == 0);
}

TEST_CASE("reload: the admin socket refuses what is no command, and goes with the daemon") {
  Site site;
  const auto say = [&](std::string_view words) {
    Client client("unix:" + site.path("admin"));
    client.send(words);
    return client.read_to_end();
  };
  CHECK(say("explode\n") == "failed\nthere is no command `explode`\n");
  CHECK(say(std::string(10'000, 'x')).starts_with("failed\n"));
  CHECK(say("plugins json\n").contains("\"state\":\"serving\""));
  Client("unix:" + site.path("admin")).reset();
  CHECK(site.plugins().contains("generation 1"));
  site.daemon().signal(SIGTERM);
  CHECK(site.daemon().wait() == 0);
  CHECK(!std::filesystem::exists(site.path("admin")));
  CHECK(site.reload().status == 1);
}

// Every answer is of the build that was installed when its request was sent, or of a later one.
TEST_CASE(
    "reload: 200 times under full load, no request fails, none is answered by what was gone before it came") {
  constexpr int kReloads = 200;
  constexpr size_t kClients = 64;
  Site site("handover_timeout = \"60s\"\n");  // the machine may be busy elsewhere
  std::atomic<int> installed = 1;  // builds 1 and 2 by turns; counted up before and after each reload
  std::atomic<bool> done = false;
  std::atomic<uint64_t> answers = 0, failed = 0, stale = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, clients = connect_all(site.daemon().address(), kClients / 4)]() mutable {
      while (!done) {
        const int before = installed;
        bool sent = true;
        for (Client& client : clients) sent = sent && client.try_send(get("/"));
        if (!sent) ++failed;
        for (Client& client : clients) {
          const std::string body = client.try_read_body();
          ++answers;
          if (body != "1" && body != "2") ++failed;
          // An odd count: one build serves. If it is the same still, no reload came between.
          if (before % 2 == 1 && installed == before && body != (before % 4 == 1 ? "1" : "2")) ++stale;
        }
      }
    });
  }
  uint64_t settled = 0;
  for (int i = 0; i < kReloads; ++i) {
    site.install(i % 2 == 0 ? "2" : "1");
    ++installed;
    const Outcome outcome = site.reload();
    INFO(outcome.errors);
    REQUIRE(outcome.status == 0);
    ++installed;
    if (i == 20) settled = site.daemon().resident_kib();
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(stale == 0);
  CHECK(answers > kClients);
  CHECK(site.plugins().contains("generation 201, serving"));
  // Leaking one of the two builds each time would be 20 MiB and more; allocators breathe by far less. The
  // address sanitizer keeps what was freed, and finds leaks itself.
  if (!kSanitized) CHECK(site.daemon().resident_kib() < settled + 8 * 1024);
}

TEST_CASE("reload: a plugin that says it can be unmapped is, however often, and others are counted") {
  Site site;
  const auto mapped = [&] {
    std::ifstream maps("/proc/" + std::to_string(site.daemon().serving_pid()) + "/maps");
    std::set<std::string> objects;
    for (std::string line; std::getline(maps, line);)
      if (const size_t at = line.find("/memfd:leat-"); at != std::string::npos)
        objects.insert(line.substr(at));
    return objects.size();
  };
  const auto ended = [&](int generation) {
    return site.daemon().logs("generation " + std::to_string(generation) + " has ended");
  };
  CHECK(mapped() == 1);
  int generation = 1;
  for (const char* build : {"UNLOADS_1", "UNLOADS_2", "UNLOADS_1", "UNLOADS_2", "UNLOADS_1", "UNLOADS_2"}) {
    site.install(build);
    REQUIRE(site.reload().status == 0);
    REQUIRE(ended(generation++));
    CHECK(site.ask("/") == build);
    const std::string plugins = site.plugins();  // looks once the generation has been tended to
    CHECK(plugins.contains("1 plugin object of earlier builds stays mapped"));
    CHECK(mapped() == 2);  // with that of the first
  }
  CHECK(
      run_leat({"metrics", "--socket", site.path("admin")}).output.contains("leat_plugin_objects_idle 1\n"));
  site.install("1");
  REQUIRE(site.reload().status == 0);
  REQUIRE(ended(generation));
  CHECK(!site.plugins().contains("earlier builds"));
  CHECK(mapped() == 1);
  CHECK(!site.daemon().log().contains("the dynamic linker keeps it"));
}

TEST_CASE("reload: plugins that use each other begin and end in their order, in both generations") {
  Wanted wanted;
  wanted.more = "[[plugin]]\nname = \"c\"\nfile = \"" TEST_PLUGINS
                "/consumer.so\"\n"
                "[[plugin]]\nname = \"p\"\nfile = \"" TEST_PLUGINS
                "/provider.so\"\n"
                "[[route]]\npath = \"/asks\"\nhandler = \"c:asks\"\n";
  Daemon daemon(demo_configuration(wanted));
  CHECK(Client(daemon.address()).ask(get("/asks")).body == "ann 1 1 2");
  daemon.signal(SIGHUP);
  REQUIRE(daemon.logs("generation 1 has ended"));
  // The new provider has a counter of its own.
  CHECK(Client(daemon.address()).ask(get("/asks")).body == "ann 1 1 2");
  const std::string log = daemon.log();
  const auto second = [&](std::string_view text) { return log.find(text, log.find(text) + 1); };
  CHECK(second("provider ann is made") < second("consumer is made"));
  CHECK(second("provider begins on a worker") < second("consumer begins on a worker"));
  CHECK(log.find("consumer drains") < log.find("provider ann drains"));
  CHECK(log.find("consumer ends on a worker") < log.find("provider ends on a worker"));
  CHECK(log.find(": consumer ends\n") < log.find("provider ann ends\n"));
  CHECK(log.find("provider ann ends\n") != std::string::npos);
}

TEST_CASE("reload: what is in the cache stays") {
  Wanted wanted;
  wanted.more = "[[plugin]]\nname = \"c\"\nfile = \"" TEST_PLUGINS
                "/cached.so\"\n[[route]]\npath = \"/remember/{name}\"\nhandler = \"c:remember\"\n"
                "[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n";
  Daemon daemon(demo_configuration(wanted));
  CHECK(Client(daemon.address()).ask(get("/remember/a?text=one")).body == "stored: one");
  daemon.signal(SIGHUP);
  REQUIRE(daemon.logs("generation 1 has ended"));
  CHECK(Client(daemon.address()).ask(get("/remember/a?text=two")).body == "found: one");
  const std::string metrics = Client(daemon.address()).ask(get("/metrics")).body;
  CHECK(metrics.contains("\nleat_cache_hits_total 1\n"));
  CHECK(metrics.contains("\nleat_cache_entries 2\n"));
}

}  // namespace leat::e2e
