// login: who has said a name and its password is known by the requests that follow, until it logs out.
//
// POST /login {"name":"alice","password":"sesame"}, GET /me, POST /logout. The session is the daemon's (`sessions` in
// login.toml); what is in it lies with the client, sealed. Where people choose their passwords keep hashes of them and
// not these, and compare on the pool: a good hash takes its time.
#include <leat/plugin.hpp>
#include <map>
#include <string>
#include <string_view>

namespace {

struct Login {
  std::string_view name, password;
};
LEAT_JSON(Login, (name, leat::Length{1, 40}), (password, leat::Length{1, 200}));

class LogIn : public leat::Plugin<LogIn> {
 public:
  explicit LogIn(leat::Setup& setup) {
    for (const std::string& each : setup.texts("users")) {
      const size_t equals = each.find('=');
      if (equals == std::string::npos || equals == 0 || equals + 1 == each.size())
        setup.fail("users", "a user is written as NAME=PASSWORD");
      else
        passwords_.emplace(each.substr(0, equals), each.substr(equals + 1));
    }
  }

  leat::Reply log_in(leat::JsonBody<Login> login, leat::Session& session) const {
    const auto found = passwords_.find(login->name);
    if (found == passwords_.end() || found->second != login->password)
      return leat::problem(403, "There is no such user, or the password is another.");
    session.renew();
    if (!session.set("user", login->name)) return leat::problem(507, "The session is full.");
    return leat::no_content();
  }

  static leat::Reply me(leat::Session& session, leat::Json& json) {
    const auto user = session.get("user");
    if (!user) return leat::problem(401, "Log in first.");
    return json.object("user", *user);
  }

  static leat::Reply log_out(leat::Session& session) {
    session.clear();
    return leat::no_content();
  }

  static constexpr auto handlers() {
    return leat::list(handler<&LogIn::log_in>("log_in"), handler<&LogIn::me>("me"),
                      handler<&LogIn::log_out>("log_out"));
  }

 private:
  std::map<std::string, std::string, std::less<>> passwords_;  // by name
};

}  // namespace

LEAT_PLUGIN(LogIn, "login", "1.0.0")
