// Part of plugin.hpp: what everything else in it is made of: the host's tables, texts, problems, the log.
#ifndef LEAT_PLUGIN_BASE_HPP
#define LEAT_PLUGIN_BASE_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "plugin.h"
#include "plugin_events.h"
#include "plugin_websocket.h"

// Hidden: two plugins, built with two versions of this header, must never share one definition.
namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

inline leat_str to_str(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view to_view(leat_str text) { return {text.ptr, text.len}; }

namespace detail {

// The host's tables, looked up once in load().
struct Api {
  const leat_request_v1* request = nullptr;
  const leat_body_v1* body = nullptr;
  const leat_response_v1* response = nullptr;
  const leat_arena_v1* arena = nullptr;
  const leat_json_v1* json = nullptr;
  const leat_log_v1* log = nullptr;
  const leat_config_v1* config = nullptr;
  const leat_route_v1* route = nullptr;
  const leat_async_v1* async = nullptr;
  const leat_timer_v1* timer = nullptr;
  const leat_pool_v1* pool = nullptr;
  const leat_client_v1* client = nullptr;
  const leat_metrics_v1* metrics = nullptr;
  const leat_services_v1* services = nullptr;
  const leat_cache_v1* cache = nullptr;
  const leat_response_cache_v1* response_cache = nullptr;
  const leat_middleware_v1* middleware = nullptr;  // null on daemons without
  const leat_parameters_v1* parameters = nullptr;  // likewise
  const leat_session_v1* session = nullptr;        // likewise
  const leat_websocket_v1* websocket = nullptr;    // likewise
  const leat_events_v1* events = nullptr;          // likewise
};
inline constinit Api api;

// The host has no memory for this request, at its own limit or at that of all requests together. Thrown where
// there is nothing else to be done; the answer is a 503.
struct OutOfMemory : std::bad_alloc {};

}  // namespace detail

// A text that is there for as long as the plugin is: a literal. It is sent in place.
class Literal {
 public:
  template <size_t N>
  consteval Literal(const char (&text)[N]) : text_(text, N - 1) {}
  [[nodiscard]] constexpr std::string_view view() const { return text_; }

 private:
  std::string_view text_;
};

// A text that is made for one answer, as opposed to a Literal.
template <class T>
concept MadeText = std::same_as<std::remove_cvref_t<T>, std::string> ||
                   std::same_as<std::remove_cvref_t<T>, std::string_view>;

// An error answer, as RFC 9457 problem+json. Can be returned or thrown. `detail` tells the client what to
// mend.
struct Problem {
  int status = 500;
  std::string detail;
  // More of it, for programs: members of the object, as JSON.
  std::string members = {};

  // Adds one: leat::problem(409, "It is lent.").with("until", until). The value is whatever LEAT_JSON can be
  // made of. Throws std::logic_error for a name that RFC 9457 has, or that is none.
  template <class T>
  Problem& with(std::string_view name, const T& value) &;
  template <class T>
  Problem&& with(std::string_view name, const T& value) && {
    return std::move(with(name, value));
  }
};

// A T, or the problem why there is none: what a function returns that can fail, and a handler too.
template <class T>
class [[nodiscard]] Result {
 public:
  using Value = T;

  Result(T value) : content_(std::move(value)) {}
  Result(Problem problem) : content_(std::move(problem)) {}
  explicit operator bool() const { return content_.index() == 0; }

  // Without looking: what is not there is a std::bad_variant_access.
  T& operator*() & { return std::get<0>(content_); }
  const T& operator*() const& { return std::get<0>(content_); }
  T&& operator*() && { return std::get<0>(std::move(content_)); }
  T* operator->() { return &std::get<0>(content_); }
  const T* operator->() const { return &std::get<0>(content_); }
  Problem& problem() & { return std::get<1>(content_); }
  const Problem& problem() const& { return std::get<1>(content_); }
  Problem&& problem() && { return std::get<1>(std::move(content_)); }

  // The T, or the problem is thrown, and answered.
  const T& value() const& {
    if (!*this) throw Problem(problem());
    return **this;
  }
  T value() && {
    if (!*this) throw Problem(std::move(problem()));
    return std::move(**this);
  }
  template <class U>
  T value_or(U&& fallback) && {
    return *this ? std::move(**this) : static_cast<T>(std::forward<U>(fallback));
  }

  // Goes on with the T: `next` returns another T, or, for and_then, another Result. A problem stays.
  template <class Next>
  auto transform(Next&& next) && -> Result<std::invoke_result_t<Next, T&&>> {
    if (!*this) return std::move(problem());
    return std::forward<Next>(next)(std::move(**this));
  }
  template <class Next>
  auto and_then(Next&& next) && -> std::invoke_result_t<Next, T&&> {
    if (!*this) return std::move(problem());
    return std::forward<Next>(next)(std::move(**this));
  }

 private:
  std::variant<T, Problem> content_;
};

// Done, or the problem with it. A handler that returns it and is done has no content: 204.
template <>
class [[nodiscard]] Result<void> {
 public:
  using Value = void;

  Result() = default;
  Result(Problem problem) : problem_(std::move(problem)) {}
  explicit operator bool() const { return !problem_; }
  Problem& problem() { return problem_.value(); }
  const Problem& problem() const { return problem_.value(); }
  void value() const {
    if (problem_) throw Problem(*problem_);
  }

 private:
  std::optional<Problem> problem_;
};

namespace detail {

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<Result<T>> = true;

}  // namespace detail

class Log {
 public:
  explicit Log(const leat_host* host) : host_(host) {}
  void debug(std::string_view line) const { write(LEAT_LOG_DEBUG, line); }
  void info(std::string_view line) const { write(LEAT_LOG_INFO, line); }
  void warn(std::string_view line) const { write(LEAT_LOG_WARN, line); }
  void error(std::string_view line) const { write(LEAT_LOG_ERROR, line); }

 private:
  void write(uint32_t level, std::string_view line) const {
    detail::api.log->write(host_, level, to_str(line));
  }
  const leat_host* host_;
};

}  // namespace v1
}  // namespace leat

#endif
