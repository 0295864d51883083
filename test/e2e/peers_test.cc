// Peers that leave, stall, stay silent or come in great numbers, and what others notice of them: nothing.
#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

// A sanitizer keeps what was freed for a while and shadows the rest.
const uint64_t kGrowthKib = (kSanitized ? 96 : 24) * 1024;

void check_serves(Daemon& daemon) {
  CHECK(Client(daemon.address()).ask(get("/json")).body == R"({"message":"Hello, World!"})");
}

}  // namespace

TEST_CASE("peers: a reset after any byte of a request harms nobody") {
  Daemon daemon(demo_configuration());
  const std::string whole =
      with_body("POST", "/echo", "hello", "Content-Type: text/plain\r\n") + get("/sleep/50") +
      "POST /notes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    Client client(daemon.address());
    client.send(std::string_view(whole).substr(0, cut));
    if (cut % 2 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    client.reset();
  }
  check_serves(daemon);
}

TEST_CASE("peers: a reset in the middle of an answer harms nobody") {
  Daemon daemon(demo_configuration());
  for (size_t received = 0; received < 400'000; received += 9973) {
    Client client(daemon.address());
    client.send(get("/bytes/8388608") + get("/json"));
    for (size_t left = received; left > 0;) {
      const std::string piece = client.read_up_to(left);
      REQUIRE_FALSE(piece.empty());
      left -= piece.size();
    }
    client.reset();
  }
  check_serves(daemon);
}

TEST_CASE("peers: descriptors come back from those who left") {
  Daemon daemon(demo_configuration());
  check_serves(daemon);
  const size_t before = daemon.open_descriptors();
  for (int i = 0; i < 300; ++i) {
    Client client(daemon.address());
    client.send(i % 3 == 0 ? "GET /js" : i % 3 == 1 ? get("/sleep/20") : get("/bytes/1000000"));
    if (i % 2 == 0) client.reset();
  }
  CHECK(wait_until([&] { return daemon.open_descriptors() <= before; }));
}

TEST_CASE("peers: half-open ones, who never read, keep nobody waiting") {
  Daemon daemon(demo_configuration());
  std::vector<Client> stalled;
  for (int i = 0; i < 50; ++i) {
    stalled.emplace_back(daemon.address(), 4096);
    stalled.back().send(get("/bytes/4194304") + get("/bytes/4194304"));
  }
  for (int i = 0; i < 100; ++i) check_serves(daemon);
}

TEST_CASE("peers: ten thousand silent connections leave room for others") {
  const uint64_t limit = raise_descriptor_limit(11'000);
  const size_t count = std::min<size_t>(10'000, limit - 500);
  if (count < 10'000) WARN("the hard limit of descriptors allows only " << count << " connections");
  Daemon daemon(demo_configuration());
  check_serves(daemon);
  const uint64_t before = daemon.resident_kib();
  std::vector<Client> silent = connect_all(daemon.address(), count);
  for (int i = 0; i < 200; ++i) check_serves(daemon);
  CHECK(daemon.open_descriptors() >= count);
  CHECK(daemon.resident_kib() < before + kGrowthKib);
  for (Client& client : silent) CHECK(client.try_send("GET /json HTTP/1.1\r\n"));
  for (int i = 0; i < 200; ++i) check_serves(daemon);
  silent[count / 2].send("Host: late\r\n\r\n");
  CHECK(silent[count / 2].read_response().status == 200);
}

TEST_CASE("peers: a slow reader of 64 MiB costs little memory and gets every byte") {
  Daemon daemon(demo_configuration());
  check_serves(daemon);
  const uint64_t before = daemon.resident_kib();
  Client client(daemon.address(), 16 * 1024);
  constexpr size_t kBytes = size_t{64} << 20;
  client.send(get(fmt::format("/bytes/{}", kBytes)));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  uint64_t most = daemon.resident_kib();
  check_serves(daemon);

  // A chunked or a length-framed answer: either way the x's are counted, and nothing else has one.
  size_t letters = 0;
  for (int piece = 0; letters < kBytes; ++piece) {
    const std::string bytes = client.read_up_to(64 * 1024);
    REQUIRE_FALSE(bytes.empty());
    const size_t from = piece == 0 ? bytes.find("\r\n\r\n") : 0;
    REQUIRE(from != std::string::npos);
    letters += static_cast<size_t>(std::ranges::count(bytes.substr(from), 'x'));
    if (piece % 256 == 0) most = std::max(most, daemon.resident_kib());
  }
  CHECK(letters == kBytes);
  CHECK(most < before + kGrowthKib);
  check_serves(daemon);
}

TEST_CASE("peers: one who sends much and reads nothing is not read from either") {
  Daemon daemon(demo_configuration());
  check_serves(daemon);
  const uint64_t before = daemon.resident_kib();
  Client client(daemon.address(), 4096);
  std::string batch;
  for (int i = 0; i < 1000; ++i) batch += get("/payload/p4");
  std::jthread sender([&] {
    for (int i = 0; i < 20; ++i) {
      if (!client.try_send(batch)) return;
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(daemon.resident_kib() < before + kGrowthKib);
  check_serves(daemon);
  for (int i = 0; i < 20'000; ++i) {
    const Response response = client.read_response();
    REQUIRE((response.status == 200 && response.body.size() == 5412));
  }
}

TEST_CASE("peers: running out of descriptors is survived") {
  Daemon::Options options;
  options.descriptors = 64;
  Daemon daemon(demo_configuration(), options);
  check_serves(daemon);
  {
    std::vector<Client> crowd = connect_all(daemon.address(), 200);
    CHECK(crowd.front().ask(get("/json")).status == 200);
  }
  check_serves(daemon);
  check_serves(daemon);
}

}  // namespace leat::e2e
