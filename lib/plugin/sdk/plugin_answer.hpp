// Part of plugin.hpp: what a handler answers with. Texts, problems, JSON, Reply and Response.
#ifndef LEAT_PLUGIN_ANSWER_HPP
#define LEAT_PLUGIN_ANSWER_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "plugin.h"
#include "plugin_parameters.hpp"

// Hidden: two plugins, built with two versions of this header, must never share one definition.
namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// --- Basics -----------------------------------------------------------------------------------------

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
};
inline constinit Api api;

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
};

// A T, or the problem why there is none.
template <class T>
class Result {
 public:
  using Value = T;
  Result(T value) : content_(std::move(value)) {}
  Result(Problem problem) : content_(std::move(problem)) {}
  explicit operator bool() const { return content_.index() == 0; }
  T& operator*() { return std::get<0>(content_); }
  const T& operator*() const { return std::get<0>(content_); }
  T* operator->() { return &std::get<0>(content_); }
  const T* operator->() const { return &std::get<0>(content_); }
  Problem& problem() { return std::get<1>(content_); }
  const Problem& problem() const { return std::get<1>(content_); }

 private:
  std::variant<T, Problem> content_;
};

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

// --- JSON -------------------------------------------------------------------------------------------

class Json;

// Members of an object inside another one: json.object("user", leat::members("id", 1)).
template <class... Pairs>
struct Members {
  std::tuple<Pairs...> pairs;
};
template <class... Pairs>
Members<Pairs&&...> members(Pairs&&... pairs) {
  static_assert(sizeof...(Pairs) % 2 == 0, "names and values in turn");
  return {std::tuple<Pairs&&...>(std::forward<Pairs>(pairs)...)};
}

namespace detail {

template <class T>
inline constexpr bool is_members = false;
template <class... Pairs>
inline constexpr bool is_members<Members<Pairs...>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_parameter = false;
template <Where where, class T, Name name, auto... options>
inline constexpr bool is_parameter<Parameter<where, T, name, options...>> = true;

template <class T>
concept HasToJson = requires(Json& json, const T& value) { to_json(json, value); };

}  // namespace detail

// Writes a JSON text into the request's memory. A value can be: nothing (nullptr, nullopt), bool, a number, a
// text, an optional, a parameter, a range of values, members(...), a function that takes Json&, or anything
// with a function `to_json(leat::Json&, const T&)` beside it.
class Json {
 public:
  explicit Json(leat_json* json) : json_(json) {}

  // An object of names and values in turn.
  template <class... Pairs>
  Json& object(const Pairs&... pairs) {
    return value(Members<const Pairs&...>{std::tuple<const Pairs&...>(pairs...)});
  }
  // An array with `write(item)` called for each item: it writes one value.
  template <std::ranges::input_range Items, class Write>
  Json& array(Items&& items, Write&& write) {
    begin_array();
    for (auto&& item : items) write(item);
    return end_array();
  }
  template <std::ranges::input_range Items>
  Json& array(Items&& items) {
    return array(items, [this](const auto& item) { this->value(item); });
  }

  template <class T>
  Json& value(const T& value);

  Json& begin_object() { return event(api().begin_object); }
  Json& end_object() { return event(api().end_object); }
  Json& begin_array() { return event(api().begin_array); }
  Json& end_array() { return event(api().end_array); }
  Json& key(std::string_view name) {
    api().key(json_, to_str(name));
    return *this;
  }
  // One value that is JSON already.
  Json& raw(std::string_view text) {
    api().raw(json_, to_str(text));
    return *this;
  }
  [[nodiscard]] leat_json* handle() const { return json_; }

 private:
  static const leat_json_v1& api() { return *detail::api.json; }
  Json& event(void (*call)(leat_json*)) {
    call(json_);
    return *this;
  }
  template <class Tuple, size_t... I>
  void write_members(const Tuple& pairs, std::index_sequence<I...>) {
    begin_object();
    (key(std::get<2 * I>(pairs)).value(std::get<2 * I + 1>(pairs)), ...);
    end_object();
  }

  leat_json* json_;
};

template <class T>
Json& Json::value(const T& value) {
  if constexpr (detail::HasToJson<T>) {
    to_json(*this, value);
  } else if constexpr (detail::is_parameter<T>) {
    this->value(value.value);
  } else if constexpr (detail::is_members<T>) {
    write_members(value.pairs, std::make_index_sequence<std::tuple_size_v<decltype(value.pairs)> / 2>());
  } else if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>) {
    api().null(json_);
  } else if constexpr (std::is_same_v<T, bool>) {
    api().boolean(json_, value ? 1 : 0);
  } else if constexpr (std::signed_integral<T>) {
    api().integer(json_, value);
  } else if constexpr (std::unsigned_integral<T>) {
    api().unsigned_integer(json_, value);
  } else if constexpr (std::floating_point<T>) {
    api().real(json_, value);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    api().string(json_, to_str(value));
  } else if constexpr (detail::is_optional<T>) {
    if (value)
      this->value(*value);
    else
      api().null(json_);
  } else if constexpr (std::invocable<const T&, Json&>) {
    value(*this);
  } else {
    static_assert(std::ranges::input_range<const T>,
                  "not a value that JSON can show: write a to_json for it");
    array(value);
  }
  return *this;
}

// --- The answer -------------------------------------------------------------------------------------

// What a handler returns.
class Reply {
 public:
  enum class Kind : uint8_t { Answered, Pending, Next, Empty, Fixed, Made, Json, Problem };

  Reply(Json& json) : kind_(Kind::Json), json_(json.handle()) {}
  Reply(Problem problem) : kind_(Kind::Problem), status_(problem.status), made_(std::move(problem.detail)) {}
  // A body that is a literal, sent in place, or one that is made for this answer.
  Reply(Literal type, Literal body) : kind_(Kind::Fixed), type_(type.view()), fixed_(body.view()) {}
  template <MadeText T>
  Reply(Literal type, T&& body) : kind_(Kind::Made), type_(type.view()), made_(std::forward<T>(body)) {}
  template <class T>
    requires std::constructible_from<Reply, T&&>
  Reply(Result<T> result) : Reply(result ? Reply(std::move(*result)) : Reply(std::move(result.problem()))) {}
  explicit Reply(Kind kind) : kind_(kind) {}

  // Sends it. The verdict for the host.
  int32_t give(leat_request* request) const;

 private:
  Kind kind_;
  int status_ = 0;  // of a problem
  std::string_view type_, fixed_;
  std::string made_;
  leat_json* json_ = nullptr;
};

inline Reply text(Literal body) { return {"text/plain; charset=utf-8", body}; }
inline Reply html(Literal body) { return {"text/html; charset=utf-8", body}; }
template <MadeText T>
Reply text(T&& body) {
  return {"text/plain; charset=utf-8", std::forward<T>(body)};
}
template <MadeText T>
Reply html(T&& body) {
  return {"text/html; charset=utf-8", std::forward<T>(body)};
}
// 204.
inline Reply no_content() { return Reply(Reply::Kind::Empty); }
inline Problem problem(int status, std::string detail) { return {status, std::move(detail)}; }
// Answered through Response, or begun to.
inline Reply answered() { return Reply(Reply::Kind::Answered); }
// The answer comes from a timer or a completion.
inline Reply pending() { return Reply(Reply::Kind::Pending); }
// Not found here: a 404.
inline Reply next() { return Reply(Reply::Kind::Next); }

// The answer under construction. What the host refuses throws std::invalid_argument (a header that could
// smuggle another one, a status that is none) or std::logic_error (answered already): bugs, which become a
// 500.
class Response {
 public:
  explicit Response(leat_request* request) : request_(request) {}

  Response& status(int code) { return check(api().status(request_, static_cast<uint32_t>(code))); }
  Response& type(Literal type) { return check(api().content_type_static(request_, to_str(type.view()))); }
  Response& type_copy(std::string_view type) { return check(api().content_type(request_, to_str(type))); }
  // Appends a field; set() replaces those of that name.
  Response& header(std::string_view name, std::string_view value) {
    return check(api().add_header(request_, to_str(name), to_str(value)));
  }
  Response& set(std::string_view name, std::string_view value) {
    return check(api().set_header(request_, to_str(name), to_str(value)));
  }

  // In pieces: begin, write as often as needed, end.
  void begin() { check(api().begin(request_, -1)); }
  void begin(uint64_t length) { check(api().begin(request_, static_cast<int64_t>(length))); }
  // False: taken, but return now and go on in on_writable.
  [[nodiscard]] bool write(std::string_view bytes) {
    const int32_t answer = api().write(request_, to_str(bytes));
    if (answer == LEAT_BLOCKED || finished()) return false;  // blocked, or nobody is left to read it
    check(answer);
    return true;
  }
  void trailer(std::string_view name, std::string_view value) {
    check(api().add_trailer(request_, to_str(name), to_str(value)));
  }
  void end() { check(api().end(request_)); }
  // Cuts the answer: the client sees that it is incomplete.
  void abort() { api().abort(request_); }

  [[nodiscard]] bool started() const { return api().started(request_) != 0; }
  [[nodiscard]] bool finished() const { return api().finished(request_) != 0; }

 private:
  static const leat_response_v1& api() { return *detail::api.response; }
  Response& check(int32_t answer) {
    if (answer == LEAT_E_MEMORY) throw std::bad_alloc();
    if (answer == LEAT_E_ARGUMENT) throw std::invalid_argument("the response refused an argument");
    if (answer < 0) throw std::logic_error("the response is not in a state for this");
    return *this;
  }
  leat_request* request_;
};

inline int32_t Reply::give(leat_request* request) const {
  const leat_response_v1& response = *detail::api.response;
  int32_t answer = LEAT_OK;
  switch (kind_) {
    case Kind::Answered:
      return LEAT_DONE;
    case Kind::Pending:
      return LEAT_PENDING;
    case Kind::Next:
      return LEAT_NEXT;
    case Kind::Empty:
      response.status(request, 204);
      answer = response.send(request, {});
      break;
    case Kind::Fixed:
      response.content_type_static(request, to_str(type_));
      answer = response.send_static(request, to_str(fixed_));
      break;
    case Kind::Made:
      response.content_type_static(request, to_str(type_));
      answer = response.send(request, to_str(made_));
      break;
    case Kind::Json:
      answer = detail::api.json->send(request, json_);
      break;
    case Kind::Problem:
      answer = response.send_problem(request, static_cast<uint32_t>(status_), to_str(made_), {});
      break;
  }
  return answer == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}

}  // namespace v1
}  // namespace leat

#endif
