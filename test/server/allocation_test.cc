// Counts heap allocations: a worker with its real loop, the pipeline and the demo plugin on one side of a
// loopback connection, a client that allocates nothing on the other. In steady state a request to /json costs
// none, wherever in the process it could come from.
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <future>
#include <string_view>
#include <thread>

#include "config/config.h"
#include "net/listener.h"
#include "pipeline/pipeline.h"
#include "server/assemble.h"
#include "support/allocations.h"
#include "worker/worker.h"

namespace leat::server {
namespace {

// The bench configuration's site, served by one worker on a thread of its own.
class Served {
 public:
  Served() {
    Diagnostics diagnostics;
    auto loaded = config::load(LEAT_BENCH_CONFIGURATION);
    REQUIRE(loaded.config);
    if (auto made = assemble(*loaded.config, libraries_, {LEAT_DEMO_FOLDER}, 1, diagnostics))
      assembly_.emplace(std::move(*made));
    REQUIRE(assembly_);
    pipeline_.emplace(*assembly_->site);
    auto listener = net::listen_on(*net::Address::parse("127.0.0.1:0"), {});
    REQUIRE(listener);
    address_ = *net::local_address(listener->get());
    std::vector<worker::AcceptingSocket> listeners;
    listeners.push_back({.fd = std::move(*listener)});
    const worker::Worker::Hooks hooks{
        .start = [this](uint32_t worker) { return assembly_->worker_init(worker).has_value(); },
        .stop = [this](uint32_t worker) { assembly_->worker_fini(worker); }};
    fleet_.push_back(std::make_unique<worker::Worker>(worker::WorkerOptions{}, std::move(listeners),
                                                      *pipeline_, fleet_, hooks));
    std::promise<bool> ready;
    thread_ = std::thread([&] {
      fleet_[0]->run([&](const Expected<std::string>& result) { ready.set_value(result.has_value()); });
    });
    REQUIRE(ready.get_future().get());
  }
  ~Served() {
    fleet_[0]->stop();
    thread_.join();
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  [[nodiscard]] Fd connect() const {
    Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address_.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    return client;
  }

 private:
  plugin::PluginLibraries libraries_;
  std::optional<Assembly> assembly_;
  std::optional<pipeline::Pipeline> pipeline_;
  net::Address address_;
  std::vector<std::unique_ptr<worker::Worker>> fleet_;
  std::thread thread_;
};

// Sends `request` and reads until the answer ends with `body`, `times` over. Allocates nothing; true if every
// answer was a 200.
bool ask(const Fd& client, std::string_view request, std::string_view body, int times) {
  std::array<char, 16384> answer;
  for (int i = 0; i < times; ++i) {
    if (::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      return false;
    size_t size = 0;
    while (!std::string_view(answer.data(), size).ends_with(body)) {
      const ssize_t received = ::recv(client.get(), answer.data() + size, answer.size() - size, 0);
      if (received <= 0) return false;
      size += static_cast<size_t>(received);
    }
    if (!std::string_view(answer.data(), size).starts_with("HTTP/1.1 200 OK\r\n")) return false;
  }
  return true;
}

TEST_CASE("worker: 10,000 keep-alive requests to /json allocate nothing on the heap") {
  const Served served;
  const Fd client = served.connect();
  constexpr std::string_view kRequest = "GET /json HTTP/1.1\r\nHost: test\r\nUser-Agent: counter\r\n\r\n";
  constexpr std::string_view kBody = R"({"message":"Hello, World!"})";
  REQUIRE(ask(client, kRequest, kBody, 1000));
  const uint64_t before = test::heap_allocations();
  const bool answered = ask(client, kRequest, kBody, 10'000);
  const uint64_t after = test::heap_allocations();
  REQUIRE(answered);
  CHECK(after - before == 0);
}

TEST_CASE("worker: the larger payloads allocate nothing on the heap either") {
  const Served served;
  const Fd client = served.connect();
  constexpr std::string_view kRequest = "GET /payload/p4 HTTP/1.1\r\nHost: test\r\n\r\n";
  constexpr std::string_view kEnd = R"("total":100,"page":1})";
  REQUIRE(ask(client, kRequest, kEnd, 100));
  const uint64_t before = test::heap_allocations();
  const bool answered = ask(client, kRequest, kEnd, 1000);
  const uint64_t after = test::heap_allocations();
  REQUIRE(answered);
  CHECK(after - before == 0);
}

TEST_CASE("worker: the counter counts") {
  const uint64_t before = test::heap_allocations();
  void* volatile memory = std::malloc(10);
  std::free(memory);
  CHECK(test::heap_allocations() > before);
}

}  // namespace
}  // namespace leat::server
