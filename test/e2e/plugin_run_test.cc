// `leat plugin run`: a plugin file is served at once, with or without a configuration, and again when it
// changes.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <string>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

void install(const std::string& build, const std::string& target) {
  std::filesystem::copy_file(TEST_PLUGINS "/generation_" + build + ".so", target + ".new",
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::rename(target + ".new", target);
}

std::string ask(const Daemon& daemon, const std::string& path) {
  return Client(daemon.address()).ask(get(path)).body;
}

}  // namespace

TEST_CASE("plugin run: serves as the configuration beside the plugin says, and follows every change") {
  const TempFolder folder;
  const std::string plugin = folder.path("mine.so");
  install("1", plugin);
  const std::string routes =
      "[[plugin]]\nname = \"m\"\nfile = \"mine.so\"\n[[route]]\npath = \"/v\"\nhandler = \"m:version\"\n";
  const std::string configuration = folder.write("mine.toml", routes);
  Daemon daemon({"plugin", "run", plugin, "--listen", "127.0.0.1:0", "--workers", "1"});
  CHECK(ask(daemon, "/v") == "1");
  install("2", plugin);
  CHECK(wait_until([&] { return ask(daemon, "/v") == "2"; }));
  folder.write("mine.toml", routes + "[[route]]\npath = \"/more\"\nhandler = \"m:version\"\n");
  CHECK(wait_until([&] { return ask(daemon, "/more") == "2"; }));
  install("FAILS_SELF_TEST", plugin);
  CHECK(daemon.logs("its self-test failed"));
  CHECK(ask(daemon, "/v") == "2");
  install("1", plugin);
  CHECK(wait_until([&] { return ask(daemon, "/v") == "1"; }));
}

TEST_CASE("plugin run: without a configuration each handler has a route of its name") {
  const TempFolder folder;
  std::filesystem::copy_file(TEST_PLUGINS "/misuse.so", folder.path("lone.so"));
  Daemon daemon({"plugin", "run", folder.path("lone.so"), "--listen", "127.0.0.1:0", "--workers", "1"});
  CHECK(ask(daemon, "/twice") == "once");
  CHECK(Client(daemon.address()).ask(get("/throws")).is_problem(500));
  CHECK(daemon.output().contains("/twice\n"));
}

TEST_CASE("plugin run: says what crashed, serves again, and goes on watching") {
  const TempFolder folder;
  const std::string plugin = folder.path("mine.so");
  install("1", plugin);
  folder.write("mine.toml",
               "[server]\ncrash_limit = 2\n[[plugin]]\nname = \"m\"\nfile = \"mine.so\"\n"
               "[[plugin]]\nname = \"broken\"\nfile = \"" TEST_PLUGINS
               "/crash.so\"\n"
               "[[route]]\npath = \"/v\"\nhandler = \"m:version\"\n"
               "[[route]]\npath = \"/segv\"\nhandler = \"broken:segv\"\n");
  Daemon daemon({"plugin", "run", plugin, "--listen", "127.0.0.1:0", "--workers", "1"});
  const auto crash = [&daemon] {
    Client client(daemon.address());
    client.send(get("/segv"));
    CHECK(client.hung_up());
  };
  crash();
  CHECK(ask(daemon, "/v") == "1");
  CHECK(daemon.logs("in plugin broken on route GET /segv"));
  install("2", plugin);
  CHECK(wait_until([&] { return ask(daemon, "/v") == "2"; }));
  crash();
  CHECK(Client(daemon.address()).ask(get("/segv")).is_problem(503));
  install("1", plugin);  // a new build takes up what is quarantined
  CHECK(wait_until([&] { return ask(daemon, "/v") == "1"; }));
  crash();
  CHECK(ask(daemon, "/v") == "1");
}

TEST_CASE("plugin run: a plugin without a configuration that crashes is served again, or said not to load") {
  const TempFolder folder;
  std::filesystem::copy_file(TEST_PLUGINS "/crash.so", folder.path("lone.so"));
  Daemon daemon({"plugin", "run", folder.path("lone.so"), "--listen", "127.0.0.1:0", "--workers", "1"});
  Client client(daemon.address());
  client.send(get("/segv"));
  CHECK(client.hung_up());
  CHECK(Client(daemon.address()).ask(get("/elsewhere")).status == 404);
  const Outcome crashes = run_leat({"plugin", "run", TEST_PLUGINS "/pitfall_crashes.so"});
  CHECK(crashes.status == 1);
  CHECK(crashes.errors.contains("loading it ends the process with signal 11"));
}

TEST_CASE("plugin run: what is no plugin is said") {
  const TempFolder folder;
  const Outcome absent = run_leat({"plugin", "run", folder.path("absent.so")});
  CHECK(absent.status == 1);
  CHECK(absent.errors.contains("cannot open"));
  const Outcome text = run_leat({"plugin", "run", folder.write("text.so", "no plugin")});
  CHECK(text.status == 1);
  CHECK(text.errors.contains("text.so"));
  CHECK(run_leat({"plugin", "run"}).status == 2);
}

TEST_CASE("plugin check: says what is wrong, why and how to mend it, and its status tells") {
  const Outcome broken = run_leat({"plugin", "check", TEST_PLUGINS "/other_major.so"});
  CHECK(broken.status == 1);
  CHECK(broken.output.contains("error[version]: it needs plugin interface 2.0"));
  CHECK(broken.output.contains("  why: "));
  CHECK(broken.output.contains("  fix: "));
  const Outcome json = run_leat({"plugin", "check", "--json", TEST_PLUGINS "/other_major.so"});
  CHECK(json.status == 1);
  CHECK(json.output.contains("{\"rule\":\"version\",\"severity\":\"error\""));
  CHECK(run_leat({"plugin", "check", TEST_PLUGINS "/absent.so"}).status == 1);
  if (kSanitized) return;
  const Outcome sound = run_leat({"plugin", "check", TEST_PLUGINS "/pitfall_sound.so"});
  CHECK(sound.status == 0);
  CHECK(sound.output.ends_with("pitfall_sound.so: nothing is wrong\n"));
  CHECK(run_leat({"plugin", "check", TEST_PLUGINS "/pitfall_crashes.so"}).output.contains("signal 11"));
  const std::string consumer = TEST_PLUGINS "/consumer.so";
  const Outcome uses = run_leat({"plugin", "check", consumer});
  CHECK(uses.output.contains("needs users/1\n"));
  CHECK(uses.output.contains("needs extra/1, if it is there\n"));
  CHECK(run_leat({"plugin", "check", TEST_PLUGINS "/provider.so"}).output.contains("provides users/1\n"));
  CHECK(run_leat({"plugin", "check", "--json", consumer})
            .output.contains(R"({"service":"extra/1","optional":true})"));
}

}  // namespace leat::e2e
