// Part of plugin.hpp: WebSockets.
//
// As a class, of which each socket has an object, made when it is accepted and destroyed when it has ended:
//
//   struct Room {
//     void on_open(leat::WebSocket& socket) { socket.send("welcome"); }
//     void on_message(leat::WebSocket& socket, leat::Message message) { socket.send(message); }
//     void on_close(leat::WebSocket&, leat::Closed) {}
//   };
//   static constexpr auto handlers() { return leat::list(websocket<Room>("room")); }
//
// All members but on_message are optional. Each callback may take the plugin & and its Worker & as well. Besides
//   on_request(parameters...)   a handler's parameters, before it is accepted; what it throws is answered instead
//   on_writable, on_timer       after send() was Blocked; after set_timer()
//   kProtocols, kOrigins        static constexpr arrays of std::string_view: what is offered; see leat_websocket_options
//   kMessageBytes               the largest message it takes
//
// Or as a coroutine, whose request stays for as long as the socket, so that it can wait for all that others can:
//
//   leat::Task<void> echo(leat::WebSocket& socket) {
//     while (auto message = co_await socket.receive()) co_await socket.send(*message);
//   }
//
// When it returns the socket is closed (1000), when it throws with 1011. While it does not receive, its client is not read from.
//
// What a request that asks for no WebSocket gets is said by the host: 426.
#ifndef LEAT_PLUGIN_WEBSOCKET_HPP
#define LEAT_PLUGIN_WEBSOCKET_HPP

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_call.hpp"
#include "plugin_guard.hpp"
#include "plugin_handler.hpp"
#include "plugin_request.hpp"
#include "plugin_task.hpp"
#include "plugin_websocket.h"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

enum class MessageKind : uint8_t { Text = LEAT_WEBSOCKET_TEXT, Binary = LEAT_WEBSOCKET_BINARY };

// In a callback: good until that returns.
struct Message {
  MessageKind kind = MessageKind::Text;
  std::string_view text;
};

// In a coroutine: its own.
struct OwnedMessage {
  MessageKind kind = MessageKind::Text;
  std::string text;
  operator Message() const { return {kind, text}; }
};

// What becomes of a message for many where so much waits for a client already.
enum class Slow : uint8_t {
  Drop = LEAT_SLOW_DROP,   // it does not get this one
  Close = LEAT_SLOW_CLOSE  // its socket is closed
};

// How a socket has ended: 1005 a Close without a code, 1006 without a Close.
struct Closed {
  uint16_t code = 1006;
  std::string_view reason;
};

namespace detail {

// What a coroutine's socket has received for it, and who waits there. In the request's memory: it is there when the frames
// that refer to it are.
struct Conversation {
  TaskRun* run = nullptr;
  std::coroutine_handle<> reader, writer;
  bool full = false;  // `message` is there
  bool closed = false;
  uint16_t code = 0;
  union {
    OwnedMessage message;
  };
  Conversation() {}
  ~Conversation() {}  // its message ends with the socket
  void drop() {
    if (std::exchange(full, false)) message.~OwnedMessage();
  }
};

// Where a coroutine waits for its socket: for a message, or for room. It may be destroyed while it waits.
class Waiting {
 public:
  using Place = std::coroutine_handle<> Conversation::*;
  Waiting(Conversation* conversation, Place place) : conversation_(conversation), place_(place) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    if (waits_) conversation_->*place_ = nullptr;
  }

 protected:
  void wait(std::coroutine_handle<> waiter) {
    if (conversation_ == nullptr) throw std::logic_error("only a socket's own coroutine waits for it");
    TaskRun& run = TaskRun::current();
    if (conversation_->*place_ != nullptr) throw std::logic_error("two tasks wait for the same of a socket");
    run.keep();
    conversation_->run = &run;
    conversation_->*place_ = waiter;
    waits_ = true;
  }
  void wake() { waits_ = false; }
  [[nodiscard]] Conversation* conversation() const { return conversation_; }

 private:
  Conversation* conversation_;
  Place place_;
  bool waits_ = false;
};

}  // namespace detail

// A socket, as a plugin holds it: as cheap to copy as a number. Good until its on_close has returned, on its worker.
class WebSocket {
 public:
  enum class Sent : uint8_t {
    Done,
    Blocked,  // it was taken; wait for on_writable with others
    Full,     // it was not: so much waits already
    Closed    // nobody will get it
  };

  WebSocket() = default;
  explicit WebSocket(leat_websocket* handle, detail::Conversation* conversation = nullptr)
      : handle_(handle), conversation_(conversation) {}

  // What send() has come to. A coroutine may await it: it goes on when the client has taken enough for the next; false: nobody
  // gets it.
  class Sending : detail::Waiting {
   public:
    Sending(Sent sent, detail::Conversation* conversation)
        : Waiting(conversation, &detail::Conversation::writer), sent_(sent) {}
    operator Sent() const { return sent_; }
    [[nodiscard]] bool taken() const { return sent_ == Sent::Done || sent_ == Sent::Blocked; }

    [[nodiscard]] bool await_ready() const { return sent_ != Sent::Blocked; }
    void await_suspend(std::coroutine_handle<> waiter) { wait(waiter); }
    bool await_resume() {
      wake();
      return taken() && (sent_ == Sent::Done || !conversation()->closed);
    }

   private:
    Sent sent_;
  };

  // A text has to be UTF-8: throws std::invalid_argument otherwise.
  Sending send(std::string_view text) const { return send({MessageKind::Text, text}); }
  Sending send_binary(std::string_view bytes) const { return send({MessageKind::Binary, bytes}); }
  Sending send(const Message& message) const {
    const int32_t answer =
        detail::api.websocket->send(handle_, static_cast<uint32_t>(message.kind), to_str(message.text));
    if (answer == LEAT_E_ARGUMENT) throw std::invalid_argument("a text that is not UTF-8");
    const Sent sent = answer == LEAT_OK        ? Sent::Done
                      : answer == LEAT_BLOCKED ? Sent::Blocked
                      : answer == LEAT_E_BUSY  ? Sent::Full
                                               : Sent::Closed;
    return {sent, conversation_};
  }

  // In a coroutine: the next message; none: the socket has ended.
  auto receive() const {
    class [[nodiscard]] Receiving : detail::Waiting {
     public:
      Receiving(detail::Conversation* conversation, leat_websocket* handle)
          : Waiting(conversation, &detail::Conversation::reader), handle_(handle) {}
      [[nodiscard]] bool await_ready() const { return conversation()->full || conversation()->closed; }
      void await_suspend(std::coroutine_handle<> waiter) {
        wait(waiter);
        detail::api.websocket->resume(handle_);
      }
      std::optional<OwnedMessage> await_resume() {
        wake();
        if (!conversation()->full) return std::nullopt;
        std::optional<OwnedMessage> message(std::move(conversation()->message));
        conversation()->drop();
        return message;
      }

     private:
      leat_websocket* handle_;
    };
    if (conversation_ == nullptr)
      throw std::logic_error("receive() is for coroutines: others have on_message");
    return Receiving(conversation_, handle_);
  }

  // What was sent before arrives first. Throws std::invalid_argument for a code or reason that cannot be sent.
  void close(uint16_t code = LEAT_CLOSE_NORMAL, std::string_view reason = {}) const {
    if (detail::api.websocket->close(handle_, code, to_str(reason)) == LEAT_E_ARGUMENT)
      throw std::invalid_argument("a code or reason that no Close may have");
  }
  // No message comes until resume().
  void pause() const { detail::api.websocket->pause(handle_); }
  void resume() const { detail::api.websocket->resume(handle_); }
  // on_timer once after that time, in place of what was set before.
  void set_timer(std::chrono::milliseconds delay) const {
    detail::api.websocket->set_timer(handle_, delay.count() < 0 ? 0 : static_cast<uint64_t>(delay.count()));
  }
  void stop_timer() const { detail::api.websocket->set_timer(handle_, UINT64_MAX); }

  // From now on it gets what is published of that topic: leat::publish(). False: it had subscribed, or is closing.
  bool subscribe(std::string_view topic, Slow slow = Slow::Drop) const {
    return detail::api.websocket->subscribe(handle_, to_str(topic), static_cast<uint32_t>(slow)) == LEAT_OK;
  }
  bool unsubscribe(std::string_view topic) const {
    return detail::api.websocket->unsubscribe(handle_, to_str(topic)) == LEAT_OK;
  }

  [[nodiscard]] bool is_open() const { return detail::api.websocket->is_open(handle_) != 0; }
  // The subprotocol that was chosen; empty if there is none.
  [[nodiscard]] std::string_view protocol() const {
    return to_view(detail::api.websocket->protocol(handle_));
  }
  // Bytes that its client has not taken yet.
  [[nodiscard]] uint64_t queued() const { return detail::api.websocket->queued(handle_); }
  // In a coroutine, once it has ended: how.
  [[nodiscard]] uint16_t close_code() const { return conversation_ == nullptr ? 0 : conversation_->code; }

  // Names it on any thread, and for ever.
  class Id {
   public:
    Id() = default;
    Id(const leat_host* host, leat_websocket_id id) : host_(host), id_(id) {}
    // Sends it a message from any thread; what is in the way of that nobody is told. False: it has ended.
    bool send(const Message& message) const {
      std::string bytes(1, static_cast<char>(message.kind));
      bytes += message.text;
      return detail::api.websocket->post(host_, id_, pass_on, to_str(bytes)) == LEAT_OK;
    }
    bool send(std::string_view text) const { return send({MessageKind::Text, text}); }
    bool close(uint16_t code = LEAT_CLOSE_NORMAL) const {
      const char bytes[] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
      return detail::api.websocket->post(host_, id_, close_it, {bytes, 2}) == LEAT_OK;
    }

   private:
    static void pass_on(const leat_scope*, leat_websocket* socket, leat_str bytes) noexcept {
      detail::api.websocket->send(socket, static_cast<uint32_t>(bytes.ptr[0]),
                                  {bytes.ptr + 1, bytes.len - 1});
    }
    static void close_it(const leat_scope*, leat_websocket* socket, leat_str bytes) noexcept {
      const auto byte = [&](size_t at) {
        return static_cast<uint32_t>(static_cast<unsigned char>(bytes.ptr[at]));
      };
      detail::api.websocket->close(socket, byte(0) << 8 | byte(1), {});
    }
    const leat_host* host_ = nullptr;
    leat_websocket_id id_{};
  };
  [[nodiscard]] Id id(const leat_host* host) const {
    leat_websocket_id id{};
    detail::api.websocket->id(handle_, &id);
    return {host, id};
  }

  [[nodiscard]] leat_websocket* handle() const { return handle_; }
  friend bool operator==(const WebSocket& a, const WebSocket& b) { return a.handle_ == b.handle_; }

 private:
  leat_websocket* handle_ = nullptr;
  detail::Conversation* conversation_ = nullptr;
};

// Sends a message to all who have subscribed to a topic, on all workers; on any thread. `host` is Setup::host(), or that of a
// scope. False: so much is on its way that it was not taken. A text has to be UTF-8: throws std::invalid_argument otherwise.
inline bool publish(const leat_host* host, std::string_view topic, const Message& message) {
  if (detail::api.websocket == nullptr) return false;
  const int32_t answer = detail::api.websocket->publish(
      host, to_str(topic), static_cast<uint32_t>(message.kind), to_str(message.text));
  if (answer == LEAT_E_ARGUMENT) throw std::invalid_argument("a text that is not UTF-8");
  return answer == LEAT_OK;
}
inline bool publish(const leat_host* host, std::string_view topic, std::string_view text) {
  return publish(host, topic, {MessageKind::Text, text});
}

namespace detail {

inline constexpr std::string_view kNoSockets = "this daemon is too old for WebSockets";

// --- Coroutines

struct ConversationHandler {
  static Conversation& of(leat_websocket* socket) {
    return *static_cast<Conversation*>(api.websocket->state(socket));
  }
  // Goes on with the coroutine at `place`; what it comes to is the socket's.
  static void go_on(const leat_scope* scope, leat_websocket* socket, Conversation& conversation,
                    std::coroutine_handle<> Conversation::* place) noexcept {
    const std::coroutine_handle<> waiter = std::exchange(conversation.*place, nullptr);
    if (waiter == nullptr) return;
    const int32_t verdict = conversation.run->go_on(scope, waiter);
    if (verdict == LEAT_DONE) api.websocket->close(socket, LEAT_CLOSE_NORMAL, {});
    if (verdict == LEAT_ERROR) api.websocket->close(socket, LEAT_CLOSE_INTERNAL, {});
  }
  static void message(const leat_scope* scope, leat_websocket* socket, uint32_t kind,
                      leat_str text) noexcept {
    Conversation& conversation = of(socket);
    try {
      new (&conversation.message) OwnedMessage{static_cast<MessageKind>(kind), std::string(to_view(text))};
    } catch (...) {
      api.websocket->close(socket, LEAT_CLOSE_TRY_LATER, {});
      return;
    }
    conversation.full = true;
    api.websocket->pause(socket);  // until the next one is asked for
    go_on(scope, socket, conversation, &Conversation::reader);
  }
  static void writable(const leat_scope* scope, leat_websocket* socket) noexcept {
    go_on(scope, socket, of(socket), &Conversation::writer);
  }
  static void close(const leat_scope* scope, leat_websocket* socket, uint32_t code, leat_str) noexcept {
    Conversation& conversation = of(socket);
    conversation.drop();
    conversation.closed = true;
    conversation.code = static_cast<uint16_t>(code);
    go_on(scope, socket, conversation, &Conversation::writer);
    go_on(scope, socket, conversation, &Conversation::reader);
  }
  static constexpr leat_websocket_handler kTable = {sizeof(leat_websocket_handler),
                                                    LEAT_WEBSOCKET_KEEPS_REQUEST,
                                                    nullptr,
                                                    message,
                                                    writable,
                                                    nullptr,
                                                    close};
};

template <>
struct Source<WebSocket> {
  struct Binding {
    static bool bind(const leat_host* host, const leat_route*, leat_error* error) {
      if (api.websocket != nullptr) return true;
      host->fail(error, {}, to_str(kNoSockets));
      return false;
    }
  };
  bool take(const Frame& frame, const Binding&) {
    conversation = new (allocate(frame.request, sizeof(Conversation), alignof(Conversation))) Conversation;
    leat_websocket_options options{};
    options.struct_size = sizeof options;
    options.state = conversation;
    leat_websocket* handle = nullptr;
    const int32_t answer =
        api.websocket->accept(frame.request, &ConversationHandler::kTable, &options, &handle);
    if (answer == LEAT_E_MEMORY) throw OutOfMemory();
    if (answer != LEAT_OK) return false;
    api.websocket->pause(handle);  // until a message is asked for
    socket = WebSocket(handle, conversation);
    return true;
  }
  WebSocket& pass() { return socket; }
  Conversation* conversation = nullptr;
  WebSocket socket;
};

// --- Classes

// What a callback takes behind those that the socket gives it.
template <class A, class Argument>
concept SharedArgument = std::is_lvalue_reference_v<A> &&
                         (std::derived_from<Argument, PluginTag> || std::derived_from<Argument, PerWorker>);

template <size_t given, class Function>
struct SocketSignature;
template <size_t given, class C, class R, class... A>
struct SocketSignature<given, R (C::*)(A...)> {
  static_assert(std::is_void_v<R>, "the callbacks of a socket return nothing");
  using All = std::tuple<A...>;
  template <class S, auto member, class... Given>
  static void call(S& object, const leat_scope* scope, Given&&... first) {
    [&]<size_t... I>(std::index_sequence<I...>) {
      (object.*member)(std::forward<Given>(first)..., shared<std::tuple_element_t<given + I, All>>(scope)...);
    }(std::make_index_sequence<sizeof...(A) - given>());
  }
  template <class Argument>
  static Argument shared(const leat_scope* scope) {
    using T = std::remove_cvref_t<Argument>;
    static_assert(SharedArgument<Argument, T>,
                  "a socket's callback takes the plugin & and its Worker & besides");
    if constexpr (std::derived_from<T, PluginTag>)
      return *static_cast<T*>(scope->instance);
    else
      return *static_cast<T*>(scope->worker_state);
  }
};
template <size_t given, class C, class R, class... A>
struct SocketSignature<given, R (C::*)(A...) const> : SocketSignature<given, R (C::*)(A...)> {};

template <class S>
struct SocketHandler {
  static constexpr bool kAsks = requires { &S::on_request; };
  using Args = typename decltype([] {
    if constexpr (kAsks)
      return std::type_identity<typename Signature<decltype(&S::on_request)>::Args>();
    else
      return std::type_identity<Arguments<>>();
  }())::type;
  using Answer = void;
  static constexpr uint32_t kFlags = Args::kJsonBody ? LEAT_HANDLER_REFUSES : 0u;

  static int32_t bind(const leat_host* host, void* instance, const leat_route* route, void** bound,
                      leat_error* error) noexcept {
    if (api.websocket != nullptr) return Binder<Args>::bind(host, instance, route, bound, error);
    host->fail(error, {}, to_str(kNoSockets));
    return LEAT_E_NOT_FOUND;
  }

  static int32_t handle(const leat_scope* scope, leat_request* request) noexcept {
    const Frame frame{scope, request, {}};
    return guarded(frame, [&]() -> int32_t {
      [[maybe_unused]] typename Args::Sources sources;
      if (!Args::take(sources, frame, Binder<Args>::of(scope))) return LEAT_DONE;
      auto object = std::make_unique<S>();
      if constexpr (kAsks) {
        static_assert(std::is_void_v<decltype(Args::pass(sources, std::declval<Caller>()))>,
                      "on_request of a socket returns nothing: what it throws is answered");
        Args::pass(sources, Caller{object.get()});
      }
      return accept(request, std::move(object));
    });
  }

 private:
  struct Caller {
    S* object;
    template <class... A>
    auto operator()(A&&... args) const -> decltype(object->on_request(std::forward<A>(args)...)) {
      return object->on_request(std::forward<A>(args)...);
    }
  };

  static int32_t accept(leat_request* request, std::unique_ptr<S> object) {
    leat_websocket_options options{};
    options.struct_size = sizeof options;
    options.state = object.get();
    [[maybe_unused]] auto protocols = texts([] {
      if constexpr (requires { S::kProtocols; })
        return S::kProtocols;
      else
        return std::array<std::string_view, 0>();
    }());
    [[maybe_unused]] auto origins = texts([] {
      if constexpr (requires { S::kOrigins; })
        return S::kOrigins;
      else
        return std::array<std::string_view, 0>();
    }());
    options.protocols = protocols.data();
    options.protocol_count = static_cast<uint32_t>(protocols.size());
    options.origins = origins.data();
    options.origin_count = static_cast<uint32_t>(origins.size());
    if constexpr (requires { S::kMessageBytes; }) options.message_bytes = S::kMessageBytes;
    const int32_t answer = api.websocket->accept(request, &kTable, &options, nullptr);
    if (answer == LEAT_OK) (void)object.release();  // until its end
    if (answer == LEAT_E_MEMORY) throw OutOfMemory();
    return LEAT_DONE;
  }

  template <size_t N>
  static std::array<leat_str, N> texts(const std::array<std::string_view, N>& views) {
    std::array<leat_str, N> all{};
    for (size_t i = 0; i < N; ++i) all[i] = to_str(views[i]);
    return all;
  }

  // Calls a member; what it throws ends the socket.
  template <auto member, class... Given>
  static void call(const leat_scope* scope, leat_websocket* socket, const Given&... given) noexcept {
    auto* object = static_cast<S*>(api.websocket->state(socket));
    WebSocket its(socket);
    const int32_t verdict = guarded({scope, nullptr, {}}, [&]() -> int32_t {
      SocketSignature<1 + sizeof...(Given), decltype(member)>::template call<S, member>(*object, scope, its,
                                                                                        given...);
      return LEAT_DONE;
    });
    if (verdict == LEAT_ERROR) api.websocket->close(socket, LEAT_CLOSE_INTERNAL, {});
  }
  static void open(const leat_scope* scope, leat_websocket* socket) noexcept {
    if constexpr (requires { &S::on_open; }) call<&S::on_open>(scope, socket);
  }
  static void message(const leat_scope* scope, leat_websocket* socket, uint32_t kind,
                      leat_str text) noexcept {
    call<&S::on_message>(scope, socket, Message{static_cast<MessageKind>(kind), to_view(text)});
  }
  static void writable(const leat_scope* scope, leat_websocket* socket) noexcept {
    if constexpr (requires { &S::on_writable; }) call<&S::on_writable>(scope, socket);
  }
  static void timer(const leat_scope* scope, leat_websocket* socket) noexcept {
    if constexpr (requires { &S::on_timer; }) call<&S::on_timer>(scope, socket);
  }
  static void close(const leat_scope* scope, leat_websocket* socket, uint32_t code,
                    leat_str reason) noexcept {
    if constexpr (requires { &S::on_close; })
      call<&S::on_close>(scope, socket, Closed{static_cast<uint16_t>(code), to_view(reason)});
    delete static_cast<S*>(api.websocket->state(socket));
  }
  static constexpr leat_websocket_handler kTable = {
      sizeof(leat_websocket_handler), 0, open, message, writable, timer, close};
};

template <class S>
constexpr leat_handler socket_table(leat_str name) {
  using Handler = SocketHandler<S>;
  leat_handler made{};
  made.struct_size = sizeof made;
  made.flags = Handler::kFlags;
  made.name = name;
  made.bind = Handler::bind;
  made.unbind = Binder<typename Handler::Args>::unbind;
  made.handle = Handler::handle;
  return made;
}

}  // namespace detail
}  // namespace v1
}  // namespace leat

#endif
