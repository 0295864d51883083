// leat.websocket/1: WebSockets. What a plugin asks for is judged here; the rest is plugin/plugin_socket.h and lib/websocket.
#include <memory>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "http/problem.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"
#include "plugin/plugin_socket.h"
#include "plugin/shared_resources.h"

namespace leat::plugin {
namespace {

constexpr std::string_view kGone = "the socket has ended, or is another thread's";
constexpr size_t kMostReason = websocket::kMostControl - 2;

PluginSocket* socket_of(const leat_websocket* handle, std::string_view function) {
  PluginSocket* const found = current_call.handler == nullptr ? nullptr : PluginSocket::find(handle);
  if (found == nullptr) refuse(function, kGone, LEAT_E_STATE);
  return found;
}

int32_t asked(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.websocket/1 asked");
  return exchange != nullptr && exchange->may_switch_to(websocket::kProtocol) ? 1 : 0;
}

std::vector<std::string_view> views(const leat_str* texts, uint32_t count) {
  std::vector<std::string_view> all;
  for (uint32_t i = 0; i < count && texts != nullptr; ++i) all.push_back(view(texts[i]));
  return all;
}

leat_websocket_options read_options(const leat_websocket_options* given) {
  leat_websocket_options options{};
  if (given != nullptr) std::memcpy(&options, given, std::min<size_t>(given->struct_size, sizeof options));
  return options;
}

// Answers a handshake that is none, or that is not welcome.
int32_t refuse_handshake(http::Exchange& exchange, uint16_t status, std::string_view detail) {
  if (status == 426) {
    (void)exchange.response.add("Sec-WebSocket-Version", "13");
    (void)exchange.response.add_checked("Upgrade", "websocket", http::Origin::Host);
  }
  if (status == 503) http::add_retry_after(exchange);
  exchange.send_problem(status, detail);
  return status == 503 ? LEAT_E_MEMORY : LEAT_E_ARGUMENT;
}

bool put_fields(http::Exchange& exchange, const websocket::Handshake& handshake) {
  const auto put = [&](std::string_view name, std::string_view value) {
    return value.empty() || exchange.response.add_checked(name, value, http::Origin::Host);
  };
  return put("Sec-WebSocket-Accept", handshake.accept) && put("Sec-WebSocket-Protocol", handshake.protocol) &&
         put("Sec-WebSocket-Extensions", handshake.extensions);
}

int32_t accept(leat_request* request, const leat_websocket_handler* handler,
               const leat_websocket_options* given, leat_websocket** socket) {
  constexpr std::string_view kFunction = "leat.websocket/1 accept";
  if (socket != nullptr) *socket = nullptr;
  http::Exchange* const exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (handler == nullptr || !LEAT_HAS(handler, leat_websocket_handler, close) || handler->message == nullptr)
    return refuse(kFunction, "a handler of sockets has a message()", LEAT_E_ARGUMENT);
  if (is_over(*exchange)) return LEAT_E_STATE;
  if (exchange->started() || current_call.answering)
    return refuse(kFunction, "the request was answered already", LEAT_E_STATE);
  const Callee& callee = *current_call.handler;
  SharedResources* const shared = callee.instance().library().options().shared;
  if (!callee.accepts_sockets() || current_errand != nullptr || shared == nullptr)
    return refuse(kFunction, "only handlers accept, and on their workers", LEAT_E_THREAD);

  const leat_websocket_options asked_for = read_options(given);
  const auto protocols = views(asked_for.protocols, asked_for.protocol_count);
  const auto origins = views(asked_for.origins, asked_for.origin_count);
  websocket::Options options = shared->websockets.options();
  if (asked_for.message_bytes != 0)
    options.message_bytes = std::min(options.message_bytes, asked_for.message_bytes);
  if (!exchange->may_switch_to(websocket::kProtocol))
    return refuse_handshake(*exchange, 426, "This resource is a WebSocket.");
  const bool keyed = exchange->stream().tunnel_status(*exchange, websocket::kProtocol) == 101;
  const websocket::Handshake handshake =
      websocket::judge(exchange->request,
                       {.protocols = protocols,
                        .origins = origins,
                        .compression = options.compress && (handler->flags & LEAT_WEBSOCKET_PLAIN) == 0},
                       keyed, exchange->arena());
  if (handshake.status != 0) return refuse_handshake(*exchange, handshake.status, handshake.detail);

  RequestState* const state = need_state(*exchange);
  if (state == nullptr) return LEAT_E_MEMORY;
  const bool keeps = (handler->flags & LEAT_WEBSOCKET_KEEPS_REQUEST) != 0;
  auto made = std::make_unique<PluginSocket>(shared->websockets, exchange->worker(), callee, *handler,
                                             keeps ? exchange : nullptr, asked_for.state, handshake.protocol);
  PluginSocket& its = *made;
  auto tunnel_user = websocket::Socket::make(exchange->worker(), options, handshake.compression,
                                             shared->websockets.counts, std::move(made));
  if (tunnel_user == nullptr) return LEAT_E_MEMORY;
  if (!put_fields(*exchange, handshake))
    return refuse(kFunction, "there are 64 fields already", LEAT_E_STATE);
  websocket::Socket& accepted = *tunnel_user;
  its.attach(accepted);
  http::Tunnel* const tunnel = exchange->switch_to(websocket::kProtocol, std::move(tunnel_user), keeps);
  if (tunnel == nullptr) return exchange->cancelled() ? LEAT_E_STATE : LEAT_E_ARGUMENT;
  accepted.attach(*tunnel);
  state->socket = its.handle();
  if (socket != nullptr) *socket = state->socket;
  return LEAT_OK;
}

int32_t send(leat_websocket* handle, uint32_t kind, leat_str message) {
  constexpr std::string_view kFunction = "leat.websocket/1 send";
  PluginSocket* const found = socket_of(handle, kFunction);
  if (found == nullptr) return LEAT_E_STATE;
  if (kind != LEAT_WEBSOCKET_TEXT && kind != LEAT_WEBSOCKET_BINARY)
    return refuse(kFunction, "that is no kind of message", LEAT_E_ARGUMENT);
  if (!is_text(message)) return refuse(kFunction, "a text is NULL and not empty", LEAT_E_ARGUMENT);
  using Sent = websocket::Socket::Sent;
  switch (found->socket().send(kind == LEAT_WEBSOCKET_TEXT ? websocket::Kind::Text : websocket::Kind::Binary,
                               view(message))) {
    case Sent::Done:
      return LEAT_OK;
    case Sent::Blocked:
      return LEAT_BLOCKED;
    case Sent::Full:
      return LEAT_E_BUSY;
    case Sent::NotText:
      return refuse(kFunction, "a text is not UTF-8", LEAT_E_ARGUMENT);
    case Sent::Closed:
      break;
  }
  return LEAT_E_STATE;
}

int32_t close_socket(leat_websocket* handle, uint32_t code, leat_str reason) {
  constexpr std::string_view kFunction = "leat.websocket/1 close";
  PluginSocket* const found = socket_of(handle, kFunction);
  if (found == nullptr) return LEAT_E_STATE;
  if (code != LEAT_CLOSE_NONE && !websocket::is_close_code(code))
    return refuse(kFunction, "that code cannot be sent", LEAT_E_ARGUMENT);
  if (reason.len > kMostReason || !is_text(reason) || !is_utf8(view(reason)))
    return refuse(kFunction, "the reason is longer than 123 bytes, or not UTF-8", LEAT_E_ARGUMENT);
  if (!found->socket().open()) return LEAT_E_STATE;
  found->socket().close(static_cast<uint16_t>(code), view(reason));
  return LEAT_OK;
}

int32_t set_reading(leat_websocket* handle, bool reading, std::string_view function) {
  PluginSocket* const found = socket_of(handle, function);
  if (found == nullptr) return LEAT_E_STATE;
  found->socket().set_reading(reading);
  return LEAT_OK;
}
int32_t pause(leat_websocket* handle) { return set_reading(handle, false, "leat.websocket/1 pause"); }
int32_t resume(leat_websocket* handle) { return set_reading(handle, true, "leat.websocket/1 resume"); }

int32_t set_timer(leat_websocket* handle, uint64_t delay_ms) {
  PluginSocket* const found = socket_of(handle, "leat.websocket/1 set_timer");
  if (found == nullptr) return LEAT_E_STATE;
  websocket::Socket& socket = found->socket();
  const uint64_t now_ms = socket.worker().now_ns() / 1'000'000;
  // The turn began before now: a timer must not run early by the part of it that has passed.
  socket.set_timer(delay_ms >= UINT64_MAX - now_ms - 1 ? UINT64_MAX : now_ms + delay_ms + 1);
  return LEAT_OK;
}

int32_t set_state(leat_websocket* handle, void* state) {
  PluginSocket* const found = socket_of(handle, "leat.websocket/1 set_state");
  if (found == nullptr) return LEAT_E_STATE;
  found->state = state;
  return LEAT_OK;
}

void* state(leat_websocket* handle) {
  const PluginSocket* const found = socket_of(handle, "leat.websocket/1 state");
  return found != nullptr ? found->state : nullptr;
}

leat_str protocol(leat_websocket* handle) {
  const PluginSocket* const found = socket_of(handle, "leat.websocket/1 protocol");
  return found == nullptr || found->protocol().empty() ? leat_str{nullptr, 0} : to_str(found->protocol());
}

leat_request* request_of(leat_websocket* handle) {
  PluginSocket* const found = socket_of(handle, "leat.websocket/1 request");
  const bool here = found != nullptr && found->kept() != nullptr && current_call.exchange == found->kept();
  return here ? to_request(*found->kept()) : nullptr;
}

uint64_t queued(leat_websocket* handle) {
  PluginSocket* const found = socket_of(handle, "leat.websocket/1 queued");
  return found != nullptr ? found->socket().queued() : 0;
}

int32_t is_open(leat_websocket* handle) {
  PluginSocket* const found = current_call.handler == nullptr ? nullptr : PluginSocket::find(handle);
  return found != nullptr && found->socket().open() ? 1 : 0;
}

int32_t id_of(leat_websocket* handle, leat_websocket_id* id) {
  const PluginSocket* const found = socket_of(handle, "leat.websocket/1 id");
  if (found == nullptr) return LEAT_E_STATE;
  if (id == nullptr) return LEAT_E_ARGUMENT;
  *id = found->id();
  return LEAT_OK;
}

int32_t post(const leat_host* host, leat_websocket_id id, leat_websocket_call call, leat_str bytes) {
  if (host == nullptr || call == nullptr || !is_text(bytes)) return LEAT_E_ARGUMENT;
  auto* const shared = const_cast<SharedResources*>(static_cast<const Host*>(host)->shared);
  if (shared == nullptr) return LEAT_E_NOT_FOUND;
  const bool posted = shared->websockets.post(id.worker, [id, call, copy = std::string(view(bytes))] {
    if (PluginSocket* const found = PluginSocket::find(id)) found->run(call, copy);
  });
  return posted ? LEAT_OK : LEAT_E_NOT_FOUND;
}

int32_t subscribe(leat_websocket* handle, leat_str topic, uint32_t slow) {
  constexpr std::string_view kFunction = "leat.websocket/1 subscribe";
  PluginSocket* const found = socket_of(handle, kFunction);
  if (found == nullptr) return LEAT_E_STATE;
  if (slow > LEAT_SLOW_CLOSE || !is_text(topic))
    return refuse(kFunction, "that is no topic", LEAT_E_ARGUMENT);
  if (!found->socket().open()) return LEAT_E_STATE;
  return found->subscribe(view(topic), slow == LEAT_SLOW_CLOSE) ? LEAT_OK : LEAT_E_STATE;
}

int32_t unsubscribe(leat_websocket* handle, leat_str topic) {
  PluginSocket* const found = socket_of(handle, "leat.websocket/1 unsubscribe");
  if (found == nullptr) return LEAT_E_STATE;
  return found->unsubscribe(view(topic)) ? LEAT_OK : LEAT_E_NOT_FOUND;
}

int32_t publish(const leat_host* host, leat_str topic, uint32_t kind, leat_str message) {
  if (host == nullptr || !is_text(topic) || !is_text(message)) return LEAT_E_ARGUMENT;
  if (kind != LEAT_WEBSOCKET_TEXT && kind != LEAT_WEBSOCKET_BINARY) return LEAT_E_ARGUMENT;
  if (kind == LEAT_WEBSOCKET_TEXT && !is_utf8(view(message))) return LEAT_E_ARGUMENT;
  const auto& its = *static_cast<const Host*>(host);
  auto* const shared = const_cast<SharedResources*>(its.shared);
  if (shared == nullptr || its.instance == nullptr) return LEAT_E_STATE;
  const bool taken = shared->websockets.publish(
      PluginSocket::topic_of(*its.instance, view(topic)),
      std::make_shared<const websocket::Broadcast>(
          kind == LEAT_WEBSOCKET_TEXT ? websocket::Kind::Text : websocket::Kind::Binary, view(message),
          std::string_view(), std::string_view()));
  return taken ? LEAT_OK : LEAT_E_BUSY;
}

}  // namespace

const leat_websocket_v1 kWebsocketExtension = {
    .struct_size = sizeof(leat_websocket_v1),
    .reserved = 0,
    .asked = asked,
    .accept = accept,
    .send = send,
    .close = close_socket,
    .pause = pause,
    .resume = resume,
    .set_timer = set_timer,
    .set_state = set_state,
    .state = state,
    .protocol = protocol,
    .request = request_of,
    .queued = queued,
    .is_open = is_open,
    .id = id_of,
    .post = post,
    .subscribe = subscribe,
    .unsubscribe = unsubscribe,
    .publish = publish,
};

}  // namespace leat::plugin
