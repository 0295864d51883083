// Part of plugin.hpp: what is known of whoever asks, from one request to the next; see leat.session/1.
//
//   leat::Reply log_in(leat::JsonBody<Login> login, leat::Session& session) {
//     if (!right(*login)) return leat::problem(403, "The name or the password is another.");
//     session.renew();
//     if (!session.set("user", login->name)) return leat::problem(507, "The session is full.");
//     return leat::no_content();
//   }
//   leat::Reply log_out(leat::Session& session) { return session.clear(), leat::no_content(); }
//   leat::Reply me(leat::Session& session, leat::Json& json) {
//     return json.object("user", session.get("user"));
//   }
//
// A handler with the parameter Session& cannot do without: a route that has no `sessions` in front is a mistake of the
// configuration. Request::session() is for who can, and for middleware: `if (auto session = request.session())`.
#ifndef LEAT_PLUGIN_SESSION_HPP
#define LEAT_PLUGIN_SESSION_HPP

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "plugin.h"
#include "plugin_base.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// The session of a request, in its callbacks. Names and values are bytes, and what is read is good until the request ends.
// Where there is no session all that follows throws std::logic_error; so does a change once the answer has begun.
class Session {
 public:
  explicit Session(leat_request* request) : request_(request) {}

  // There is one, if only an empty one.
  explicit operator bool() const {
    return detail::api.session != nullptr && detail::api.session->there(request_) != 0;
  }

  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const {
    leat_str value{};
    check(table().get(request_, to_str(name), &value));
    return value.ptr == nullptr ? std::nullopt : std::optional(to_view(value));
  }
  // Copied, in place of what was there. False, and nothing is changed: the name is empty or longer than 255 bytes, or
  // `sessions` takes no more values or bytes than there are.
  [[nodiscard]] bool set(std::string_view name, std::string_view value) {
    const int32_t answer = table().set(request_, to_str(name), to_str(value));
    return answer != LEAT_E_ARGUMENT && check(answer);
  }
  void remove(std::string_view name) { check(table().remove(request_, to_str(name))); }
  // Ends it, with all its values.
  void clear() { check(table().clear(request_)); }
  // The same values in a session of its own, which nobody knew before: whenever somebody logs in.
  void renew() { check(table().renew(request_)); }

 private:
  static const leat_session_v1& table() {
    if (detail::api.session == nullptr) throw std::logic_error("this daemon is too old for sessions");
    return *detail::api.session;
  }
  static bool check(int32_t answer) {
    if (answer == LEAT_E_MEMORY) throw detail::OutOfMemory();
    if (answer == LEAT_E_NOT_FOUND) throw std::logic_error("no `sessions` is in front of the route");
    if (answer == LEAT_E_STATE) throw std::logic_error("a session is changed before the answer begins");
    if (answer != LEAT_OK) throw std::logic_error("the request of this session is not that of this callback");
    return true;
  }

  leat_request* request_;
};

}  // namespace v1
}  // namespace leat

#endif
