// What is listened on: prepared and taken up, and told to a supervisor that keeps it for the process after a crash.
#include "server/process/listening_sockets.h"

#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "config/folder.h"
#include "server/process/socket_channel.h"

namespace leat::server {
namespace {

std::vector<config::ListeningSocket> wanted(const std::vector<std::string>& addresses) {
  std::vector<config::ListeningSocket> all;
  for (const std::string& each : addresses) all.push_back({.address = *net::Address::parse(each)});
  return all;
}

std::vector<std::string> bound(const ListeningSockets& sockets) {
  std::vector<std::string> all;
  for (const ListeningAddress& each : sockets.addresses()) all.push_back(each.bound.text());
  return all;
}

void become(ListeningSockets& sockets, const std::vector<std::string>& addresses, uint32_t workers = 1) {
  auto change = sockets.prepare(wanted(addresses), workers);
  REQUIRE(change);
  sockets.take_up(*change);
}

}  // namespace

TEST_CASE("listening: what stays keeps its socket and number, also where the port was the kernel's choice") {
  ListeningSockets sockets;
  become(sockets, {"127.0.0.1:0", "127.0.0.1:0"}, 2);
  REQUIRE(sockets.addresses().size() == 2);
  const std::string first = sockets.addresses()[0].bound.text(), second = sockets.addresses()[1].bound.text();
  CHECK(first != second);
  CHECK(sockets.addresses()[0].sockets.size() == 2);
  const int fd = sockets.addresses()[0].sockets[0].get();

  auto change = sockets.prepare(wanted({first, "127.0.0.1:0"}), 2);
  REQUIRE(change);
  CHECK(change->kept.size() ==
        2);  // the first is taken for the one that is spelt out, the second for that of port 0
  CHECK(change->added.empty());
  CHECK(change->ended.empty());
  become(sockets, {first});
  CHECK(bound(sockets) == std::vector{first});
  CHECK(sockets.addresses()[0].sockets[0].get() == fd);
  CHECK(sockets.addresses()[0].number == 0);
  become(sockets, {first, "127.0.0.1:0"});
  CHECK(sockets.addresses()[1].number > 1);  // no number comes again
}

TEST_CASE("listening: what is not taken up leaves nothing, and what has failed neither") {
  const test::Folder folder;
  const std::string file = "unix:" + folder.path("http");
  ListeningSockets sockets;
  become(sockets, {"127.0.0.1:0"});
  {
    const auto change = sockets.prepare(wanted({"127.0.0.1:0", file}), 1);
    REQUIRE(change);
    CHECK(std::filesystem::exists(folder.path("http")));
  }
  CHECK_FALSE(std::filesystem::exists(folder.path("http")));
  const auto failed = sockets.prepare(wanted({"127.0.0.1:0", file, "192.0.2.1:80"}), 1);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message.starts_with("cannot listen on 192.0.2.1:80: "));
  CHECK_FALSE(std::filesystem::exists(folder.path("http")));
  CHECK(sockets.addresses().size() == 1);
}

TEST_CASE("listening: a file goes with its address, unless another has taken the name") {
  const test::Folder folder;
  const std::string file = "unix:" + folder.path("http");
  ListeningSockets sockets;
  become(sockets, {file});
  become(sockets, {});
  CHECK_FALSE(std::filesystem::exists(folder.path("http")));
  become(sockets, {file});
  std::filesystem::remove(folder.path("http"));
  folder.write("http", "another\'s");
  become(sockets, {});
  CHECK(std::filesystem::exists(folder.path("http")));
}

TEST_CASE(
    "listening: the supervisor has what the process that serves has opened, and lets go of what that has "
    "closed") {
  ListeningSockets supervisor;
  become(supervisor, {"127.0.0.1:0"});
  SocketChannel channel;
  REQUIRE(channel.open());
  ListeningSockets serving;
  become(serving, {"127.0.0.1:0"});
  auto change = serving.prepare(wanted({"127.0.0.1:0", "127.0.0.1:0"}), 2);
  REQUIRE(change);
  REQUIRE(change->added.size() == 1);
  channel.pass(change->added[0]);
  const std::string added = change->added[0].bound.text();
  const uint32_t number = change->added[0].number;
  channel.take_up(supervisor);
  REQUIRE(supervisor.addresses().size() == 2);
  CHECK(supervisor.addresses()[1].bound.text() == added);
  CHECK(supervisor.addresses()[1].number == number);
  CHECK(supervisor.addresses()[1].sockets.size() == 2);
  CHECK(supervisor.to_pass().size() == 3);
  supervisor.number_anew();
  channel.take_up(supervisor);  // nothing more
  CHECK(supervisor.addresses().size() == 2);

  // It confirms what it has closed; where nobody does, the other one goes on after a moment.
  std::thread other([&] {
    while (supervisor.addresses().size() == 2) channel.take_up(supervisor);
  });
  channel.end(supervisor.addresses()[1]);
  other.join();
  CHECK(supervisor.addresses().size() == 1);
  channel.end(supervisor.addresses()[0]);
  channel.take_up(supervisor);
  channel.begin();
  CHECK(supervisor.addresses().empty());
}

}  // namespace leat::server
