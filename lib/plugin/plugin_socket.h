// PluginSocket: a WebSocket whose callbacks are a plugin's, and the sockets of a worker by their handles.
//
// A plugin holds a `leat_websocket*`, which is no address but a slot of its worker's table and a generation: one that is kept for too
// long finds nobody. The table is the thread's, so that a handle means nothing on others.
//
// Private to the plugin host. Thread: the worker's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/call.h"
#include "plugin/callee.h"
#include "plugin/sdk/plugin_websocket.h"
#include "websocket/hub.h"
#include "websocket/socket.h"

namespace leat::plugin {

class PluginSocket final : public websocket::SocketUser, private websocket::Subscriber {
 public:
  // `kept`: its request stays with it. `handler` is the plugin's, and `callee` whose it is; its route holds that.
  PluginSocket(websocket::Hub& hub, http::WorkerContext& worker, const Callee& callee,
               const leat_websocket_handler& handler, http::Exchange* kept, void* state,
               std::string_view protocol);
  ~PluginSocket() override;
  PluginSocket(const PluginSocket&) = delete;
  PluginSocket& operator=(const PluginSocket&) = delete;

  // --- websocket::SocketUser
  void on_open(websocket::Socket& socket) override;
  void on_message(websocket::Socket& socket, websocket::Kind kind, std::string_view message) override;
  void on_writable(websocket::Socket& socket) override;
  void on_timer(websocket::Socket& socket) override;
  void on_close(websocket::Socket& socket, uint16_t code, std::string_view reason) override;
  [[nodiscard]] size_t footprint() const override { return sizeof(PluginSocket) + protocol_.capacity(); }

  // Topics are those of the plugin's instance, by its name. False: it had done so.
  bool subscribe(std::string_view topic, bool close_when_slow);
  bool unsubscribe(std::string_view topic);
  static std::string topic_of(const PluginInstance& instance, std::string_view topic);

  // What was posted to it.
  void run(leat_websocket_call call, std::string_view bytes);
  // What the handler has returned that accepted it, or what goes on with its request, where that stays: who has no more to do
  // with it is through with the socket.
  void judge(int32_t verdict);

  void attach(websocket::Socket& socket) { socket_ = &socket; }
  [[nodiscard]] websocket::Socket& socket() { return *socket_; }
  [[nodiscard]] leat_websocket* handle() const;
  [[nodiscard]] leat_websocket_id id() const;
  [[nodiscard]] http::Exchange* kept() { return kept_; }
  [[nodiscard]] std::string_view protocol() const { return protocol_; }

  void* state;

  // The socket of this worker with that handle; null where there is none, or no more.
  static PluginSocket* find(const leat_websocket* handle);
  static PluginSocket* find(const leat_websocket_id& id);

 private:
  struct Slot {
    PluginSocket* socket = nullptr;
    uint32_t generation = 0;
  };
  struct Table;
  static Table& table();
  void deliver(const websocket::Broadcast& message) override;
  template <class Callback>
  void call(Callback&& callback);

  websocket::Hub& hub_;
  http::WorkerContext& worker_;
  const Callee& callee_;
  const leat_websocket_handler& handler_;
  http::Exchange* kept_;
  websocket::Socket* socket_ = nullptr;
  const std::string protocol_;
  uint32_t slot_ = 0;
  uint32_t generation_ = 0;
  bool close_when_slow_ = false;
};

}  // namespace leat::plugin
