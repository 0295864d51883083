// Part of plugin.hpp: tasks that wait for several others at a time.
//
//   leat::Vector<User> users =
//       co_await leat::gather_with_limit(ids, 8, [&](uint64_t id) { return fetch(id); });
//
// The items are shared out among `limit` lanes: coroutines that each take the next item when they have come
// to the end of one. A lane that fails, or is the last to end, wakes the one that gathers; that destroys the
// lanes that still wait, and with them what they wait for.
#ifndef LEAT_PLUGIN_GATHER_HPP
#define LEAT_PLUGIN_GATHER_HPP

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "plugin_answer.hpp"
#include "plugin_task.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

// Where one task waits for its lanes, each of which is a task that ends in leave().
class Join {
 public:
  // Starts a lane; it runs until it waits for something.
  void start(const Task<>& lane) {
    ++running_;
    lane.handle().resume();
  }
  // Whatever still runs is not needed any more. In a catch block: because of what was caught.
  void stop() noexcept { stopped_ = true; }
  void fail() noexcept {
    if (!std::exchange(stopped_, true)) error_ = std::current_exception();
  }
  [[nodiscard]] bool stopped() const { return stopped_; }

  // The last thing that a lane awaits: it does not go on from there.
  auto leave() noexcept {
    struct Leave {
      Join& join;
      static bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<>) const noexcept {
        --join.running_;
        if (join.waiter_ == nullptr || !join.await_ready()) return std::noop_coroutine();
        return std::exchange(join.waiter_, nullptr);  // which may destroy this lane
      }
      static void await_resume() noexcept {}
    };
    return Leave{*this};
  }

  // For the one that gathers. Throws what the first lane that failed had caught.
  [[nodiscard]] bool await_ready() const noexcept { return stopped_ || running_ == 0; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  void await_resume() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

 private:
  size_t running_ = 0;
  bool stopped_ = false;
  std::exception_ptr error_;
  std::coroutine_handle<> waiter_;  // once all lanes have started
};

// A lane that runs `body`, a Task<bool>: false stops the others.
template <class Body>
Task<> lane(Join& join, Body& body) {
  try {
    if (!co_await body()) join.stop();
  } catch (...) {
    join.fail();
  }
  co_await join.leave();
}

// Awaits `each(item, place)`, a Task<bool>, for all items, at most `limit` at a time, until one says false or
// throws.
template <class Items, class Each>
Task<> run_lanes(Items& items, size_t limit, Each& each) {
  auto next = std::ranges::begin(items);
  const auto end = std::ranges::end(items);
  size_t place = 0;
  Join join;
  auto body = [&]() -> Task<bool> {
    while (!join.stopped() && next != end) {
      const auto item = next++;
      if (!co_await each(*item, place++)) co_return false;
    }
    co_return true;
  };
  Vector<Task<>> lanes;
  while (lanes.size() < std::max<size_t>(limit, 1) && next != end && !join.stopped())
    join.start(lanes.emplace_back(lane(join, body)));
  co_await join;
}

// What the task that `Function` makes of an item comes to.
template <class Function, class Items>
using Gathered = typename std::invoke_result_t<Function&, std::ranges::range_reference_t<Items>>::Value;

template <class T>
Vector<T> values_of(Vector<std::optional<T>>&& places) {
  Vector<T> values;
  values.reserve(places.size());
  for (std::optional<T>& each : places) values.push_back(std::move(*each));
  return values;
}

// R is void or Result<void>.
template <class R, class Items, class Function>
Task<R> gather_nothing(Items items, size_t limit, Function function) {
  std::optional<Problem> problem;
  auto each = [&](auto&& item, size_t) -> Task<bool> {
    if constexpr (std::is_void_v<R>)
      co_await function(item);
    else if (R result = co_await function(item); !result)
      problem = std::move(result.problem());
    co_return !problem;
  };
  co_await run_lanes(items, limit, each);
  if constexpr (!std::is_void_v<R>) co_return problem ? R(std::move(*problem)) : R();
}

template <class T, class Items, class Function>
Task<Vector<T>> gather_values(Items items, size_t limit, Function function) {
  Vector<std::optional<T>> places(static_cast<size_t>(std::ranges::distance(items)));
  auto each = [&](auto&& item, size_t place) -> Task<bool> {
    places[place].emplace(co_await function(item));
    co_return true;
  };
  co_await run_lanes(items, limit, each);
  co_return values_of(std::move(places));
}

template <class T, class Items, class Function>
Task<Result<Vector<T>>> gather_results(Items items, size_t limit, Function function) {
  Vector<std::optional<T>> places(static_cast<size_t>(std::ranges::distance(items)));
  std::optional<Problem> problem;
  auto each = [&](auto&& item, size_t place) -> Task<bool> {
    Result<T> result = co_await function(item);
    if (result)
      places[place].emplace(std::move(*result));
    else
      problem = std::move(result.problem());
    co_return bool(result);
  };
  co_await run_lanes(items, limit, each);
  if (problem) co_return std::move(*problem);
  co_return values_of(std::move(places));
}

template <class T, class Items, class Function>
Task<Vector<Result<T>>> collect(Items items, size_t limit, Function function) {
  Vector<std::optional<Result<T>>> places(static_cast<size_t>(std::ranges::distance(items)));
  auto each = [&](auto&& item, size_t place) -> Task<bool> {
    try {
      places[place].emplace(co_await function(item));
    } catch (Problem& problem) {
      places[place].emplace(std::move(problem));
    }
    co_return true;
  };
  co_await run_lanes(items, limit, each);
  co_return values_of(std::move(places));
}

}  // namespace detail

// Awaits `function(item)`, a Task<R>, for each item, at most `limit` of them at a time: a Vector<R> in the
// order of the items, in the request's memory. The first that fails ends it: what it has thrown is thrown,
// and the tasks that still wait are destroyed. Where R is Result<T>, the outcome is a Result<Vector<T>>, with
// the first problem.
//
// A range that is a temporary is kept, any other must outlive the task, as must what `function` refers to.
template <std::ranges::forward_range Items, class Function>
auto gather_with_limit(Items&& items, size_t limit, Function function) {
  using View = std::views::all_t<Items>;
  using R = detail::Gathered<Function, View>;
  View view = std::views::all(std::forward<Items>(items));
  if constexpr (std::is_void_v<R> || std::is_same_v<R, Result<void>>)
    return detail::gather_nothing<R>(std::move(view), limit, std::move(function));
  else if constexpr (detail::is_result<R>)
    return detail::gather_results<typename R::Value>(std::move(view), limit, std::move(function));
  else
    return detail::gather_values<R>(std::move(view), limit, std::move(function));
}

// The same, but a Problem, returned or thrown, is an outcome like others: a Vector<Result<R>>. Other
// exceptions end it.
template <std::ranges::forward_range Items, class Function>
auto collect_with_limit(Items&& items, size_t limit, Function function) {
  using View = std::views::all_t<Items>;
  using R = detail::Gathered<Function, View>;
  View view = std::views::all(std::forward<Items>(items));
  if constexpr (detail::is_result<R>)
    return detail::collect<typename R::Value>(std::move(view), limit, std::move(function));
  else
    return detail::collect<R>(std::move(view), limit, std::move(function));
}

// co_await leat::within(100ms, task): what `task` comes to, or nothing when it takes longer; then it has been
// destroyed.
template <class T>
Task<std::optional<T>> within(std::chrono::milliseconds time, Task<T> task) {
  Task<T> own = std::move(task);  // ends with this one's locals, not with its parameters
  std::optional<T> value;
  detail::Join join;
  auto work = [&]() -> Task<bool> {
    value.emplace(co_await std::move(own));
    co_return false;
  };
  auto clock = [&]() -> Task<bool> {
    co_await sleep(time);
    co_return false;
  };
  const Task<> worker = detail::lane(join, work);
  join.start(worker);
  const Task<> timer = detail::lane(join, clock);
  if (!join.stopped()) join.start(timer);
  co_await join;
  co_return std::move(value);
}

// The same for one that comes to nothing: whether it was done in time.
inline Task<bool> within(std::chrono::milliseconds time, Task<> task) {
  auto work = [](Task<> inner) -> Task<bool> {
    co_await std::move(inner);
    co_return true;
  };
  co_return (co_await within(time, work(std::move(task)))).has_value();
}

}  // namespace v1
}  // namespace leat

#endif
