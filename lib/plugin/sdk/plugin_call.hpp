// Part of plugin.hpp: from the parameters of a function to the callbacks of plugin.h. Nothing in here is
// meant to be used by name.
//
// What can be known when the plugin is loaded (the number of a path parameter) is a Binding, made once for
// each route; what must be done for a request is a Source, on the stack.
#ifndef LEAT_PLUGIN_CALL_HPP
#define LEAT_PLUGIN_CALL_HPP

#include <charconv>
#include <concepts>
#include <cstdint>
#include <exception>
#include <limits>
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
#include "plugin_answer.hpp"
#include "plugin_parameters.hpp"
#include "plugin_request.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

struct PluginTag {};

// One callback in progress.
struct Frame {
  const leat_scope* scope;
  leat_request* request;
  std::string_view piece;  // in on_body
};

template <template <class> class Option, auto... options>
struct FindOption {
  template <class T>
  static constexpr bool matches = false;
  template <class T>
  static constexpr bool matches<Option<T>> = true;
  static constexpr bool exists = (matches<std::remove_const_t<decltype(options)>> || ...);
  static constexpr auto get() {
    if constexpr (exists) {
      return std::get<0>(std::tuple_cat([] {
        if constexpr (matches<std::remove_const_t<decltype(options)>>)
          return std::tuple(options);
        else
          return std::tuple<>();
      }()...));
    }
  }
};

template <class T>
struct Unwrapped {
  using Type = T;
};
template <class T>
struct Unwrapped<std::optional<T>> {
  using Type = T;
};

inline bool parse(std::string_view text, bool& out) {
  for (const std::string_view yes : {"true", "1", "yes", "on"})
    if (text == yes) return out = true, true;
  for (const std::string_view no : {"false", "0", "no", "off"})
    if (text == no) return out = false, true;
  return false;
}
inline bool parse(std::string_view text, std::string_view& out) { return out = text, true; }
template <class T>
  requires(std::is_arithmetic_v<T>)
bool parse(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// "a whole number from 1 to 100"
template <class T>
std::string expectation(T least, T most) {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    std::string text = std::is_integral_v<T> ? "a whole number" : "a number";
    if (std::is_integral_v<T> || least != std::numeric_limits<T>::lowest())
      text += " from " + std::to_string(least) + " to " + std::to_string(most);
    return text;
  } else {
    return "a text";
  }
}

// How an argument of type A comes about. bind() at load: false with `error` filled when it never can. take()
// for a request: false when the request was answered instead. pass() gives it to the handler.
template <class A>
struct Source;

struct NoBinding {
  template <class... Ignored>
  static bool bind(Ignored&&...) {
    return true;
  }
};

template <Where where, class T, Name name, auto... options>
struct Source<Parameter<where, T, name, options...>> {
  using Value = typename Unwrapped<T>::Type;
  using RangeOption = FindOption<Range, options...>;
  using DefaultOption = FindOption<Default, options...>;
  static_assert(std::is_arithmetic_v<Value> || std::is_same_v<Value, std::string_view>,
                "a parameter is a number, bool, std::string_view, or an optional of one");

  struct Binding {
    uint32_t index = 0;
    bool bind(const leat_host* host, const leat_route* route, leat_error* error) {
      if constexpr (where == Where::Path) {
        const int32_t found = api.route->param_index(route, to_str(name.view()));
        if (found < 0) {
          const std::string message = "the handler needs a path parameter {" + std::string(name.view()) + "}";
          host->fail(error, {}, to_str(message));
          return false;
        }
        index = static_cast<uint32_t>(found);
      }
      return true;
    }
  };

  static constexpr Value kLeast = [] {
    if constexpr (RangeOption::exists)
      return static_cast<Value>(RangeOption::get().least);
    else
      return std::numeric_limits<Value>::lowest();
  }();
  static constexpr Value kMost = [] {
    if constexpr (RangeOption::exists)
      return static_cast<Value>(RangeOption::get().most);
    else
      return std::numeric_limits<Value>::max();
  }();

  bool take(const Frame& frame, const Binding& binding) {
    const leat_str found = look_up(frame, binding);
    if (found.ptr == nullptr) {
      if constexpr (DefaultOption::exists)
        parameter.value = static_cast<Value>(DefaultOption::get().value);
      else if constexpr (!is_optional<T>)
        return refuse(frame, " is missing.");
      return true;
    }
    Value value{};
    bool fits = parse(to_view(found), value);
    if constexpr (std::is_arithmetic_v<Value>) fits = fits && value >= kLeast && value <= kMost;
    if (!fits) return refuse(frame, " must be " + expectation(kLeast, kMost) + ".");
    parameter.value = value;
    return true;
  }
  const Parameter<where, T, name, options...>& pass() { return parameter; }

  Parameter<where, T, name, options...> parameter;

 private:
  static leat_str look_up(const Frame& frame, const Binding& binding) {
    if constexpr (where == Where::Path) return api.request->param(frame.request, binding.index);
    if constexpr (where == Where::Query) return api.request->query_param(frame.request, to_str(name.view()));
    if constexpr (where == Where::Header) return api.request->header(frame.request, to_str(name.view()));
    if constexpr (where == Where::Cookie) return api.request->cookie(frame.request, to_str(name.view()));
  }
  static bool refuse(const Frame& frame, std::string_view why) {
    constexpr std::string_view kinds[] = {"path parameter", "query parameter", "header", "cookie"};
    std::string detail = "The " + std::string(kinds[static_cast<size_t>(where)]) + " `";
    detail.append(name.view()).append("`").append(why);
    const std::string extra = "\"parameter\":\"" + std::string(name.view()) + "\"";
    api.response->send_problem(frame.request, 400, to_str(detail), to_str(extra));
    return false;
  }
};

template <>
struct Source<Body> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    body.text = to_view(api.request->body(frame.request));
    return true;
  }
  const Body& pass() { return body; }
  Body body;
};

template <>
struct Source<std::string_view> {  // the piece, in on_body
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    piece = frame.piece;
    return true;
  }
  std::string_view pass() { return piece; }
  std::string_view piece;
};

template <>
struct Source<Request> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    request.emplace(frame.request, frame.scope);
    return true;
  }
  Request& pass() { return *request; }
  std::optional<Request> request;
};

template <>
struct Source<Response> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    response.emplace(frame.request);
    return true;
  }
  Response& pass() { return *response; }
  std::optional<Response> response;
};

template <>
struct Source<Json> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    leat_json* started = api.json->start(frame.request);
    if (started == nullptr) throw std::bad_alloc();
    json.emplace(started);
    return true;
  }
  Json& pass() { return *json; }
  std::optional<Json> json;
};

template <std::derived_from<PluginTag> Plugin>
struct Source<Plugin> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    plugin = static_cast<Plugin*>(frame.scope->instance);
    return true;
  }
  Plugin& pass() { return *plugin; }
  Plugin* plugin = nullptr;
};

template <std::derived_from<PerWorker> Worker>
struct Source<Worker> {
  using Binding = NoBinding;
  bool take(const Frame& frame, const Binding&) {
    worker = static_cast<Worker*>(frame.scope->worker_state);
    return true;
  }
  Worker& pass() { return *worker; }
  Worker* worker = nullptr;
};

// The parameters of a callback, wherever it is a member of.
template <class... Args>
struct Arguments {
  using Bindings = std::tuple<typename Source<std::remove_cvref_t<Args>>::Binding...>;
  using Sources = std::tuple<Source<std::remove_cvref_t<Args>>...>;

  static bool bind(Bindings& bindings, const leat_host* host, const leat_route* route, leat_error* error) {
    return std::apply([&](auto&... each) { return (each.bind(host, route, error) & ... & true); }, bindings);
  }
  // Calls `function(first..., arguments...)`; the verdict.
  template <class Function, class... First>
  static int32_t call(const Frame& frame, const Bindings& bindings, Function&& function, First&&... first) {
    return call_with(std::index_sequence_for<Args...>(), frame, bindings, function,
                     std::forward<First>(first)...);
  }

 private:
  template <size_t... I, class Function, class... First>
  static int32_t call_with(std::index_sequence<I...>, const Frame& frame, const Bindings& bindings,
                           Function& function, First&&... first) {
    [[maybe_unused]] Sources sources;
    if (!(std::get<I>(sources).take(frame, std::get<I>(bindings)) && ...)) return LEAT_DONE;
    using Answer = decltype(function(std::forward<First>(first)..., std::get<I>(sources).pass()...));
    if constexpr (std::is_void_v<Answer>) {
      function(std::forward<First>(first)..., std::get<I>(sources).pass()...);
      return LEAT_DONE;
    } else {
      return Reply(function(std::forward<First>(first)..., std::get<I>(sources).pass()...))
          .give(frame.request);
    }
  }
};

template <class Function>
struct Signature;
template <class R, class... A>
struct Signature<R (*)(A...)> {
  using Args = Arguments<A...>;
  using Class = void;
};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...)> {
  using Args = Arguments<A...>;
  using Class = C;
};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const> : Signature<R (C::*)(A...)> {};
template <class R, class... A>
struct Signature<R (*)(A...) noexcept> : Signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) noexcept> : Signature<R (C::*)(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const noexcept> : Signature<R (C::*)(A...)> {};

// Of a callback whose first parameter comes from elsewhere.
template <class Function>
struct TailSignature;
template <class C, class R, class First, class... A>
struct TailSignature<R (C::*)(First, A...)> {
  using Args = Arguments<A...>;
};
template <class C, class R, class First, class... A>
struct TailSignature<R (C::*)(First, A...) const> : TailSignature<R (C::*)(First, A...)> {};

inline int32_t log_failure(const Frame& frame, std::string_view what) noexcept {
  const std::string_view route =
      frame.request == nullptr ? "(its request has ended)" : to_view(api.request->route_id(frame.request));
  char line[512];  // no std::string: memory may be what is lacking
  size_t size = 0;
  for (const std::string_view part : {std::string_view("route "), route, std::string_view(": threw "), what})
    size += part.copy(line + size, sizeof line - size);
  api.log->write(frame.scope->host, LEAT_LOG_ERROR, {line, size});
  return LEAT_ERROR;
}

// Runs a request callback; what it throws becomes an answer, or a line in the log and a failure.
template <class Callback>
int32_t guarded(const Frame& frame, Callback&& callback) noexcept {
  try {
    return callback();
  } catch (const Problem& problem) {
    return Reply(problem).give(frame.request);
  } catch (const std::exception& error) {
    return log_failure(frame, error.what());
  } catch (...) {
    return log_failure(frame, "something that is not a std::exception");
  }
}

// What Request::after and Request::suspend run.
template <class Callback>
struct Resumption {
  static int32_t timer(const leat_scope* scope, leat_request* request, void* argument) noexcept {
    using Args = typename Signature<decltype(&Callback::operator())>::Args;
    const Frame frame{scope, request, {}};
    return guarded(frame, [&] { return Args::call(frame, {}, *static_cast<Callback*>(argument)); });
  }
  template <class T>
  static int32_t completion(const leat_scope* scope, leat_request* request, void* argument) noexcept {
    using Args = typename TailSignature<decltype(&Callback::operator())>::Args;
    using Delivery = typename Completer<T>::Delivery;
    const std::unique_ptr<Delivery> delivery(static_cast<Delivery*>(argument));
    if (request == nullptr) return LEAT_DONE;
    const Frame frame{scope, request, {}};
    return guarded(frame, [&]() -> int32_t {
      if (!delivery->result) throw std::runtime_error("nothing: its completer was dropped without a result");
      return Args::call(frame, {}, *static_cast<Callback*>(delivery->callback), std::move(*delivery->result));
    });
  }
};

// bind() and unbind() of a handler whose parameters are Args.
template <class Args>
struct Binder {
  using Bindings = typename Args::Bindings;
  static int32_t bind(const leat_host* host, void*, const leat_route* route, void** bound,
                      leat_error* error) noexcept {
    auto* bindings = new (std::nothrow) Bindings;
    if (bindings == nullptr) return LEAT_E_MEMORY;
    *bound = bindings;
    if (Args::bind(*bindings, host, route, error)) return LEAT_OK;
    delete bindings;
    return LEAT_E_ARGUMENT;
  }
  static void unbind(void*, void* bound) noexcept { delete static_cast<Bindings*>(bound); }
  static const Bindings& of(const leat_scope* scope) { return *static_cast<const Bindings*>(scope->bound); }
};

// A function, or a member function of the plugin, as a handler.
template <class Plugin, auto function>
struct FunctionHandler {
  using Args = typename Signature<decltype(function)>::Args;

  static int32_t handle(const leat_scope* scope, leat_request* request) noexcept {
    const Frame frame{scope, request, {}};
    return guarded(frame, [&] {
      return Args::call(frame, Binder<Args>::of(scope), [&](auto&&... args) -> decltype(auto) {
        if constexpr (std::is_member_function_pointer_v<decltype(function)>)
          return (static_cast<Plugin*>(scope->instance)->*function)(std::forward<decltype(args)>(args)...);
        else
          return function(std::forward<decltype(args)>(args)...);
      });
    });
  }
};

// A class whose objects live as long as a request, as a handler.
template <class S>
struct StreamHandler {
  using Args = typename Signature<decltype(&S::on_request)>::Args;
  static_assert(alignof(S) <= 16, "the request's memory is aligned to 16 bytes");
  static constexpr bool kBody = requires { &S::on_body; };
  static constexpr bool kBodyEnd = requires { &S::on_body_end; };
  static constexpr bool kWritable = requires { &S::on_writable; };
  static constexpr bool kCancel = requires { &S::on_cancel; };

  static int32_t handle(const leat_scope* scope, leat_request* request) noexcept {
    const Frame frame{scope, request, {}};
    return guarded(frame, [&] {
      void* memory = api.arena->alloc(request, sizeof(S), alignof(S));
      if (memory == nullptr) throw std::bad_alloc();
      auto* object = new (memory) S;
      if (api.request->set_state(request, object) != LEAT_OK) {
        object->~S();
        throw std::bad_alloc();
      }
      return Args::call(frame, Binder<Args>::of(scope), [&](auto&&... args) -> decltype(auto) {
        return object->on_request(std::forward<decltype(args)>(args)...);
      });
    });
  }
  static int32_t on_body(const leat_scope* scope, leat_request* request, leat_str piece) noexcept {
    if constexpr (kBody) return call<&S::on_body>({scope, request, to_view(piece)});
    return LEAT_DONE;
  }
  static int32_t on_body_end(const leat_scope* scope, leat_request* request) noexcept {
    if constexpr (kBodyEnd) return call<&S::on_body_end>({scope, request, {}});
    return LEAT_DONE;
  }
  static int32_t on_writable(const leat_scope* scope, leat_request* request) noexcept {
    if constexpr (kWritable) return call<&S::on_writable>({scope, request, {}});
    return LEAT_DONE;
  }
  static void on_cancel(const leat_scope* scope, leat_request* request) noexcept {
    if constexpr (kCancel) call<&S::on_cancel>({scope, request, {}});
  }
  static void on_done(const leat_scope*, leat_request* request) noexcept {
    if (auto* object = static_cast<S*>(api.request->state(request))) object->~S();
  }

 private:
  template <auto member>
  static int32_t call(const Frame& frame) noexcept {
    auto* object = static_cast<S*>(api.request->state(frame.request));
    if (object == nullptr) return LEAT_ERROR;  // its constructor threw
    return guarded(frame, [&] {
      return Signature<decltype(member)>::Args::call(frame, {}, [&](auto&&... args) -> decltype(auto) {
        return (object->*member)(std::forward<decltype(args)>(args)...);
      });
    });
  }
};

}  // namespace detail

template <class Callback>
Reply Request::after(std::chrono::milliseconds delay, Callback callback) {
  Callback& kept = make<Callback>(std::move(callback));
  const auto delay_ms = static_cast<uint64_t>(delay.count() < 0 ? 0 : delay.count());
  const int32_t answer =
      detail::api.timer->resume_after(request_, delay_ms, detail::Resumption<Callback>::timer, &kept);
  if (answer == LEAT_E_MEMORY) throw std::bad_alloc();
  if (answer != LEAT_OK) throw std::logic_error("a timer for a request that was answered");
  return pending();
}

template <class T, class Callback>
Completer<T> Request::suspend(Callback callback) {
  Callback& kept = make<Callback>(std::move(callback));
  leat_ticket ticket{};
  const int32_t answer = detail::api.async->suspend(request_, &ticket);
  if (answer == LEAT_E_MEMORY) throw std::bad_alloc();
  if (answer != LEAT_OK) throw std::logic_error("a suspension of a request that is suspended or answered");
  return Completer<T>(scope_->host, ticket, detail::Resumption<Callback>::template completion<T>, &kept);
}

}  // namespace v1
}  // namespace leat

#endif
