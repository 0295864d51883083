// What an operator sees of a daemon: its health, its counts by route, and what `leat status`, `top` and `config` say.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"
#include "e2e/tls_files.h"

namespace leat::e2e {

namespace {

constexpr const char* kHealth =
    "[[route]]\npath = \"/livez\"\nhandler = \"leat:health\"\n"
    "[[route]]\npath = \"/readyz\"\nhandler = \"leat:health\"\n"
    "[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n";

// A daemon with the demo's routes and those for who watches, and its admin socket.
class Watched {
 public:
  explicit Watched(const std::string& server = "", const std::string& more = "")
      : daemon_(configuration(server, more), {.arguments = {"--workers", "2"}}) {}

  Outcome run(std::vector<std::string> command) const {
    command.insert(command.end(), {"--socket", folder_.path("admin")});
    return run_leat(command);
  }
  Outcome reload(const std::string& server, const std::string& more = "") {
    write(configuration(server, more));
    return run({"reload"});
  }
  void write(const std::string& text) const {
    FILE* file = fopen(daemon_.path("leat.toml").c_str(), "w");
    REQUIRE(file != nullptr);
    REQUIRE(fwrite(text.data(), 1, text.size(), file) == text.size());
    REQUIRE(fclose(file) == 0);
  }
  [[nodiscard]] Response ask(const std::string& target) const {
    return Client(daemon_.address()).ask(get(target));
  }
  [[nodiscard]] std::string metrics() const { return run({"metrics"}).output; }
  [[nodiscard]] Daemon& daemon() { return daemon_; }
  [[nodiscard]] const TempFolder& folder() const { return folder_; }

 private:
  [[nodiscard]] std::string configuration(const std::string& server, const std::string& more) const {
    return demo_configuration(
        {.server = "admin_socket = \"" + folder_.path("admin") + "\"\n" + server, .more = kHealth + more});
  }

  TempFolder folder_;
  Daemon daemon_;
};

}  // namespace

TEST_CASE("observing: health says live and ready, and neither is stored") {
  Watched watched;
  for (const auto& [path, body] :
       {std::pair("/livez", R"({"status":"live"})"), std::pair("/readyz", R"({"status":"ready"})")}) {
    const Response response = watched.ask(path);
    CHECK(response.status == 200);
    CHECK(response.body == body);
    CHECK(response.field("cache-control") == "no-store");
    CHECK(response.field("content-type") == "application/json");
  }
}

TEST_CASE("observing: told to stop, the daemon is not ready before it takes nobody any more") {
  Watched watched("drain_delay = \"1h\"\n");
  REQUIRE(watched.ask("/readyz").status == 200);
  watched.daemon().signal(SIGTERM);
  REQUIRE(watched.daemon().logs("not ready any more"));
  // On new connections, and for as long as the delay lasts.
  const Response ready = watched.ask("/readyz");
  CHECK(ready.status == 503);
  CHECK(ready.body.contains("the server is stopping"));
  CHECK(watched.ask("/livez").status == 200);
  CHECK(watched.ask("/json").status == 200);
  CHECK(watched.metrics().contains("\nleat_ready 0\n"));
  watched.daemon().signal(SIGTERM);  // enough of that
  CHECK(watched.daemon().wait() == 0);
}

TEST_CASE("observing: a drain begins when the delay is over, and one that is nothing at once") {
  {
    Watched watched("drain_delay = \"200ms\"\n");
    watched.daemon().signal(SIGTERM);
    CHECK(watched.daemon().wait() == 0);
    CHECK(watched.daemon().log().contains("draining: requests in flight"));
  }
  Watched watched;
  watched.daemon().signal(SIGTERM);
  CHECK(watched.daemon().wait() == 0);
  CHECK_FALSE(watched.daemon().log().contains("not ready any more"));
}

TEST_CASE("observing: a plugin in quarantine makes the daemon unready until a reload has it serve") {
  const std::string crashing = "[[plugin]]\nname = \"p\"\nfile = \"" TEST_PLUGINS
                               "/provider.so\"\n[[route]]\npath = \"/abort\"\nhandler = \"p:aborts\"\n";
  Watched watched("crash_limit = 1\n", crashing);
  CHECK(watched.ask("/readyz").status == 200);
  Client(watched.daemon().address()).send(get("/abort"));
  REQUIRE(watched.daemon().logs("plugin p is quarantined"));
  REQUIRE(wait_until([&] { return !Client::refused(watched.daemon().address()); }));
  const Response unready = watched.ask("/readyz");
  CHECK(unready.status == 503);
  CHECK(unready.body.contains("a plugin is out of service"));
  CHECK(watched.ask("/livez").status == 200);
  CHECK(watched.metrics().contains("\nleat_plugins_out_of_service 1\n"));
  CHECK(watched.run({"status"}).output.contains("\n  p  quarantined: "));
  REQUIRE(watched.run({"reload"}).status == 0);
  CHECK(watched.ask("/readyz").status == 200);
}

TEST_CASE("observing: requests are counted by route, method and status") {
  Watched watched;
  Client client(watched.daemon().address());
  for (int i = 0; i < 3; ++i) CHECK(client.ask(get("/users/7")).status == 200);
  CHECK(client.ask(with_body("POST", "/echo", "twelve bytes")).status == 200);
  CHECK(client.ask(get("/nowhere")).status == 404);
  CHECK(client.ask(get("/sleep/30")).status == 200);
  CHECK(Client(watched.daemon().address()).ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status == 400);
  const std::string text = watched.metrics();
  INFO(text);
  CHECK(text.contains("\nleat_requests_total{route=\"GET /users/{id}\",method=\"GET\",status=\"200\"} 3\n"));
  CHECK(text.contains("\nleat_requests_total{route=\"POST /echo\",method=\"POST\",status=\"200\"} 1\n"));
  CHECK(text.contains("\nleat_requests_total{route=\"(none)\",method=\"GET\",status=\"404\"} 1\n"));
  CHECK(text.contains("\nleat_request_body_bytes_total{route=\"POST /echo\"} 12\n"));
  CHECK(text.contains("\nleat_response_body_bytes_total{route=\"POST /echo\"} 12\n"));
  CHECK(text.contains("\nleat_protocol_errors_total{kind=\"malformed\"} 1\n"));
  CHECK(text.contains("\nleat_request_duration_seconds_count{route=\"GET /users/{id}\"} 3\n"));
  // It slept for so long.
  CHECK(text.contains("\nleat_request_duration_seconds_bucket{route=\"GET /sleep/{ms}\",le=\"0.025\"} 0\n"));
  CHECK(text.contains("\nleat_first_byte_seconds_bucket{route=\"GET /sleep/{ms}\",le=\"0.025\"} 0\n"));
  const std::string listener = "{listener=\"" + watched.daemon().address() + "\"} ";
  CHECK(number_after(text, "\nleat_connections_opened_total" + listener) == 2);
  CHECK(number_after(text, "\nleat_received_bytes_total" + listener) > 200);
  CHECK(number_after(text, "\nleat_sent_bytes_total" + listener) > 600);
  CHECK(number_after(text, "\nprocess_resident_memory_bytes ") > 1'000'000);
  CHECK(number_after(text, "\nprocess_open_fds ") > 5);
  CHECK(number_after(text, "\nprocess_threads ") > 2);

  REQUIRE(watched.reload("").status == 0);
  CHECK(client.ask(get("/users/7")).status == 200);
  const std::string after = watched.metrics();
  CHECK(after.contains("\nleat_requests_total{route=\"GET /users/{id}\",method=\"GET\",status=\"200\"} 4\n"));
  CHECK(after.contains("\nleat_reloads_total{result=\"good\"} 1\n"));
}

TEST_CASE(
    "observing: an answer in pieces has its first byte before its last, and a client that leaves is an "
    "error") {
  Watched watched("", "[[plugin]]\nname = \"misuse\"\nfile = \"" TEST_PLUGINS "/misuse.so\"\n");
  {
    Client client(watched.daemon().address());
    client.send(get("/sleep/60000"));
    client.reset();
  }
  CHECK(wait_until(
      [&] { return watched.metrics().contains("\nleat_protocol_errors_total{kind=\"client_left\"} 1\n"); }));
  CHECK(watched.metrics().contains(
      "\nleat_requests_total{route=\"GET /sleep/{ms}\",method=\"GET\",status=\"499\"} 1\n"));
}

TEST_CASE("observing: routes beyond metrics.routes are counted together") {
  Watched watched("", "[metrics]\nroutes = 1\n");
  CHECK(watched.ask("/").status == 200);
  CHECK(watched.ask("/json").status == 200);
  CHECK(watched.ask("/plaintext").status == 200);
  const std::string text = watched.metrics();
  INFO(text);
  CHECK(text.contains("\nleat_requests_total{route=\"GET /\",method=\"GET\",status=\"200\"} 1\n"));
  CHECK(text.contains("\nleat_requests_total{route=\"(others)\",method=\"GET\",status=\"200\"} 2\n"));
}

TEST_CASE("observing: leat status tells since when, what listens, plugins, and how the last reload went") {
  Watched watched;
  const Outcome outcome = watched.run({"status"});
  INFO(outcome.output << outcome.errors);
  CHECK(outcome.status == 0);
  CHECK(outcome.output.starts_with("leat 0."));
  CHECK(outcome.output.contains("\n2 workers, "));
  CHECK(outcome.output.contains("  " + watched.daemon().address() + "  "));
  CHECK(outcome.output.contains("\nlast reload: none since the start\n"));
  CHECK(outcome.output.contains("\ngeneration 1, serving since "));
  CHECK(outcome.output.contains("\n  demo  demo "));
  REQUIRE(watched.reload("nonsense = 1\n").status == 1);
  CHECK(watched.run({"status"}).output.contains("\nlast reload: failed, "));
  const std::string json = watched.run({"status", "--json"}).output;
  INFO(json);
  CHECK(json.contains("\"good\":false,\"error\":\"error[LT0107]"));
  CHECK(
      json.contains("\"listeners\":[{\"address\":\"" + watched.daemon().address() + "\",\"connections\":0"));
  CHECK(json.contains("\"generations\":[{\"generation\":1,"));
  REQUIRE(watched.reload("").status == 0);
  CHECK(watched.run({"status"}).output.contains("\nlast reload: good, "));
}

TEST_CASE("observing: leat top tells of the last second") {
  Watched watched;
  const Outcome once = watched.run({"top", "--once"});
  INFO(once.output << once.errors);
  CHECK(once.status == 0);
  CHECK(once.output.starts_with("leat 0."));
  CHECK(once.output.contains("\nrequests "));
  CHECK(once.output.contains("\nroute, the slowest first"));
  // Asked between two looks: it is in one of them.
  Client client(watched.daemon().address());
  CHECK(wait_until([&] {
    for (int i = 0; i < 20; ++i) CHECK(client.ask(get("/users/1")).status == 200);
    return watched.run({"top", "--once"}).output.contains("\nGET /users/{id} ");
  }));
  for (int i = 0; i < 20; ++i) CHECK(client.ask(get("/users/1")).status == 200);
  const std::string json = watched.run({"top", "--once", "--json"}).output;
  INFO(json);
  CHECK(json.starts_with("{\"time\":\""));
  CHECK(json.contains("\"plugins\":[{\"name\":\"demo\",\"state\":\"serving\""));
}

TEST_CASE("observing: leat config tells what is in force, and no secret") {
  const TempFolder secrets;
  const std::string file = secrets.write("key", "tell nobody\n");
  ::setenv("LEAT_TEST_WORD", "nor this", 1);
  const std::string more =
      "[[plugin]]\nname = \"m\"\nfile = \"" TEST_PLUGINS "/metrics.so\"\n[plugin.config]\nkind = \"${file:" +
      file +
      "}\"\n[[middleware]]\nkind = \"request_id\"\n"
      "[[route]]\npath = \"/kept\"\nhandler = \"demo:json\"\nbody_limit = \"1KiB\"\n"
      "middleware = [{kind = \"security_headers\", frame_options = \"${LEAT_TEST_WORD}\"}]\n"
      "[route.cache]\nttl = \"60s\"\nquery = [\"a\", \"b\"]\n";
  Watched watched("name = \"${file:" + file + "}\"\ndrain_idle = \"3s\"\n", more);
  const Outcome outcome = watched.run({"config"});
  INFO(outcome.output << outcome.errors);
  CHECK(outcome.status == 0);
  CHECK(outcome.output.contains("\n[limits]\n"));
  CHECK(outcome.output.contains("\ndrain_idle = \"3s\"\n"));
  CHECK(outcome.output.contains("\nname = \"(secret)\"\n"));
  CHECK(outcome.output.contains("config = {kind = \"(secret)\"}\n"));
  CHECK(outcome.output.contains("\n[[middleware]]\nkind = \"request_id\"\n"));
  CHECK(outcome.output.contains("\nworkers = \"auto\"") == false);  // the command line says 2
  CHECK(outcome.output.contains("\nworkers = 2\n"));
  CHECK(
      outcome.output.contains("\n[[route]]\npath = \"/kept\"\nmethods = [\"GET\"]\nhandler = \"demo:json\"\n"
                              "body_limit = \"1KiB\"\nmiddleware = [{kind = \"security_headers\", "
                              "frame_options = \"(from the environment)\"}]\ncache = {"));
  CHECK(outcome.output.contains("ttl = \"1m\""));
  CHECK(outcome.output.contains("query = [\"a\", \"b\"]}\n"));
  const std::string json = watched.run({"config", "--json"}).output;
  INFO(json);
  CHECK(json.contains("\"drain_idle\":\"3s\""));
  CHECK(json.contains("\"route_options\":[{\"path\":\"/kept\","));
  CHECK(json.contains("\"query\":[\"a\", \"b\"]}"));
  CHECK(json.contains("\"config\":{\"kind\":\"(secret)\"}"));
  for (const std::string& text : {outcome.output, json}) CHECK_FALSE(text.contains("tell nobody"));

  // What is from the environment is told of settings, and not of what plugins have.
  const std::string from_environment =
      more.substr(0, more.find("${")) + "${LEAT_TEST_WORD}" + more.substr(more.find('}') + 1);
  REQUIRE(watched.reload("", from_environment).status == 0);
  const std::string after = watched.run({"config"}).output;
  INFO(after);
  CHECK_FALSE(after.contains("nor this"));
}

TEST_CASE("observing: the page of metrics names each that the daemon shows, and shows each that it names") {
  const TlsFiles files({"a.example"});
  Watched watched(
      "", tls_listener() + files.table() +
              "[[middleware]]\nkind = \"access\"\ndefault = \"allow\"\n"
              "[[middleware]]\nkind = \"rate_limit\"\n[[middleware]]\nkind = \"concurrency\"\nlimit = 100\n"
              "[[middleware]]\nkind = \"compress\"\n[[middleware]]\nkind = \"decompress\"\n"
              "[[middleware]]\nkind = \"formats\"\n"
              "[[middleware]]\nkind = \"shed\"\n[[middleware]]\nkind = \"csrf\"\n"
              "[[middleware]]\nkind = \"trace\"\nurl = \"http://127.0.0.1:9\"\n"
              "[[route]]\npath = \"/guarded\"\nhandler = \"demo:json\"\nmiddleware = [\n"
              "{kind = \"sessions\", keys = [\"0123456789012345678901234567890123456789\"]},\n"
              "{kind = \"maintenance\"}, {kind = \"forward_auth\", url = \"http://127.0.0.1:9\", cache = "
              "\"1s\"},\n"
              "{kind = \"api_key\", keys = [\"a sha256:"
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"]},\n"
              "{kind = \"basic_auth\", users = [\"a:"
              "$$2y$$10$$GZvEsCzgd0Es.yXyai5CCe4FEl.xTIn8vZ6XWHdFIRO9L6hZ6WZE.\"]},\n"
              "{kind = \"jwt\", algorithms = [\"HS256\"], secret = "
              "\"0123456789012345678901234567890123456789\"}]\n"
              "[[route]]\npath = \"/signed\"\nhandler = \"demo:json\"\n"
              "middleware = [{kind = \"jwt\", algorithms = [\"RS256\"], url = \"http://127.0.0.1:9\"}]\n"
              "[[route]]\npath = \"/stored\"\nhandler = \"demo:json\"\nconcurrency = "
              "5\n[route.cache]\nttl = \"1m\"\n");
  CHECK(watched.ask("/stored").status == 200);
  const std::string page = run_leat({"metrics", "--markdown"}).output;
  const std::string text = watched.metrics();
  size_t shown = 0, rows = 0;
  for (size_t at = text.find("# TYPE "); at != std::string::npos;
       at = text.find("# TYPE ", at + 1), ++shown) {
    const std::string line = text.substr(at + 7, text.find('\n', at) - at - 7);
    const std::string name = line.substr(0, line.find(' ')), type = line.substr(name.size() + 1);
    INFO(line);
    CHECK(page.contains("\n| `" + name + "` | " + type + " | "));
  }
  for (size_t at = page.find("\n| `"); at != std::string::npos; at = page.find("\n| `", at + 1), ++rows) {
    const std::string name = page.substr(at + 4, page.find('`', at + 4) - at - 4);
    INFO(name);
    CHECK(text.contains("# TYPE " + name + " "));
  }
  CHECK(shown == rows);
}

TEST_CASE("observing: the dashboard is for who may see it, and for nobody behind an unknown proxy") {
  const std::string dashboard = "[[route]]\npath = \"/dashboard\"\nhandler = \"leat:dashboard\"\n";
  const auto forwarded = [](const std::string& address, const char* from, const char* fields) {
    return Client(address, 0, from)
        .ask("GET /dashboard HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n")
        .status;
  };
  Watched watched("", dashboard);
  const std::string address = watched.daemon().address();
  const Response page = watched.ask("/dashboard");
  CHECK(page.status == 200);
  CHECK(page.field("content-type") == "text/html; charset=utf-8");
  const std::string policy = page.field("content-security-policy").value_or("");
  CHECK(policy.starts_with("default-src 'none'; style-src 'sha256-"));
  CHECK_FALSE(policy.contains("unsafe"));
  CHECK(forwarded(address, nullptr, "X-Forwarded-For: 127.0.0.1\r\n") == 403);
  CHECK(forwarded(address, nullptr, "Forwarded: for=127.0.0.1\r\n") == 403);

  REQUIRE(watched.reload("", dashboard + "allow = [\"127.0.0.2\"]\n").status == 0);
  CHECK(forwarded(address, nullptr, "") == 403);
  CHECK(forwarded(address, "127.0.0.2", "") == 200);
  REQUIRE(watched.reload("", dashboard + "allow = [\"all\"]\n").status == 0);
  CHECK(forwarded(address, nullptr, "X-Forwarded-For: 192.0.2.1\r\n") == 200);
  // With a proxy that is trusted it goes by the client.
  REQUIRE(watched.reload("trusted_proxies = [\"127.0.0.1\"]\n", dashboard).status == 0);
  CHECK(forwarded(address, nullptr, "X-Forwarded-For: 192.0.2.1\r\n") == 403);
  CHECK(forwarded(address, nullptr, "X-Forwarded-For: 127.0.0.5\r\n") == 200);
  const Outcome refused =
      watched.reload("", "[[route]]\npath = \"/x\"\nhandler = \"demo:json\"\nallow = [\"all\"]\n");
  CHECK(refused.status == 1);
  CHECK(refused.errors.contains("`allow` is for the handler `leat:dashboard`"));
}

TEST_CASE(
    "observing: the dashboard's events come by and by, and end with the generation and with the daemon") {
  const std::string dashboard = "[[route]]\npath = \"/dashboard\"\nhandler = \"leat:dashboard\"\n";
  Watched watched("", dashboard);
  const std::string request =
      "GET /dashboard HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n";
  Client client(watched.daemon().address());
  client.send(request);
  std::string events;
  const auto has_seen = [&](Client& from, std::string_view text) {
    return wait_until([&] {
      events += from.read_some(100);
      return events.contains(text);
    });
  };
  REQUIRE(has_seen(client, "data: {\"time\":\""));
  CHECK(events.contains("content-type: text/event-stream\r\n") !=
        events.contains("Content-Type: text/event-stream\r\n"));
  REQUIRE(watched.reload("", dashboard).status == 0);
  (void)client.read_to_end();
  Client next(watched.daemon().address());
  events.clear();
  next.send(request);
  REQUIRE(has_seen(next, "\"generation\":2,"));
  watched.daemon().signal(SIGTERM);
  (void)next.read_to_end();
  CHECK(watched.daemon().wait() == 0);
  CHECK_FALSE(watched.daemon().log().contains("at the drain deadline"));
}

}  // namespace leat::e2e
