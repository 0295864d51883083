// Part of plugin.hpp: what a handler answers with. Reply and Response.
#ifndef LEAT_PLUGIN_ANSWER_HPP
#define LEAT_PLUGIN_ANSWER_HPP

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_cookie.hpp"
#include "plugin_json.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// What a handler returns.
class Reply {
 public:
  enum class Kind : uint8_t { Answered, Pending, Next, Empty, Fixed, Made, Kept, Json, Problem, Redirect };

  Reply(Json& json) : kind_(Kind::Json), json_(json.handle()) {}
  Reply(Problem problem)
      : kind_(Kind::Problem),
        status_(problem.status),
        made_(std::move(problem.detail)),
        members_(std::move(problem.members)) {}
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

  // To `target`; see redirect().
  static Reply redirect(std::string target, int status) {
    Reply reply(Kind::Redirect);
    reply.made_ = std::move(target);
    reply.status_ = status;
    return reply;
  }
  // The type is for an answer that has none yet: that of Response::type() stays.
  Reply&& by_default() && {
    keeps_type_ = true;
    return std::move(*this);
  }

  // Sends it. The verdict for the host.
  int32_t give(leat_request* request) const;

 private:
  void put_type(leat_request* request) const;

  Kind kind_;
  bool keeps_type_ = false;
  int status_ = 0;  // of a problem or a redirect
  std::string_view type_, fixed_;
  std::string made_, members_;
  leat_json* json_ = nullptr;
};

// Bodies of the types that are meant most often. A type that Response::type() has given the answer stays:
// response.type("text/csv"); return leat::text(rows);
inline Reply text(Literal body) { return Reply("text/plain; charset=utf-8", body).by_default(); }
inline Reply html(Literal body) { return Reply("text/html; charset=utf-8", body).by_default(); }
template <MadeText T>
Reply text(T&& body) {
  return Reply("text/plain; charset=utf-8", std::forward<T>(body)).by_default();
}
template <MadeText T>
Reply html(T&& body) {
  return Reply("text/html; charset=utf-8", std::forward<T>(body)).by_default();
}
// Bytes of any kind, made for this answer; kept_bytes() are there until the request ends, and are not copied.
template <MadeText T>
Reply bytes(T&& body) {
  return Reply("application/octet-stream", std::forward<T>(body)).by_default();
}
inline Reply kept_bytes(std::string_view kept) {
  return Reply::kept("application/octet-stream", kept).by_default();
}
// A text that is JSON already, and there until the request ends.
inline Reply json_text(std::string_view kept) { return Reply::kept("application/json", kept).by_default(); }
// One that is made for this answer.
template <class T>
  requires std::same_as<std::remove_cvref_t<T>, std::string>
Reply json_text(T&& body) {
  return Reply("application/json", std::forward<T>(body)).by_default();
}

namespace detail {

// RFC 3986, appendix A. A backslash is none, which browsers take for a slash.
constexpr bool is_uri_byte(char c) {
  constexpr std::string_view kOthers = "-._~:/?#[]@!$&'()*+,;=%";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kOthers.find(c) != std::string_view::npos;
}

// Why a client is not sent to `target`; null if nothing is wrong with it.
constexpr const char* redirect_mistake(std::string_view target) {
  if (!has_only(target, is_uri_byte))
    return "a redirect's target has only what URIs have: encode white space, controls, quotes and all that "
           "is "
           "not ASCII";
  if (target.starts_with("//"))
    return "a redirect's target that begins with \"//\" leads to another server: write its scheme";
  const size_t colon = target.find(':');
  if (colon >= target.find_first_of("/?#")) return target.empty() ? "a redirect has a target" : nullptr;
  if (has_prefix(target, "http://") || has_prefix(target, "https://")) return nullptr;
  return "a redirect's target is relative, or begins with http:// or https://";
}

}  // namespace detail

// Whether redirect() takes it: to ask before, where a client has named it.
constexpr bool can_redirect(std::string_view target) { return detail::redirect_mistake(target) == nullptr; }

// Sends the client to `target`: 301 and 308 for good, 302 and 307 for now, 303 to GET what came of a POST.
// 307 and 308 keep the method. A target without http:// or https:// stays on this server, whatever is in it. One
// that is no URI (RFC 9110, section 10.2.2), or of another scheme, throws std::invalid_argument, as does another
// status.
inline Reply redirect(std::string target, int status = 303) {
  if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
    throw std::invalid_argument("a redirect is a 301, 302, 303, 307 or 308");
  if (const char* mistake = detail::redirect_mistake(target)) throw std::invalid_argument(mistake);
  return Reply::redirect(std::move(target), status);
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

  // Throws std::invalid_argument for a cookie that browsers would not keep, or that could be another one.
  Response& cookie(const SetCookie& cookie) {
    return header("Set-Cookie", detail::CookieText(cookie).view());
  }
  // Has the browser forget one: name, path and domain are what it was set with.
  Response& forget_cookie(SetCookie forgotten) {
    forgotten.value = {};
    forgotten.max_age = std::chrono::seconds(0);
    return cookie(forgotten);
  }

  // Before the answer, what its client may fetch meanwhile (103): values of Link fields, as "</style.css>; rel=preload; as=style".
  // Nothing where the daemon, or this client, does not know it.
  void early_hints(std::initializer_list<std::string_view> links) {
    early_hints(std::vector<std::string_view>(links));
  }
  void early_hints(const std::vector<std::string_view>& links) {
    if (!LEAT_HAS(&api(), leat_response_v1, early_hints)) return;
    std::vector<leat_str> texts;
    texts.reserve(links.size());
    for (const std::string_view link : links) texts.push_back(to_str(link));
    check(api().early_hints(request_, texts.data(), static_cast<uint32_t>(texts.size())));
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

inline void Reply::put_type(leat_request* request) const {
  // A daemon without the table cannot tell.
  const leat_middleware_v1* seen = detail::api.middleware;
  if (keeps_type_ && seen != nullptr && seen->content_type(request).ptr != nullptr) return;
  detail::api.response->content_type_static(request, to_str(type_));
}

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
      put_type(request);
      answer = response.send_static(request, to_str(fixed_));
      break;
    case Kind::Made:
      put_type(request);
      answer = response.send(request, to_str(made_));
      break;
    case Kind::Kept:
      put_type(request);
      answer = response.send(request, to_str(fixed_));
      break;
    case Kind::Json:
      answer = detail::api.json->send(request, json_);
      break;
    case Kind::Problem:
      answer =
          response.send_problem(request, static_cast<uint32_t>(status_), to_str(made_), to_str(members_));
      break;
    case Kind::Redirect:
      response.status(request, static_cast<uint32_t>(status_));
      answer = response.set_header(request, LEAT_STR("Location"), to_str(made_));
      if (answer == LEAT_OK) answer = response.send(request, {});
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
