// The admin socket: commands find the daemon, whatever else happens to its socket, its workers or its
// descriptors.
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

TEST_CASE("admin: commands find a daemon whose configuration names no socket, by the file's path") {
  Daemon daemon(demo_configuration());
  const std::string file = daemon.path("leat.toml");
  Outcome list = run_leat({"plugin", "list", "-c", file});
  CHECK(list.status == 0);
  CHECK(list.output.contains("generation 1, serving"));
  CHECK(run_leat({"reload", "-c", file}).output.contains("generation 2 serves"));
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
  list = run_leat({"plugin", "list", "-c", file});
  CHECK(list.status == 1);
  CHECK(list.errors.contains("no daemon answers at /"));
  CHECK(list.errors.contains("server.admin_socket"));
}

TEST_CASE("admin: where no daemon is found, what is wrong with the configuration is said") {
  const TempFolder folder;
  const std::string file = folder.write("leat.toml", "[server]\nlissten = \"127.0.0.1:0\"\n");
  const Outcome outcome = run_leat({"reload", "-c", file});
  CHECK(outcome.status == 1);
  CHECK(outcome.errors.contains("lissten"));
  CHECK(outcome.errors.contains("no daemon answers"));
}

TEST_CASE("admin: a thousand clients that say nothing, or nonsense, keep no operator waiting for long") {
  const TempFolder folder;
  const std::string socket = folder.path("admin");
  Daemon daemon(demo_configuration({.server = "admin_socket = \"" + socket + "\"\n"}));
  std::vector<int> crowd;
  for (int i = 0; i < 1000; ++i) {
    crowd.push_back(connect_to(socket));
    if (i % 2 == 0) continue;
    const std::string nonsense(size_t{1} << (i % 12), '\xff');
    [[maybe_unused]] const auto sent = ::send(crowd.back(), nonsense.data(), nonsense.size(), MSG_NOSIGNAL);
  }
  const Outcome list = run_leat({"plugin", "list", "--socket", socket});
  CHECK(list.status == 0);
  for (const int fd : crowd) ::close(fd);
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
}

TEST_CASE("admin: commands answer while a handler keeps a worker from its loop, and name it") {
  const TempFolder folder;
  const std::string socket = folder.path("admin");
  Wanted wanted{.server = "admin_socket = \"" + socket + "\"\nstall_warning = 0\n"};
  wanted.more = misuse_tables({"blocks"});
  Daemon daemon(demo_configuration(wanted));
  Client client(daemon.address());
  client.send(get("/blocks?ms=" + std::string(kSanitized ? "15000" : "6000")));
  constexpr const char* kNamed = "ms: plugin misuse: handler blocks on route GET /blocks";
  CHECK(wait_until([&] { return run_leat({"plugin", "list", "--socket", socket}).output.contains(kNamed); }));
  const Outcome reload = run_leat({"reload", "--socket", socket});
  CHECK(reload.status == 1);
  CHECK(reload.errors.contains(kNamed));
  CHECK(client.read_response().body == "at last");
  CHECK(run_leat({"reload", "--socket", socket}).status == 0);
}

TEST_CASE("admin: clients at the limit of descriptors leave some to commands and reloads") {
  const TempFolder folder;
  const std::string socket = folder.path("admin");
  Daemon daemon(demo_configuration({.server = "admin_socket = \"" + socket + "\"\n"}), {.descriptors = 400});
  CHECK(daemon.log().contains("limits.connections is "));
  std::vector<Client> clients;
  for (int i = 0; i < 600; ++i) clients.emplace_back(daemon.address()).try_send(get("/sleep/30000"));
  const Outcome reload = run_leat({"reload", "--socket", socket});
  INFO(reload.errors);
  CHECK(reload.status == 0);
  CHECK(run_leat({"metrics", "--socket", socket}).output.contains("leat_generation 2"));
}

TEST_CASE("admin: two daemons do not share a TCP address, unless both are told to") {
  Daemon::Options two{.arguments = {"--workers", "2"}};
  Daemon first(demo_configuration({.server = "share_port = true\n"}), two);
  const TempFolder folder;
  const auto second = [&](const char* server) {
    return demo_configuration({.listen = {first.address()}, .server = server});
  };
  const Outcome refused = run_leat({"run", "-c", folder.write("leat.toml", second("")), "--workers", "2"});
  CHECK(refused.status == 1);
  CHECK(refused.errors.contains("cannot listen on " + first.address()));
  Daemon sharing(second("share_port = true\n"), two);
  CHECK(sharing.address() == first.address());
}

}  // namespace leat::e2e
