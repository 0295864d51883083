// What a reload changes of a worker that serves: each of its settings, and where it listens.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "config/settings.h"
#include "net/listener.h"
#include "worker/on_workers.h"
#include "worker/rig.h"
#include "worker/worker.h"

namespace leat::test {
namespace {

using config::Settings;
using schema::Content;
using schema::Row;
using schema::Type;

worker::AcceptingSocket listening(uint32_t number, std::string& address) {
  auto socket = net::listen_on(*net::Address::parse("127.0.0.1:0"), {});
  REQUIRE(socket);
  address = net::local_address(socket->get())->text();
  return {.fd = std::move(*socket), .number = number};
}

// Workers, each on a thread of its own; the first listens at `address`.
class Serving {
 public:
  explicit Serving(uint32_t workers = 1) {
    std::vector<worker::AcceptingSocket> sockets;
    sockets.push_back(listening(0, address));
    for (uint32_t i = 0; i < workers; ++i) {
      worker::WorkerOptions options;
      options.index = i;
      options.connections.listeners.push_back({.name = "first"});
      fleet_.push_back(std::make_unique<worker::Worker>(options, std::exchange(sockets, {}), site_, fleet_,
                                                        worker::Worker::Hooks{}));
    }
    for (const auto& each : fleet_) {
      std::promise<bool> ready;
      threads_.emplace_back([&] {
        each->run([&](const Expected<std::string>& result) { ready.set_value(result.has_value()); });
      });
      REQUIRE(ready.get_future().get());
    }
  }
  ~Serving() {
    for (const auto& each : fleet_) each->stop();
    for (std::thread& each : threads_) each.join();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  // On the first one's thread.
  void does(std::function<void(worker::Worker&)> work) {
    REQUIRE(worker::on_workers({fleet_.data(), 1}, {},
                               [this, work = std::move(work)](uint32_t) { work(*fleet_[0]); }));
  }
  void take_up(worker::WorkerChange change) {
    const auto shared = std::make_shared<worker::WorkerChange>(std::move(change));
    does([shared](worker::Worker& worker) { worker.take_up(std::move(*shared)); });
  }
  worker::WorkerOptions in_force() {
    worker::WorkerOptions options;
    does([&](const worker::Worker& worker) { options = worker.in_force(); });
    return options;
  }
  std::string address;

 private:
  Site site_;
  std::vector<std::unique_ptr<worker::Worker>> fleet_;
  std::vector<std::thread> threads_;
};

bool is_number(const Row& row) {
  return row.type == Type::Count || row.type == Type::Size || row.type == Type::Duration;
}

}  // namespace

TEST_CASE(
    "take up: a worker serves by each setting of its own that a reload is said to take up, and by no other") {
  Serving serving;
  // All at once, each as small as can be; which of them are a worker's shows in what it serves by.
  Settings next;
  for (const Row& row : config::settings())
    if (is_number(row) && !row.restart) row.set(&next, Content(row.least));
  next.worker.known_heads = false;
  next.worker.server_name = "other";
  Settings restart_only = next;
  for (const Row& row : config::settings())
    if (is_number(row) && row.restart) row.set(&restart_only, Content(row.least));
  serving.take_up({.options = restart_only.worker});
  Settings seen = next;
  seen.worker = serving.in_force();
  for (const Row& row : config::settings()) {
    INFO(row.name);
    const Settings defaults;
    CHECK(row.get(&seen) == (row.restart ? row.get(&defaults) : row.get(&next)));
  }
}

TEST_CASE("take up: a request that has begun is judged by the limits that there were") {
  Serving serving;
  const auto address = net::Address::parse(serving.address);
  const auto connect = [&] {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address->port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    return fd;
  };
  const auto send = [](const Fd& fd, std::string_view text) {
    REQUIRE(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  };
  const auto status = [](const Fd& fd) {
    char answer[4096];
    const ssize_t size = ::recv(fd.get(), answer, sizeof answer, 0);
    return std::string(answer, size > 12 ? 12 : 0);
  };
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n";
  // Often enough to be known.
  const Fd known = connect();
  for (int i = 0; i < 20; ++i) {
    send(known, head);
    CHECK(status(known) == "HTTP/1.1 200");
  }
  const Fd begun = connect();
  send(begun, head);
  CHECK(status(begun) == "HTTP/1.1 200");
  send(begun, head.substr(0, head.size() - 4));
  // The worker has had a turn since these bytes came.
  for (int i = 0; i < 2; ++i) serving.does([](worker::Worker&) {});
  worker::WorkerChange change;
  change.options.limits.header_count = 2;
  serving.take_up(std::move(change));
  send(begun, head.substr(head.size() - 4));
  CHECK(status(begun) == "HTTP/1.1 200");
  send(begun, head);
  CHECK(status(begun) == "HTTP/1.1 431");
  send(known, head);
  CHECK(status(known) == "HTTP/1.1 431");
}

TEST_CASE("take up: who came by a new listening socket is served by workers that have not heard of it yet") {
  Serving serving(2);
  const std::string path = "/tmp/leat-take-up-" + std::to_string(::getpid()) + ".sock";
  auto socket = net::listen_on(*net::Address::parse("unix:" + path), {});
  REQUIRE(socket);
  const auto remove = std::unique_ptr<const std::string, void (*)(const std::string*)>(
      &path, [](const std::string* file) { ::unlink(file->c_str()); });
  worker::WorkerChange change;
  change.options = serving.in_force();
  change.listeners.emplace_back(1, std::make_shared<worker::ListenerOptions>());
  change.sockets.push_back({.fd = std::move(*socket), .number = 1, .shared = true});
  serving.take_up(std::move(change));  // the first worker accepts, and the second has half of the clients
  sockaddr_un to{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(to.sun_path, sizeof to.sun_path - 1);
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (int i = 0; i < 8; ++i) {
    const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    REQUIRE(::send(client.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) == ssize_t(kRequest.size()));
    char answer[4096];
    const ssize_t size = ::recv(client.get(), answer, sizeof answer, 0);
    REQUIRE(size > 12);
    CHECK(std::string_view(answer, 12) == "HTTP/1.1 200");
  }
}

}  // namespace leat::test
