// Where the daemon listens: TCP over IPv4 and IPv6, unix sockets, several at once, and what is in the way.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <string>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

int json_status(const std::string& address) { return Client(address).ask(get("/json")).status; }

bool has_ipv6_loopback() {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback) == 0;
  close(fd);
  return bound;
}

// A file that a killed server leaves behind: bound once, listened on by nobody.
void leave_stale_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  close(fd);
}

}  // namespace

TEST_CASE("listeners: IPv6 is served") {
  if (!has_ipv6_loopback()) SKIP("this machine has no IPv6 loopback");
  Daemon daemon(demo_configuration({.listen = {"[::1]:0"}}));
  CHECK(daemon.address().starts_with("[::1]:"));
  CHECK(json_status(daemon.address()) == 200);
}

TEST_CASE("listeners: a unix socket is served and its file goes with the daemon") {
  const TempFolder folder;
  const std::string path = folder.path("leat.sock");
  {
    Daemon daemon(demo_configuration({.listen = {"unix:" + path}}));
    CHECK(daemon.address() == "unix:" + path);
    CHECK(json_status("unix:" + path) == 200);
    Client client("unix:" + path);
    CHECK(client.ask(with_body("POST", "/echo", std::string(300'000, 'u'))).body.size() == 300'000);
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("listeners: a socket file left by a dead process is replaced, a live one is not") {
  const TempFolder folder;
  const std::string path = folder.path("leat.sock");
  leave_stale_socket(path);
  const std::string configuration = demo_configuration({.listen = {"unix:" + path}});
  Daemon daemon(configuration);
  CHECK(json_status("unix:" + path) == 200);
  const Outcome second =
      run_leat({"run", "-c", folder.write("second.toml", configuration), "--workers", "1"});
  CHECK(second.status == 1);
  CHECK(second.errors.contains(path));
  CHECK(json_status("unix:" + path) == 200);
}

TEST_CASE("listeners: several serve at once, by several workers") {
  const TempFolder folder;
  Daemon::Options options;
  options.arguments = {"--workers", "2"};
  options.listeners = 3;
  Daemon daemon(
      demo_configuration({.listen = {"127.0.0.1:0", "127.0.0.1:0", "unix:" + folder.path("leat.sock")}}),
      options);
  CHECK(daemon.address(0) != daemon.address(1));
  for (int i = 0; i < 50; ++i) {
    for (size_t listener = 0; listener < 3; ++listener) CHECK(json_status(daemon.address(listener)) == 200);
  }
}

TEST_CASE("listeners: a declared one has options of its own, and the log tells who came by which") {
  const TempFolder folder;
  const std::string path = folder.path("leat.sock");
  Daemon::Options options;
  options.arguments = {"--workers", "2"};
  options.listeners = 2;
  Daemon daemon(
      demo_configuration({.listen = {"127.0.0.1:0"},
                          .more = "[[listener]]\naddress = \"unix:" + path +
                                  "\"\nmode = 0o606\nbacklog = 16\nprotocols = [\"http/1.1\"]\n"
                                  "[[middleware]]\nkind = \"access_log\"\nfields = [\"listener\"]\n"}),
      options);
  CHECK(daemon.address(1) == "unix:" + path);
  struct stat status{};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0606);
  for (size_t listener = 0; listener < 2; ++listener) {
    CHECK(json_status(daemon.address(listener)) == 200);
    CHECK(daemon.logs("\"listener\":\"" + daemon.address(listener) + "\""));
  }
}

TEST_CASE("listeners: a unix socket belongs to whom it is given") {
  const TempFolder folder;
  const std::string path = folder.path("leat.sock");
  const bool root = geteuid() == 0;
  const auto owner = root ? 12345 : geteuid();
  const auto group = root ? 23456 : getegid();
  Daemon daemon(demo_configuration({.listen = {},
                                    .more = "[[listener]]\naddress = \"unix:" + path + "\"\nowner = \"" +
                                            std::to_string(owner) + "\"\ngroup = \"" + std::to_string(group) +
                                            "\"\nmode = 0o660\n"}));
  struct stat status{};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK(status.st_uid == owner);
  CHECK(status.st_gid == group);
  CHECK((status.st_mode & 0777) == 0660);
  CHECK(json_status("unix:" + path) == 200);
}

TEST_CASE("listeners: --listen replaces the addresses of the configuration") {
  Daemon::Options options;
  options.arguments = {"--workers", "1", "--listen", "127.0.0.1:0"};
  Daemon daemon(demo_configuration({.listen = {"127.0.0.1:1"}}), options);
  CHECK(json_status(daemon.address()) == 200);
  CHECK(Client::refused("127.0.0.1:1"));
}

TEST_CASE("listeners: a port in use is a clear error and status 1") {
  Daemon daemon(demo_configuration());
  const TempFolder folder;
  const std::string file = folder.write("leat.toml", demo_configuration());
  const Outcome second = run_leat({"run", "-c", file, "--workers", "1", "--listen", daemon.address()});
  CHECK(second.status == 1);
  CHECK(second.errors.contains(daemon.address()));
  CHECK(second.errors.contains("in use"));
  CHECK(json_status(daemon.address()) == 200);
}

TEST_CASE("listeners: an address that is none of this machine's is a clear error and status 1") {
  const TempFolder folder;
  const std::string file = folder.write("leat.toml", demo_configuration());
  const Outcome outcome = run_leat({"run", "-c", file, "--workers", "1", "--listen", "192.0.2.1:8080"});
  CHECK(outcome.status == 1);
  CHECK(outcome.errors.contains("192.0.2.1:8080"));
}

}  // namespace leat::e2e
