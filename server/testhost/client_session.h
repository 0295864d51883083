// The session of a test's client: cookies as `sessions` makes and takes them, so that a test can say what is in one.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "middleware/sessions.h"
#include "pipeline/site.h"

namespace leat::testing {

using SessionValues = std::map<std::string, std::string>;

class ClientSession {
 public:
  // Of the first `sessions` that a site has; throws an Error where it has none.
  static ClientSession of(const pipeline::Site& site);
  // Likewise, and one that does nothing.
  static ClientSession if_any(const pipeline::Site& site);

  // A cookie that holds these, "NAME=VALUE"; throws an Error where `sessions` does not take them.
  std::string cookie(const SessionValues& values);
  // What a Set-Cookie leaves with the client. False: it is another cookie. `renewed`: the session is not the one of cookie().
  [[nodiscard]] bool take(std::string_view line, SessionValues& values, bool& renewed);

 private:
  explicit ClientSession(const middleware::SessionCookies* cookies) : cookies_(cookies) {}
  const middleware::SessionCookies* cookies_;
  std::string seed_;  // of cookie()
};

}  // namespace leat::testing
