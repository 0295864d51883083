// Every setting says whether a reload or a restart takes it up (`leat settings`), and does as it says: each one that a
// reload takes up is changed by one, and seen in force from outside.
//
// A case for each row is in the table below. A setting that is new needs one, or, where nobody can see it from outside,
// an entry in kUnseen with the reason.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"
#include "e2e/http2_client.h"
#include "e2e/reloaded.h"

namespace leat::e2e {
namespace {

// What is looked at elsewhere, since it changes nothing that can be seen from outside for certain.
constexpr const char* kOfSockets =
    "of sockets that are opened from then on, all at once: test/e2e/websocket_test.py";
const std::map<std::string, std::string> kUnseen = {
    {"limits.pipeline_turn", "others have their turn sooner: test/server/take_up_test.cc"},
    {"limits.output_high", "when a handler pauses: test/server/take_up_test.cc"},
    {"limits.output_low", "when it goes on: test/server/take_up_test.cc"},
    {"limits.doze_after",
     "which operation an idle connection has in the kernel: test/server/take_up_test.cc"},
    {"limits.known_heads", "how a head is parsed: test/server/take_up_test.cc"},
    {"limits.handshake_timeout",
     "how late what comes before a first request may be: test/worker/transport_test.cc"},
    {"limits.http2_most_window", "how much a handler that reads is sent: test/http2/streams_test.cc"},
    {"limits.http2_window_timeout", "how late a window may be: test/http2/attacks_test.cc"},
    {"limits.http2_continuations", "how many frames a head may be in: test/http2/attacks_test.cc"},
    {"limits.http2_resets", "how much of that is too much: test/http2/attacks_test.cc"},
    {"limits.http2_control_frames", "how much of that is too much: test/http2/attacks_test.cc"},
    {"limits.http2_control_rate", "how much of that is too much: test/http2/attacks_test.cc"},
    {"json.backend", "all write the same bytes"},
    {"server.tls_min_version", "of listeners that speak TLS: test/e2e/tls_test.cc"},
    {"server.tls_ciphers", "likewise"},
    {"server.tls_groups", "likewise"},
    {"server.tls_unknown_name", "likewise"},
    {"server.tls_ticket_lifetime", "likewise"},
    {"server.tls_ticket_key_files", "likewise"},
    {"server.tls_warning", "likewise"},
    {"limits.handshakes", "likewise"},
    {"limits.tls_memory", "how much a crowd may have: test/transport/tls_memory_test.cc"},
    {"limits.handshakes_turn", "how many of a crowd are met in a turn: test/transport/tls_test.cc"},
    {"websocket.message_size", kOfSockets},
    {"websocket.frame_size", kOfSockets},
    {"websocket.message_rate", kOfSockets},
    {"websocket.queue_size", kOfSockets},
    {"websocket.broadcast_size", kOfSockets},
    {"websocket.ping_interval", kOfSockets},
    {"websocket.ping_timeout", kOfSockets},
    {"websocket.idle_timeout", kOfSockets},
    {"websocket.close_timeout", kOfSockets},
    {"websocket.drain_spread", kOfSockets},
    {"websocket.compress", kOfSockets},
    {"websocket.compress_from", kOfSockets},
};

struct Said {
  std::set<std::string> reload, restart;
};

// By name, as `leat settings` says it: "server.name = ...", and behind it "a change is taken up by a reload".
Said said_of_settings() {
  Said said;
  std::string name;
  std::istringstream lines(run_leat({"settings"}).output);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(' ')) name = line.substr(0, line.find(' '));
    if (line.ends_with("a change is taken up by a reload")) said.reload.insert(name);
    if (line.ends_with("a change is taken up by a restart")) said.restart.insert(name);
  }
  return said;
}

std::string plugin(std::string_view name, std::string_view file) {
  return "[[plugin]]\nname = \"" + std::string(name) + "\"\nfile = \"" TEST_PLUGINS "/" + std::string(file) +
         ".so\"\n";
}
std::string route(std::string_view path, std::string_view handler, std::string_view more = "") {
  return "[[route]]\npath = \"" + std::string(path) + "\"\nhandler = \"" + std::string(handler) + "\"\n" +
         std::string(more);
}

std::string blocking() {
  return plugin("b", "blocking") + route("/open", "b:open") + route("/counts", "b:counts") +
         route("/wait", "b:wait", "executor = \"pool\"\n") +
         route("/pieces", "b:pieces", "executor = \"pool\"\n");
}
std::string cached() { return plugin("c", "cached") + route("/large", "c:large"); }
std::string crashing() { return plugin("x", "crash") + route("/segv", "x:segv"); }

// A route that asks for a parameter of a form, whatever its handler makes of that.
std::string with_form() {
  return "[[route]]\npath = \"/form\"\nmethods = [\"POST\"]\nhandler = \"demo:json\"\n"
         "[[route.parameter]]\nname = \"a\"\nin = \"multipart\"\nlist = true\n";
}
std::string form(const std::vector<std::string>& values) {
  std::string body;
  for (const std::string& value : values)
    body += "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + value + "\r\n";
  return with_body("POST", "/form", body + "--x--\r\n", "Content-Type: multipart/form-data; boundary=x\r\n");
}

// A daemon for one case: with the setting's default at first, then with what the case says.
class Trial {
 public:
  // `tables` are beside the demo's routes.
  explicit Trial(const std::string& tables = "", std::vector<std::string> arguments = {"--workers", "1"})
      : wanted_({.more = tables}), site_(wanted_, std::move(arguments)) {}

  // `setting` is "limits.body", `value` as it stands in the file. All that was set before stays.
  Outcome set(const std::string& setting, const std::string& value) {
    const size_t dot = setting.find('.');
    const std::string group = setting.substr(0, dot), line = setting.substr(dot + 1) + " = " + value + "\n";
    if (group == "server") {
      wanted_.server += line;
    } else if (group == "limits") {
      wanted_.limits += line;
    } else {
      groups_[group] += line;
    }
    return reload();
  }
  void unset(const std::string& group) { groups_.erase(group); }
  void takes_up(const std::string& setting, const std::string& value) {
    const Outcome outcome = set(setting, value);
    INFO(outcome.output << outcome.errors);
    REQUIRE(outcome.status == 0);
    CHECK_FALSE(outcome.output.contains("`" + setting + "` has changed"));
  }
  Outcome reload() {
    Wanted all = wanted_;
    for (const auto& [group, lines] : groups_) all.more = "[" + group + "]\n" + lines + all.more;
    return site_.change(all);
  }
  [[nodiscard]] Wanted& wanted() { return wanted_; }
  [[nodiscard]] Reloaded& site() { return site_; }
  [[nodiscard]] Daemon& daemon() { return site_.daemon(); }
  [[nodiscard]] const std::string& address() { return site_.daemon().address(); }
  [[nodiscard]] Response ask(std::string_view request) { return Client(address()).ask(request); }
  [[nodiscard]] int status(std::string_view request) { return ask(request).status; }
  [[nodiscard]] int64_t metric(std::string_view name) {
    return number_after(site_.metrics(), "\n" + std::string(name) + " ");
  }

 private:
  Wanted wanted_;
  std::map<std::string, std::string> groups_;
  Reloaded site_;
};

std::string with_fields(std::string_view fields) {
  return "GET /json HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

// The listening sockets of the process that serves, as this process's own.
std::vector<int> listening_sockets(const Daemon& daemon) {
  std::vector<int> found;
  const int pid = daemon.serving_pid();
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  REQUIRE(process >= 0);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    const int number = std::atoi(entry.path().filename().c_str());
    const int fd = static_cast<int>(::syscall(SYS_pidfd_getfd, process, number, 0));
    int accepts = 0, domain = 0;
    socklen_t size = sizeof accepts;
    ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size);
    size = sizeof domain;
    ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    if (accepts != 0 && domain == AF_INET) {
      found.push_back(fd);
    } else if (fd >= 0) {
      ::close(fd);
    }
  }
  ::close(process);
  return found;
}

size_t times(const std::string& text, std::string_view word) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++count;
  return count;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void pause(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

void crash(Trial& trial) {
  const int former = trial.daemon().serving_pid();
  Client client(trial.address());
  client.send(get("/segv"));
  (void)client.read_to_end();
  REQUIRE(wait_until([&] {
    const int serving = trial.daemon().serving_pid();
    return serving != 0 && serving != former;
  }));
  // It has served: what comes now is a crash of what serves.
  REQUIRE(
      wait_until([&] { return run_leat({"plugin", "list", "--socket", trial.site().admin()}).status == 0; }));
}

using Case = std::function<void()>;

// A case of the kind: a request is answered in one way before, and in the other way after.
Case answers(const std::string& setting, const std::string& value, const std::string& request, int before,
             int after) {
  return [=] {
    Trial trial;
    CHECK(trial.status(request) == before);
    trial.takes_up(setting, value);
    CHECK(trial.status(request) == after);
  };
}

// Of the kind: a client that does not go on is left alone for a while before, and told off after.
Case tells_off(const std::string& setting, const std::string& value, const std::string& begun, int status) {
  return [=] {
    Trial trial;
    Client before(trial.address());
    before.send(begun);
    CHECK(before.read_some(250).empty());
    trial.takes_up(setting, value);
    Client after(trial.address());
    after.send(begun);
    CHECK(after.read_response().status == status);
  };
}

// Of the kind: what a connection of HTTP/2 is told when it begins.
Case tells_http2(const std::string& setting, const std::string& value, nghttp2_settings_id id,
                 uint32_t before, uint32_t after) {
  return [=] {
    Trial trial;
    Http2Client first(trial.address());
    CHECK(first.ask("GET", "/json").whole);
    CHECK(first.told(id) == before);
    trial.takes_up(setting, value);
    Http2Client next(trial.address());
    CHECK(next.ask("GET", "/json").whole);
    CHECK(next.told(id) == after);
    CHECK(first.ask("GET", "/json").whole);
  };
}

constexpr const char* kLogsClients = "[[middleware]]\nkind = \"access_log\"\nformat = \"for {client}\"\n";
// A request that somebody else is said to be behind.
std::string asked_for(std::string_view field) {
  return "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + std::string(field) + "\r\n\r\n";
}

const std::map<std::string, Case> kCases = {
    {"limits.http2_streams",
     tells_http2("limits.http2_streams", "7", NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 128, 7)},
    {"limits.http2_window",
     tells_http2("limits.http2_window", "\"100KiB\"", NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65'536, 102'400)},
    {"limits.http2_header_table",
     tells_http2("limits.http2_header_table", "\"1KiB\"", NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 4096, 1024)},
    {"limits.http2_websockets",
     tells_http2("limits.http2_websockets", "false", NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1, 0)},
    {"limits.http1_early_hints",
     [] {
       Trial trial(plugin("r", "responses") + route("/hinted", "r:hinted"));
       const std::string ask = get("/hinted?times=1&wrong=false");
       CHECK(trial.ask(ask).interim.empty());
       trial.takes_up("limits.http1_early_hints", "true");
       CHECK(trial.ask(ask).interim == std::vector<int>{103});
     }},
    {"limits.http2_waiting",
     [] {
       Trial trial;
       Http2Client first(trial.address());
       CHECK(first.ask("GET", "/json").whole);
       CHECK(first.window() == 4 << 20);
       trial.takes_up("limits.http2_waiting", "\"1MiB\"");
       Http2Client next(trial.address());
       CHECK(next.ask("GET", "/json").whole);
       CHECK(next.window() == 1 << 20);
     }},
    {"server.listen",
     [] {
       Trial trial;
       trial.wanted().listen.push_back("unix:" + trial.site().path("other"));
       REQUIRE(trial.reload().status == 0);
       CHECK(Client("unix:" + trial.site().path("other")).ask(get("/json")).status == 200);
     }},
    {"server.name",
     [] {
       Trial trial;
       CHECK(trial.ask(get("/json")).field("server") == "leat");
       trial.takes_up("server.name", "\"another\"");
       CHECK(trial.ask(get("/json")).field("server") == "another");
       trial.takes_up("limits.body", "\"1MiB\"");
       CHECK(trial.ask(get("/json")).field("date")->size() == 29);
     }},
    {"server.plugin_path",
     [] {
       Trial trial;
       trial.wanted().more +=
           "[[plugin]]\nname = \"found\"\nfile = \"generation_2.so\"\n" + route("/found", "found:version");
       CHECK(trial.reload().status == 1);
       trial.takes_up("server.plugin_path", "[\"" TEST_PLUGINS "\"]");
       CHECK(trial.ask(get("/found")).body == "2");
     }},
    {"server.drain_timeout",
     [] {
       Trial trial;
       trial.takes_up("server.drain_timeout", "\"200ms\"");
       Client slow(trial.address());
       slow.send(get("/sleep/60000"));
       CHECK(trial.status(get("/json")) == 200);
       trial.daemon().signal(SIGTERM);
       (void)slow.read_to_end();
       CHECK(trial.daemon().wait() == 0);
       CHECK(trial.daemon().log().contains("at the drain deadline"));
     }},
    {"server.drain_idle",
     [] {
       Trial trial;
       trial.takes_up("server.drain_idle", "\"1h\"");
       trial.takes_up("server.drain_timeout", "\"10s\"");
       Client idle(trial.address());
       CHECK(idle.ask(get("/json")).status == 200);
       trial.daemon().signal(SIGTERM);
       REQUIRE(trial.daemon().logs("draining: "));
       pause(2500);  // the default is 2 s
       CHECK(idle.ask(get("/json")).field("connection") == "close");
     }},
    {"server.drain_delay",
     [] {
       Trial trial;
       trial.takes_up("server.drain_delay", "\"1h\"");
       trial.daemon().signal(SIGTERM);
       REQUIRE(trial.daemon().logs("not ready any more"));
       CHECK(trial.status(get("/json")) == 200);
       trial.daemon().signal(SIGTERM);
       CHECK(trial.daemon().wait() == 0);
     }},
    {"server.handover_timeout",
     [] {
       Trial trial(plugin("g", "generation_1") + route("/count", "g:count"));
       trial.takes_up("server.handover_timeout", "\"100ms\"");
       std::string& more = trial.wanted().more;
       more.replace(more.find("generation_1"), 12, "generation_SLOW_IMPORT");
       const Outcome outcome = trial.reload();
       CHECK(outcome.status == 1);
       CHECK(outcome.errors.contains("took longer than server.handover_timeout, 100 ms"));
     }},
    {"server.crash_limit",
     [] {
       Trial trial(crashing());
       trial.takes_up("server.crash_limit", "1");
       crash(trial);
       CHECK(trial.daemon().logs("plugin x has crashed 1 time: it is quarantined"));
     }},
    {"server.crash_window",
     [] {
       Trial trial(crashing());
       trial.takes_up("server.crash_limit", "2");
       trial.takes_up("server.crash_window", "\"1s\"");
       crash(trial);
       pause(1100);
       crash(trial);
       CHECK(trial.status(get("/json")) == 200);
       CHECK_FALSE(trial.daemon().log().contains("quarantined"));
       crash(trial);
       CHECK(trial.daemon().logs("plugin x has crashed 2 times: it is quarantined"));
     }},
    {"server.restart_delay",
     [] {
       Trial trial;
       trial.takes_up("server.restart_delay", "\"7ms\"");
       for (int i = 0; i < 4; ++i) {
         const int former = trial.daemon().serving_pid();
         REQUIRE(::kill(former, SIGKILL) == 0);
         REQUIRE(wait_until([&] {
           const int serving = trial.daemon().serving_pid();
           return serving != 0 && serving != former;
         }));
         REQUIRE(wait_until(
             [&] { return run_leat({"plugin", "list", "--socket", trial.site().admin()}).status == 0; }));
       }
       CHECK(trial.daemon().logs("the next process starts in 7 ms"));
     }},
    {"server.load_timeout",
     [] {
       Trial trial;
       trial.takes_up("server.load_timeout", "\"300ms\"");
       trial.wanted().more +=
           plugin("bends", "bends") + "[plugin.config]\nat = \"create\"\ndoes = \"hang\"\n";
       CHECK(trial.reload().errors.contains(
           "did not start serving within server.load_timeout in plugin bends"));
     }},
    {"server.backlog",
     [] {
       Trial trial;
       trial.takes_up("server.backlog", "13");
       for (const int fd : listening_sockets(trial.daemon())) {
         tcp_info info{};
         socklen_t size = sizeof info;
         REQUIRE(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
         CHECK(info.tcpi_sacked == 13);  // of one that listens, the most that may wait
         ::close(fd);
       }
       CHECK(trial.status(get("/json")) == 200);
     }},
    {"server.defer_accept",
     [] {
       Trial trial;
       const auto deferred = [&] {
         std::vector<bool> all;
         for (const int fd : listening_sockets(trial.daemon())) {
           int seconds = 0;
           socklen_t size = sizeof seconds;
           REQUIRE(::getsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, &size) == 0);
           all.push_back(seconds != 0);
           ::close(fd);
         }
         return all;
       };
       CHECK(deferred() == std::vector{false});
       trial.takes_up("server.defer_accept", "true");
       CHECK(deferred() == std::vector{true});
       CHECK(trial.status(get("/json")) == 200);
     }},
    {"server.share_port",
     [] {
       Daemon other(demo_configuration({.server = "share_port = true\n"}), {.arguments = {"--workers", "2"}});
       Trial trial("", {"--workers", "2"});
       trial.wanted().listen.push_back(other.address());
       CHECK(trial.reload().errors.contains("cannot listen on " + other.address()));
       trial.takes_up("server.share_port", "true");
       CHECK(trial.daemon().logs("listening on " + other.address()));
     }},
    {"server.unix_mode",
     [] {
       Trial trial;
       const std::string file = trial.site().path("http");
       trial.wanted().listen.push_back("unix:" + file);
       REQUIRE(trial.reload().status == 0);
       trial.takes_up("server.unix_mode", "0o606");
       struct stat status{};
       REQUIRE(::stat(file.c_str(), &status) == 0);
       CHECK((status.st_mode & 0777) == 0606);
     }},
    {"limits.connections",
     [] {
       Trial trial;
       trial.takes_up("limits.connections", "2");
       std::vector<Client> clients;
       for (int i = 0; i < 3; ++i)
         CHECK(clients.emplace_back(trial.address()).ask(get("/json")).status == 200);
       CHECK(clients.front().hung_up());
     }},
    {"limits.connections_per_address",
     [] {
       Trial trial;
       Client busy(trial.address());
       trial.takes_up("limits.connections_per_address", "1");
       busy.send(get("/sleep/1500"));
       CHECK(trial.metric("leat_connections_opened_total{listener=\"" + trial.address() + "\"}") == 1);
       CHECK(trial.status(get("/json")) == 503);
       CHECK(busy.read_response().status == 200);
     }},
    {"limits.memory", answers("limits.memory", "\"1MiB\"",
                              with_body("POST", "/notes", std::string(2'000'000, 'x')), 400, 503)},
    {"limits.request_memory",
     [] {
       Trial trial(misuse_tables({"hoards"}));
       trial.takes_up("limits.request_memory", "\"64KiB\"");
       CHECK(trial.status(get("/hoards")) == 503);
       CHECK(trial.metric("leat_arena_largest_bytes") < 256 * 1024);
     }},
    {"limits.request_line",
     answers("limits.request_line", "64", get("/json?" + std::string(100, 'x')), 200, 414)},
    {"limits.headers",
     answers("limits.headers", "256", with_fields("X: " + std::string(400, 'x') + "\r\n"), 200, 431)},
    {"limits.header_count", answers("limits.header_count", "2", with_fields("A: 1\r\nB: 2\r\n"), 200, 431)},
    {"limits.body", answers("limits.body", "10", with_body("POST", "/echo", std::string(20, 'x')), 200, 413)},
    {"limits.requests_per_connection",
     [] {
       Trial trial;
       Client there(trial.address());
       CHECK(there.ask(get("/json")).field("connection") != "close");
       trial.takes_up("limits.requests_per_connection", "2");
       CHECK(there.ask(get("/json")).field("connection") == "close");
     }},
    {"limits.head_timeout", tells_off("limits.head_timeout", "\"100ms\"", "GET /json HT", 408)},
    {"limits.body_timeout", tells_off("limits.body_timeout", "\"100ms\"",
                                      "POST /notes HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx", 408)},
    {"limits.body_rate",
     [] {
       Trial trial;
       const auto send_slowly = [&] {
         Client client(trial.address());
         client.send("POST /notes HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
         // Of that time's end, some pieces are still to come.
         for (int i = 0; i < 10; ++i) {
           client.try_send(std::string(100, 'x'));
           pause(100);
         }
         return client.read_response().status;
       };
       trial.takes_up("limits.body_timeout", "\"300ms\"");
       CHECK(send_slowly() != 408);
       trial.takes_up("limits.body_rate", "\"1MiB\"");
       CHECK(send_slowly() == 408);
     }},
    {"limits.answer_timeout", answers("limits.answer_timeout", "\"100ms\"", get("/sleep/400"), 200, 504)},
    {"limits.idle_timeout",
     [] {
       Trial trial;
       Client there(trial.address());
       CHECK(there.ask(get("/json")).status == 200);
       CHECK(there.read_some(250).empty());
       trial.takes_up("limits.idle_timeout", "\"100ms\"");
       CHECK(there.ask(get("/json")).status == 200);
       CHECK(there.hung_up());
     }},
    {"limits.send_timeout",
     [] {
       Trial trial;
       trial.takes_up("limits.send_timeout", "\"200ms\"");
       Client deaf(trial.address(), 4096);
       deaf.send(get("/bytes/10000000"));
       CHECK(wait_until([&] {
         return trial.metric("leat_connections_closed_total{listener=\"" + trial.address() + "\"}") == 1;
       }));
     }},
    {"limits.half_closed_timeout",
     [] {
       Trial trial;
       Client before(trial.address());
       before.send(get("/sleep/600"));
       before.half_close();
       CHECK(before.read_to_end().empty());
       trial.takes_up("limits.half_closed_timeout", "\"10s\"");
       Client after(trial.address());
       after.send(get("/sleep/600"));
       after.half_close();
       CHECK(after.read_response().status == 200);
     }},
    {"limits.linger_timeout",
     [] {
       Trial trial;
       const auto lingers = [&] {
         Client client(trial.address());
         client.send("NONSENSE\r\n\r\n");
         (void)client.read_to_end();
         bool taken = true;
         for (int i = 0; i < 10 && taken; ++i) {
           taken = client.try_send("more");
           pause(20);
         }
         return taken;
       };
       CHECK(lingers());
       trial.takes_up("limits.linger_timeout", "0");
       CHECK_FALSE(lingers());
     }},
    {"pool.queue",
     [] {
       Trial trial("[pool]\nthreads = 1\n" + blocking());
       const auto queued = [&](int64_t jobs) {
         return wait_until([&] { return trial.metric("leat_pool_queued") == jobs; });
       };
       std::vector<Client> waiting = send_all(trial.address(), 3, get("/wait"));
       CHECK(queued(2));
       trial.wanted().more.replace(trial.wanted().more.find("threads = 1\n"), 12, "threads = 1\nqueue = 2\n");
       REQUIRE(trial.reload().status == 0);
       CHECK(trial.status(get("/wait")) == 503);
       CHECK(trial.status(get("/open")) == 204);
       for (Client& each : waiting) CHECK(each.read_response().status == 200);
     }},
    {"pool.client_wait",
     [] {
       Trial trial(blocking());
       trial.takes_up("pool.client_wait", "\"200ms\"");
       Client deaf(trial.address(), 4096);
       deaf.send(get("/pieces?pieces=10000&size=10000&length=true&cut=false"));
       CHECK(deaf.read_up_to(1000).starts_with("HTTP/1.1 200"));
       CHECK(wait_until(
           [&] { return number_after(trial.ask(get("/counts")).body, "\"failed_writes\":") == 1; }));
     }},
    {"metrics.series",
     [] {
       Trial trial;
       trial.wanted().more += plugin("m", "metrics") + route("/m/{n}", "m:count");
       const Outcome refused = trial.set("metrics.series", "1");
       INFO(refused.output << refused.errors);
       CHECK(refused.status == 1);
       CHECK(refused.errors.contains("metrics.series"));
       // And what it would have brought is not in force.
       trial.unset("metrics");
       CHECK(trial.reload().status == 0);
     }},
    {"cache.size",
     [] {
       Trial trial(cached());
       CHECK(trial.ask(get("/large?size=100000")).body == "stored");
       trial.takes_up("cache.size", "0");
       CHECK(trial.ask(get("/large?size=100000")).body == "refused");
       CHECK(trial.metric("leat_cache_entries") == 0);
     }},
    {"cache.entry_size",
     [] {
       Trial trial(cached());
       CHECK(trial.ask(get("/large?size=3000000")).body == "refused");
       trial.takes_up("cache.entry_size", "\"4MiB\"");
       CHECK(trial.ask(get("/large?size=3000000")).body == "stored");
     }},
    {"cache.refreshes",
     [] {
       Trial trial(
           plugin("g", "generation_1") +
           route("/count", "g:count", "[route.cache]\nttl = \"50ms\"\nstale_while_revalidate = \"1h\"\n"));
       CHECK(trial.ask(get("/count")).body == "{\"count\":1}");
       trial.takes_up("cache.refreshes", "0");
       pause(100);
       // What is stale is not sent, since nobody would renew it.
       CHECK(trial.ask(get("/count")).body == "{\"count\":2}");
     }},
    {"server.trusted_proxies",
     [] {
       Trial trial(kLogsClients);
       CHECK(trial.status(asked_for("X-Forwarded-For: 192.0.2.7")) == 200);
       trial.takes_up("server.trusted_proxies", "\"127.0.0.0/8\"");
       CHECK(trial.status(asked_for("X-Forwarded-For: 192.0.2.7")) == 200);
       CHECK(trial.daemon().logs("for 192.0.2.7"));
       CHECK(times(trial.daemon().log(), "for 192.0.2.7") == 1);
     }},
    {"server.trailing_slash",
     [] {
       Trial trial;
       CHECK(trial.status(get("/json/")) == 404);
       trial.takes_up("server.trailing_slash", "\"redirect\"");
       CHECK(trial.status(get("/json/")) == 308);
     }},
    {"server.proxy_fields",
     [] {
       Trial trial(kLogsClients);
       trial.takes_up("server.trusted_proxies", "\"127.0.0.0/8\"");
       trial.takes_up("server.proxy_fields", "\"forwarded\"");
       CHECK(trial.status(asked_for("Forwarded: for=192.0.2.8")) == 200);
       CHECK(trial.daemon().logs("for 192.0.2.8"));
     }},
    {"limits.proxies",
     [] {
       Trial trial(kLogsClients);
       trial.takes_up("server.trusted_proxies", "\"127.0.0.0/8\"");
       trial.takes_up("limits.proxies", "1");
       CHECK(trial.status(asked_for("X-Forwarded-For: 192.0.2.9, 127.0.0.2, 127.0.0.3")) == 200);
       CHECK(trial.daemon().logs("longer than limits.proxies"));
     }},
    {"log.level",
     [] {
       Trial trial;
       trial.takes_up("log.level", "\"error\"");
       trial.takes_up("limits.body", "\"1MiB\"");
       trial.takes_up("log.file", "\"\"");
       CHECK_FALSE(trial.daemon().log().contains("generation 3 serves"));
     }},
    {"limits.form_field",
     [] {
       Trial trial(with_form());
       CHECK(trial.status(form({std::string(2000, 'x')})) != 400);
       trial.takes_up("limits.form_field", "\"1KiB\"");
       CHECK(trial.status(form({std::string(2000, 'x')})) == 400);
     }},
    {"limits.form_parts",
     [] {
       Trial trial(with_form());
       CHECK(trial.status(form({"1", "2", "3"})) != 400);
       trial.takes_up("limits.form_parts", "2");
       CHECK(trial.status(form({"1", "2", "3"})) == 400);
     }},
    {"log.format",
     [] {
       Trial trial;
       CHECK_FALSE(trial.daemon().log().contains("\"message\":"));
       trial.takes_up("log.format", "\"json\"");
       CHECK(trial.daemon().logs("\"message\":\"generation 2 serves\""));
     }},
    {"log.file",
     [] {
       Trial trial;
       const std::string file = trial.site().path("leat.log");
       trial.takes_up("log.file", "\"" + file + "\"");
       CHECK(wait_until([&] { return read_file(file).contains("generation 2 serves"); }));
       CHECK_FALSE(trial.daemon().log().contains("generation 2 serves"));
       // One that cannot be opened fails the reload, which is told where the log still goes.
       Trial other;
       const Outcome refused = other.set("log.file", "\"" + file + "/x\"");
       CHECK(refused.status == 1);
       CHECK(refused.errors.contains("the log file `" + file + "/x`"));
       CHECK(other.daemon().logs("the reload failed, generation 1 goes on"));
     }},
    {"log.line",
     [] {
       Trial trial(misuse_tables({"throws"}));
       trial.takes_up("log.line", "256");
       // It names the route and what was wrong with it, at length.
       trial.wanted().more += route("/" + std::string(600, 'p'), "misuse:throws");
       REQUIRE(trial.reload().status == 0);
       CHECK(trial.status(get("/" + std::string(600, 'p'))) == 500);
       REQUIRE(trial.daemon().logs("route GET /pppp"));
       CHECK_FALSE(trial.daemon().log().contains(std::string(300, 'p')));
     }},
    {"log.cause_lines",
     [] {
       Trial trial(misuse_tables({"throws"}));
       trial.takes_up("log.cause_lines", "2");
       for (int i = 0; i < 6; ++i) CHECK(trial.status(get("/throws")) == 500);
       REQUIRE(trial.daemon().logs("a broken promise"));
       trial.takes_up("limits.body", "\"1MiB\"");
       CHECK(times(trial.daemon().log(), "a broken promise") == 2);
     }},
    {"log.plugin_lines",
     [] {
       Trial trial(misuse_tables({"forges_a_log_line"}));
       trial.takes_up("log.plugin_lines", "2");
       for (int i = 0; i < 6; ++i) CHECK(trial.status(get("/forges_a_log_line")) == 200);
       REQUIRE(trial.daemon().logs("line one"));
       trial.takes_up("limits.body", "\"1MiB\"");
       CHECK(times(trial.daemon().log(), "line one") == 2);
     }},
    {"log.cause_period",
     [] {
       Trial trial(misuse_tables({"throws"}));
       trial.takes_up("log.cause_lines", "1");
       trial.takes_up("log.cause_period", "\"100ms\"");
       for (int i = 0; i < 20; ++i) CHECK(trial.status(get("/throws")) == 500);
       CHECK(trial.daemon().logs("like this were left out"));
     }},
};

// Another value of each setting that needs a restart, and what would show that it had been taken up all the same.
const std::map<std::string, std::string> kForRestart = {
    {"server.workers", "3"},
    {"server.pin_workers", "false"},
    {"server.engine", "\"epoll\""},
    {"server.stall_warning", "\"7s\""},
    {"server.supervise", "false"},
    {"server.admin_socket", "\"elsewhere\""},
    {"limits.requests_in_flight", "7"},
    {"limits.receive_buffers", "7"},
    {"limits.receive_buffer_size", "\"4KiB\""},
    {"pool.threads", "3"},
    {"metrics.routes", "7"},
    {"log.queue", "99"},
};

}  // namespace

TEST_CASE("reload: each setting that a reload is said to take up is in force after one") {
  const Said said = said_of_settings();
  std::set<std::string> known;
  for (const auto& [name, run] : kCases) known.insert(name);
  for (const auto& [name, why] : kUnseen) known.insert(name);
  CHECK(said.reload == known);
  for (const auto& [name, run] : kCases) DYNAMIC_SECTION(name) {
      run();
    }
}

TEST_CASE(
    "reload: each setting that needs a restart is named, by the command and in the log, and stays what it "
    "was") {
  const Said said = said_of_settings();
  std::set<std::string> known;
  for (const auto& [name, value] : kForRestart) known.insert(name);
  CHECK(said.restart == known);
  Wanted wanted;
  wanted.server = "workers = 2\n";
  Reloaded site(wanted, {});
  std::map<std::string, std::string> groups;
  for (const auto& [name, value] : kForRestart)
    if (name != "server.admin_socket")
      groups[name.substr(0, name.find('.'))] += name.substr(name.find('.') + 1) + " = " + value + "\n";
  wanted.server = groups["server"];
  wanted.limits = groups["limits"];
  wanted.more = "[pool]\n" + groups["pool"] + "[metrics]\n" + groups["metrics"] + "[log]\n" + groups["log"];
  for (int i = 0; i < 2; ++i) {  // as long as it is so
    const Outcome outcome = site.change(wanted);
    INFO(outcome.output << outcome.errors);
    CHECK(outcome.status == 0);
    for (const auto& [name, value] : kForRestart)
      if (name != "server.admin_socket") {
        INFO(name);
        CHECK(outcome.output.contains("`" + name + "` has changed: it takes effect at the next start"));
        CHECK(site.daemon().logs("`" + name + "` has changed: it takes effect at the next start"));
      }
  }
  CHECK(site.metrics().contains("leat_workers 2\n"));
  // The socket that it was asked by is the one that stays, too.
  std::string text = site.text({.server = "workers = 2\n"});
  const std::string admin = "\"" + site.admin() + "\"";
  text.replace(text.find(admin), admin.size(), "\"elsewhere\"");
  site.write(text);
  CHECK(site.reload().output.contains("`server.admin_socket` has changed"));
  CHECK(site.reload().status == 0);
  // What a crash is followed by is no start either.
  const int former = site.daemon().serving_pid();
  REQUIRE(::kill(former, SIGKILL) == 0);
  REQUIRE(wait_until([&] {
    const int serving = site.daemon().serving_pid();
    return serving != 0 && serving != former && site.metrics().contains("leat_workers 2\n");
  }));
}

}  // namespace leat::e2e
