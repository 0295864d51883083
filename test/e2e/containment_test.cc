// What a plugin does to the process that it is loaded into stays a matter of that plugin: it is named, and
// what it ended or changed is there again, or was never needed.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

// The demo's routes, and those of a plugin that does `does` when it is at `at`; see bends.cc.
std::string bending(const std::string& server = {}, const std::string& at = {}, const std::string& does = {},
                    const std::string& file = TEST_PLUGINS "/bends.so") {
  Wanted wanted{.server = server};
  wanted.more = "[[plugin]]\nname = \"bends\"\nfile = \"" + file + "\"\n[plugin.config]\nat = \"" + at +
                "\"\ndoes = \"" + does + "\"\n";
  for (const char* each : {"bends", "locale", "number", "allocate"})
    wanted.more += std::string("[[route]]\npath = \"/") + each + "\"\nhandler = \"bends:" + each + "\"\n";
  return demo_configuration(wanted);
}

Response ask(const Daemon& daemon, const std::string& target) {
  return Client(daemon.address()).ask(get(target));
}

bool serves(const Daemon& daemon) { return ask(daemon, "/json").status == 200; }

// Whether a request that ends the process does so, and another process serves then.
void crash(Daemon& daemon, const std::string& how) {
  INFO(how);
  const int former = daemon.serving_pid();
  Client client(daemon.address());
  client.send(get("/bends?how=" + how));
  CHECK(client.hung_up());
  CHECK(wait_until([&] { return daemon.serving_pid() != former; }));
  CHECK(serves(daemon));
}

void rewrite(const Daemon& daemon, const std::string& configuration) {
  std::ofstream(daemon.path("leat.toml"), std::ios::binary) << configuration;
}

// Processes with that word in their command lines.
std::vector<std::string> processes_with(const std::string& word) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    if (line.contains(word)) found.push_back(entry.path().filename().string());
  }
  return found;
}

}  // namespace

TEST_CASE("containment: in whichever way a handler ends the process, it is a crash of its plugin") {
  struct Way {
    std::string how, told;
  };
  std::vector<Way> ways = {{"exit", "was ended by a call of exit(0)"},
                           {"exit3", "was ended by a call of exit(3)"},
                           {"quick_exit", "was ended by a call of quick_exit()"},
                           {"_exit", "ended itself with status 0"},
                           {"exit_group", "ended itself with status 0"},
                           {"terminate", "was ended by SIGABRT"},
                           {"trap", "was ended by SIGTRAP"},
                           {"unheard_segv", "was ended by signal 11"},
                           {"overflow", "was ended by SIGSEGV"}};
  Daemon daemon(bending("crash_limit = 100\n"));
  for (const auto& [how, told] : ways) {
    crash(daemon, how);
    INFO(how << "\n" << daemon.log());
    CHECK(daemon.log().contains("the process that serves " + told));
  }
  crash(daemon, "smash");
  const std::string log = daemon.log();
  size_t named = 0;
  for (size_t at = 0; (at = log.find(" in plugin bends on route GET /bends\n", at)) != std::string::npos;
       ++at)
    ++named;
  INFO(log);
  CHECK(named >= ways.size());
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("containment: a plugin whose handlers exit is quarantined") {
  Daemon daemon(bending("crash_limit = 2\n"));
  crash(daemon, "exit");
  crash(daemon, "_exit");
  CHECK(ask(daemon, "/bends?how=no").is_problem(503));
  CHECK(daemon.logs("plugin bends has crashed 2 times: it is quarantined"));
}

TEST_CASE("containment: routes behind middleware in quarantine are closed, unless it is optional") {
  for (const bool optional : {false, true}) {
    Wanted wanted{.server = "crash_limit = 2\n"};
    wanted.more = "[[plugin]]\nname = \"bad\"\nfile = \"" TEST_PLUGINS
                  "/bad_middleware.so\"\n[[middleware]]\nkind = \"bad:exits\"\n";
    if (optional) wanted.more += "optional = true\n";
    INFO("optional " << optional);
    Daemon daemon(demo_configuration(wanted));
    CHECK(serves(daemon));
    for (int i = 0; i < 2; ++i) {
      const int former = daemon.serving_pid();
      Client client(daemon.address());
      client.send("GET /json HTTP/1.1\r\nHost: test\r\nX-Exit: now\r\n\r\n");
      CHECK(client.hung_up());
      CHECK(wait_until([&] { return daemon.serving_pid() != former; }));
    }
    CHECK(daemon.logs("ended itself with status 0 in plugin bad"));
    CHECK(daemon.logs("plugin bad has crashed 2 times: it is quarantined"));
    if (optional)
      CHECK(serves(daemon));
    else
      CHECK(ask(daemon, "/json").is_problem(503));
  }
}

TEST_CASE("containment: a handler that exits on the pool is named too") {
  Wanted wanted;
  wanted.more = "[[plugin]]\nname = \"bends\"\nfile = \"" TEST_PLUGINS
                "/bends.so\"\n[[route]]\npath = \"/bends\"\nhandler = \"bends:bends\"\nexecutor = \"pool\"\n";
  Daemon daemon(demo_configuration(wanted));
  crash(daemon, "_exit");
  crash(daemon, "exit");
  CHECK(daemon.logs("ended itself with status 0 in plugin bends on route GET /bends\n"));
  CHECK(daemon.logs("was ended by a call of exit(0) in plugin bends on route GET /bends\n"));
}

TEST_CASE("containment: without a supervisor a handler's exit(0) does not look like a good end") {
  Daemon daemon(bending("supervise = false\n"));
  Client client(daemon.address());
  client.send(get("/bends?how=exit"));
  CHECK(client.hung_up());
  CHECK(daemon.wait() == 128 + SIGABRT);
  CHECK(daemon.log().contains("crash: exit(0)"));
}

TEST_CASE("containment: a plugin that ends its process while it is loaded fails the reload, which names it") {
  for (const std::string at : {"create", "test"}) {
    for (const std::string does : {"exit", "_exit", "exit_group", "terminate"}) {
      INFO(at << " " << does);
      Daemon daemon(bending());
      const int serving = daemon.serving_pid();
      rewrite(daemon, bending("", at, does));
      daemon.signal(SIGHUP);
      CHECK(daemon.logs("the reload failed, generation 1 goes on: "));
      CHECK(daemon.log().contains(" in plugin bends\n"));
      CHECK(daemon.serving_pid() == serving);
      CHECK(serves(daemon));
    }
  }
}

TEST_CASE(
    "containment: check says which plugin ended it, or does not come back, and never that all is well") {
  const TempFolder folder;
  for (const std::string does : {"exit", "_exit", "exit_group", "terminate", "hang", "deaf_hang"}) {
    const std::string timeout = kSanitized ? "3s" : "300ms";
    const std::string file =
        folder.write("leat.toml", bending("load_timeout = \"" + timeout + "\"\n", "create", does));
    const Outcome outcome = run_leat({"check", "-c", file});
    INFO(does << "\n" << outcome.errors);
    CHECK(outcome.status == 78);
    CHECK(outcome.output.empty());
    CHECK(outcome.errors.contains(" in plugin bends\n"));
  }
}

TEST_CASE("containment: a plugin that ends or hangs the process at its start is left out") {
  struct When {
    std::string at, does, told;
  };
  const std::string late = "did not start serving within server.load_timeout in plugin bends";
  for (const auto& [at, does, told] :
       std::vector<When>{{"create", "exit", "was ended by a call of exit(0) in plugin bends"},
                         {"create", "_exit", "ended itself with status 0 in plugin bends"},
                         {"init", "exit_group", "ended itself with status 0 in plugin bends"},
                         {"create", "hang", late},
                         {"init", "hang", late},
                         {"test", "deaf_hang", late}}) {
    INFO(at << " " << does);
    const std::string timeout = kSanitized ? "3s" : "500ms";
    Daemon daemon(bending("crash_limit = 1\nload_timeout = \"" + timeout + "\"\n", at, does),
                  {.listeners = 0});
    REQUIRE(daemon.logs("plugin bends is quarantined"));
    CHECK(daemon.log().contains("the process that serves " + told));
    daemon.wait_until_ready(1);
    CHECK(serves(daemon));
    CHECK(ask(daemon, "/bends").is_problem(503));
  }
}

TEST_CASE("containment: TERM ends a daemon whose plugin does not come back from its loading") {
  if (kThreadSanitized)
    SKIP("the sanitizer keeps a signal until its thread waits, and a plugin that hangs does not");
  for (const std::string server : {"", "supervise = false\n"}) {
    for (const std::string at : {"create", "init"}) {
      INFO(server << at);
      Daemon daemon(bending(server, at, "hang"), {.listeners = 0});
      REQUIRE(daemon.logs("bends: hangs"));
      daemon.signal(SIGTERM);
      CHECK(daemon.wait() == 0);
    }
  }
}

TEST_CASE("containment: a reload whose plugin hangs ends with the daemon, and no checker stays") {
  Daemon daemon(bending());
  rewrite(daemon, bending("", "create", "deaf_hang"));
  daemon.signal(SIGHUP);
  const std::string file = daemon.path("leat.toml");
  REQUIRE(wait_until([&] { return processes_with(file).size() == 4; }));  // two that serve, two that check
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
  CHECK(wait_until([&] { return processes_with(file).empty(); }));
}

TEST_CASE("containment: a reload whose plugin hangs fails in time, and names it") {
  Daemon daemon(bending());
  rewrite(daemon, bending("load_timeout = \"300ms\"\n", "create", "hang"));
  daemon.signal(SIGHUP);
  REQUIRE(daemon.logs("the reload failed, generation 1 goes on: "));
  CHECK(daemon.log().contains("did not start serving within server.load_timeout in plugin bends"));
  CHECK(serves(daemon));
}

TEST_CASE("containment: signals that a plugin takes over are the daemon's again") {
  Daemon daemon(bending("", "create", "handlers"));
  const std::string taken =
      "has replaced the handler of SIGSEGV, SIGABRT, SIGPIPE, SIGTERM: the daemon's own is put back";
  CHECK(daemon.logs("plugin bends " + taken));
  crash(daemon, "segv");
  CHECK(daemon.logs("was ended by SIGSEGV in plugin bends on route GET /bends"));
  // Here it does so while it serves.
  CHECK(ask(daemon, "/bends?how=handlers").status == 200);
  CHECK(daemon.logs("a plugin " + taken));
  CHECK(ask(daemon, "/bends?how=let_through").status == 200);
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("containment: TERM drains also where a plugin lets it through to a worker") {
  Daemon daemon(bending());
  CHECK(ask(daemon, "/bends?how=let_through").status == 200);
  Client slow(daemon.address());
  slow.send(get("/sleep/300"));
  sleep_a_little();
  daemon.signal(SIGTERM);
  CHECK(slow.read_response().status == 200);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("containment: children that are ignored do not make a reload's check look good") {
  Daemon daemon(bending("", "create", "no_children"));
  rewrite(daemon, bending("", "create", "_exit"));
  daemon.signal(SIGHUP);
  CHECK(daemon.logs("the reload failed, generation 1 goes on: "));
  CHECK(serves(daemon));
}

TEST_CASE("containment: the log is not written to what took the place of a closed stderr") {
  Daemon daemon(bending());
  CHECK(ask(daemon, "/bends?how=close_standard").status == 200);
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) CHECK(clients.emplace_back(daemon.address()).ask(get("/json")).status == 200);
  daemon.signal(SIGHUP);
  CHECK(daemon.logs("generation 2 serves"));
  for (Client& client : clients) CHECK(client.ask(get("/json")).status == 200);
}

TEST_CASE("containment: closed descriptors of the daemon are noticed, and laid to who ran last") {
  if (kThreadSanitized) SKIP("the plugin closes what other threads use, and that is a race");
  for (const std::string engine : kEngines) {
    INFO(engine);
    Daemon daemon(bending("engine = \"" + engine + "\"\n"));
    const int former = daemon.serving_pid();
    Client client(daemon.address());
    client.send(get("/bends?how=close_all"));
    REQUIRE(wait_until([&] { return daemon.serving_pid() != former; }));
    CHECK(serves(daemon));
    INFO(daemon.log());
    CHECK(daemon.logs("in plugin bends\n"));
  }
}

TEST_CASE("containment: a plugin that leaves the folder does not take relative paths with it") {
  const TempFolder folder;
  std::filesystem::copy_file(TEST_PLUGINS "/bends.so", folder.path("bends.so"));
  const std::string server = "admin_socket = \"admin.sock\"\n";
  const std::string text = bending(server, "create", "chdir", "./bends.so") + "[log]\nfile = \"leat.log\"\n";
  folder.write("leat.toml", text);
  for (const std::string supervise : {"supervise = true\n", "supervise = false\n"}) {
    INFO(supervise);
    std::string with = text;
    with.insert(with.find(server), supervise);
    folder.write("leat.toml", with);
    Daemon daemon(std::vector<std::string>{"run", "-c", "leat.toml"}, folder.path(""),
                  folder.path("leat.log"));
    const auto reload = [&] { return run_leat({"reload", "--socket", folder.path("admin.sock")}); };
    const Outcome outcome = reload();
    INFO(outcome.errors);
    CHECK(outcome.status == 0);
    CHECK(ask(daemon, "/bends?how=chdir").status == 200);
    CHECK(reload().status == 0);
    daemon.signal(SIGTERM);
    CHECK(daemon.wait() == 0);
    CHECK_FALSE(std::filesystem::exists(folder.path("admin.sock")));
    std::filesystem::remove(folder.path("leat.log"));
  }
}

TEST_CASE("containment: memory that is refused is an exception, and a 500 that names the plugin") {
  if (kSanitized) SKIP("a sanitizer has an operator new of its own");
  Daemon daemon(bending());
  const int serving = daemon.serving_pid();
  for (const std::string how : {"new", "array", "aligned", "string", "shared", "vector"}) {
    INFO(how);
    CHECK(ask(daemon, "/allocate?how=" + how).is_problem(500));
  }
  for (const std::string how : {"malloc", "nothrow"})
    CHECK(ask(daemon, "/allocate?how=" + how).body == "null");
  CHECK(daemon.logs("plugin bends: route GET /allocate: threw std::bad_alloc"));
  CHECK(daemon.serving_pid() == serving);
}

TEST_CASE("containment: a plugin's locale changes nothing of what the daemon says") {
  const TempFolder folder;
  const Outcome made =
      run_program("/usr/bin/env", {"localedef", "-i", "de_DE", "-f", "UTF-8", folder.path("de_DE.UTF-8")});
  if (!std::filesystem::exists(folder.path("de_DE.UTF-8")))
    SKIP("no locale can be made here: " + made.errors);
  ::setenv("LOCPATH", folder.path("").c_str(), 1);
  ::setenv("LC_ALL", "de_DE.UTF-8", 1);
  Daemon daemon(bending("", "create", "locale") + "[[middleware]]\nkind = \"access_log\"\n");
  ::unsetenv("LOCPATH");
  ::unsetenv("LC_ALL");
  CHECK(ask(daemon, "/locale").body == "1,5");  // there is one
  CHECK(ask(daemon, "/number").body == "{\"half\":0.5}");
  const Response response = ask(daemon, "/json");
  CHECK(response.status == 200);
  const std::string date = response.field("date").value_or("");
  INFO(date);
  constexpr std::string_view kDays = "Mon, Tue, Wed, Thu, Fri, Sat, Sun, ";
  constexpr std::string_view kMonths = " Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
  REQUIRE(date.size() == 29);
  CHECK(kDays.contains(date.substr(0, 5)));
  CHECK(kMonths.contains(date.substr(7, 5)));
  daemon.signal(SIGHUP);
  CHECK(daemon.logs("generation 2 serves"));
}

}  // namespace leat::e2e
