// Reloads that change where the daemon listens: what is new serves, what is gone takes leave of its clients, and who
// comes after a crash, an upgrade or a failed reload has what there was.
#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "e2e/asking.h"
#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"
#include "e2e/reloaded.h"

namespace leat::e2e {
namespace {

bool serves(const std::string& address) {
  return !Client::refused(address) && Client(address).ask(get("/json")).status == 200;
}

}  // namespace

TEST_CASE("reload: listeners come and go, and their clients lose nothing") {
  for (const char* engine : kEngines) {
    INFO(engine);
    Wanted wanted{.server = std::string("engine = \"") + engine + "\"\n"};
    wanted.more = "[[plugin]]\nname = \"b\"\nfile = \"" TEST_PLUGINS
                  "/blocking.so\"\n[[route]]\npath = \"/open\"\nhandler = \"b:open\"\n"
                  "[[route]]\npath = \"/wait\"\nhandler = \"b:wait\"\nexecutor = \"pool\"\n";
    Reloaded site(wanted, {"--workers", "2"});
    const std::string first = site.path("first"), second = "unix:" + site.path("second");
    wanted.listen = {"127.0.0.1:0", "unix:" + first, second};
    REQUIRE(site.change(wanted).status == 0);
    CHECK(serves(site.daemon().address()));
    CHECK(serves("unix:" + first));
    CHECK(serves(second));
    CHECK(site.daemon().logs("listening on " + second));

    // One who is being answered, and one between two requests.
    Client asking("unix:" + first), idle("unix:" + first);
    asking.send(get("/wait"));
    CHECK(idle.ask(get("/json")).status == 200);
    wanted.listen = {"127.0.0.1:0", second};
    REQUIRE(site.change(wanted).status == 0);
    CHECK(site.daemon().logs("unix:" + first + " is listened on no more"));
    CHECK(Client::refused("unix:" + first));
    CHECK_FALSE(std::filesystem::exists(first));
    const Response last = idle.ask(get("/json"));
    CHECK(last.status == 200);
    CHECK(last.field("connection") == "close");
    CHECK(idle.hung_up());
    CHECK(Client(second).ask(get("/open")).status == 204);
    const Response slow = asking.read_response();
    CHECK(slow.body == "through");
    CHECK(slow.field("connection") == "close");
    // Of the others nobody was told to leave.
    Client other(site.daemon().address());
    CHECK(other.ask(get("/json")).field("connection") != "close");
    CHECK(serves(second));
  }
}

TEST_CASE("reload: who waits in the backlog of a listener that goes is answered") {
  Wanted wanted{.server = "stall_warning = 0\n"};
  wanted.more = misuse_tables({"blocks"});
  Reloaded site(wanted);
  Wanted both = wanted;
  both.listen = {"127.0.0.1:0", "unix:" + site.path("gone")};
  REQUIRE(site.change(both).status == 0);
  Client blocking(site.daemon().address());
  blocking.send(get("/blocks?ms=400"));
  CHECK(wait_until([&] {
    return run_leat({"plugin", "list", "--socket", site.admin()}).output.contains("handler blocks") ||
           blocking.peek() != "";
  }));
  std::vector<Client> waiting;
  for (int i = 0; i < 20; ++i) waiting.emplace_back("unix:" + site.path("gone")).send(get("/json"));
  REQUIRE(site.change(wanted).status == 0);
  for (Client& each : waiting) CHECK(each.read_response().status == 200);
  CHECK(blocking.read_response().body == "at last");
}

TEST_CASE("reload: at the end of drain_timeout the last clients of a listener that is gone are closed") {
  const std::string server = "drain_timeout = \"300ms\"\n";
  Reloaded site({.server = server});
  REQUIRE(site.change({.listen = {"127.0.0.1:0", "unix:" + site.path("gone")}, .server = server}).status ==
          0);
  Client slow("unix:" + site.path("gone"));
  slow.send(get("/sleep/60000"));
  CHECK(serves("unix:" + site.path("gone")));
  REQUIRE(site.change({.server = server}).status == 0);
  (void)slow.read_to_end();
  CHECK(serves(site.daemon().address()));
}

TEST_CASE("reload: with other options of a listener new clients have those, and who is there keeps his") {
  const TempFolder folder;
  const std::string file = "unix:" + folder.path("http");
  const auto with = [&](const std::string& options) {
    return Wanted{.more = "[[listener]]\naddress = \"" + file + "\"\n" + options};
  };
  Reloaded site(with("mode = 0o600\n"));
  Client there(file);
  CHECK(there.ask(get("/json")).status == 200);
  REQUIRE(site.change(with("mode = 0o666\nbacklog = 7\n")).status == 0);
  struct stat status{};
  REQUIRE(::stat(folder.path("http").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0666);
  CHECK(there.ask(get("/json")).field("connection") != "close");
  CHECK(serves(file));
}

TEST_CASE("reload: an address that cannot be had fails the whole of it, at its line, and changes nothing") {
  Daemon other(demo_configuration());
  const std::string taken = other.address();
  const TempFolder folder;
  const std::string fresh = "unix:" + folder.path("fresh");
  for (const char* workers : {"1", "3"}) {
    INFO(workers);
    Reloaded site({}, {"--workers", workers});
    const Outcome refused =
        site.change({.listen = {"127.0.0.1:0", fresh, taken}, .server = "name = \"changed\"\n"});
    INFO(refused.errors);
    CHECK(refused.status == 1);
    CHECK(refused.errors.contains("LT0121"));
    CHECK(refused.errors.contains("cannot listen on " + taken));
    CHECK(refused.errors.contains("in use"));
    CHECK(refused.errors.contains("leat.toml:2:"));
    CHECK(site.daemon().logs("the reload failed, generation 1 goes on"));
    CHECK(Client(site.daemon().address()).ask(get("/json")).field("server") == "leat");
    CHECK_FALSE(std::filesystem::exists(folder.path("fresh")));
    // The same of one that is no machine's, and of one that this daemon's own takes in.
    CHECK(site.change({.listen = {"127.0.0.1:0", "192.0.2.1:80"}})
              .errors.contains("cannot listen on 192.0.2.1:80"));
    const std::string port = site.daemon().address().substr(site.daemon().address().rfind(':'));
    if (std::string_view(workers) == "1")
      CHECK(site.change({.listen = {"0.0.0.0" + port}})
                .errors.contains("remove that by a reload of its own first"));
    CHECK(site.change({.listen = {"127.0.0.1:0", fresh}, .server = "name = \"changed\"\n"}).status == 0);
    CHECK(Client(fresh).ask(get("/json")).field("server") == "changed");
  }
}

TEST_CASE("reload: after a crash the next process listens where the last reload said, and nowhere else") {
  Reloaded site({.listen = {"127.0.0.1:0", "127.0.0.1:0"}, .server = "crash_limit = 100\n"},
                {"--workers", "2"}, 2);
  const std::string kept = site.daemon().address(0), gone = site.daemon().address(1);
  const std::string added = "unix:" + site.path("added");
  REQUIRE(site.change({.listen = {"127.0.0.1:0", added}, .server = "crash_limit = 100\nname = \"after\"\n"})
              .status == 0);
  CHECK(wait_until([&] { return Client::refused(gone); }));
  for (int i = 0; i < 3; ++i) {
    const int former = site.daemon().serving_pid();
    REQUIRE(::kill(former, SIGKILL) == 0);
    REQUIRE(wait_until([&] {
      const int serving = site.daemon().serving_pid();
      return serving != 0 && serving != former;
    }));
    CHECK(Client(kept).ask(get("/json")).field("server") == "after");
    CHECK(serves(added));
    CHECK(Client::refused(gone));
    // And goes on from there.
    if (i == 1) {
      const Wanted more{.listen = {"127.0.0.1:0", added, "unix:" + site.path("more")},
                        .server = "crash_limit = 100\nname = \"after\"\n"};
      REQUIRE(site.change(more).status == 0);
    }
  }
  CHECK(serves("unix:" + site.path("more")));
  site.daemon().signal(SIGTERM);
  CHECK(site.daemon().wait() == 0);
  CHECK_FALSE(std::filesystem::exists(site.path("added")));
  CHECK_FALSE(std::filesystem::exists(site.path("more")));
}

TEST_CASE("reload: an upgrade hands on what a reload has opened") {
  Reloaded site({}, {"--workers", "2"});
  const Successors successors(site.daemon());
  const std::string added = "unix:" + site.path("added");
  REQUIRE(site.change({.listen = {"127.0.0.1:0", added}}).status == 0);
  Asking asking(added, false);
  CHECK(run_leat({"upgrade", "--socket", site.admin()}).status == 0);
  CHECK(site.daemon().wait() == 0);
  CHECK(serves(added));
  asking.end();
  CHECK(asking.answered() > 0);
  CHECK(asking.lost() == 0);
}

// The plugin takes its time to load, in each process.
TEST_CASE(
    "reload: one that comes during an upgrade is refused with a word, and an upgrade during one takes its "
    "turn") {
  Wanted slow;
  slow.more = "[[plugin]]\nname = \"bends\"\nfile = \"" TEST_PLUGINS
              "/bends.so\"\n[plugin.config]\nat = \"create\"\ndoes = \"slow\"\n";
  Reloaded site({});
  const Successors successors(site.daemon());
  SECTION("a reload during an upgrade") {
    site.write(slow);
    site.daemon().signal(SIGUSR2);
    REQUIRE(site.daemon().logs("upgrading: "));
    const Outcome reload = site.reload();
    CHECK(reload.status == 1);
    CHECK(reload.errors.contains("an upgrade is under way"));
    CHECK(site.daemon().logs("the reload failed, generation 1 goes on: an upgrade is under way"));
  }
  SECTION("an upgrade during a reload") {
    site.write(slow);
    site.daemon().signal(SIGHUP);
    REQUIRE(site.daemon().logs("reloading: "));
    site.daemon().signal(SIGUSR2);
    REQUIRE(site.daemon().logs("upgrading: "));
  }
  REQUIRE(site.daemon().logs("has taken over"));
  CHECK(site.daemon().wait() == 0);
  CHECK(serves(site.daemon().address()));
}

TEST_CASE("reload: several at once are done one after the other, each with its own answer") {
  Reloaded site({});
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> operators;
    for (int i = 0; i < 6; ++i)
      operators.emplace_back([&] { good += site.reload().output.contains(" serves") ? 1 : 0; });
  }
  CHECK(good == 6);
  CHECK(site.daemon().log().contains("generation 7 serves"));
  CHECK(serves(site.daemon().address()));
}

TEST_CASE("reload: a file that is empty, cut off or leaves no route is refused, and what serves goes on") {
  Reloaded site({.server = "name = \"whole\"\n"});
  const auto refused = [&](const std::string& text, std::string_view why) {
    site.write(text);
    const Outcome outcome = site.reload();
    INFO(outcome.errors);
    CHECK(outcome.status == 1);
    CHECK(outcome.errors.contains("LT0117"));
    CHECK(outcome.errors.contains(why));
    CHECK(Client(site.daemon().address()).ask(get("/json")).field("server") == "whole");
  };
  const std::string last = "[[route]]\npath = \"/last\"\nhandler = \"demo:json\"\n# the last of all\n";
  const std::string whole = site.text({.server = "name = \"whole\"\n", .more = last});
  site.write(whole);
  REQUIRE(site.reload().status == 0);
  refused("", "is empty");
  refused("\n\n", "is empty");
  refused(site.text({}).substr(0, site.text({}).find("[[route]]")), "no [[route]] is declared any more");
  refused(whole.substr(0, whole.size() - 5), "ends in the middle of a line of what it said before");
  // What ends with a line may be meant.
  site.write(whole.substr(0, whole.size() - last.size()));
  CHECK(site.reload().status == 0);
  CHECK(Client(site.daemon().address()).ask(get("/last")).status == 404);
  site.write(whole);
  CHECK(site.reload().status == 0);
}

// What a client of the storm has seen.
struct Seen {
  std::atomic<uint64_t> answered = 0, lost = 0, refused = 0;
};

// Keeps a connection for as long as it is served on it, and opens the next one then. Where it listens may be gone: then
// connecting is refused, and nothing else may go wrong.
void ask_until(const std::atomic<bool>& over, const std::string& address, Seen& seen) {
  const std::string request = get("/json");
  while (!over) {
    const int fd = Asking::connect_to(address);
    if (fd < 0) {
      ++seen.refused;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    for (bool again = true; again && !over;) {
      char answer[4096];
      ssize_t got = -1;
      if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0)
        got = ::recv(fd, answer, sizeof answer, 0);
      const std::string_view text(answer, got > 0 ? static_cast<size_t>(got) : 0);
      const bool good = text.starts_with("HTTP/1.1 200 ");
      ++(good ? seen.answered : seen.lost);
      again = good && !text.contains("Connection: close");
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ::close(fd);
  }
}

// The long form: LEAT_RELOADS=500.
TEST_CASE(
    "reload: again and again, with listeners, routes, middleware and limits changing, at 64 connections") {
  const char* const wanted = std::getenv("LEAT_RELOADS");
  const int reloads = wanted == nullptr ? 60 : std::atoi(wanted);
  Reloaded site({}, {"--workers", "2"});
  // A port that comes and goes.
  std::string port;
  {
    Daemon free(demo_configuration());
    port = free.address();
  }
  const std::string file = "unix:" + site.path("http");
  const auto configuration = [&](int i) {
    Wanted next{.listen = {"127.0.0.1:0"}};
    if (i % 2 == 0) next.listen.push_back(port);
    if (i % 3 != 0) next.listen.push_back(file);
    next.server = "backlog = " + std::to_string(1000 + i) + "\nname = \"n" + std::to_string(i) + "\"\n";
    next.limits =
        "headers = " + std::to_string(4096 + i) + "\nmemory = \"" + std::to_string(64 + i % 5) + "MiB\"\n";
    next.more = "[cache]\nsize = \"" + std::to_string(8 + i % 4) + "MiB\"\n";
    if (i % 2 == 1) next.more += "[[middleware]]\nkind = \"request_id\"\n";
    if (i % 4 == 0) next.more += "[[middleware]]\nkind = \"security_headers\"\n";
    for (int route = 0; route <= i % 5; ++route)
      next.more += "[[route]]\npath = \"/more/" + std::to_string(route) + "\"\nhandler = \"demo:json\"\n";
    return next;
  };
  std::atomic<bool> over = false;
  Seen steady, coming, of_file;
  struct Clients : std::vector<std::thread> {  // they end with the test, however that does
    explicit Clients(std::atomic<bool>& ends) : over(ends) {}
    ~Clients() { stop(); }
    void stop() {
      over = true;
      for (std::thread& each : *this) each.join();
      clear();
    }
    std::atomic<bool>& over;
  } clients(over);
  for (int i = 0; i < 64; ++i)
    clients.emplace_back([&, i] {
      ask_until(over,
                i % 4 == 0   ? port
                : i % 4 == 1 ? file
                             : site.daemon().address(),
                i % 4 == 0   ? coming
                : i % 4 == 1 ? of_file
                             : steady);
    });
  uint64_t settled = 0;
  int failed = 0;
  for (int i = 0; i < reloads; ++i) {
    const Outcome outcome = site.change(configuration(i));
    if (outcome.status != 0) ++failed;
    INFO(outcome.errors);
    CHECK(outcome.status == 0);
    if (i == reloads / 5) settled = site.daemon().resident_kib();
  }
  clients.stop();
  const uint64_t at_last = site.daemon().resident_kib();
  CHECK(failed == 0);
  CHECK(steady.answered > 0);
  CHECK(coming.answered > 0);
  CHECK(coming.refused > 0);
  CHECK(steady.refused == 0);
  CHECK(steady.lost == 0);
  CHECK(coming.lost == 0);
  CHECK(of_file.answered > 0);
  CHECK(of_file.lost == 0);
  CHECK(site.daemon().logs("generation " + std::to_string(reloads + 1) + " serves"));
  // The address sanitizer keeps what was freed.
  if (!kSanitized) CHECK(at_last < settled + 8 * 1024);
  if (wanted != nullptr)
    WARN(reloads << " reloads: " << steady.answered + coming.answered + of_file.answered << " answers, "
                 << steady.lost + coming.lost + of_file.lost << " lost, resident " << settled
                 << " KiB after a fifth, " << at_last << " KiB at last");
  CHECK(site.daemon().open_descriptors() < 200);
}

}  // namespace leat::e2e
