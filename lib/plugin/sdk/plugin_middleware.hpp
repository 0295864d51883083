// Part of plugin.hpp: middleware, which stands between clients and the handlers of whichever plugin.
//
// A kind is a class. Of it an object is made for each [[middleware]] kind = "PLUGIN:NAME" in the
// configuration, from Setup& (its options), from the plugin and Setup&, or from nothing; all workers share
// it. It has, in any combination,
//
//   leat::Reply request(...)     before the handler: leat::next() lets the request go on, everything else is
//                                its answer. May be a coroutine, leat::Task<leat::Reply>
//   void body(leat::BodyPiece&, ...)
//                                the request's body, before the handler sees it: watched, or replaced. May
//                                return leat::Reply, as request() does, but cannot wait
//   void writable(...)           there is room again for the rest of an answer in pieces that request() has
//                                begun by Response::begin(). May return leat::Reply
//   void head(leat::Head&, ...)  sees and changes the head of each answer. May return leat::Wants for the
//                                body; otherwise the body is changed where there is a piece() or end()
//   void piece(std::string_view piece, leat::Onward&, ...)
//                                a piece of an answer's body, cut anywhere; what is given on is what the
//                                client gets
//   void end(leat::Onward&, ...) the body is complete: what was held back is given now
//   void cancel(...), void done(...)
//
// "..." are parameters as handlers have them, as far as they do not name a part of a route: Request&, Json&,
// the plugin, its Worker, and
//
//   State&                       the class's own `struct State : leat::PerRequest`, one for each request
//
// and in request(), body() and writable() also Response&, Query, Header and Cookie. What it throws before an
// answer is sent makes that a 500; later the answer is cut.
#ifndef LEAT_PLUGIN_MIDDLEWARE_HPP
#define LEAT_PLUGIN_MIDDLEWARE_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <type_traits>

#include "plugin.h"
#include "plugin_call.hpp"
#include "plugin_guard.hpp"
#include "plugin_handler.hpp"
#include "plugin_request.hpp"
#include "plugin_task.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// When a middleware runs, relative to others; see LEAT_PHASE_* in plugin.h.
enum class Phase : uint32_t {
  Observe = LEAT_PHASE_OBSERVE,
  Identify = LEAT_PHASE_IDENTIFY,
  Protect = LEAT_PHASE_PROTECT,
  Limit = LEAT_PHASE_LIMIT,
  Transform = LEAT_PHASE_TRANSFORM,
  Content = LEAT_PHASE_CONTENT
};

// What head() wants of the body.
enum class Wants : int32_t { Keep = LEAT_BODY_KEEP, Watch = LEAT_BODY_WATCH, Change = LEAT_BODY_CHANGE };

// Base of what a middleware keeps for each request.
struct PerRequest {};

// The head of an answer, whoever gives it.
class Head {
 public:
  explicit Head(leat_request* request) : request_(request) {}

  [[nodiscard]] int status() const { return static_cast<int>(detail::api.middleware->status(request_)); }
  [[nodiscard]] std::string_view type() const {
    return to_view(detail::api.middleware->content_type(request_));
  }
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    const leat_str value = detail::api.middleware->header(request_, to_str(name));
    return value.ptr == nullptr ? std::nullopt : std::optional(to_view(value));
  }

  Head& status(int code) { return check(api().status(request_, static_cast<uint32_t>(code))); }
  Head& type(Literal type) { return check(api().content_type_static(request_, to_str(type.view()))); }
  // Appends a field; set() replaces those of that name.
  Head& add(std::string_view name, std::string_view value) {
    return check(api().add_header(request_, to_str(name), to_str(value)));
  }
  Head& set(std::string_view name, std::string_view value) {
    return check(api().set_header(request_, to_str(name), to_str(value)));
  }
  Head& remove(std::string_view name) { return check(api().remove_header(request_, to_str(name))); }

 private:
  static const leat_response_v1& api() { return *detail::api.response; }
  Head& check(int32_t answer) {
    if (answer == LEAT_E_MEMORY) throw detail::OutOfMemory();
    if (answer < 0) throw std::invalid_argument("the head of the answer refused an argument");
    return *this;
  }
  leat_request* request_;
};

// The request's body on its way to the handler: all of it, or a piece where the handler streams it.
class BodyPiece {
 public:
  BodyPiece(leat_request* request, leat_str& bytes, bool last)
      : request_(request), bytes_(bytes), last_(last) {}

  [[nodiscard]] std::string_view bytes() const { return to_view(bytes_); }
  // No other piece follows; this one may be empty.
  [[nodiscard]] bool last() const { return last_; }
  // Puts others in its place, which are copied.
  void replace(std::string_view bytes) {
    leat_str copy{"", 0};
    if (!bytes.empty()) copy = detail::api.arena->copy(request_, to_str(bytes));
    if (copy.ptr == nullptr) throw detail::OutOfMemory();
    bytes_ = copy;
  }

 private:
  leat_request* request_;
  leat_str& bytes_;
  bool last_;
};

// The way on for a body that is changed.
class Onward {
 public:
  explicit Onward(leat_request* request) : request_(request) {}
  // False: taken, but the client is slow, or has gone: give no more than must be.
  bool give(std::string_view bytes) {
    return detail::api.middleware->give(request_, to_str(bytes)) == LEAT_OK;
  }

 private:
  leat_request* request_;
};

namespace detail {

template <>
struct Source<Head> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    head.emplace(frame.request);
    return true;
  }
  Head& pass() { return *head; }
  std::optional<Head> head;
};

template <>
struct Source<Onward> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    onward.emplace(frame.request);
    return true;
  }
  Onward& pass() { return *onward; }
  std::optional<Onward> onward;
};

// What is kept for a request, in memory of the host's that is zeros at first: no run, no state.
template <class State>
struct MiddlewareState {
  TaskRun* run;
  bool made;
  alignas(State) std::byte memory[sizeof(State)];

  State& get() {
    if (!made) {
      new (memory) State;
      made = true;
    }
    return *std::launder(reinterpret_cast<State*>(memory));
  }
};

template <std::derived_from<PerRequest> State>
struct Source<State> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    state = &static_cast<MiddlewareState<State>*>(api.request->state(frame.request))->get();
    return true;
  }
  State& pass() { return *state; }
  State* state = nullptr;
};

// A class as the callbacks of leat_middleware.
template <class Plugin, class M>
struct MiddlewareKind {
  static constexpr bool kRequest = requires { &M::request; };
  static constexpr bool kBody = requires { &M::body; };
  static constexpr bool kWritable = requires { &M::writable; };
  static constexpr bool kHead = requires { &M::head; };
  static constexpr bool kPiece = requires { &M::piece; };
  static constexpr bool kEnd = requires { &M::end; };
  static constexpr bool kCancel = requires { &M::cancel; };
  static constexpr bool kDone = requires { &M::done; };
  static constexpr bool kState = requires { typename M::State; };
  static constexpr bool kTask = [] {
    if constexpr (kRequest)
      return is_task<typename Signature<decltype(&M::request)>::Answer>;
    else
      return false;
  }();
  static constexpr auto state_type() {
    if constexpr (kState)
      return std::type_identity<typename M::State>();
    else
      return std::type_identity<PerRequest>();
  }
  using State = typename decltype(state_type())::type;
  static_assert(std::derived_from<State, PerRequest>, "derive State from leat::PerRequest");
  static_assert(alignof(State) <= 16, "the request's memory is aligned to 16 bytes");
  using Kept = MiddlewareState<State>;
  static constexpr bool kKept = kState || kTask;

  static int32_t create(const leat_host* host, void* instance, const leat_config* options, void** made,
                        leat_error* error) noexcept {
    try {
      Setup setup(host, options, error);
      auto& plugin = *static_cast<Plugin*>(instance);
      if constexpr (std::constructible_from<M, Plugin&, Setup&>)
        *made = new M(plugin, setup);
      else if constexpr (std::constructible_from<M, Setup&>)
        *made = new M(setup);
      else
        *made = new M;
      return LEAT_OK;
    } catch (const std::exception& thrown) {
      host->fail(error, {}, to_str(thrown.what()));
    } catch (...) {
      host->fail(error, {}, LEAT_STR("threw something that is not a std::exception"));
    }
    return LEAT_E_STATE;
  }
  static void destroy(void*, void* made) noexcept { delete static_cast<M*>(made); }

  static int32_t request(const leat_scope* scope, leat_request* request) noexcept {
    const Frame frame{scope, request, {}};
    return guarded(frame, [&] {
      const auto call = [&](auto&&... args) -> decltype(auto) {
        return static_cast<M*>(scope->bound)->request(std::forward<decltype(args)>(args)...);
      };
      using Args = typename Signature<decltype(&M::request)>::Args;
      if constexpr (kTask)
        return call_handler<Args>(frame, {}, call, &find(request)->run);
      else
        return call_handler<Args>(frame, {}, call);
    });
  }
  static int32_t body(const leat_scope* scope, leat_request* request, leat_str* bytes,
                      int32_t last) noexcept {
    const Frame frame{scope, request, {}};
    return guarded(frame, [&]() -> int32_t {
      using Args = typename TailSignature<decltype(&M::body)>::Args;
      using Answer = typename Signature<decltype(&M::body)>::Answer;
      static_assert(std::is_void_v<Answer> || std::is_same_v<Answer, Reply>,
                    "body() returns nothing or leat::Reply: it cannot wait");
      [[maybe_unused]] typename Args::Sources sources;
      if (!Args::take(sources, frame, {})) return LEAT_DONE;
      BodyPiece piece(request, *bytes, last != 0);
      const auto call = [&](auto&&... args) -> decltype(auto) {
        return static_cast<M*>(scope->bound)->body(std::forward<decltype(args)>(args)...);
      };
      if constexpr (std::is_void_v<Answer>) {
        Args::pass(sources, call, piece);
        return LEAT_NEXT;
      } else {
        return give(request, Args::pass(sources, call, piece));
      }
    });
  }
  static int32_t writable(const leat_scope* scope, leat_request* request) noexcept {
    Kept* kept = kKept ? find(request) : nullptr;
    if (kept != nullptr && kept->run != nullptr) return kept->run->on_writable(scope);
    if constexpr (kWritable) {
      const Frame frame{scope, request, {}};
      return guarded(frame, [&] {
        return Signature<decltype(&M::writable)>::Args::call(
            frame, {}, [&](auto&&... args) -> decltype(auto) {
              return static_cast<M*>(scope->bound)->writable(std::forward<decltype(args)>(args)...);
            });
      });
    }
    return LEAT_DONE;
  }
  static int32_t head(const leat_scope* scope, leat_request* request) noexcept {
    constexpr Wants kOtherwise = kPiece || kEnd ? Wants::Change : Wants::Keep;
    return call<&M::head>({scope, request, {}}, static_cast<int32_t>(kOtherwise));
  }
  static int32_t piece(const leat_scope* scope, leat_request* request, leat_str bytes) noexcept {
    return call<&M::piece>({scope, request, to_view(bytes)}, LEAT_NEXT);
  }
  static int32_t end(const leat_scope* scope, leat_request* request) noexcept {
    return call<&M::end>({scope, request, {}}, LEAT_NEXT);
  }
  static void cancel(const leat_scope* scope, leat_request* request) noexcept {
    call<&M::cancel>({scope, request, {}}, LEAT_NEXT);
  }
  static void done(const leat_scope* scope, leat_request* request) noexcept {
    if constexpr (kDone) call<&M::done>({scope, request, {}}, LEAT_NEXT);
    Kept* kept = kKept ? find(request) : nullptr;
    if (kept == nullptr) return;
    if (kept->run != nullptr) TaskRun::end(kept->run);
    if (kept->made) kept->get().~State();
  }

  template <size_t N>
  static constexpr leat_middleware describe(const char (&name)[N], Phase phase, std::string_view sentence) {
    leat_middleware kind{};
    kind.struct_size = sizeof(leat_middleware);
    kind.phase = static_cast<uint32_t>(phase);
    kind.name = {name, N - 1};
    kind.sentence = {sentence.data(), sentence.size()};
    kind.state_size = kKept ? static_cast<uint32_t>(sizeof(Kept)) : 0;
    kind.create = create;
    kind.destroy = destroy;
    if constexpr (kRequest) kind.request = request;
    if constexpr (kBody) kind.body = body;
    if constexpr (kTask || kWritable) kind.writable = writable;
    if constexpr (kHead) kind.head = head;
    if constexpr (kPiece) kind.piece = piece;
    if constexpr (kEnd) kind.end = end;
    if constexpr (kCancel) kind.cancel = cancel;
    if constexpr (kDone || kKept) kind.done = done;
    return kind;
  }

 private:
  static Kept* find(leat_request* request) { return static_cast<Kept*>(api.request->state(request)); }

  // `otherwise` for a function that returns nothing.
  template <auto member>
  static int32_t call(const Frame& frame, int32_t otherwise) noexcept {
    return guarded(frame, [&]() -> int32_t {
      using Args = typename Signature<decltype(member)>::Args;
      [[maybe_unused]] typename Args::Sources sources;
      if (!Args::take(sources, frame, {})) return LEAT_ERROR;
      const auto function = [&](auto&&... args) -> decltype(auto) {
        return (static_cast<M*>(frame.scope->bound)->*member)(std::forward<decltype(args)>(args)...);
      };
      if constexpr (std::is_void_v<typename Signature<decltype(member)>::Answer>) {
        Args::pass(sources, function);
        return otherwise;
      } else {
        static_assert(std::is_same_v<typename Signature<decltype(member)>::Answer, Wants>,
                      "head() returns nothing or leat::Wants, and the others nothing");
        return static_cast<int32_t>(Args::pass(sources, function));
      }
    });
  }
};

template <class T>
concept HasMiddleware = requires { T::middleware(); };

}  // namespace detail

template <std::same_as<leat_middleware>... Kinds>
constexpr std::array<leat_middleware, sizeof...(Kinds)> kinds(Kinds... each) {
  return {each...};
}

// What middleware before this one, or before this handler, has noted of a request.
inline std::optional<std::string_view> note_of(const Request& request, std::string_view name) {
  if (detail::api.middleware == nullptr) return std::nullopt;
  const leat_str value = detail::api.middleware->note(request.handle(), to_str(name));
  return value.ptr == nullptr ? std::nullopt : std::optional(to_view(value));
}
// Notes something for those behind. Copied.
inline void set_note(Request& request, std::string_view name, std::string_view value) {
  const int32_t answer = detail::api.middleware->set_note(request.handle(), to_str(name), to_str(value));
  if (answer == LEAT_E_MEMORY) throw detail::OutOfMemory();
  if (answer != LEAT_OK) throw std::logic_error("a note without a name, or of a request that was answered");
}

}  // namespace v1
}  // namespace leat

#endif
