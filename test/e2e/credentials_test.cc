// Who may ask, on the real daemon: what handlers see, what a reload and a crash do to files of keys.
#include <fmt/core.h>
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/daemon.h"
#include "e2e/reloaded.h"

namespace leat::e2e {

namespace {

// A line for the file, as the command makes it, and the key.
struct Key {
  std::string line, key;
};

Key new_key(const std::string& name) {
  const Outcome made = run_leat({"key", "new", name});
  REQUIRE(made.status == 0);
  std::string key = made.errors.substr(made.errors.find('\n') + 1);
  key.resize(key.find('\n'));
  REQUIRE(key.starts_with("leat_"));
  REQUIRE_FALSE(made.output.contains(key));
  return {made.output, key};
}

Response ask(const std::string& address, const std::string& target, const std::string& key) {
  Client client(address);
  return client.ask(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n{}\r\n", target,
                                key.empty() ? "" : "X-Api-Key: " + key + "\r\n"));
}

std::string guarded(const std::string& file) {
  return fmt::format(R"(
[[plugin]]
name = "who"
file = "{}/who.so"
[[middleware]]
kind = "api_key"
name = "keys"
global = false
file = "{}"
[[middleware]]
kind = "access_log"
fields = ["target", "user", "header:x-api-key", "status"]
[[route]]
path = "/who"
handler = "who:who"
middleware = ["keys"]
[[route]]
path = "/who/cached"
handler = "who:who"
middleware = ["keys"]
[route.cache]
ttl = "1h"
[[route]]
path = "/who/pool"
handler = "who:who"
executor = "pool"
middleware = ["keys"]
)",
                     TEST_PLUGINS, file);
}

}  // namespace

TEST_CASE("api_key: a handler sees the user and not the key, on a worker and on the pool") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const TempFolder folder;
  const Key alice = new_key("alice"), bob = new_key("bob");
  const Daemon daemon(
      fmt::format("[server]\nlisten = \"127.0.0.1:0\"\nengine = \"{}\"\n{}", engine,
                  guarded(folder.write("keys", "# who has which\n" + alice.line + bob.line))));
  for (const char* target : {"/who", "/who/pool"})
    for (int i = 0; i < 3; ++i) {  // a head that is known is judged like any other
      for (const auto& [name, key] : {std::pair{"alice", alice.key}, std::pair{"bob", bob.key}}) {
        const Response answer = ask(daemon.address(), target, key);
        CHECK(answer.status == 200);
        CHECK(answer.body.contains(
            fmt::format(R"("fields":[{{"name":"Host","value":"a"}}],"user":"{}")", name)));
      }
      CHECK(ask(daemon.address(), target, "").is_problem(401));
      const Response wrong = ask(daemon.address(), target, alice.key + "x");
      CHECK(wrong.is_problem(401));
      CHECK(wrong.field("www-authenticate") == "ApiKey field=\"X-Api-Key\"");
    }
  // A response for one is no response for another, though neither has credentials that the cache could see.
  for (int i = 0; i < 3; ++i)
    for (const auto& [name, key] : {std::pair{"alice", alice.key}, std::pair{"bob", bob.key}})
      CHECK(ask(daemon.address(), "/who/cached", key).body.contains(fmt::format(R"("user":"{}")", name)));
  CHECK(daemon.logs(R"({"target":"/who/pool","user":"bob","status":200})"));
  CHECK(daemon.logs(R"({"target":"/who/pool","status":401})"));
  CHECK_FALSE(daemon.log().contains(alice.key));
}

TEST_CASE("api_key: a reload reads the file again, refuses one that is wrong, and a crash brings none back") {
  const TempFolder folder;
  const Key alice = new_key("alice"), bob = new_key("bob");
  Reloaded site({.server = {}, .limits = {}, .more = guarded(folder.write("keys", alice.line))});
  const auto status = [&](const Key& key) { return ask(site.daemon().address(), "/who", key.key).status; };
  CHECK(status(alice) == 200);
  CHECK(status(bob) == 401);
  folder.write("keys", bob.line);
  CHECK(status(alice) == 200);  // until somebody says so
  CHECK(site.reload().status == 0);
  CHECK(status(alice) == 401);
  CHECK(status(bob) == 200);

  folder.write("keys", bob.line + "alice " + alice.key + "\n");
  const Outcome refused = site.reload();
  CHECK(refused.status == 1);
  CHECK(refused.errors.contains("error[LT0217]"));
  CHECK(refused.errors.contains("keys`, line 2: behind the name stands `sha256:`"));
  CHECK_FALSE(refused.errors.contains(alice.key));
  CHECK(status(bob) == 200);

  // What served goes on serving, whatever the file says by now.
  const int serving = site.daemon().serving_pid();
  REQUIRE(kill(serving, SIGKILL) == 0);
  REQUIRE(wait_until([&] {
    const int now = site.daemon().serving_pid();
    return now != 0 && now != serving;
  }));
  CHECK(status(bob) == 200);
  CHECK(status(alice) == 401);
  CHECK(site.daemon().logs("this is the configuration that served last"));
  CHECK_FALSE(site.daemon().log().contains(alice.key));
}

TEST_CASE("api_key: a start with a file that is not there, or is wrong, ends with status 78") {
  const TempFolder folder;
  const std::string file = folder.path("keys");
  const std::string configuration =
      folder.write("leat.toml", "[server]\nlisten = \"127.0.0.1:0\"\n" + guarded(file));
  const Outcome absent = run_leat({"run", "-c", configuration});
  CHECK(absent.status == 78);
  CHECK(absent.errors.contains("keys`: No such file or directory"));
  folder.write("keys", "alice hunter2hunter2\n");
  const Outcome wrong = run_leat({"check", "-c", configuration});
  CHECK(wrong.status == 78);
  CHECK(wrong.errors.contains("line 1: behind the name stands"));
  CHECK_FALSE((wrong.errors + wrong.output).contains("hunter2"));
}

TEST_CASE("basic_auth: passwords as htpasswd, openssl and argon2 hash them") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const TempFolder folder;
  const auto made = [](const std::string& command) {
    const Outcome outcome = run_program("/bin/sh", {"-c", command});
    INFO(command << outcome.errors);
    REQUIRE(outcome.status == 0);
    return outcome.output.substr(0, outcome.output.find('\n')) + "\n";
  };
  const std::string file = folder.write(
      "passwords",
      made("htpasswd -nbBC 5 bcrypt 'pass word: ü'") + made("htpasswd -nb5 sha512 'pass word: ü'") +
          "sha256:" + made("openssl passwd -5 'pass word: ü'") +
          "argon:" + made("printf %s 'pass word: ü' | argon2 some-salt -id -e -t 2 -k 1024 -p 2"));
  const Daemon daemon(
      fmt::format("[server]\nlisten = \"127.0.0.1:0\"\nengine = \"{}\"\n[[plugin]]\nname = \"who\"\nfile = "
                  "\"{}/who.so\"\n"
                  "[[route]]\npath = \"/who\"\nhandler = \"who:who\"\nmiddleware = [{{kind = \"basic_auth\", "
                  "file = \"{}\"}}]\n",
                  engine, TEST_PLUGINS, file));
  for (const char* user : {"bcrypt", "sha512", "sha256", "argon"})
    for (int i = 0; i < 2; ++i) {
      INFO(user);
      const auto curl = [&](const std::string& password) {
        return run_program("/bin/sh", {"-c", fmt::format("curl -sS -u '{}:{}' http://{}/who", user, password,
                                                         daemon.address())})
            .output;
      };
      CHECK(curl("pass word: ü").contains(fmt::format("\"user\":\"{}\"", user)));
      CHECK(curl("pass word: u").contains("\"status\":401"));
    }
}

TEST_CASE("basic_auth: a worker serves others meanwhile, some wait, and too many are told to come again") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Outcome made = run_program("/bin/sh", {"-c", "htpasswd -nbBC 11 one right"});
  REQUIRE(made.status == 0);
  const TempFolder folder;
  Daemon daemon(fmt::format(
      "[server]\nlisten = \"127.0.0.1:0\"\nengine = \"{}\"\n[[plugin]]\nname = \"demo\"\nfile = \"demo.so\"\n"
      "[[route]]\npath = \"/json\"\nhandler = \"demo:json\"\n"
      "[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n"
      "[[route]]\npath = \"/plaintext\"\nhandler = \"demo:plaintext\"\n"
      "middleware = [{{kind = \"basic_auth\", file = \"{}\", concurrency = 1, queue = 2}}]\n",
      engine, folder.write("passwords", made.output)));
  // "one:wrong", which nobody remembers.
  const std::string request =
      "GET /plaintext HTTP/1.1\r\nHost: a\r\nAuthorization: Basic b25lOndyb25n\r\n\r\n";
  std::vector<Client> clients;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back(daemon.address());
    clients.back().send(request);
  }
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  int wrong = 0, busy = 0;
  for (Client& client : clients) {
    const Response answer = client.read_response();
    wrong += answer.is_problem(401) ? 1 : 0;
    busy += answer.is_problem(503) && answer.field("retry-after") == "1" ? 1 : 0;
  }
  CHECK(wrong >= 3);
  CHECK(busy >= 1);
  CHECK(wrong + busy == 12);
  const std::string metrics = Client(daemon.address()).ask(get("/metrics")).body;
  CHECK(metrics.contains(
      fmt::format("leat_basic_auth_requests_total{{instance=\"basic_auth\",result=\"busy\"}} {}\n", busy)));
  // Whoever leaves meanwhile leaves nothing behind, also not at the end of the daemon.
  for (int i = 0; i < 3; ++i) {
    Client client(daemon.address());
    client.send(request);
    if (i < 2) client.reset();
  }
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
}

TEST_CASE(
    "command line: key hash makes the line of a key that there is, and refuses one that can be guessed") {
  const auto hash = [](const std::string& input, const std::string& name) {
    return run_program("/bin/sh", {"-c", "printf '" + input + "' | \"$LEAT_BINARY\" key hash " + name});
  };
  const Key alice = new_key("alice");
  CHECK(hash(alice.key + "\\n", "alice").output == alice.line);
  CHECK(hash(alice.key, "alice").output == alice.line);
  const Outcome short_one = hash("hunter2\\n", "alice");
  CHECK(short_one.status == 1);
  CHECK(short_one.output.empty());
  CHECK(short_one.errors.contains("a key of less than 16 bytes can be guessed"));
  CHECK(run_leat({"key", "new", "a b"}).errors ==
        "leat: a name has neither blanks nor control characters nor a colon\n");
  CHECK(run_leat({"key", "new"}).status == 2);
  CHECK(run_leat({"key"}).status == 2);
  CHECK(new_key("alice").key != alice.key);
}

}  // namespace leat::e2e
