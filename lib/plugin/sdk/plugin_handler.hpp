// Part of plugin.hpp: functions and classes as the handlers of plugin.h. Nothing in here is meant to be used
// by name.
#ifndef LEAT_PLUGIN_HANDLER_HPP
#define LEAT_PLUGIN_HANDLER_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "plugin.h"
#include "plugin_answer.hpp"
#include "plugin_call.hpp"
#include "plugin_guard.hpp"
#include "plugin_request.hpp"
#include "plugin_schema.hpp"
#include "plugin_task.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

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

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<Task<T>> = true;

// What a handler that returns T answers with.
template <class T>
struct AnswerWithin {
  using Type = std::remove_cvref_t<T>;
};
template <class T>
struct AnswerWithin<Task<T>> {
  using Type = std::remove_cvref_t<T>;
};
template <class T>
using AnswerOf = typename AnswerWithin<T>::Type;

// bind() and unbind() of a handler whose parameters are Args, and that answers with an Answer.
template <class Args, class Answer = void>
struct Binder {
  using Bindings = typename Args::Bindings;
  static int32_t bind(const leat_host* host, void*, const leat_route* route, void** bound,
                      leat_error* error) noexcept {
    auto* bindings = new (std::nothrow) Bindings;
    if (bindings == nullptr) return LEAT_E_MEMORY;
    *bound = bindings;
    if (Args::bind(*bindings, host, route, error) && describe(route)) return LEAT_OK;
    delete bindings;
    return LEAT_E_ARGUMENT;
  }
  static void unbind(void*, void* bound) noexcept { delete static_cast<Bindings*>(bound); }
  static bool describe(const leat_route* route) {
    if (api.parameters == nullptr) return true;
    const std::string schema = answer_schema<Answer>();
    return schema.empty() ||
           api.parameters->describe(route, LEAT_DESCRIBES_ANSWER, to_str(schema)) == LEAT_OK;
  }
  static const Bindings& of(const leat_scope* scope) { return *static_cast<const Bindings*>(scope->bound); }
};

// The call of a handler that is a coroutine, with all that its parameters refer to.
template <class Args, class T>
class HandlerRun final : public TaskRun {
 public:
  using TaskRun::TaskRun;

  // False when the request was answered instead.
  template <class Function>
  bool make(const Frame& frame, const typename Args::Bindings& bindings, Function&& function) {
    if (!Args::take(sources_, frame, bindings)) return false;
    task_ = Args::pass(sources_, function);
    if (task_.handle() == nullptr) throw std::logic_error("an empty leat::Task");
    root_ = task_.handle();
    return true;
  }

 private:
  int32_t answer() override {
    const Task<T> ended = std::move(task_);
    if constexpr (std::is_void_v<T>) {
      ended.handle().promise().take();
      return LEAT_DONE;
    } else {
      return give(request(), ended.handle().promise().take());
    }
  }

  [[no_unique_address]] typename Args::Sources sources_;
  Task<T> task_;
};

// Calls `function` with its arguments, and gives what it returns; the verdict. A run that has to wait is
// found at `home`.
template <class Args, class Function>
int32_t call_handler(const Frame& frame, const typename Args::Bindings& bindings, Function&& function,
                     [[maybe_unused]] TaskRun** home = nullptr) {
  using Answer = decltype(Args::pass(std::declval<typename Args::Sources&>(), function));
  if constexpr (is_task<Answer>) {
    using Run = HandlerRun<Args, typename Answer::Value>;
    static_assert(std::is_trivially_destructible_v<typename Args::Sources> &&
                  alignof(Run) <= TaskRun::kAlign);
    constexpr size_t kRun = (sizeof(Run) + TaskRun::kAlign - 1) / TaskRun::kAlign * TaskRun::kAlign;
    auto* memory = static_cast<std::byte*>(allocate(frame.request, kRun + TaskRun::kSpare, TaskRun::kAlign));
    struct Owner {
      ~Owner() {
        if (!run->kept()) TaskRun::end(run);
      }
      Run* run;
    } const owner{new (memory) Run(frame, home, memory + kRun)};
    const TaskRun::Current current(*owner.run);
    return owner.run->make(frame, bindings, function) ? owner.run->start() : LEAT_DONE;
  } else {
    return Args::call(frame, bindings, function);
  }
}

// A function, or a member function of the plugin, as a handler.
template <class Plugin, auto function>
struct FunctionHandler {
  using Args = typename Signature<decltype(function)>::Args;
  static constexpr bool kTask = is_task<typename Signature<decltype(function)>::Answer>;
  static constexpr uint32_t kFlags = (!kTask && !Args::kPerWorker ? LEAT_HANDLER_ANY_THREAD : 0u) |
                                     (Args::kJsonBody ? LEAT_HANDLER_REFUSES : 0u);
  using Answer = AnswerOf<typename Signature<decltype(function)>::Answer>;
  static_assert(
      !Args::kSocket || (kTask && std::is_void_v<Answer>),
      "who takes a leat::WebSocket& returns leat::Task<void>; see plugin_websocket.hpp for classes");
  static constexpr bool kBody = false, kBodyEnd = false, kCancel = false;  // are a class's
  static constexpr bool kKeeps = kTask;

  static int32_t handle(const leat_scope* scope, leat_request* request) noexcept {
    const Frame frame{scope, request, {}};
    return guarded(frame, [&] {
      return call_handler<Args>(frame, Binder<Args>::of(scope), [&](auto&&... args) -> decltype(auto) {
        if constexpr (std::is_member_function_pointer_v<decltype(function)>)
          return (static_cast<Plugin*>(scope->instance)->*function)(std::forward<decltype(args)>(args)...);
        else
          return function(std::forward<decltype(args)>(args)...);
      });
    });
  }
  // For those only that keep something for their request.
  static int32_t on_writable(const leat_scope* scope, leat_request* request) noexcept {
    auto* run = static_cast<TaskRun*>(api.request->state(request));
    return run == nullptr ? LEAT_DONE : run->on_writable(scope);
  }
  static void on_done(const leat_scope*, leat_request* request) noexcept {
    if (auto* run = static_cast<TaskRun*>(api.request->state(request))) TaskRun::end(run);
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
  static constexpr uint32_t kFlags =
      (kBody ? LEAT_HANDLER_STREAM_BODY : 0u) | (Args::kJsonBody ? LEAT_HANDLER_REFUSES : 0u);
  static constexpr bool kKeeps = true;
  using Answer = AnswerOf<typename Signature<decltype(&S::on_request)>::Answer>;

  static int32_t handle(const leat_scope* scope, leat_request* request) noexcept {
    const Frame frame{scope, request, {}};
    return guarded(frame, [&] {
      auto* kept = new (allocate(request, sizeof(Kept), alignof(Kept))) Kept;
      if (api.request->set_state(request, kept) != LEAT_OK) {
        kept->~Kept();
        throw detail::OutOfMemory();
      }
      const auto call = [&](auto&&... args) -> decltype(auto) {
        return kept->object.on_request(std::forward<decltype(args)>(args)...);
      };
      return call_handler<Args>(frame, Binder<Args>::of(scope), call, &kept->run);
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
    Kept* kept = find(request);
    if (kept != nullptr && kept->run != nullptr && kept->run->writer != nullptr)
      return kept->run->on_writable(scope);
    if constexpr (kWritable) return call<&S::on_writable>({scope, request, {}});
    return LEAT_DONE;
  }
  static void on_cancel(const leat_scope* scope, leat_request* request) noexcept {
    if constexpr (kCancel) call<&S::on_cancel>({scope, request, {}});
  }
  static void on_done(const leat_scope*, leat_request* request) noexcept {
    if (Kept* kept = find(request)) kept->~Kept();
  }

 private:
  // A task of on_request or on_body_end refers to the object, and ends before it.
  struct Kept {
    ~Kept() {
      if (run != nullptr) TaskRun::end(run);
    }
    S object;
    TaskRun* run = nullptr;
  };

  template <auto member>
  static constexpr bool returns_task = is_task<typename Signature<decltype(member)>::Answer>;
  static_assert(!kBody || !returns_task<&S::on_request>,
                "the body would arrive while on_request waits: let on_body_end be the coroutine");
  // Called again while an earlier call of theirs waits.
  static constexpr bool kPlain = [] {
    bool plain = true;
    if constexpr (kBody) plain = plain && !returns_task<&S::on_body>;
    if constexpr (kWritable) plain = plain && !returns_task<&S::on_writable>;
    if constexpr (kCancel) plain = plain && !returns_task<&S::on_cancel>;
    return plain;
  }();
  static_assert(kPlain, "on_body, on_writable and on_cancel are no coroutines: let on_body_end be one");

  static Kept* find(leat_request* request) { return static_cast<Kept*>(api.request->state(request)); }

  template <auto member>
  static int32_t call(const Frame& frame) noexcept {
    Kept* kept = find(frame.request);
    if (kept == nullptr) return LEAT_ERROR;  // its constructor threw
    return guarded(frame, [&] {
      const auto call = [&](auto&&... args) -> decltype(auto) {
        return (kept->object.*member)(std::forward<decltype(args)>(args)...);
      };
      return call_handler<typename Signature<decltype(member)>::Args>(frame, {}, call, &kept->run);
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
  if (answer == LEAT_E_MEMORY) throw detail::OutOfMemory();
  if (answer != LEAT_OK) throw std::logic_error("a timer for a request that was answered, or on the pool");
  return pending();
}

template <class T, class Callback>
Completer<T> Request::suspend(Callback callback) {
  Callback& kept = make<Callback>(std::move(callback));
  leat_ticket ticket{};
  const int32_t answer = detail::api.async->suspend(request_, &ticket);
  if (answer == LEAT_E_MEMORY) throw detail::OutOfMemory();
  if (answer != LEAT_OK)
    throw std::logic_error("a suspension of a request that is suspended or answered, or on the pool");
  return Completer<T>(host_, ticket, detail::Resumption<Callback>::template completion<T>, &kept);
}

}  // namespace v1
}  // namespace leat

#endif
