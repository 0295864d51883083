// Clients that leave before they are answered, in good order or not, and what is theirs: it is given back
// soon, whatever their request waits for. Those who only end their side and read on are served.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

enum class Way : uint8_t { Close, Reset };

std::string route(std::string_view path, std::string_view handler, std::string_view more = "") {
  return fmt::format("[[route]]\npath = \"/{}\"\nmethods = [\"GET\", \"POST\"]\nhandler = \"{}\"\n{}", path,
                     handler, more);
}

std::string configuration(const std::string& engine, const std::string& listen, const std::string& upstream,
                          const std::string& limits = "") {
  std::string more = "[pool]\nthreads = 4\nqueue = 2000\n";
  more += "[[plugin]]\nname = \"leaving\"\nfile = \"" TEST_PLUGINS
          "/leaving.so\"\n[plugin.config]\nupstream = \"" +
          upstream + "\"\n[[plugin]]\nname = \"blocking\"\nfile = \"" TEST_PLUGINS "/blocking.so\"\n";
  for (const std::string_view name :
       {"waits", "holds", "sleeps", "events", "gathers", "asks", "completes", "works", "left"})
    more += route(name, fmt::format("leaving:{}", name));
  more += route("blocks", "leaving:blocks", "executor = \"pool\"\n") +
          route("pieces", "blocking:pieces", "executor = \"pool\"\n") +
          route("few", "leaving:sleeps", "concurrency = 1\n") +
          route("stored", "leaving:sleeps", "[route.cache]\n") + route("metrics", "leat:metrics");
  return demo_configuration(
      {.listen = {listen}, .server = "engine = \"" + engine + "\"\n", .limits = limits, .more = more});
}

int64_t here(const Daemon& daemon) {
  return number_after(Client(daemon.address()).ask(get("/left")).body, "\"here\":");
}

// Nothing is left but the connection that asks.
bool all_given_back(const Daemon& daemon) {
  Client asking(daemon.address());
  const std::string text = asking.ask(get("/metrics")).body;
  const std::string listener = "{listener=\"" + daemon.address() + "\"} ";
  return number_after(text, "\nleat_connections_opened_total" + listener) ==
             number_after(text, "\nleat_connections_closed_total" + listener) + 1 &&
         number_after(text, "\nleat_pool_queued ") == 0 &&
         number_after(text, "\nleat_pool_busy_threads ") == 0 && here(daemon) == 0;
}

// Ends the client's life here.
void leave(Client client, Way way) {
  if (way == Way::Reset) client.reset();
}

}  // namespace

TEST_CASE(
    "leaving: a request that waits in any way ends when its client leaves, and so does its connection") {
  const std::string engine = GENERATE("io_uring", "epoll");
  const bool local = GENERATE(false, true);
  INFO(engine << (local ? ", unix" : ", TCP"));
  const TempFolder folder;
  const Daemon upstream(configuration(engine, "127.0.0.1:0", "http://127.0.0.1:1"));
  const Daemon daemon(configuration(engine, local ? "unix:" + folder.path("socket") : "127.0.0.1:0",
                                    "http://" + upstream.address()));
  for (const Way way : {Way::Close, Way::Reset})
    for (const std::string& behind : {std::string(), std::string("G"), get("/json")}) {
      INFO((way == Way::Reset ? "reset" : "close") << ", bytes behind: " << behind.size());
      std::deque<Client> clients;
      for (const std::string_view target : {"/waits", "/sleeps", "/events", "/gathers", "/asks", "/completes",
                                            "/works", "/blocks", "/few", "/stored", "/holds"}) {
        clients.emplace_back(daemon.address());
        clients.back().send((target == "/holds" ? with_body("POST", target, "a body") : get(target)) +
                            behind);
      }
      CHECK(wait_until([&] { return here(daemon) == 15; }));  // five of them are gathered
      for (; !clients.empty(); clients.pop_front()) leave(std::move(clients.front()), way);
      CHECK(wait_until([&] { return all_given_back(daemon); }));
    }
  // What was asked of the other server is given up as well.
  CHECK(wait_until([&] { return all_given_back(upstream); }));
}

TEST_CASE("leaving: those who wait for another's answer leave, and then that one does") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(configuration(engine, "127.0.0.1:0", "http://127.0.0.1:1"));
  std::vector<Client> followers;
  {
    Client leader(daemon.address());
    leader.send(get("/stored"));
    CHECK(wait_until([&] { return here(daemon) == 1; }));
    for (int i = 0; i < 10; ++i) {
      followers.emplace_back(daemon.address());
      followers.back().send(get("/stored"));
    }
    while (followers.size() > 5) followers.pop_back();
  }
  // One of those that are left has taken its place.
  CHECK(wait_until([&] { return here(daemon) == 1; }));
  followers.clear();
  CHECK(wait_until([&] { return all_given_back(daemon); }));
}

TEST_CASE("leaving: a client that ends its side and reads on gets what does not keep it waiting") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(configuration(engine, "127.0.0.1:0", "http://127.0.0.1:1"));
  const auto read_slowly = [&](std::string_view target, size_t size) {
    Client client(daemon.address(), 16 * 1024);
    client.send(get("/json") + get(target));
    client.half_close();
    std::this_thread::sleep_for(std::chrono::milliseconds(400));  // with its window closed
    CHECK(client.read_response().status == 200);
    CHECK(client.read_response().body.size() == size);
    CHECK(client.hung_up());
  };
  read_slowly("/bytes/5000000", 5'000'000);
  read_slowly("/pieces?pieces=500&size=10000&length=false&cut=false", 5'000'000);
  read_slowly("/sleep/1", std::string_view(R"({"slept_ms":1})").size());
}

TEST_CASE("leaving: limits.half_closed_timeout says for how long one that ends its side is served") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const auto ask = [&](const std::string& limit) {
    const Daemon daemon(configuration(engine, "127.0.0.1:0", "http://127.0.0.1:1",
                                      "half_closed_timeout = \"" + limit + "\"\n"));
    Client client(daemon.address());
    client.send(get("/json") + get("/sleep/400"));
    client.half_close();
    return client.read_to_end();
  };
  CHECK(ask("1m").ends_with(R"({"slept_ms":400})"));
  for (const char* limit : {"0ms", "100ms"}) {
    INFO(limit);
    const std::string answers = ask(limit);
    CHECK(answers.ends_with(R"({"message":"Hello, World!"})"));
    CHECK(answers.find("HTTP/1.1", 1) == std::string::npos);
  }
}

TEST_CASE("leaving: a storm of clients that leave gives every place back") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const int kClients = kSanitized ? 4'000 : 20'000;  // on each engine
  constexpr size_t kAtOnce = 400;
  const Daemon daemon(configuration(engine, "127.0.0.1:0", "http://127.0.0.1:1"));
  CHECK(all_given_back(daemon));
  constexpr std::string_view kTargets[] = {"/sleep/60000", "/blocks", "/events", "/stored"};
  std::deque<Client> crowd;
  for (int i = 0; i < kClients; ++i) {
    if (crowd.size() == kAtOnce) {
      leave(std::move(crowd.front()), i % 3 == 0 ? Way::Reset : Way::Close);
      crowd.pop_front();
    }
    crowd.emplace_back(daemon.address());
    crowd.back().send(get(kTargets[i % 4]) + (i % 5 < 2 ? "G" : ""));
  }
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  crowd.clear();
  CHECK(wait_until([&] { return all_given_back(daemon); }));
}

}  // namespace leat::e2e
