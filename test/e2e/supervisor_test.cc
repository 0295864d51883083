// Crashes of the process that serves: nobody else is refused, the report names the culprit, and a plugin that
// crashes again and again is left out.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

Wanted with_crashes(std::string server = {}) {
  Wanted wanted;
  wanted.server = std::move(server);
  wanted.more = "[[plugin]]\nname = \"broken\"\nfile = \"" TEST_PLUGINS
                "/crash.so\"\n"
                "[[route]]\npath = \"/segv\"\nhandler = \"broken:segv\"\n"
                "[[route]]\npath = \"/abort\"\nhandler = \"broken:aborts\"\n"
                "[[route]]\npath = \"/killed\"\nhandler = \"broken:killed\"\n";
  return wanted;
}

void crash(const Daemon& daemon, const std::string& target) {
  Client client(daemon.address());
  client.send(get(target));
  CHECK(client.hung_up());
}

bool serves(const Daemon& daemon) { return Client(daemon.address()).ask(get("/json")).status == 200; }

// Kills the process that serves, once there is one, and waits until it is gone. Returns its id.
int kill_serving(const Daemon& daemon) {
  int serving = 0;
  REQUIRE(wait_until([&] { return (serving = daemon.serving_pid()) != 0; }));
  REQUIRE(kill(serving, SIGKILL) == 0);
  REQUIRE(wait_until([&] { return daemon.serving_pid() != serving; }));
  return serving;
}

// Another process than `former` serves.
bool restarted(const Daemon& daemon, int former) {
  const int serving = daemon.serving_pid();
  return serving != 0 && serving != former;
}

// Waits until the supervisor takes the end of the process that serves for a crash of what it serves, and not for
// one of a start that failed: whoever answers here has told it before.
bool has_begun(const std::string& admin_socket) {
  return wait_until([&] { return run_leat({"plugin", "list", "--socket", admin_socket}).status == 0; });
}

size_t times(const std::string& text, std::string_view word) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++count;
  return count;
}

// Reloads. Whoever does so has served, and what serves then is kept.
void reload(const Daemon& daemon) {
  const size_t before = times(daemon.log(), "generation 2 serves");
  daemon.signal(SIGHUP);
  REQUIRE(wait_until([&] { return times(daemon.log(), "generation 2 serves") > before; }));
}

// A daemon with the demo plugin, and beside it one whose file can be replaced by another build of it.
class Replaceable {
 public:
  explicit Replaceable(const std::string& server, const std::string& build = "1")
      : daemon_(configuration(server, build)) {}

  // A new file under the old name, as an installer puts it there.
  void install(const std::string& build) {
    std::filesystem::copy_file(TEST_PLUGINS "/generation_" + build + ".so", folder_.path("new.so"));
    std::filesystem::rename(folder_.path("new.so"), folder_.path("plugin.so"));
  }
  [[nodiscard]] Daemon& daemon() { return daemon_; }
  [[nodiscard]] bool has_begun() const { return e2e::has_begun(folder_.path("admin")); }
  [[nodiscard]] Response ask() const { return Client(daemon_.address()).ask(get("/version")); }

 private:
  std::string configuration(const std::string& server, const std::string& build) {
    install(build);
    Wanted wanted;
    wanted.server = server + "admin_socket = \"" + folder_.path("admin") + "\"\n";
    wanted.more = "[[plugin]]\nname = \"g\"\nfile = \"" + folder_.path("plugin.so") +
                  "\"\n[[route]]\npath = \"/version\"\nhandler = \"g:version\"\n";
    return demo_configuration(wanted);
  }

  TempFolder folder_;
  Daemon daemon_;
};

}  // namespace

TEST_CASE("supervisor: after SIGKILL of the serving process the next connections are served") {
  Daemon daemon(demo_configuration({.server = "crash_limit = 100\n"}));
  for (int i = 0; i < 8; ++i) {
    CHECK(serves(daemon));
    const int former = daemon.serving_pid();
    REQUIRE(former > 0);
    REQUIRE(kill(former, SIGKILL) == 0);
    CHECK_FALSE(Client::refused(daemon.address()));
    // What connects before it is gone may still be accepted by it, and goes with it.
    CHECK(wait_until([&] { return daemon.serving_pid() != former; }));
    // The kernel may still have the former one's wait for clients, and must not keep it from the next.
    for (int connection = 0; connection < 5; ++connection) CHECK(serves(daemon));
  }
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("supervisor: a crash in a handler is reported with plugin, build id and route, and survived") {
  for (const std::string target : {"/segv", "/abort"}) {
    Daemon daemon(demo_configuration(with_crashes()));
    REQUIRE(serves(daemon));
    crash(daemon, target + "?secret=1");
    CHECK_FALSE(Client::refused(daemon.address()));
    CHECK(serves(daemon));
    INFO(daemon.log());
    CHECK(daemon.logs(target == "/segv" ? "crash: SIGSEGV at 0x0" : "crash: SIGABRT"));
    CHECK(daemon.logs(", worker 0\n  in plugin broken 1.0, build id "));
    CHECK(daemon.logs("on route GET " + target));
    CHECK(daemon.logs("for path " + target + "\n"));
    CHECK_FALSE(daemon.log().contains("secret"));
    CHECK_FALSE(daemon.log().contains("build id none"));
    CHECK(daemon.log().contains("leat-crash-"));  // a frame in the plugin's object
  }
}

TEST_CASE("supervisor: a plugin that crashes too often is quarantined, the rest serves") {
  Daemon daemon(demo_configuration(with_crashes("crash_limit = 2\n")));
  crash(daemon, "/segv");
  CHECK(serves(daemon));
  crash(daemon, "/abort");
  CHECK(serves(daemon));
  const Response response = Client(daemon.address()).ask(get("/segv"));
  CHECK(response.is_problem(503));
  CHECK(response.field("retry-after") == "60");
  CHECK(daemon.logs("plugin broken is quarantined"));
  CHECK(serves(daemon));
}

TEST_CASE("supervisor: those that need a quarantined plugin are out of service with it") {
  Wanted wanted{.server = "crash_limit = 1\n"};
  wanted.more = "[[plugin]]\nname = \"c\"\nfile = \"" TEST_PLUGINS
                "/consumer.so\"\n"
                "[[plugin]]\nname = \"p\"\nfile = \"" TEST_PLUGINS
                "/provider.so\"\n"
                "[[route]]\npath = \"/asks\"\nhandler = \"c:asks\"\n"
                "[[route]]\npath = \"/abort\"\nhandler = \"p:aborts\"\n";
  Daemon daemon(demo_configuration(wanted));
  CHECK(Client(daemon.address()).ask(get("/asks")).body == "ann 1 1 2");
  crash(daemon, "/abort");
  CHECK(Client(daemon.address()).ask(get("/asks")).is_problem(503));
  CHECK(serves(daemon));
  CHECK(
      daemon.logs("plugin c is out of service too: it needs `users/1`, which no plugin in service provides"));
  daemon.signal(SIGHUP);
  REQUIRE(daemon.logs("generation 2 serves"));
  CHECK(Client(daemon.address()).ask(get("/asks")).body == "ann 1 1 2");
}

TEST_CASE("supervisor: plugin list shows what is out of service, and why") {
  const TempFolder folder;
  const std::string socket = folder.path("admin");
  Wanted wanted{.server = "crash_limit = 1\nadmin_socket = \"" + socket + "\"\n"};
  wanted.more = "[[plugin]]\nname = \"c\"\nfile = \"" TEST_PLUGINS
                "/consumer.so\"\n"
                "[[plugin]]\nname = \"p\"\nfile = \"" TEST_PLUGINS
                "/provider.so\"\n"
                "[[route]]\npath = \"/abort\"\nhandler = \"p:aborts\"\n";
  Daemon daemon(demo_configuration(wanted));
  CHECK_FALSE(run_leat({"plugin", "list", "--socket", socket}).output.contains("quarantined"));
  crash(daemon, "/abort");
  REQUIRE(serves(daemon));
  const Outcome list = run_leat({"plugin", "list", "--socket", socket});
  CHECK(list.output.contains("  p  quarantined: it has crashed too often, its routes answer 503  "));
  CHECK(list.output.contains("  c  out of service: it needs a plugin that is quarantined, "));
  const Outcome json = run_leat({"plugin", "list", "--json", "--socket", socket});
  CHECK(json.output.contains(R"({"name":"p","state":"quarantined","path":")"));
  CHECK(json.output.contains(R"({"name":"c","state":"out of service",)"));
}

TEST_CASE("supervisor: a reload takes a quarantined plugin up again") {
  Daemon daemon(demo_configuration(with_crashes("crash_limit = 1\n")));
  crash(daemon, "/segv");
  REQUIRE(Client(daemon.address()).ask(get("/segv")).status == 503);
  daemon.signal(SIGHUP);
  REQUIRE(daemon.logs("generation 2 serves"));
  crash(daemon, "/segv");
  CHECK(serves(daemon));
  CHECK(Client(daemon.address()).ask(get("/segv")).status == 503);
}

TEST_CASE("supervisor: 64 clients lose their connections to a crash, and none is refused a new one") {
  for (const std::string target : {"/segv", "/abort", "/killed"}) {
    INFO(target);
    Daemon daemon(demo_configuration(with_crashes()), {.arguments = {"--workers", "2"}});
    std::vector<Client> clients;
    for (int i = 0; i < 64; ++i)
      CHECK(clients.emplace_back(daemon.address()).ask(get("/json")).status == 200);
    const int former = daemon.serving_pid();
    Client(daemon.address()).send(get(target));
    int refused = 0;
    int tried = 0;
    REQUIRE(wait_until([&] {
      for (int i = 0; i < 16; ++i, ++tried) refused += Client::refused(daemon.address()) ? 1 : 0;
      return restarted(daemon, former);
    }));
    for (Client& client : clients) {
      CHECK(client.hung_up());
      CHECK(serves(daemon));
    }
    INFO(tried << " connections were tried");
    CHECK(refused == 0);
  }
}

TEST_CASE("supervisor: crashes beyond the limit are followed by longer and longer waits, which TERM ends") {
  using Clock = std::chrono::steady_clock;
  Daemon daemon(demo_configuration(with_crashes("crash_limit = 1\n")));
  const int first = kill_serving(daemon);
  REQUIRE(wait_until([&] { return restarted(daemon, first); }));
  for (const int wait_ms : {100, 200, 400}) {
    const Clock::time_point before = Clock::now();
    const int former = kill_serving(daemon);
    CHECK_FALSE(Client::refused(daemon.address()));
    REQUIRE(wait_until([&] { return restarted(daemon, former); }));
    CHECK(Clock::now() - before >= std::chrono::milliseconds(wait_ms));
    CHECK(daemon.logs("the next process starts in " + std::to_string(wait_ms) + " ms"));
  }
  kill_serving(daemon);
  REQUIRE(daemon.logs("the next process starts in 800 ms"));
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
  CHECK(Client::refused(daemon.address()));
}

TEST_CASE(
    "supervisor: a process that crashes while it starts is followed by others, then goes without the "
    "plugin") {
  Replaceable site("crash_limit = 2\n", "CRASHES_IN_LOAD");
  CHECK(site.ask().is_problem(503));
  CHECK(serves(site.daemon()));
  CHECK(site.daemon().logs("plugin g has crashed 2 times: it is quarantined"));
  CHECK(site.daemon().log().contains("while plugin g was loaded, started or ended"));
  // Mended, it is taken up by a reload.
  site.install("2");
  site.daemon().signal(SIGHUP);
  REQUIRE(site.daemon().logs("generation 2 serves"));
  CHECK(site.ask().body == "2");
}

TEST_CASE("supervisor: after a crash that serves which served last, and not what the files say since") {
  Replaceable site("");
  reload(site.daemon());
  const std::string file = site.daemon().path("leat.toml");
  std::filesystem::rename(file, file + ".away");
  site.install("CRASHES_IN_LOAD");
  // Twice, for what was taken once must be there again.
  for (int i = 0; i < 2; ++i) {
    kill_serving(site.daemon());
    CHECK(site.ask().body == "1");
    CHECK(site.has_begun());
    CHECK(serves(site.daemon()));
  }
  CHECK(site.daemon().logs("this is the configuration that served last"));
  CHECK_FALSE(site.daemon().log().contains("could not start"));
  // A reload is asked for what the files say.
  site.daemon().signal(SIGHUP);
  REQUIRE(site.daemon().logs("the reload failed, generation 1 goes on"));
  std::filesystem::rename(file + ".away", file);
  site.install("2");
  reload(site.daemon());
  CHECK(site.ask().body == "2");
  // What a reload brought has served by then.
  site.install("CRASHES_IN_LOAD");
  kill_serving(site.daemon());
  CHECK(site.ask().body == "2");
}

TEST_CASE("supervisor: that the files say another thing than what served last is told where they do") {
  const TempFolder folder;
  const std::string part = folder.write("part.toml", "# nothing\n");
  std::filesystem::copy_file(DEMO_PLUGIN, folder.path("demo.so"));
  Daemon daemon("include = [\"" + part + "\"]\n" +
                demo_configuration({.server = "admin_socket = \"" + folder.path("admin") + "\"\n"}) +
                "[[plugin]]\nname = \"other\"\nfile = \"" + folder.path("demo.so") + "\"\n");
  const auto restart = [&] {
    kill_serving(daemon);
    CHECK(has_begun(folder.path("admin")));
    CHECK(serves(daemon));
  };
  size_t told = 0;
  const auto is_told = [&] {
    ++told;
    return wait_until(
        [&] { return times(daemon.log(), "this is the configuration that served last") >= told; });
  };
  reload(daemon);
  restart();
  folder.write("part.toml", "# something\n");
  restart();
  CHECK(is_told());
  reload(daemon);
  restart();
  const auto file = [&](const char* name) { return folder.path(name); };
  std::filesystem::rename(file("demo.so"), file("away.so"));
  restart();
  CHECK(is_told());
  std::filesystem::rename(file("away.so"), file("demo.so"));
  restart();
  std::filesystem::copy_file(TEST_PLUGINS "/generation_1.so", file("new.so"));
  std::filesystem::rename(file("new.so"), file("demo.so"));
  restart();
  CHECK(is_told());
  CHECK(times(daemon.log(), "this is the configuration that served last") == told);
}

TEST_CASE("supervisor: what served last is the whole configuration, with all files that it came from") {
  const TempFolder folder;
  std::filesystem::create_directories(folder.path("conf.d"));
  folder.write("secret", "s3cret\n");
  folder.write("part.toml", "[[route]]\npath = \"/part\"\nhandler = \"demo:json\"\n");
  folder.write("more-1.toml", "[[route]]\npath = \"/more\"\nhandler = \"demo:json\"\n");
  folder.write("conf.d/late.toml", "[[route]]\npath = \"/late\"\nhandler = \"demo:json\"\n");
  const std::string file =
      folder.write("leat.toml", "include = [\"part.toml\", \"more-*.toml\"]\n" + demo_configuration() +
                                    "[[plugin]]\nname = \"${file:secret}\"\nfile = \"demo.so\"\n"
                                    "[[route]]\npath = \"/secret\"\nhandler = \"s3cret:json\"\n");
  Daemon daemon(std::vector<std::string>{"run", "-c", file});
  const auto works = [&] {
    for (const char* each : {"/part", "/more", "/late", "/secret", "/json"}) {
      INFO(each);
      CHECK(Client(daemon.address()).ask(get(each)).status == 200);
    }
  };
  works();
  reload(daemon);
  for (const char* each : {"secret", "part.toml", "more-1.toml", "conf.d/late.toml", "leat.toml"})
    std::filesystem::remove(folder.path(each));
  folder.write("conf.d/other.toml", "[[route]]\npath = \"/json\"\nhandler = \"demo:none\"\n");
  kill_serving(daemon);
  works();
}

TEST_CASE("supervisor: where what served last does not start any more, the files are tried by turns") {
  const TempFolder folder;
  const std::string place = folder.write("place", "");
  const auto text = [&](const std::string& does) {
    return demo_configuration({.server = "restart_delay = \"50ms\"\n",
                               .more = "[[plugin]]\nname = \"bends\"\nfile = \"" TEST_PLUGINS
                                       "/bends.so\"\n[plugin.config]\nat = \"create\"\ndoes = \"" +
                                       does + "\"\n"});
  };
  Daemon daemon(text("needs:" + place));
  reload(daemon);
  std::filesystem::remove(place);
  kill_serving(daemon);
  REQUIRE(daemon.logs("the process that serves could not start: status 78"));
  CHECK_FALSE(Client::refused(daemon.address()));
  std::filesystem::rename(folder.write("new.toml", text("nothing")), daemon.path("leat.toml"));
  CHECK(serves(daemon));
}

TEST_CASE("supervisor: a plugin that crashes under a reload is refused there, and not blamed later") {
  Replaceable site("crash_limit = 1\n");
  site.install("CRASHES_IN_LOAD");
  const int serving = site.daemon().serving_pid();
  site.daemon().signal(SIGHUP);
  REQUIRE(site.daemon().logs("the reload failed, generation 1 goes on: "));
  CHECK(site.daemon().serving_pid() == serving);
  CHECK(site.ask().body == "1");
  kill_serving(site.daemon());
  CHECK(site.ask().body == "1");
  CHECK(site.daemon().logs("was ended by signal 9 (Killed)\n"));
  CHECK_FALSE(site.daemon().log().contains("quarantined"));
}

TEST_CASE("supervisor: when it dies the process that serves is gone too") {
  Daemon daemon(demo_configuration());
  const int serving = daemon.serving_pid();
  REQUIRE(serving > 0);
  daemon.signal(SIGKILL);
  CHECK(daemon.wait() == 128 + SIGKILL);
  CHECK(wait_until([&] { return Client::refused(daemon.address()); }));
}

TEST_CASE("supervisor: without one, a crash ends the daemon by that signal") {
  Daemon daemon(demo_configuration(with_crashes("supervise = false\n")));
  CHECK(daemon.serving_pid() == 0);
  crash(daemon, "/segv");
  CHECK(daemon.wait() == 128 + SIGSEGV);
  CHECK(daemon.log().contains("in plugin broken 1.0"));
}

}  // namespace leat::e2e
