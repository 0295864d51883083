// Another process takes over: what is asked meanwhile is answered, and one that cannot serve changes nothing. And
// sockets that a service manager passes.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "e2e/asking.h"
#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
TEST_CASE("upgrade: a new process takes over, and nobody who asks meanwhile is refused, reset or forgotten") {
  for (const char* engine : kEngines) {
    INFO(engine);
    const TempFolder folder;
    const std::string admin = folder.path("admin"), file = "unix:" + folder.path("http");
    Daemon daemon(
        demo_configuration({.listen = {"127.0.0.1:0", file},
                            .server = "admin_socket = \"" + admin + "\"\nengine = \"" + engine + "\"\n"}),
        {.arguments = {"--workers", "2"}, .listeners = 2});
    const Successors successors(daemon);
    std::vector<std::unique_ptr<Asking>> clients;
    for (const std::string& address : {daemon.address(), file})
      for (const bool keeps : {true, false}) clients.push_back(std::make_unique<Asking>(address, keeps));
    for (int i = 0; i < 5; ++i) {
      const Outcome upgraded = run_leat({"upgrade", "--socket", admin});
      CHECK(upgraded.status == 0);
      CHECK(upgraded.errors.empty());
    }
    for (const auto& client : clients) {
      client->end();
      CHECK(client->answered() > 0);
      CHECK(client->lost() == 0);
    }
    CHECK(successors.pids().size() == 5);
    CHECK(daemon.wait() == 0);
    // The file is not taken away by who has handed it on.
    CHECK(Client(file).ask(get("/json")).status == 200);
  }
}

TEST_CASE("upgrade: it takes up what a reload cannot, such as the number of workers") {
  const TempFolder folder;
  const std::string admin = folder.path("admin");
  const auto configuration = [&](int workers) {
    return demo_configuration(
        {.server = "admin_socket = \"" + admin + "\"\nworkers = " + std::to_string(workers) + "\n"});
  };
  Daemon daemon(configuration(3), {.arguments = {}});
  const Successors successors(daemon);
  const std::string file = daemon.path("leat.toml");
  for (const int workers : {1, 4, 2}) {
    std::filesystem::remove(file);
    FILE* written = std::fopen(file.c_str(), "w");
    REQUIRE(written != nullptr);
    const std::string text = configuration(workers);
    REQUIRE(std::fwrite(text.data(), 1, text.size(), written) == text.size());
    std::fclose(written);
    CHECK(run_leat({"upgrade", "--socket", admin}).status == 0);
    CHECK(
        run_leat({"metrics", "--socket", admin}).output.contains("leat_workers " + std::to_string(workers)));
    for (int i = 0; i < 20; ++i) CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  }
}

TEST_CASE("upgrade: who is replaced does not wait for those who spread requests to notice") {
  const TempFolder folder;
  const std::string admin = folder.path("admin");
  Daemon daemon(demo_configuration({.server = "admin_socket = \"" + admin + "\"\ndrain_delay = \"1h\"\n"}));
  const Successors successors(daemon);
  CHECK(run_leat({"upgrade", "--socket", admin}).status == 0);
  CHECK(daemon.wait() == 0);
  CHECK_FALSE(daemon.log().contains("not ready any more"));
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
}

TEST_CASE("upgrade: a process that cannot serve leaves it to the one that does") {
  const TempFolder folder;
  const std::string admin = folder.path("admin");
  const std::string program = folder.path("leat");
  std::filesystem::copy_file(std::getenv("LEAT_BINARY"), program);
  Daemon::Options options;
  options.program = program;
  options.arguments.insert(options.arguments.end(),
                           {"--plugin-path", std::filesystem::path(DEMO_PLUGIN).parent_path().string()});
  Daemon daemon(demo_configuration({.server = "admin_socket = \"" + admin + "\"\n"}), options);
  Client kept(daemon.address());
  CHECK(kept.ask(get("/json")).status == 200);
  const auto fails = [&] {
    const Outcome outcome = run_leat({"upgrade", "--socket", admin});
    CHECK(outcome.status == 1);
    CHECK(outcome.errors.contains("this one goes on"));
    CHECK(kept.ask(get("/json")).status == 200);
    CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  };
  SECTION("its configuration is wrong") {
    FILE* written = std::fopen(daemon.path("leat.toml").c_str(), "a");
    REQUIRE(written != nullptr);
    std::fputs("\nnonsense = 1\n", written);
    std::fclose(written);
    fails();
    CHECK(daemon.logs("the upgrade has failed, this process goes on: the new one ended before it served"));
  }
  SECTION("it crashes at once") {
    std::filesystem::remove(program);
    folder.write("leat", "#!/bin/sh\nkill -SEGV $$\n");
    ::chmod(program.c_str(), 0700);
    fails();
    CHECK(daemon.logs("the new one ended before it served"));
  }
  SECTION("it is gone") {
    std::filesystem::remove(program);
    fails();
  }
  SECTION("it ends well, and has not served") {
    std::filesystem::remove(program);
    std::filesystem::copy_file("/bin/true", program);
    fails();
  }
}

TEST_CASE("upgrade: USR2 asks for it, too, and without a supervisor is told that there is none") {
  Daemon daemon(demo_configuration(), {.arguments = {"--workers", "1", "--no-supervise"}});
  daemon.signal(SIGUSR2);
  CHECK(daemon.logs("no upgrade: it takes a supervisor"));
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  Daemon supervised(demo_configuration());
  const Successors successors(supervised);
  supervised.signal(SIGUSR2);
  CHECK(supervised.wait() == 0);
  CHECK(Client(supervised.address()).ask(get("/json")).status == 200);
}

TEST_CASE("activation: sockets of a service manager are served, by all workers, and stay the manager's") {
  const TempFolder folder;
  Daemon::Options options{.arguments = {"--workers", "2"}};
  options.program = folder.write("activate", R"(#!/usr/bin/env python3
import os, socket, sys
text = open(sys.argv[3]).read()
passed = socket.socket(); passed.bind(("127.0.0.1", int(text.split("127.0.0.1:")[1].split('"')[0]))); passed.listen(64)
other = socket.socket(); other.bind(("127.0.0.1", 0)); other.listen(1)
os.dup2(other.fileno(), 9); os.dup2(passed.fileno(), 3); os.dup2(9, 4)
for fd in (3, 4): os.set_inheritable(fd, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="http:other")
os.execv(os.environ["LEAT_BINARY"], [os.environ["LEAT_BINARY"]] + sys.argv[1:])
)");
  REQUIRE(::chmod(options.program.c_str(), 0700) == 0);
  std::string address;
  {
    // A port that is free, and may be bound again at once.
    Daemon free(demo_configuration());
    address = free.address();
  }
  Daemon daemon(demo_configuration({.listen = {address}}), options);
  CHECK(daemon.logs("was passed, but the configuration does not listen there"));
  std::vector<Client> clients;
  for (int i = 0; i < 40; ++i) CHECK(clients.emplace_back(daemon.address()).ask(get("/json")).status == 200);
}

}  // namespace leat::e2e
