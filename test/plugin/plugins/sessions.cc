// Sessions as the C++ wrapper has them: in handlers on a worker and on the pool, in coroutines, and in middleware.
#include <leat/plugin.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace {

using leat::Json;
using leat::Reply;
using leat::Session;
using NameParameter = leat::Query<std::string_view, "name">;
using ValueParameter = leat::Query<std::string_view, "value", leat::DefaultText{""}>;

// The errors of the C interface, which the wrapper throws.
int set_by_c(leat::Request& request, std::string_view name, std::string_view value) {
  return leat::detail::api.session->set(request.raw(), leat::to_str(name), leat::to_str(value));
}

class Sessions : public leat::Plugin<Sessions> {
 public:
  static Reply log_in(leat::Query<std::string_view, "user"> user, Session& session) {
    session.renew();
    if (!session.set("user", *user)) return leat::problem(507, "The session is full.");
    return leat::no_content();
  }
  static Reply me(Session& session, Json& json) {
    const auto user = session.get("user");
    if (!user) return leat::problem(401, "Nobody has logged in.");
    return json.object("user", *user);
  }
  static Reply log_out(Session& session) {
    session.clear();
    return leat::no_content();
  }
  static Reply set(NameParameter name, ValueParameter value, Session& session) {
    return session.set(*name, *value) ? leat::no_content() : leat::problem(507, "The session is full.");
  }
  static Reply get(NameParameter name, Session& session, Json& json) {
    return json.object("value", session.get(*name));
  }
  static Reply remove(NameParameter name, Session& session) {
    session.remove(*name);
    return leat::no_content();
  }
  // It does with and without.
  static Reply maybe(leat::Request& request, Json& json) {
    const Session session = request.session();
    return json.object("there", static_cast<bool>(session), "user",
                       session ? session.get("user") : std::nullopt);
  }
  // Asks for what may not be there, and says so by nothing.
  static Reply careless(leat::Request& request, Json& json) {
    return json.object("user", request.session().get("user"));
  }
  // In pieces: what is changed once the first has gone is refused.
  static void pieces(leat::Request& request, leat::Response& response) {
    const int before = set_by_c(request, "early", "1");
    response.begin();
    const int after = set_by_c(request, "late", "1");
    (void)response.write(std::to_string(before) + " " + std::to_string(after));
    response.end();
  }
  static leat::Task<Reply> waits(Session& session, Json& json) {
    const std::string before(session.get("user").value_or("nobody"));
    co_await leat::sleep(std::chrono::milliseconds(5));
    if (!session.set("waited", "yes")) co_return leat::problem(507, "The session is full.");
    co_return json.object("before", before, "after", session.get("user"));
  }

  // Lets in who has logged in, and counts.
  struct Door {
    Reply request(leat::Request& request) {
      const Session session = request.session();
      if (!session || !session.get("user")) return leat::problem(401, "Nobody has logged in.");
      return leat::next();
    }
    void head(leat::Head&, leat::Request& request) {
      Session session = request.session();
      if (session) (void)session.set("seen", std::string(session.get("seen").value_or("")) + "x");
    }
  };

  static constexpr auto handlers() {
    return leat::list(handler<&Sessions::log_in>("log_in"), handler<&Sessions::me>("me"),
                      handler<&Sessions::log_out>("log_out"), handler<&Sessions::set>("set"),
                      handler<&Sessions::get>("get"), handler<&Sessions::remove>("remove"),
                      handler<&Sessions::maybe>("maybe"), handler<&Sessions::careless>("careless"),
                      handler<&Sessions::pieces>("pieces"), handler<&Sessions::waits>("waits"));
  }
  static constexpr auto middleware() {
    return leat::kinds(kind<Door>("door", leat::Phase::Protect, "Lets in who has logged in."));
  }
};

}  // namespace

LEAT_PLUGIN(Sessions, "sessions", "1.0")
