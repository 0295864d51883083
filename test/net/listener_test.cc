#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>

#include "sockets.h"

namespace leat::net {

namespace {

using Catch::Matchers::ContainsSubstring;

struct ScratchDirectory {
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "leat-net-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

Address unix_address(const std::filesystem::path& path) { return {Address::Kind::Unix, path.string(), 0}; }

bool option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(fd, level, name, &value, &size) == 0);
  return value != 0;
}

Fd accept_from(int listener) {
  for (int i = 0; i < 5000; ++i) {
    Fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (fd) return fd;
    ::usleep(1000);
  }
  FAIL("nothing to accept");
  return {};
}

}  // namespace

TEST_CASE("listener: addresses are read and written alike") {
  struct Row {
    const char* text;
    Address address;
    const char* written;
  };
  const Row rows[] = {
      {"127.0.0.1:8080", {Address::Kind::Ipv4, "127.0.0.1", 8080}, "127.0.0.1:8080"},
      {"0.0.0.0:0", {Address::Kind::Ipv4, "0.0.0.0", 0}, "0.0.0.0:0"},
      {"[::1]:443", {Address::Kind::Ipv6, "::1", 443}, "[::1]:443"},
      {"[0:0:0:0:0:0:0:1]:443", {Address::Kind::Ipv6, "::1", 443}, "[::1]:443"},
      {"[2001:DB8::A]:65535", {Address::Kind::Ipv6, "2001:db8::a", 65535}, "[2001:db8::a]:65535"},
      {"[::]:80", {Address::Kind::Ipv6, "::", 80}, "[::]:80"},
      {"*:8080", {Address::Kind::Ipv6, "", 8080}, "*:8080"},
      {"unix:/run/leat/http.sock",
       {Address::Kind::Unix, "/run/leat/http.sock", 0},
       "unix:/run/leat/http.sock"},
      {"unix:a:b", {Address::Kind::Unix, "a:b", 0}, "unix:a:b"},
      {"[::ffff:127.0.0.1]:80", {Address::Kind::Ipv4, "127.0.0.1", 80}, "127.0.0.1:80"},
      {"[::FFFF:7f00:1]:80", {Address::Kind::Ipv4, "127.0.0.1", 80}, "127.0.0.1:80"},
      {"[FE80:0::1%lo]:80", {Address::Kind::Ipv6, "fe80::1%lo", 80}, "[fe80::1%lo]:80"},
  };
  for (const Row& row : rows) {
    const auto address = Address::parse(row.text);
    INFO(row.text);
    REQUIRE(address.has_value());
    CHECK(*address == row.address);
    CHECK(address->text() == row.written);
    CHECK(Address::parse(row.written) == *address);
  }
}

TEST_CASE("listener: an address that is wrong is told why") {
  const std::string long_path = "unix:/" + std::string(120, 'p');
  const std::pair<std::string_view, const char*> rows[] = {
      {"", "lacks a port"},
      {"8080", "lacks a port"},
      {"127.0.0.1", "lacks a port"},
      {"[::1]", "lacks a port"},
      {":8080", "write *:8080"},
      {"127.0.0.1:", "is not a port"},
      {"127.0.0.1:http", "is not a port"},
      {"127.0.0.1:65536", "is not a port"},
      {"127.0.0.1:-1", "is not a port"},
      {"127.0.0.1: 80", "is not a port"},
      {"localhost:8080", "names are not looked up"},
      {"256.0.0.1:80", "is not an IP address"},
      {"1.2.3:80", "is not an IP address"},
      {"::1:8080", "goes in brackets"},
      {"[::g]:80", "is not an IPv6 address"},
      {"[127.0.0.1]:80", "is not an IPv6 address"},
      {"[]:80", "is not an IPv6 address"},
      {"[fe80::1]:80", "[fe80::1%eth0]:80"},
      {"[fe80::1%]:80", "[fe80::1%eth0]:80"},
      {"[::1%lo]:80", "leave `%lo` out"},
      {"[ff02::1]:80", "address of a group"},
      {"224.0.0.1:80", "address of a group"},
      {"255.255.255.255:80", "address of a group"},
      {"http://127.0.0.1:8080", "is a URL: write 127.0.0.1:8080"},
      {"http://127.0.0.1/", "write 127.0.0.1:80"},
      {"http://[::1]", "write [::1]:80"},
      {"https://127.0.0.1:443", "`tls = true`"},
      {"unix:/run/leat/", "is a folder"},
      {"unix:", "needs the path"},
      {long_path, "bytes at most"},
      {std::string_view("unix:/a\0b", 9), "NUL"},
  };
  for (const auto& [text, reason] : rows) {
    INFO(text);
    const auto address = Address::parse(text);
    REQUIRE_FALSE(address.has_value());
    CHECK_THAT(address.error(), ContainsSubstring(reason));
  }
}

TEST_CASE("listener: every address that is taken can be listened on, where the machine has it") {
  for (const char* text : {"127.0.0.1:0", "[::1]:0", "*:0", "[::]:0", "0.0.0.0:0", "[::ffff:127.0.0.1]:0"}) {
    INFO(text);
    const auto address = Address::parse(text);
    REQUIRE(address);
    CHECK(can_listen_on(*address, {}));
    CHECK(listen_on(*address, {}));
  }
  // One of a link that there is not; that of one that there is, is looked for in the kernel's list.
  const auto nowhere = Address::parse("[fe80::1%leat-none]:0");
  REQUIRE(nowhere);
  CHECK(listen_on(*nowhere, {}).error().number == ENODEV);
  CHECK(can_listen_on(*nowhere, {}).error().number == ENODEV);
  std::ifstream list("/proc/net/if_inet6");
  for (std::string line; std::getline(list, line);) {
    char hex[33] = {}, name[17] = {};
    if (std::sscanf(line.c_str(), "%32s %*s %*s %*s %*s %16s", hex, name) != 2 ||
        std::string_view(hex).substr(0, 4) != "fe80")
      continue;
    std::string host;
    for (size_t i = 0; i < 32; i += 4) host += (i == 0 ? "" : ":") + std::string(hex + i, 4);
    const auto own = Address::parse("[" + host + "%" + name + "]:0");
    REQUIRE(own);
    const auto fd = listen_on(*own, {});
    REQUIRE(fd);
    CHECK(local_address(fd->get())->host == own->host);
  }
}

TEST_CASE("listener: addresses of which only one can be listened on overlap") {
  const auto overlap = [](const char* a, const char* b) {
    const bool one = Address::parse(a)->overlaps(*Address::parse(b));
    CHECK(one == Address::parse(b)->overlaps(*Address::parse(a)));
    return one;
  };
  CHECK(overlap("*:80", "127.0.0.1:80"));
  CHECK(overlap("*:80", "[::1]:80"));
  CHECK(overlap("*:80", "0.0.0.0:80"));
  CHECK(overlap("0.0.0.0:80", "127.0.0.1:80"));
  CHECK(overlap("[::]:80", "[::1]:80"));
  CHECK_FALSE(overlap("[::]:80", "0.0.0.0:80"));
  CHECK_FALSE(overlap("[::]:80", "127.0.0.1:80"));
  CHECK_FALSE(overlap("127.0.0.1:80", "127.0.0.2:80"));
  CHECK_FALSE(overlap("*:80", "127.0.0.1:81"));
  CHECK_FALSE(overlap("*:0", "127.0.0.1:0"));
  CHECK_FALSE(overlap("*:80", "unix:/a"));
}

TEST_CASE("listener: whether an address is free is told without taking it") {
  const auto taken = listen_on(*Address::parse("127.0.0.1:0"), {});
  REQUIRE(taken);
  const auto address = local_address(taken->get());
  REQUIRE(address);
  CHECK(can_listen_on(*address, {}).error().number == EADDRINUSE);
  CHECK(can_listen_on(*address, {.share_port = true}));
  const ScratchDirectory scratch;
  const std::string folder = scratch.path.string();
  const auto on = [&](const std::string& name) {
    const auto free = can_listen_on({Address::Kind::Unix, folder + name, 0}, {});
    return free ? 0 : free.error().number;
  };
  CHECK(on("/socket") == 0);
  CHECK(::access((folder + "/socket").c_str(), F_OK) != 0);
  CHECK(on("/none/socket") == ENOENT);
  CHECK(on("") == EEXIST);
  {
    const auto fd = listen_on({Address::Kind::Unix, folder + "/socket", 0}, {});
    REQUIRE(fd);
    CHECK(on("/socket") == EADDRINUSE);
    CHECK(on("/socket/x") == ENOTDIR);
  }
  // That of a dead process would be replaced; it stays for now.
  CHECK(on("/socket") == 0);
  CHECK(::access((folder + "/socket").c_str(), F_OK) == 0);
}

TEST_CASE("listener: a TCP socket listens, tells its port, and passes TCP_NODELAY on") {
  const auto fd = listen_on(*Address::parse("127.0.0.1:0"), {});
  REQUIRE(fd.has_value());
  const auto bound = local_address(fd->get());
  REQUIRE(bound.has_value());
  CHECK(bound->host == "127.0.0.1");
  CHECK(bound->port != 0);

  const Fd client = connect_to(fd->get());
  const Fd server = accept_from(fd->get());
  CHECK(option(server.get(), IPPROTO_TCP, TCP_NODELAY));
  CHECK(peer_of(server.get()).text().view() == "127.0.0.1");
  CHECK(peer_of(server.get()).group() == 0xffff'ffff'7f00'0001);

  // A second worker's socket on the same port, and one that wants the port for itself.
  CHECK(listen_on(*bound, {}).has_value());
  const auto alone = listen_on(*bound, {.reuse_port = false});
  REQUIRE_FALSE(alone.has_value());
  CHECK(alone.error().number == EADDRINUSE);
}

TEST_CASE("listener: `*` takes IPv4 and IPv6, and an IPv4 peer is written as such") {
  const auto fd = listen_on(*Address::parse("*:0"), {.defer_accept = true});
  REQUIRE(fd.has_value());
  const auto bound = local_address(fd->get());
  REQUIRE(bound.has_value());
  CHECK(bound->text() == "*:" + std::to_string(bound->port));
  CHECK(option(fd->get(), IPPROTO_TCP, TCP_DEFER_ACCEPT));

  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(bound->port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  write_all(client.get(), "x");
  const Fd server = accept_from(fd->get());
  CHECK(peer_of(server.get()).text().view() == "127.0.0.1");
  CHECK(peer_of(server.get()).group() == 0xffff'ffff'7f00'0001);  // the same client, either way
}

TEST_CASE("listener: an IPv6 socket leaves the IPv4 port to others") {
  const auto six = listen_on(*Address::parse("[::]:0"), {.reuse_port = false});
  if (!six && six.error().number == EAFNOSUPPORT) SKIP("no IPv6 here");
  REQUIRE(six.has_value());
  const auto bound = local_address(six->get());
  CHECK(bound->host == "::");
  CHECK(listen_on({Address::Kind::Ipv4, "0.0.0.0", bound->port}, {.reuse_port = false}).has_value());
}

TEST_CASE("listener: an address that is not of this machine is refused by the system") {
  const auto fd = listen_on(*Address::parse("192.0.2.1:8080"), {});
  REQUIRE_FALSE(fd.has_value());
  CHECK_THAT(fd.error().text(), ContainsSubstring("bind"));
}

TEST_CASE("listener: a unix socket gets its mode, whatever the umask") {
  const ScratchDirectory scratch;
  const auto path = scratch.path / "http.sock";
  const mode_t before = ::umask(0077);
  const auto fd = listen_on(unix_address(path), {.unix_mode = 0666});
  ::umask(before);
  REQUIRE(fd.has_value());
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0666);
  CHECK(local_address(fd->get())->text() == "unix:" + path.string());

  const Fd client = connect_to(fd->get());
  const Fd server = accept_from(fd->get());
  CHECK(peer_of(server.get()).text().view() == "unix:");
  CHECK(peer_of(server.get()).group() == 0);
}

TEST_CASE("listener: a unix socket's file is given to a user and a group") {
  const ScratchDirectory scratch;
  const auto path = scratch.path / "http.sock";
  struct stat info;
  // The process's own can be had without any right.
  const auto own = listen_on(unix_address(path),
                             {.unix_mode = 0660, .unix_owner = ::geteuid(), .unix_group = ::getegid()});
  REQUIRE(own.has_value());
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK(info.st_uid == ::geteuid());
  if (::geteuid() != 0) SKIP("not root: files cannot be given away");
  const auto other = scratch.path / "other.sock";
  REQUIRE(listen_on(unix_address(other), {.unix_mode = 0606, .unix_owner = 12345, .unix_group = 23456})
              .has_value());
  REQUIRE(::stat(other.c_str(), &info) == 0);
  CHECK(info.st_uid == 12345);
  CHECK(info.st_gid == 23456);
  CHECK((info.st_mode & 07777) == 0606);
  const auto group = scratch.path / "group.sock";
  REQUIRE(listen_on(unix_address(group), {.unix_group = 23456}).has_value());
  REQUIRE(::stat(group.c_str(), &info) == 0);
  CHECK(info.st_uid == 0);
  CHECK(info.st_gid == 23456);
}

TEST_CASE("listener: a unix socket's file that may not be given away is an error that says so") {
  if (::geteuid() == 0) {
    // As somebody who has no right to, in a process of its own: rights are the process's.
    const ScratchDirectory scratch;
    std::filesystem::permissions(scratch.path, std::filesystem::perms::all);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgid(12345) != 0 || ::setuid(12345) != 0) ::_exit(2);
      const auto fd = listen_on(unix_address(scratch.path / "http.sock"), {.unix_owner = 1});
      ::_exit(!fd && fd.error().text().starts_with("chown: ") ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  } else {
    const ScratchDirectory scratch;
    const auto fd = listen_on(unix_address(scratch.path / "http.sock"), {.unix_owner = 0});
    REQUIRE_FALSE(fd.has_value());
    CHECK_THAT(fd.error().text(), ContainsSubstring("chown: "));
  }
}

TEST_CASE("listener: a unix socket of a dead process is replaced, a living one's and other files are not") {
  const ScratchDirectory scratch;
  const auto path = scratch.path / "http.sock";
  {
    REQUIRE(listen_on(unix_address(path), {}).has_value());
  }
  REQUIRE(std::filesystem::exists(path));
  const auto living = listen_on(unix_address(path), {});
  REQUIRE(living.has_value());

  const auto second = listen_on(unix_address(path), {});
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().number == EADDRINUSE);
  const Fd client = connect_to(living->get());

  const auto file = scratch.path / "precious.txt";
  std::ofstream(file) << "do not remove";
  const auto third = listen_on(unix_address(file), {});
  REQUIRE_FALSE(third.has_value());
  CHECK_THAT(third.error().text(), ContainsSubstring("not a socket"));
  CHECK(std::filesystem::file_size(file) == 13);

  const auto nowhere = listen_on(unix_address(scratch.path / "missing" / "http.sock"), {});
  REQUIRE_FALSE(nowhere.has_value());
  CHECK(nowhere.error().number == ENOENT);
}

TEST_CASE("listener: a peer that is gone has no text") {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(peer_of(fd.get()).text().view().empty());
  CHECK(peer_of(fd.get()).group() == 0);
}

TEST_CASE(
    "listener: IPv6 clients are told apart by the first half of their address, and by all of the "
    "loopback's") {
  const auto fd = listen_on(*Address::parse("[::1]:0"), {});
  if (!fd) SKIP("no IPv6 here");
  sockaddr_in6 to{};
  socklen_t size = sizeof to;
  REQUIRE(::getsockname(fd->get(), reinterpret_cast<sockaddr*>(&to), &size) == 0);
  const Fd client(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  const Fd server = accept_from(fd->get());
  CHECK(peer_of(server.get()).text().view() == "::1");
  CHECK(peer_of(server.get()).group() == 1);
}

}  // namespace leat::net
