// Part of plugin.hpp: handlers that are coroutines.
//
//   leat::Task<leat::Reply> nap(leat::Path<uint32_t, "ms"> ms, leat::Json& json) {
//     co_await leat::sleep(std::chrono::milliseconds(*ms));
//     co_return json.object("slept_ms", ms);
//   }
//
// A handler that returns Task<T> may wait for a timer (sleep), for another thread (Completion), for room in
// the answer (writable), for another Task, or for several of them (plugin_gather.hpp). The worker serves
// other requests meanwhile. Everything else is as in a handler that returns T.
//
// Frames lie in the request's memory, and their places are used again, so that neither a handler nor a loop
// of waits asks the heap for anything. When the client leaves, the frames that still wait are destroyed, the
// innermost first, and so the destructors of their locals run while all that they could refer to is there. A
// task belongs to its request: it is made, awaited and destroyed in the request's callbacks.
//
// Rejected: starting an awaited task by symmetric transfer. It makes a loop over tasks that never suspend as
// deep as it is long wherever the compiler does not turn the transfer into a jump, and gcc at -O0 does not. A
// task is called like a function; only going back to the one that waits for it is a transfer.
#ifndef LEAT_PLUGIN_TASK_HPP
#define LEAT_PLUGIN_TASK_HPP

#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "plugin.h"
#include "plugin_answer.hpp"
#include "plugin_guard.hpp"
#include "plugin_request.hpp"

// gcc 12 makes coroutines that crash out of what later ones and clang compile rightly: it is told so where
// one is made, and does for all else.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#define LEAT_MAKES_A_COROUTINE \
  [[gnu::noinline, gnu::error("gcc 12 compiles coroutines wrongly: a leat::Task needs gcc 13 or clang")]]
#else
#define LEAT_MAKES_A_COROUTINE
#endif

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

template <class T = void>
class Task;

namespace detail {

// All coroutines of one handler's call. Lies in the request's memory; ended by the callback that made it, or,
// once something waits, by on_done.
class TaskRun {
 public:
  static constexpr size_t kAlign = 16;
  // Bytes that come with the run, for its first frame: so a handler that waits for nothing asks the host for
  // memory once.
  static constexpr size_t kSpare = 512;

  // `home` is where the run is found again; without one it is the request's state. `spare` is aligned.
  TaskRun(const Frame& frame, TaskRun** home, std::byte* spare)
      : request_(frame.request), host_(frame.scope->host), home_(home), spare_(spare) {}
  TaskRun(const TaskRun&) = delete;
  TaskRun& operator=(const TaskRun&) = delete;
  virtual ~TaskRun() = default;

  // Makes `run` the one that this thread's coroutines belong to, for as long as it lives.
  class Current {
   public:
    explicit Current(TaskRun& run) : place_(current_run), outer_(std::exchange(place_, &run)) {}
    ~Current() { place_ = outer_; }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    TaskRun*& place_;  // looked up once: in a shared object that is a call
    TaskRun* outer_;
  };
  static TaskRun& current() {
    if (current_run == nullptr) throw std::logic_error("a leat::Task outside of the callbacks of a request");
    return *current_run;
  }
  static void release_frame(void* memory, size_t size) noexcept {
    if (current_run != nullptr) current_run->release(memory, size);
  }
  static void end(TaskRun* run) noexcept {
    const Current scope(*run);
    run->~TaskRun();
  }

  [[nodiscard]] leat_request* request() const { return request_; }
  [[nodiscard]] const leat_host* host() const { return host_; }

  // Memory that is used again. Pieces above the largest class are not: they go with the request.
  void* allocate(size_t size) {
    const size_t index = size_class(size);
    if (index >= kClasses) return detail::allocate(request_, size, kAlign);
    if (Free* piece = free_[index]) {
      free_[index] = piece->next;
      return piece;
    }
    const size_t room = kLeast << index;
    if (room > spare_size_) return detail::allocate(request_, room, kAlign);
    spare_size_ -= room;
    return std::exchange(spare_, spare_ + room);
  }
  void release(void* memory, size_t size) noexcept {
    const size_t index = size_class(size);
    if (index < kClasses) free_[index] = new (memory) Free{free_[index]};
  }

  // Has the run outlive this callback. Before anything waits.
  void keep() {
    if (kept_) return;
    if (home_ != nullptr)
      *home_ = this;
    else if (api.request->set_state(request_, this) != LEAT_OK)
      throw detail::OutOfMemory();
    kept_ = true;
  }
  [[nodiscard]] bool kept() const { return kept_; }

  // Begins, or goes on at `place`. The verdict for the host; throws what the handler threw.
  int32_t start() { return advance(root_); }
  int32_t advance(std::coroutine_handle<> place) {
    place.resume();
    return root_.done() ? answer() : LEAT_PENDING;
  }
  // The same in a callback of its own.
  int32_t go_on(const leat_scope* scope, std::coroutine_handle<> place) noexcept {
    const Current current(*this);
    return guarded({scope, request_, {}}, [&] { return advance(place); });
  }
  // There is room for more of the answer.
  int32_t on_writable(const leat_scope* scope) noexcept {
    return writer == nullptr ? LEAT_PENDING : go_on(scope, std::exchange(writer, nullptr));
  }
  std::coroutine_handle<> writer;  // waits for on_writable

 protected:
  virtual int32_t answer() = 0;   // gives what the handler returned
  std::coroutine_handle<> root_;  // the handler itself

 private:
  struct Free {
    Free* next;
  };
  static constexpr size_t kLeast = 64;
  static constexpr size_t kClasses = 8;  // 64 bytes to 8 KiB
  static constexpr size_t size_class(size_t size) {
    return static_cast<size_t>(std::bit_width((size - 1) / kLeast));
  }

  static inline constinit thread_local TaskRun* current_run = nullptr;

  leat_request* request_;
  const leat_host* host_;
  TaskRun** home_;
  bool kept_ = false;
  std::array<Free*, kClasses> free_{};
  std::byte* spare_;
  size_t spare_size_ = kSpare;
};

// The run's memory, for containers of its coroutines.
template <class T>
struct RunAllocator {
  static_assert(alignof(T) <= TaskRun::kAlign);
  using value_type = T;
  RunAllocator() = default;
  template <class U>
  RunAllocator(const RunAllocator<U>&) noexcept {}
  T* allocate(size_t count) {
    if (count > SIZE_MAX / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(TaskRun::current().allocate(count * sizeof(T)));
  }
  void deallocate(T* memory, size_t count) noexcept { TaskRun::release_frame(memory, count * sizeof(T)); }
  template <class U>
  bool operator==(const RunAllocator<U>&) const noexcept {
    return true;
  }
};

struct PromiseBase {
  struct Final {
    static bool await_ready() noexcept { return false; }
    template <class Promise>
    static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      const std::coroutine_handle<> waiter = ended.promise().waiter;
      return waiter == nullptr ? std::noop_coroutine() : waiter;
    }
    static void await_resume() noexcept {}
  };

  static void* operator new(size_t size) { return TaskRun::current().allocate(size); }
  static void operator delete(void* memory, size_t size) noexcept { TaskRun::release_frame(memory, size); }

  static std::suspend_always initial_suspend() noexcept { return {}; }
  static Final final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }

  std::coroutine_handle<> waiter;  // goes on when this has ended; none while it runs in its caller
  std::exception_ptr error;
};

template <class T>
struct Promise : PromiseBase {
  LEAT_MAKES_A_COROUTINE Task<T> get_return_object() noexcept;
  template <class U>
    requires std::constructible_from<T, U&&>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T&& take() {
    if (error != nullptr) std::rethrow_exception(error);
    return std::move(*value);
  }
  std::optional<T> value;
};

}  // namespace detail

// A std::vector in the request's memory, for coroutines: it ends with its request, and in its callbacks. What
// is to outlive that is a std::vector<T>, which it becomes by itself.
template <class T>
struct Vector : std::vector<T, detail::RunAllocator<T>> {
  using std::vector<T, detail::RunAllocator<T>>::vector;
  operator std::vector<T>() && {
    return {std::make_move_iterator(this->begin()), std::make_move_iterator(this->end())};
  }
};

// A coroutine that comes to a T. It begins when it is awaited, or, as a handler, when that is called; it
// ends, wherever it is, with the Task.
template <class T>
class [[nodiscard]] Task {
 public:
  using Value = T;
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task old(std::exchange(handle_, std::exchange(other.handle_, nullptr)));
    return *this;
  }
  ~Task() {
    if (handle_ != nullptr) handle_.destroy();
  }

  auto operator co_await() && noexcept {
    struct Awaiter {
      Handle task;
      static bool await_ready() noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> waiter) const noexcept {
        task.resume();
        if (task.done()) return false;
        task.promise().waiter = waiter;
        return true;
      }
      T await_resume() const { return task.promise().take(); }
    };
    return Awaiter{handle_};
  }

  [[nodiscard]] Handle handle() const { return handle_; }

 private:
  Handle handle_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
// Here, where a Task is complete, so that its function can be defined within: gcc 12 warns of one that is
// first declared not to be inlined and then inline.
template <>
struct detail::Promise<void> : PromiseBase {
  LEAT_MAKES_A_COROUTINE Task<void> get_return_object() noexcept {
    return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
  }
  static void return_void() noexcept {}
  void take() const {
    if (error != nullptr) std::rethrow_exception(error);
  }
};

namespace detail {

[[noreturn]] inline void throw_refusal(int32_t answer) {
  if (answer == LEAT_E_MEMORY) throw detail::OutOfMemory();
  throw std::logic_error("waiting in a request that was answered, or on the pool");
}

// A place where a task waits for an operation of the host. In the request's memory and not in the frame: a
// frame can be destroyed while the operation, which cannot be taken back, still runs.
struct Wait {
  TaskRun* run;
  std::coroutine_handle<> waiter;  // null once nobody waits any more

  // What the operation calls at its end, with the Wait as its argument.
  static int32_t wake(const leat_scope* scope, leat_request* request, void* argument) noexcept {
    if (request == nullptr) return LEAT_DONE;  // and the Wait has gone with it
    auto* wait = static_cast<Wait*>(argument);
    TaskRun* run = wait->run;
    const std::coroutine_handle<> waiter = wait->waiter;
    run->release(wait, sizeof(Wait));
    return waiter == nullptr ? LEAT_PENDING : run->go_on(scope, waiter);
  }
};

// Waits for an operation of the host that ends by calling a leat_resume: `begin(request, resume, argument)`
// starts it, and answers LEAT_OK or why it can't.
template <class Begin>
class [[nodiscard]] Operation {
 public:
  explicit Operation(Begin begin) : begin_(std::move(begin)) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() {
    if (wait_ != nullptr) wait_->waiter = nullptr;
  }

  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    TaskRun& run = TaskRun::current();
    run.keep();
    auto* wait = new (run.allocate(sizeof(Wait))) Wait{&run, waiter};
    const int32_t answer = begin_(run.request(), Wait::wake, wait);
    if (answer != LEAT_OK) {
      run.release(wait, sizeof(Wait));
      throw_refusal(answer);
    }
    wait_ = wait;
  }
  void await_resume() noexcept { wait_ = nullptr; }

 private:
  Begin begin_;
  Wait* wait_ = nullptr;
};

}  // namespace detail

// co_await leat::sleep(100ms): goes on after that time.
inline auto sleep(std::chrono::milliseconds time) {
  const auto delay_ms = static_cast<uint64_t>(time.count() < 0 ? 0 : time.count());
  return detail::Operation([delay_ms](leat_request* request, leat_resume resume, void* argument) {
    return detail::api.timer->resume_after(request, delay_ms, resume, argument);
  });
}
// The same; for those who like to see whose time it is. A task waits in no other request than its own.
inline auto sleep(const Request&, std::chrono::milliseconds time) { return sleep(time); }

// co_await leat::writable(): goes on when the client has taken so much of the answer that more can be
// written, after Response::write has answered false.
inline auto writable() {
  class [[nodiscard]] Writable {
   public:
    Writable() = default;
    Writable(const Writable&) = delete;
    Writable& operator=(const Writable&) = delete;
    ~Writable() {
      if (run_ != nullptr) run_->writer = nullptr;
    }
    static bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
      detail::TaskRun& run = detail::TaskRun::current();
      if (run.writer != nullptr) throw std::logic_error("two tasks of a request write its answer");
      run.keep();
      run.writer = waiter;
      run_ = &run;
    }
    void await_resume() noexcept { run_ = nullptr; }

   private:
    detail::TaskRun* run_ = nullptr;
  };
  return Writable();
}

// A result that comes from another thread.
//
//   leat::Completion<Report> report;
//   pool_.run([completer = report.completer()]() mutable { completer.complete(slow_query()); });
//   json.object("rows", (co_await report).rows);
//
// The result may come before it is awaited, or never be: then it is freed. A completer that is destroyed
// unused makes co_await throw.
template <class T>
class Completion {
 public:
  Completion() {
    detail::TaskRun& run = detail::TaskRun::current();
    run.keep();
    arrival_ = new (run.allocate(sizeof(Arrival))) Arrival{.run = &run};
    const int32_t answer = detail::api.async->suspend(run.request(), &ticket_);
    if (answer == LEAT_OK) return;
    arrival_->end();
    detail::throw_refusal(answer);
  }
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  ~Completion() {
    arrival_->waiter = nullptr;
    arrival_->wanted = false;
    if (arrival_->arrived) arrival_->end();
  }

  // Once: the right to complete.
  [[nodiscard]] Completer<T> completer() {
    if (std::exchange(given_, true)) throw std::logic_error("a second completer of one completion");
    return Completer<T>(arrival_->run->host(), ticket_, Arrival::arrive, arrival_);
  }

  // Once.
  auto operator co_await() const noexcept {
    struct Awaiter {
      Arrival* arrival;
      [[nodiscard]] bool await_ready() const noexcept { return arrival->arrived; }
      void await_suspend(std::coroutine_handle<> waiter) const noexcept { arrival->waiter = waiter; }
      T await_resume() const {
        const std::unique_ptr<Delivery> delivery = std::move(arrival->delivery);
        if (delivery == nullptr) throw std::logic_error("a completion that is awaited twice");
        if (!delivery->result) throw std::runtime_error("nothing: a completer was dropped without a result");
        return std::move(*delivery->result);
      }
    };
    return Awaiter{arrival_};
  }

 private:
  using Delivery = typename Completer<T>::Delivery;

  // Where the result is put; apart from the frame, which may go before it comes.
  struct Arrival {
    detail::TaskRun* run;
    std::coroutine_handle<> waiter{};
    std::unique_ptr<Delivery> delivery{};
    bool arrived = false;
    bool wanted = true;  // the Completion is still there

    void end() {
      detail::TaskRun* const memory = run;
      this->~Arrival();
      memory->release(this, sizeof(Arrival));
    }
    static int32_t arrive(const leat_scope* scope, leat_request* request, void* argument) noexcept {
      std::unique_ptr<Delivery> delivery(static_cast<Delivery*>(argument));
      if (request == nullptr) return LEAT_DONE;
      auto* arrival = static_cast<Arrival*>(delivery->callback);
      if (!arrival->wanted) {
        arrival->end();
        return LEAT_PENDING;
      }
      arrival->arrived = true;
      arrival->delivery = std::move(delivery);
      const auto waiter = std::exchange(arrival->waiter, nullptr);
      return waiter == nullptr ? LEAT_PENDING : arrival->run->go_on(scope, waiter);
    }
  };

  Arrival* arrival_;
  leat_ticket ticket_{};
  bool given_ = false;
};

}  // namespace v1
}  // namespace leat

#endif
