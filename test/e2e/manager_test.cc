// What a service manager is told (sd_notify(3)), by a socket in its place.
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

uint64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

class Manager {
 public:
  Manager() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_.path("notify");
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Manager() {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    for (const int fd : stored_) ::close(fd);
    ::close(fd_);
  }
  // Waits for a message that contains `text`, and returns it. What came before it is forgotten.
  std::string waits_for(std::string_view text) {
    std::string found;
    CHECK(wait_until([&] {
      found = receive();
      return found.contains(text);
    }));
    return found;
  }
  // Of messages that have come by now.
  [[nodiscard]] size_t count_of(std::string_view text) {
    size_t count = 0;
    for (std::string each = receive(); !each.empty(); each = receive()) count += each.contains(text);
    return count;
  }
  [[nodiscard]] const std::vector<int>& stored() const { return stored_; }

 private:
  std::string receive() {
    char text[4096];
    iovec part{text, sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(fd_, &message, MSG_CMSG_CLOEXEC);
    // As systemd has it: what is longer than this is dropped.
    if (got >= 0 && (message.msg_flags & MSG_TRUNC) != 0) return {};
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message); got >= 0 && header != nullptr) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
      stored_.push_back(fd);
    }
    return got < 0 ? std::string() : std::string(text, static_cast<size_t>(got));
  }
  TempFolder folder_;
  int fd_;
  std::vector<int> stored_;
};

}  // namespace

TEST_CASE(
    "manager: it is told of the start, of reloads with the time in microseconds, of what failed, and of the "
    "end") {
  Manager manager;
  Daemon daemon(demo_configuration({.server = "drain_timeout = \"5s\"\n"}));
  manager.waits_for("READY=1");
  CHECK_FALSE(manager.stored().empty());

  const uint64_t before = monotonic_us();
  daemon.signal(SIGHUP);
  const std::string reloading = manager.waits_for("RELOADING=1");
  constexpr std::string_view kStamp = "MONOTONIC_USEC=";
  REQUIRE(reloading.contains(kStamp));
  const uint64_t stamp =
      std::strtoull(reloading.c_str() + reloading.find(kStamp) + kStamp.size(), nullptr, 10);
  CHECK(stamp >= before);
  CHECK(stamp <= monotonic_us());
  CHECK(manager.waits_for("READY=1").contains("STATUS=generation 2 serves"));

  FILE* file = std::fopen(daemon.path("leat.toml").c_str(), "a");
  REQUIRE(file != nullptr);
  std::fputs("\nnonsense = 1\n", file);
  std::fclose(file);
  daemon.signal(SIGHUP);
  CHECK(manager.waits_for("READY=1").contains("STATUS=the reload failed, generation 2 goes on: "));

  Client sleeping(daemon.address());
  sleeping.send(get("/sleep/1000"));
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  daemon.signal(SIGTERM);
  manager.waits_for("STOPPING=1");
  manager.waits_for("EXTEND_TIMEOUT_USEC=");
  CHECK(sleeping.read_response().status == 200);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("manager: it is told why a reload failed, whatever a plugin says first") {
  Manager manager;
  Daemon daemon(demo_configuration());
  manager.waits_for("READY=1");
  FILE* file = std::fopen(daemon.path("leat.toml").c_str(), "a");
  REQUIRE(file != nullptr);
  std::fputs("\n[[plugin]]\nname = \"refuses\"\nfile = \"" TEST_PLUGINS "/load_refuses.so\"\n", file);
  std::fclose(file);
  daemon.signal(SIGHUP);
  const std::string told = manager.waits_for("READY=1");
  CHECK(told.contains("STATUS=the reload failed, generation 1 goes on: error[LT"));
  CHECK(told.contains("needs leat.from_the_future/9"));
  // As it is said to whoever asks for a reload.
  CHECK(daemon.log().contains("load_refuses looks for the future"));
}

TEST_CASE("manager: a reload that fails with many words comes to its end for it") {
  // In two bytes each, so that a cut by bytes would go through the middle of one, with the one or the other before them.
  std::string key;
  for (int i = 0; i < 4000; ++i) key += "\u00fc";
  for (const std::string_view before : {"", "x"}) {
    Manager manager;
    Daemon daemon(demo_configuration());
    manager.waits_for("READY=1");
    FILE* file = std::fopen(daemon.path("leat.toml").c_str(), "a");
    REQUIRE(file != nullptr);
    std::fputs(("\n[\"" + std::string(before) + key + "\"]\n").c_str(), file);
    std::fclose(file);
    daemon.signal(SIGHUP);
    const std::string told = manager.waits_for("READY=1");
    CHECK(told.contains("STATUS=the reload failed, generation 1 goes on: "));
    CHECK(told.contains("\u00fc\u00fc"));
    CHECK(told.ends_with("\u00fc"));
  }
}

TEST_CASE("manager: its watchdog is fed as long as every worker turns, and no longer") {
  Manager manager;
  ::setenv("WATCHDOG_USEC", "800000", 1);
  Wanted wanted{.server = "stall_warning = 0\n"};
  wanted.more = misuse_tables({"blocks"});
  Daemon daemon(demo_configuration(wanted));
  for (int i = 0; i < 3; ++i) manager.waits_for("WATCHDOG=1");
  Client client(daemon.address());
  client.send(get("/blocks?ms=3000"));
  (void)manager.count_of("WATCHDOG=1");
  CHECK(client.read_response().body == "at last");
  // Some of the first moments; every 200 ms it would be 15.
  CHECK(manager.count_of("WATCHDOG=1") < 6);
  manager.waits_for("WATCHDOG=1");
}

TEST_CASE("manager: the sockets that it keeps are those that serve the next start") {
  Manager manager;
  std::string address;
  {
    Daemon daemon(demo_configuration());
    manager.waits_for("READY=1");
    address = daemon.address();
  }
  REQUIRE_FALSE(manager.stored().empty());
  // Nobody serves, and a client waits in the backlog of what was kept.
  CHECK_FALSE(Client::refused(address));
}

TEST_CASE(
    "manager: one that hears nothing any more keeps nobody waiting for it, and hears of what comes after") {
  Manager manager;
  Daemon daemon(demo_configuration({.server = "drain_timeout = \"5s\"\n"}));
  manager.waits_for("READY=1");
  // It is told twice of each; its queue has as much room as net.unix.max_dgram_qlen says.
  int room = 0;
  std::ifstream("/proc/sys/net/unix/max_dgram_qlen") >> room;
  REQUIRE(room > 0);
  int generation = 1;
  for (; generation <= room / 2 + 1; ++generation)
    REQUIRE(run_leat({"reload", "-c", daemon.path("leat.toml")}).status == 0);
  CHECK(daemon.logs("the service manager does not take what it is told"));
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  while (manager.count_of("") != 0) continue;
  CHECK(run_leat({"reload", "-c", daemon.path("leat.toml")}).status == 0);
  manager.waits_for("STATUS=generation " + std::to_string(generation + 1) + " serves");
}

}  // namespace leat::e2e
