// testhost.hpp: a plugin under test in the test's own process. C++20; needs the library leat-testhost and
// nothing else, in particular no test framework.
//
//   leat::testing::Host host("build/notes.so", {.file = "notes.toml"});
//   const auto reply = host.request("POST", "/notes").header("Content-Type", "text/plain").body("x").send();
//   assert(reply.status == 201 && reply.header("Location") == "/notes/1");
//   host.close();
//   assert(host.problems().empty());
//
// It is the daemon with its sockets taken away: the same loader, the same extensions behind the same tables,
// the same HTTP, routes and middleware, and the same configuration. What is different is what a test wants to
// hold in its hand: time is a number that the test moves on, the client is an object, and memory runs out
// when the test says so.
//
//  - Thread. A host and all that is made by it belong to the thread that made the host, which is also the
//    plugin's worker: callbacks run inside of the calls below. Work on the pool and a plugin's own threads
//    are real threads, and what they complete goes on at the next of these calls.
//  - Time. The clock of timers, deadlines and limits stands still but for advance(), send() and wait(). These
//    two move it on only when nothing else can happen. Deadlines of the pool are the real clock's.
//  - Errors. What the plugin does wrong is an answer or one of problems(). What the test does wrong throws an
//    Error, in particular a plugin or a configuration that cannot be loaded, with all that is wrong with it.
#ifndef LEAT_TESTHOST_HPP
#define LEAT_TESTHOST_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct leat_plugin_entry;

namespace leat::testing {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A route of a plugin's handler, as [[route]] says it.
struct Route {
  std::string methods;  // "GET", or "GET, POST"
  std::string path;     // "/notes/{id}"
  std::string handler;  // as the plugin names it
};

struct Reply {
  int status = 0;                                            // 0: the connection ended without one
  std::vector<std::pair<std::string, std::string>> headers;  // as received, trailers last
  std::string body;                                          // without its framing
  std::vector<std::string> early_hints;  // what came before it (103): values of Link fields
  bool cut = false;                      // it ended half-way, and the client can tell
  // What is in the client's session now, where the answer says that; none where it leaves it as it was. Empty: it is over,
  // or there is nothing in it.
  std::optional<std::map<std::string, std::string>> session = {};
  bool session_renewed = false;  // it is another one than the request's

  // The first of that name, any case; empty where there is none.
  [[nodiscard]] std::string header(std::string_view name) const;
  [[nodiscard]] bool has_header(std::string_view name) const;
};

// What a plugin asks of another server.
struct Asked {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;  // without those that are the client's own
  std::string body;
};

// What that server answers, or that it does not.
struct Answered {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::chrono::milliseconds after{0};  // on the clock of the host; beyond the plugin's patience: a timeout
  std::string failure = {};            // instead of an answer, why there is none: "Connection refused"
};

// A server as the test plays it. Called within the plugin's call of fetch(), or when a request comes to what
// is behind its middleware.
using Upstream = std::function<Answered(const Asked&)>;

// A kind of middleware of the plugin, as [[middleware]] says it.
struct Middleware {
  std::string kind;          // as the plugin names it
  std::string options = {};  // lines of its table: "keys = [\"alice=sesame\"]"
};

// What the plugin is configured with: a whole configuration, from a file or as text, or options, routes and
// middleware, and what is put before them.
struct Setup {
  std::string file = {};                    // as `leat run -c` takes it; its [server] does not matter
  std::string text = {};                    // the same as text
  std::string options = {};                 // lines of [plugin.config]
  std::vector<Route> routes = {};           // none in all: each handler has the route "/" and its name
  std::vector<Middleware> middleware = {};  // in front of all routes, in the order that their phases give
  bool sessions = false;                    // puts a `sessions` in front of all routes
  // What stands behind the middleware of a plugin without handlers, whatever is asked for. Without it each
  // request is answered with its own body, in the pieces in which that comes, and its own Content-Type.
  Upstream behind = {};
  // For how long, on the real clock, other threads are waited for before time moves on without them.
  std::chrono::milliseconds patience{10'000};
};

class Host;
class Request;

// A request under way. Its end is the client's leaving.
class Pending {
 public:
  Pending(Pending&&) noexcept;
  Pending& operator=(Pending&&) noexcept;
  ~Pending();

  // The whole answer has come, or the connection has ended.
  [[nodiscard]] bool done() const;
  // Waits for that: for other threads, and where these are not what is waited for, on the clock.
  Reply wait();
  // What has come so far: status and body, without headers until it is done.
  [[nodiscard]] Reply so_far() const;
  // The client leaves.
  void cancel();

 private:
  friend class Host;
  friend class Request;
  struct Run;
  explicit Pending(std::unique_ptr<Run> run);
  std::unique_ptr<Run> run_;
};

// A request to make, any number of times.
class Request {
 public:
  Request& header(std::string_view name, std::string_view value);
  // Framed by its length, unless one of the headers says otherwise.
  Request& body(std::string_view bytes);
  // Whose session has these values, as earlier answers would have set them. `sessions` has to be in front of some route; of
  // several it is that of the first route which has one.
  Request& session(std::map<std::string, std::string> values);
  // In chunks instead, one for each piece.
  Request& chunked();
  // After the body, which makes it chunked.
  Request& trailer(std::string_view name, std::string_view value);
  // The body arrives in pieces of so many bytes, each received on its own, and apart from the head.
  Request& split_body(size_t bytes);
  Request& split_body_at_each_byte() { return split_body(1); }
  // The client takes so many bytes of its answer at a time: a long one makes writing block.
  Request& read_at_most(size_t bytes);
  // Who is connected: an address, which [server] trusted_proxies of the configuration may name.
  Request& from(std::string_view address);
  // For whom, and by which scheme, as a trusted proxy says it by the PROXY protocol. Without it, the peer, by "http".
  Request& for_client(std::string_view address, std::string_view scheme = "http");

  // By TLS, which makes it https: with a certificate that the listener's authorities vouch for, if it has a subject.
  struct Certificate {
    std::string subject;  // "CN=alice,O=Example"
    std::string cn;
    std::string names;   // "dns:a.example uri:spiffe://example/b"
    std::string sha256;  // 64 digits
  };
  Request& over_tls(const Certificate& certificate);
  Request& over_tls();

  // Makes it, on a connection of its own, and waits for the answer as Pending::wait() does.
  [[nodiscard]] Reply send() const;
  // Makes it, and comes back when all has happened that can happen at once.
  [[nodiscard]] Pending start() const;

 private:
  friend class Host;
  friend class Pending;
  Request(Host& host, std::string_view method, std::string_view target);
  [[nodiscard]] std::vector<std::string> pieces() const;

  Host* host_;
  std::string method_, target_;
  std::vector<std::pair<std::string, std::string>> headers_, trailers_;
  std::string body_;
  std::string peer_ = "192.0.2.7";
  std::string client_, scheme_ = "http";  // of the client that is not the peer
  bool tls_ = false;
  Certificate certificate_;
  size_t split_ = 0;  // 0: not at all
  size_t split_at_ = 0;
  size_t read_at_most_ = SIZE_MAX;
  std::map<std::string, std::string> session_;
  bool has_session_ = false;
  bool has_body_ = false;
  bool chunked_ = false;
};

// A client's end of a WebSocket. Its end is the client's leaving, without a word where it was not closed. It answers pings by itself.
class WebSocket {
 public:
  WebSocket(WebSocket&&) noexcept;
  WebSocket& operator=(WebSocket&&) noexcept;
  ~WebSocket();

  // Of the answer to the handshake: 101, or what was said instead.
  [[nodiscard]] int status() const;
  // The subprotocol that was chosen; empty if there is none.
  [[nodiscard]] std::string protocol() const;
  // Sends a message, and comes back when all has happened that can happen at once.
  void send(std::string_view text);
  void send_binary(std::string_view bytes);
  // The same with bytes as they are, right or wrong.
  void send_raw(std::string_view bytes);
  // The next message, text or not, once all has happened that can happen without the clock, other threads waited for. None: there is
  // none.
  [[nodiscard]] std::optional<std::string> receive();
  // Begins the closing handshake.
  void close(int code = 1000, std::string_view reason = {});
  // The code with which the plugin's side closed; 1005 for none; 1006 where the connection ended without a Close; 0 while it is open.
  [[nodiscard]] int close_code();
  [[nodiscard]] std::string close_reason() const;

 private:
  friend class Host;
  struct Line;
  explicit WebSocket(std::unique_ptr<Line> line);
  std::unique_ptr<Line> line_;
};

class Host {
 public:
  // Loads the plugin: `plugin` is the path of a shared object, or the entry of one that is compiled into this
  // program. Where a configuration is given, it must load that plugin: "notes.so", without a folder, is
  // looked for in the folder of `plugin`, and one that is compiled in is "static:" and the name it gives
  // itself. An object is loaded once, however many hosts use it; each has an instance of its own.
  // The cache is the process's, and empty when a host is made.
  explicit Host(const std::string& plugin, const Setup& setup = {});
  explicit Host(const leat_plugin_entry& plugin, const Setup& setup = {});
  ~Host();  // close()
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // `target` as it stands in a request: path and query, percent-encoded.
  [[nodiscard]] Request request(std::string_view method, std::string_view target);

  // Asks for a WebSocket, with these fields besides those of the handshake: {"Origin", "https://a.example"}.
  [[nodiscard]] WebSocket websocket(std::string_view target,
                                    const std::vector<std::pair<std::string, std::string>>& headers = {});

  // Answers what the plugin asks of the upstream with this URL, as the plugin opened it, in place of what did
  // so before. Nothing leaves the process: no other upstream can be connected to.
  void upstream(const std::string& url, Upstream answer);

  // Moves the clock on. Timers and deadlines on the way run at their time, one after the other.
  void advance(std::chrono::milliseconds time);
  // Goes on with what other threads have completed by now.
  void run();
  // Calls run() until `done` is true. False: it was not, and the patience is at its end.
  [[nodiscard]] bool run_until(const std::function<bool()>& done);

  // What the plugin counts, as `leat metrics` prints it. Hosts that live at the same time count together what
  // their plugins declare alike.
  [[nodiscard]] std::string metrics() const;

  // --- The same request, many times over. All return how many there were.

  // Each time the client leaves one event later: the first time as soon as the head has been handled, then
  // after the next piece of the body, timer, completion or write, and so on. `left(n)` is called after each.
  // What goes wrong is one of problems().
  size_t for_each_suspension(const Request& request, const std::function<void(size_t)>& left = {});
  // Each time one more of the allocations of the request succeeds before one fails, first only that one, then
  // it and all that follow, until none is left to fail; `answered` is called with each answer. A request
  // without an answer is one of problems(); what the plugin logs meanwhile is not.
  size_t for_each_allocation(const Request& request, const std::function<void(const Reply&)>& answered = {});
  // Each time the body arrives in two pieces, cut one byte later.
  size_t for_each_split(const Request& request, const std::function<void(const Reply&)>& answered);

  // From now on the next `count` allocations of the plugin in callbacks and on the pool succeed, and all that
  // follow fail. Allocations are what the extensions may answer LEAT_E_MEMORY or LEAT_E_BUSY to, the memory
  // of leat.arena/1 and leat.json/1, and, in a program with testhost_heap.hpp, the plugin's own on the heap.
  void fail_allocations_after(uint64_t count);
  void allow_allocations();

  // Ends all that is under way and lets go of the plugin as a daemon does when it stops. Nothing can be
  // asked for afterwards but problems() and log().
  void close();

  // What was wrong so far, in the order found: lines of the log from warnings on, which is where misuse of
  // the interface and calls on a wrong thread are told, what came back too late, and what was still waiting
  // at close(). The log is the process's: where several hosts live, each has the lines of all. Leaks are
  // LeakSanitizer's (-fsanitize=address): after close() all that the host held of the plugin has been let go.
  [[nodiscard]] std::vector<std::string> problems() const;
  // For a test that has seen those that it provoked.
  void forget_problems();
  // Every line logged while this host lives, from "debug" on: "info: plugin notes: text".
  [[nodiscard]] std::vector<std::string> log() const;

 private:
  friend class Pending;
  friend class Request;
  friend class WebSocket;
  struct Impl;
  [[nodiscard]] Impl& open() const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leat::testing

#endif
