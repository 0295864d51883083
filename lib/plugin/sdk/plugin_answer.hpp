// Part of plugin.hpp: what a handler answers with. Reply and Response.
#ifndef LEAT_PLUGIN_ANSWER_HPP
#define LEAT_PLUGIN_ANSWER_HPP

#include <concepts>
#include <cstdint>
#include <new>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_json.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// What a handler returns.
class Reply {
 public:
  enum class Kind : uint8_t { Answered, Pending, Next, Empty, Fixed, Made, Kept, Json, Problem };

  Reply(Json& json) : kind_(Kind::Json), json_(json.handle()) {}
  Reply(Problem problem) : kind_(Kind::Problem), status_(problem.status), made_(std::move(problem.detail)) {}
  // A body that is a literal, sent in place, or one that is made for this answer.
  Reply(Literal type, Literal body) : kind_(Kind::Fixed), type_(type.view()), fixed_(body.view()) {}
  template <MadeText T>
  Reply(Literal type, T&& body) : kind_(Kind::Made), type_(type.view()), made_(std::forward<T>(body)) {}
  template <class T>
    requires std::constructible_from<Reply, T&&>
  Reply(Result<T> result) : Reply(result ? Reply(*std::move(result)) : Reply(std::move(result).problem())) {}
  explicit Reply(Kind kind) : kind_(kind) {}
  // A body that stays where it is until the request ends.
  static Reply kept(Literal type, std::string_view body) {
    Reply reply(Kind::Kept);
    reply.type_ = type.view();
    reply.fixed_ = body;
    return reply;
  }

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
// A text that is JSON already, and there until the request ends.
inline Reply json_text(std::string_view kept) { return Reply::kept("application/json", kept); }
// One that is made for this answer.
template <class T>
  requires std::same_as<std::remove_cvref_t<T>, std::string>
Reply json_text(T&& body) {
  return {"application/json", std::forward<T>(body)};
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
    if (answer == LEAT_E_MEMORY) throw detail::OutOfMemory();
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
    case Kind::Kept:
      response.content_type_static(request, to_str(type_));
      answer = response.send(request, to_str(fixed_));
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

namespace detail {

// What a handler may return in place of a Reply, to be written as JSON: a struct that says how, or a range of
// them.
template <class T>
concept JsonAnswer = HasToJson<T> || HasToJson<std::ranges::range_value_t<T>>;

inline Json start_json(leat_request* request) {
  leat_json* started = api.json->start(request);
  if (started == nullptr) throw detail::OutOfMemory();
  return Json(started);
}

// Gives what a handler has returned. The verdict for the host.
template <class T>
int32_t give(leat_request* request, T&& answer) {
  using Type = std::remove_cvref_t<T>;
  if constexpr (std::is_same_v<Type, Reply>) {
    return answer.give(request);
  } else if constexpr (std::constructible_from<Reply, T&&>) {
    return Reply(std::forward<T>(answer)).give(request);
  } else if constexpr (is_result<Type>) {
    if (!answer) return Reply(std::forward<T>(answer).problem()).give(request);
    if constexpr (std::is_void_v<typename Type::Value>)
      return no_content().give(request);
    else
      return give(request, *std::forward<T>(answer));
  } else {
    static_assert(JsonAnswer<Type>, "a handler returns a leat::Reply, or a struct with its LEAT_JSON");
    Json json = start_json(request);
    return Reply(json.value(answer)).give(request);
  }
}

}  // namespace detail

}  // namespace v1
}  // namespace leat

#endif
