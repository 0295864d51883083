// leat.events/1: streams of events. Such an answer is one in pieces as any; what the host adds is its head, the heartbeat, and
// topics, whose messages are written to it between its plugin's callbacks.
#include <algorithm>
#include <cstring>
#include <string>

#include "base/utf8.h"
#include "http/protocol.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"
#include "plugin/plugin_socket.h"
#include "plugin/resumption.h"
#include "plugin/shared_resources.h"

namespace leat::plugin {
namespace {

constexpr uint64_t kHeartbeatMs = 15'000;

// Of a request, among its states.
class EventStream final : public websocket::Subscriber {
 public:
  EventStream(http::Exchange& exchange, const Callee& callee, websocket::Hub& hub, uint64_t heartbeat_ms)
      : exchange_(exchange), callee_(callee), hub_(hub), heartbeat_ms_(heartbeat_ms) {
    hub_.join(exchange_.worker());
  }
  ~EventStream() override {
    hub_.unsubscribe_all(exchange_.worker(), *this);
    hub_.leave(exchange_.worker());
  }

  void deliver(const websocket::Broadcast& message) override {
    http::Protocol* const protocol = exchange_.stream().protocol();
    exchange_.worker().touch(*protocol);
    protocol->resume(
        exchange_,
        [](http::Exchange& exchange, void* argument) {
          find(exchange)->write(*static_cast<const websocket::Broadcast*>(argument));
        },
        const_cast<websocket::Broadcast*>(&message));
  }

  // False: there are no timers left.
  [[nodiscard]] bool start_heartbeat() {
    return exchange_.worker().resume_after(keep_open(exchange_), heartbeat_ms_, on_heartbeat, nullptr);
  }

  bool subscribe(std::string_view topic, bool close_when_slow) {
    close_when_slow_ = close_when_slow;
    return hub_.subscribe(exchange_.worker(), *this, PluginSocket::topic_of(callee_.instance(), topic));
  }
  bool unsubscribe(std::string_view topic) {
    return hub_.unsubscribe(exchange_.worker(), *this, PluginSocket::topic_of(callee_.instance(), topic));
  }
  void note_sent() { sent_ = true; }

  static EventStream* find(const http::Exchange& exchange) {
    return exchange.states.find<EventStream>(nullptr);
  }

 private:
  [[nodiscard]] bool over() const { return exchange_.finished() || exchange_.cancelled(); }

  void write(const websocket::Broadcast& message) {
    if (over()) return;
    RequestState& state = *state_of(exchange_);
    if (!state.blocked) {
      sent_ = true;
      state.blocked = !exchange_.write(message.event()) && !over();
    } else if (close_when_slow_) {
      exchange_.abort();
    } else {
      websocket::Counts::add(hub_.counts.dropped);
    }
  }

  static void on_heartbeat(http::Exchange& exchange, void*) {
    EventStream* const stream = find(exchange);
    if (stream == nullptr || stream->over()) return;
    RequestState& state = *state_of(exchange);
    if (!std::exchange(stream->sent_, false) && !state.blocked)
      state.blocked = !exchange.write(":\n\n") && !stream->over();
    // Without a timer it goes on, and is as alive as what it sends.
    if (!stream->over() && !stream->start_heartbeat()) --state.timers_running;
  }

  http::Exchange& exchange_;
  const Callee& callee_;
  websocket::Hub& hub_;
  const uint64_t heartbeat_ms_;
  bool close_when_slow_ = false;
  bool sent_ = false;  // something, since the last heartbeat
};

leat_str last_id(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.events/1 last_id");
  return exchange == nullptr ? leat_str{nullptr, 0} : to_str(exchange->request.header("Last-Event-ID"));
}

int32_t begin(leat_request* request, const leat_events_options* given) {
  constexpr std::string_view kFunction = "leat.events/1 begin";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (is_over(*exchange)) return LEAT_E_STATE;
  if (exchange->started() || current_call.answering)
    return refuse(kFunction, "the request was answered already", LEAT_E_STATE);
  const Callee& callee = *current_call.handler;
  SharedResources* const shared = callee.instance().library().options().shared;
  if (!callee.accepts_sockets() || current_errand != nullptr || shared == nullptr)
    return refuse(kFunction, "only handlers have streams of events, and on their workers", LEAT_E_THREAD);
  leat_events_options options{};
  if (given != nullptr) std::memcpy(&options, given, std::min<size_t>(given->struct_size, sizeof options));

  RequestState* const state = need_state(*exchange);
  EventStream* const stream = state == nullptr
                                  ? nullptr
                                  : exchange->states.make<EventStream>(
                                        nullptr, *exchange, callee, shared->websockets,
                                        options.heartbeat_ms == 0 ? kHeartbeatMs : options.heartbeat_ms);
  if (stream == nullptr || !stream->start_heartbeat()) return LEAT_E_MEMORY;
  ++state->timers_running;  // for as long as it lasts
  exchange->response.content_type = "text/event-stream";
  // The second keeps proxies from collecting it.
  if (exchange->response.find("Cache-Control").empty())
    (void)exchange->response.add("Cache-Control", "no-store");
  (void)exchange->response.add("X-Accel-Buffering", "no");
  if (!exchange->begin(std::nullopt)) return LEAT_E_STATE;
  // Something at once, so that the client knows that it is connected.
  const std::string first =
      options.retry_ms == 0 ? ":\n\n" : "retry: " + std::to_string(options.retry_ms) + "\n\n";
  (void)exchange->write(first);
  return exchange->finished() ? LEAT_E_STATE : LEAT_OK;
}

// The stream of a request, if it goes on.
EventStream* stream_of(leat_request* request, std::string_view function, int32_t& code) {
  http::Exchange* exchange = exchange_of(request, function);
  code = LEAT_E_THREAD;
  if (exchange == nullptr) return nullptr;
  code = LEAT_E_STATE;
  if (is_over(*exchange) || exchange->finished()) return nullptr;
  EventStream* const stream = EventStream::find(*exchange);
  if (stream == nullptr) refuse(function, "begin() was not called", LEAT_E_STATE);
  return stream;
}

int32_t send(leat_request* request, leat_str name, leat_str id, leat_str data) {
  constexpr std::string_view kFunction = "leat.events/1 send";
  int32_t code = LEAT_OK;
  EventStream* const stream = stream_of(request, kFunction, code);
  if (stream == nullptr) return code;
  if (!is_text(name) || !is_text(id) || !is_text(data))
    return refuse(kFunction, "a text is NULL and not empty", LEAT_E_ARGUMENT);
  std::string event;
  websocket::append_event(event, view(name), view(id), view(data));
  stream->note_sent();
  http::Exchange& exchange = *current_call.exchange;
  if (exchange.write(event)) return LEAT_OK;
  if (exchange.finished() || exchange.cancelled()) return LEAT_E_STATE;
  state_of(exchange)->blocked = true;
  return LEAT_BLOCKED;
}

int32_t subscribe(leat_request* request, leat_str topic, uint32_t slow) {
  constexpr std::string_view kFunction = "leat.events/1 subscribe";
  int32_t code = LEAT_OK;
  EventStream* const stream = stream_of(request, kFunction, code);
  if (stream == nullptr) return code;
  if (slow > LEAT_SLOW_CLOSE || !is_text(topic))
    return refuse(kFunction, "that is no topic", LEAT_E_ARGUMENT);
  return stream->subscribe(view(topic), slow == LEAT_SLOW_CLOSE) ? LEAT_OK : LEAT_E_STATE;
}

int32_t unsubscribe(leat_request* request, leat_str topic) {
  int32_t code = LEAT_OK;
  EventStream* const stream = stream_of(request, "leat.events/1 unsubscribe", code);
  if (stream == nullptr) return code;
  return stream->unsubscribe(view(topic)) ? LEAT_OK : LEAT_E_NOT_FOUND;
}

int32_t publish(const leat_host* host, leat_str topic, leat_str name, leat_str id, leat_str data) {
  if (host == nullptr || !is_text(topic) || !is_text(name) || !is_text(id) || !is_text(data))
    return LEAT_E_ARGUMENT;
  if (!is_utf8(view(data)) || !is_utf8(view(name)) || !is_utf8(view(id))) return LEAT_E_ARGUMENT;
  const auto& its = *static_cast<const Host*>(host);
  auto* const shared = const_cast<SharedResources*>(its.shared);
  if (shared == nullptr || its.instance == nullptr) return LEAT_E_STATE;
  const bool taken = shared->websockets.publish(
      PluginSocket::topic_of(*its.instance, view(topic)),
      std::make_shared<const websocket::Broadcast>(websocket::Kind::Text, view(data), view(name), view(id)));
  return taken ? LEAT_OK : LEAT_E_BUSY;
}

}  // namespace

const leat_events_v1 kEventsExtension = {
    .struct_size = sizeof(leat_events_v1),
    .reserved = 0,
    .last_id = last_id,
    .begin = begin,
    .send = send,
    .subscribe = subscribe,
    .unsubscribe = unsubscribe,
    .publish = publish,
};

}  // namespace leat::plugin
