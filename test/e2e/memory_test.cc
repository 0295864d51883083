// limits.memory on the real daemon: whatever thousands of peers send, withhold or leave unread, the process
// stays within it, others are answered, and afterwards the memory is the system's again.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

constexpr size_t kPeers = 3'000;
constexpr size_t kReaders = 500;
constexpr uint64_t kLimitKib = 16 * 1024;
// What is not limits.memory: the receive buffers (8 MiB), connections without a request, and what the
// allocator has not given back yet.
constexpr uint64_t kRestKib = 24 * 1024;

std::string configuration() {
  return demo_configuration({.limits = "memory = \"16MiB\"\nconnections = 10000\nbody_timeout = \"5s\"",
                             .more = "[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n"});
}

// Peers that only send what they are told to, and never wait.
class Crowd {
 public:
  // A small receive buffer keeps the kernel from reading for a peer that does not.
  Crowd(const Daemon& daemon, size_t count, int receive_bytes = 0) {
    const std::string& address = daemon.address();
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < count; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      REQUIRE(fd >= 0);
      peers_.push_back({fd, 0});
      if (receive_bytes != 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
      REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
      REQUIRE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    }
  }
  ~Crowd() {
    for (const Peer& peer : peers_) close(peer.fd);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  // Has every peer send `text`, as far as the daemon takes it. The most that `watch` said meanwhile.
  template <class Watch>
  uint64_t send(std::string_view text, Watch watch) {
    uint64_t most = 0;
    for (Peer& peer : peers_) peer.sent = 0;
    for (int quiet = 0; quiet < 10;) {
      bool moved = false;
      for (Peer& peer : peers_) {
        const ssize_t sent =
            ::send(peer.fd, text.data() + peer.sent, text.size() - peer.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) peer.sent += static_cast<size_t>(sent);
        if (sent > 0) moved = true;
        if (sent < 0 && errno != EAGAIN) peer.sent = text.size();
        if ((&peer - peers_.data()) % 256 == 0) most = std::max(most, watch());
      }
      most = std::max(most, watch());
      quiet = moved ? 0 : quiet + 1;
      if (!moved) std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
    return most;
  }
  // How each of them was answered, by the status line's first bytes; "" where nothing has come.
  std::map<std::string, size_t> answers() {
    std::map<std::string, size_t> found;
    for (const Peer& peer : peers_) {
      char line[12];
      const ssize_t size = recv(peer.fd, line, sizeof line, MSG_PEEK | MSG_DONTWAIT);
      ++found[size > 0                       ? std::string(line, static_cast<size_t>(size))
              : size == 0 || errno != EAGAIN ? "closed"
                                             : ""];
    }
    return found;
  }

 private:
  struct Peer {
    int fd;
    size_t sent;
  };
  std::vector<Peer> peers_;
};

double metric(const std::string& text, std::string_view name) {
  const size_t at = text.find("\n" + std::string(name) + " ");
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + name.size() + 2));
}

// What the daemon says of itself, once it has memory to say it.
std::string metrics(const Daemon& daemon) {
  Response response;
  CHECK(wait_until([&] {
    response = Client(daemon.address()).ask(get("/metrics"));
    return response.status == 200;
  }));
  return response.body;
}

// Others who come meanwhile are answered: soon with what they asked for, until then with a 503.
void check_others(const Daemon& daemon) {
  CHECK(wait_until([&] {
    Client client(daemon.address());
    const Response response = client.ask(get("/plaintext"));
    if (response.status == 200) return true;
    INFO(response.status << " " << response.reason << " " << response.body);
    // Who finds not even a place is told without content.
    CHECK((response.is_problem(503) || (response.status == 503 && response.body.empty())));
    CHECK(response.field("retry-after") == "1");
    return false;
  }));
}

void check_bounds(const char* engine) {
  INFO(engine);
  REQUIRE(raise_descriptor_limit(2 * kPeers) > kPeers + 100);
  Daemon daemon(configuration(),
                {.arguments = {"--workers", "1", "--engine", engine}, .descriptors = 2 * kPeers});
  CHECK(Client(daemon.address()).ask(get("/plaintext")).status == 200);
  const uint64_t before = daemon.resident_kib();
  const auto resident = [&] { return daemon.resident_kib(); };
  const auto within = [&](uint64_t most) { return kSanitized || most < before + kLimitKib + kRestKib; };
  {
    // Bodies without their last byte.
    Crowd crowd(daemon, kPeers);
    const std::string body(size_t{64} * 1024 - 1, 'x');
    const uint64_t most =
        crowd.send("POST /notes HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n" + body, resident);
    INFO("bodies " << most);
    CHECK(within(most));
    CHECK(crowd.answers()["HTTP/1.1 503"] > kPeers / 4);
    check_others(daemon);
  }
  {
    // Requests behind one that waits.
    Crowd crowd(daemon, kPeers);
    std::string text = get("/sleep/1000");
    while (text.size() < size_t{128} * 1024) text += get("/plaintext");
    const uint64_t most = crowd.send(text, resident);
    INFO("pipelined " << most);
    CHECK(within(most));
    check_others(daemon);
  }
  {
    // Answers that nobody reads. The kernel takes some MiB of each, which is why there are fewer of them.
    Crowd crowd(daemon, kReaders, 4096);
    const uint64_t most = crowd.send(get("/bytes/20000000"), resident);
    INFO("unread " << most);
    CHECK(within(most));
    check_others(daemon);
    const std::string text = metrics(daemon);
    CHECK(metric(text, "leat_memory_used_bytes") <= kLimitKib * 1024);
    CHECK(metric(text, "leat_memory_peak_bytes") <= kLimitKib * 1024);
    CHECK(metric(text, "leat_memory_refused_total") > 0);
    CHECK(daemon.logs("warning out of memory: "));
    const std::string log = daemon.log();
    const size_t blame = log.find("error plugin");
    INFO(log.substr(std::min(blame, log.size()), 300));
    CHECK(blame == std::string::npos);  // it is not the plugin's doing
  }
  // Connections that are gone hold nothing, and the allocator keeps nothing either.
  CHECK(wait_until([&] { return metric(metrics(daemon), "leat_memory_used_bytes") < 128 * 1024; }));
  CHECK((kSanitized || wait_until([&] { return daemon.resident_kib() < before + kRestKib; })));
}

}  // namespace

TEST_CASE("memory: thousands of peers that let it wait do not take more than the limit, with io_uring") {
  check_bounds("io_uring");
}

TEST_CASE("memory: thousands of peers that let it wait do not take more than the limit, with epoll") {
  check_bounds("epoll");
}

}  // namespace leat::e2e
