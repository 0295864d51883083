// WebSockets, as classes and as a coroutine.
#include <leat/plugin.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

class Sockets;

// What is said is said back; some words do more.
struct Echo {
  static constexpr std::array<std::string_view, 2> kProtocols = {"echo.v2", "echo.v1"};
  void on_open(leat::WebSocket& socket, Sockets& plugin);
  void on_message(leat::WebSocket& socket, leat::Message message, Sockets& plugin);
  void on_timer(leat::WebSocket& socket) { socket.send("time"); }
  void on_close(leat::WebSocket& socket, leat::Closed closed, Sockets& plugin);
};

// Only for who has a token.
struct Guarded {
  void on_request(leat::Query<std::optional<std::string_view>, "token"> token, leat::Response& response) {
    if (*token != "sesame") throw leat::problem(401, "The token is wrong.");
    response.header("X-Seen", "yes");
  }
  void on_message(leat::WebSocket& socket, leat::Message message) { socket.send(message); }
};

// Sends as much as is taken, and again when there is room.
struct Flood {
  void on_open(leat::WebSocket& socket) { fill(socket); }
  void on_writable(leat::WebSocket& socket) {
    if (rounds_++ < 3)
      fill(socket);
    else
      socket.send("done");
  }
  void on_message(leat::WebSocket&, leat::Message) {}
  void fill(leat::WebSocket& socket) const {
    const std::string piece(10'000, 'f');
    while (socket.send(piece) == leat::WebSocket::Sent::Done) continue;
  }
  int rounds_ = 0;
};

struct Small {
  static constexpr uint64_t kMessageBytes = 100;
  static constexpr std::array<std::string_view, 1> kOrigins = {"https://pages.example"};
  void on_message(leat::WebSocket& socket, leat::Message message) { socket.send(message); }
};

class Sockets : public leat::Plugin<Sockets> {
 public:
  explicit Sockets(leat::Setup& setup) : host(setup.host()) {}

  leat::Task<void> talk(leat::WebSocket& socket) {
    socket.send("hello");
    while (auto message = co_await socket.receive()) {
      if (message->text == "sleep") co_await leat::sleep(10ms);
      if (message->text == "throw") throw std::runtime_error("as it was asked to");
      if (message->text == "return") co_return;
      if (message->text == "thread") {
        leat::Completion<int> answer;
        {
          const std::lock_guard lock(mutex);
          threads.emplace_back([completer = answer.completer()]() mutable { completer.complete(42); });
        }
        message->text = std::to_string(co_await answer);
      }
      if (message->text == "flood") {
        const std::string piece(100'000, 'f');
        for (int i = 0; i < 20; ++i)
          if (!co_await socket.send(piece)) co_return;
      }
      co_await socket.send(*message);
    }
    ++talks_ended;
  }

  leat::Reply told(leat::Json& json) {
    return json.object("opened", opened.load(), "closed", closed.load(), "code", code.load(), "talks",
                       talks_ended.load());
  }
  // Sends to the last that said "name", from another thread.
  leat::Reply call(leat::Json& json) {
    bool there = false;
    std::thread([&] {
      const std::lock_guard lock(mutex);
      there = named.send("called");
    }).join();
    return json.object("there", there);
  }
  leat::Reply dismiss(leat::Json& json) {
    const std::lock_guard lock(mutex);
    return json.object("there", named.close(4321));
  }

  static constexpr auto handlers() {
    return leat::list(websocket<Echo>("echo"), websocket<Guarded>("guarded"), websocket<Flood>("flood"),
                      websocket<Small>("small"), handler<&Sockets::talk>("talk"),
                      handler<&Sockets::told>("told"), handler<&Sockets::call>("call"),
                      handler<&Sockets::dismiss>("dismiss"));
  }

  const leat_host* host;
  std::atomic<int> opened = 0, closed = 0, code = 0, talks_ended = 0;
  std::mutex mutex;
  leat::WebSocket::Id named;
  std::vector<std::jthread> threads;  // which end before the plugin does
};

void Echo::on_open(leat::WebSocket&, Sockets& plugin) { ++plugin.opened; }

void Echo::on_message(leat::WebSocket& socket, leat::Message message, Sockets& plugin) {
  if (message.text == "close") return socket.close(4000, "as you like");
  if (message.text == "throw") throw std::runtime_error("as it was asked to");
  if (message.text == "protocol") message.text = socket.protocol();
  if (message.text == "timer") return socket.set_timer(20ms);
  if (message.text == "name") {
    const std::lock_guard lock(plugin.mutex);
    plugin.named = socket.id(plugin.host);
  }
  socket.send(message);
}

void Echo::on_close(leat::WebSocket& socket, leat::Closed closed, Sockets& plugin) {
  ++plugin.closed;
  plugin.code = closed.code;
  if (socket.is_open() || socket.send("nobody") != leat::WebSocket::Sent::Closed) plugin.code = -1;
}

}  // namespace

LEAT_PLUGIN(Sockets, "sockets", "1.0.0")
