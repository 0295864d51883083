// What a daemon finds where it is started, and what it leaves to those that it starts: descriptors, limits, a stderr
// that nobody reads, signals.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

// A script that starts the daemon after `before`, with `redirected`.
Daemon::Options started(const TempFolder& folder, const std::string& before,
                        const std::string& redirected = "") {
  Daemon::Options options;
  options.program =
      folder.write("start", "#!/bin/sh\n" + before + "\nexec \"$LEAT_BINARY\" \"$@\" " + redirected + "\n");
  REQUIRE(::chmod(options.program.c_str(), 0700) == 0);
  return options;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Wanted with_bends() {
  Wanted wanted;
  wanted.more = "[[plugin]]\nname = \"bends\"\nfile = \"" TEST_PLUGINS
                "/bends.so\"\n[[route]]\npath = \"/child\"\nhandler = \"bends:child\"\n"
                "[[route]]\npath = \"/pool\"\nhandler = \"bends:child\"\nexecutor = \"pool\"\n"
                "[[plugin]]\nname = \"broken\"\nfile = \"" TEST_PLUGINS
                "/crash.so\"\n[[route]]\npath = \"/segv\"\nhandler = \"broken:segv\"\n";
  return wanted;
}

// stderr is a pipe that is full, and stays so.
class FullPipe {
 public:
  explicit FullPipe(const std::string& path)
      : fd_((::mkfifo(path.c_str(), 0600), ::open(path.c_str(), O_RDWR | O_CLOEXEC))) {
    REQUIRE(fd_ >= 0);
    REQUIRE(::fcntl(fd_, F_SETPIPE_SZ, 4096) >= 4096);
    const int flags = ::fcntl(fd_, F_GETFL);
    ::fcntl(fd_, F_SETFL, flags | O_NONBLOCK);
    const std::string much(4096, 'x');
    while (::write(fd_, much.data(), much.size()) > 0) {
    }
    ::fcntl(fd_, F_SETFL, flags);
  }
  ~FullPipe() { ::close(fd_); }
  FullPipe(const FullPipe&) = delete;
  FullPipe& operator=(const FullPipe&) = delete;

 private:
  int fd_;
};

}  // namespace

TEST_CASE(
    "environment: what a plugin starts inherits no signal that is blocked or ignored, and no descriptor") {
  for (const char* server : {"", "supervise = false\n"}) {
    INFO(server);
    const TempFolder folder;
    Wanted wanted = with_bends();
    wanted.server = server;
    wanted.listen = {"127.0.0.1:0", "unix:" + folder.path("http")};
    wanted.more += "[log]\nfile = \"" + folder.path("log") + "\"\n";
    // And one that the daemon itself was started with.
    Daemon::Options options = started(folder, "exec 7</dev/zero");
    options.listeners = 0;
    Daemon daemon(demo_configuration(wanted), options);
    REQUIRE(wait_until([&] { return !Client::refused("unix:" + folder.path("http")); }));
    for (const char* how : {"system", "popen", "spawn", "fork"})
      for (const char* path : {"/child", "/pool"}) {
        const std::string said =
            Client("unix:" + folder.path("http")).ask(get(std::string(path) + "?how=" + how)).body;
        INFO(how << " on " << path << ":\n" << said);
        CHECK(said.contains("SigBlk:\t0000000000000000\n"));
        CHECK(said.contains("SigIgn:\t0000000000000000\n"));
        CHECK(said.contains(" 0 -> "));
        CHECK_FALSE(said.contains("socket:"));
        CHECK_FALSE(said.contains("memfd:"));
        CHECK_FALSE(said.contains("anon_inode:"));
        CHECK_FALSE(said.contains("/dev/zero"));
        CHECK_FALSE(said.contains(folder.path("log")));
      }
    daemon.signal(SIGTERM);
    CHECK(daemon.wait() == 0);
  }
}

TEST_CASE("environment: standard descriptors that were closed are /dev/null, and nobody else's") {
  const TempFolder folder;
  Wanted wanted;
  wanted.listen = {"unix:" + folder.path("http")};
  wanted.more = "[log]\nfile = \"" + folder.path("log") + "\"\n";
  Daemon::Options options = started(folder, "", "0<&- 1>&- 2>&-");
  options.listeners = 0;
  Daemon daemon(demo_configuration(wanted), options);
  REQUIRE(wait_until([&] { return !Client::refused("unix:" + folder.path("http")); }));
  CHECK(Client("unix:" + folder.path("http")).ask(get("/json")).status == 200);
  for (const char* number : {"0", "1", "2"})
    CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(daemon.serving_pid()) + "/fd/" + number) ==
          "/dev/null");
}

TEST_CASE("environment: the limit of descriptors is raised as far as it may be, and too low a one is told") {
  const TempFolder folder;
  Daemon daemon(demo_configuration({.limits = "connections = 1000\n"}),
                started(folder, "ulimit -Sn 64; ulimit -Hn 700"));
  CHECK(read_file("/proc/" + std::to_string(daemon.serving_pid()) + "/limits")
            .contains("Max open files            700                  700"));
  CHECK(daemon.log().contains(
      "limits.connections is 1000 for each of 1 worker, but there may be 700 descriptors"));
}

TEST_CASE(
    "environment: a stderr that nobody reads, or whose reader is gone, holds up neither a crash nor what "
    "follows it") {
  const TempFolder folder;
  const std::string socket = "unix:" + folder.path("http");
  Wanted wanted = with_bends();
  wanted.listen = {socket};
  const auto survives = [&](const std::string& redirected) {
    Daemon::Options options = started(folder, "", redirected);
    options.listeners = 0;
    Daemon daemon(demo_configuration(wanted), options);
    REQUIRE(wait_until([&] { return !Client::refused(socket); }));
    const int former = daemon.serving_pid();
    Client client(socket);
    client.send(get("/segv"));
    (void)client.read_to_end();
    REQUIRE(wait_until([&] {
      const int serving = daemon.serving_pid();
      return serving != 0 && serving != former;
    }));
    CHECK(Client(socket).ask(get("/json")).status == 200);
    daemon.signal(SIGTERM);
    CHECK(daemon.wait() == 0);
  };
  SECTION("nobody reads") {
    const std::string pipe = folder.path("pipe");
    const FullPipe full(pipe);
    survives("2>" + pipe);
  }
  SECTION("the reader is gone") {
    const std::string pipe = folder.path("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    // Open for both ends here, so that the daemon can open it; then nobody has its other end.
    int reader = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
    Daemon::Options options = started(folder, "", "2>" + pipe);
    options.listeners = 0;
    Daemon daemon(demo_configuration(wanted), options);
    REQUIRE(wait_until([&] { return !Client::refused(socket); }));
    ::close(reader);
    const int former = daemon.serving_pid();
    Client client(socket);
    client.send(get("/segv"));
    (void)client.read_to_end();
    REQUIRE(wait_until([&] {
      const int serving = daemon.serving_pid();
      return serving != 0 && serving != former;
    }));
    CHECK(Client(socket).ask(get("/json")).status == 200);
    daemon.signal(SIGTERM);
    CHECK(daemon.wait() == 0);
  }
}

TEST_CASE("environment: a start without enough memory ends with a reason, and is not tried for ever") {
  if (kSanitized) SKIP("a sanitizer takes more address space than there is");
  const TempFolder folder;
  // From what the program itself takes, with its libraries, to nearly enough: wherever memory runs out, something is said, and the start ends.
  int failed = 0;
  for (const int mib : {30, 40, 60, 80, 90, 100, 105, 110, 115, 120, 130, 1000}) {
    INFO(mib << " MiB");
    const Daemon::Options options = started(folder, "ulimit -v " + std::to_string(mib * 1024));
    Daemon daemon(demo_configuration({.server = "crash_limit = 1\nrestart_delay = 0\n"}),
                  {.arguments = options.arguments, .program = options.program, .listeners = 0});
    REQUIRE(wait_until([&] { return !daemon.running() || daemon.log().contains("listening on"); }));
    if (daemon.log().contains("listening on")) {
      daemon.signal(SIGTERM);
      CHECK(daemon.wait() == 0);
      continue;
    }
    ++failed;
    CHECK(daemon.wait() == 1);
    INFO(daemon.log());
    CHECK((daemon.log().contains("memory") || daemon.log().contains("no further thread can be had")));
    CHECK_FALSE(daemon.log().contains("the process that serves"));  // nothing was tried again
  }
  CHECK(failed > 0);
}

}  // namespace leat::e2e
