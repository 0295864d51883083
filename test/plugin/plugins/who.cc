// Says who asks, as a handler sees it: the identity of the request, and what is left of its head.
#include <leat/plugin.hpp>

#include <string_view>
#include <vector>

namespace {

struct Field {
  std::string_view name, value;
};
LEAT_JSON(Field, name, value);

struct Identity {
  std::string_view peer, client, scheme, host;
  bool in_doubt;
  std::vector<Field> fields;
  std::string_view user, role, tls, certificate;
};
LEAT_JSON(Identity, peer, client, scheme, host, in_doubt, fields, user, role, tls, certificate);

class Who : public leat::Plugin<Who> {
 public:
  explicit Who(leat::Setup& setup)
      : request_(static_cast<const leat_request_v1*>(
            setup.host()->extension(setup.host(), leat::to_str("leat.request/1")))) {}

  Identity who(leat::Request& request) {
    Identity identity{.peer = request.peer(),
                      .client = request.client(),
                      .scheme = request.scheme(),
                      .host = request.host(),
                      .in_doubt = request.client_in_doubt(),
                      .fields = {},
                      .user = request.user(),
                      .role = request.claim("role").value_or(""),
                      .tls = request.tls("version").value_or(""),
                      .certificate = request.tls("subject").value_or("none")};
    for (uint32_t i = 0; i < request_->header_count(request.raw()); ++i) {
      leat_str name{}, value{};
      request_->header_at(request.raw(), i, &name, &value);
      identity.fields.push_back({leat::to_view(name), leat::to_view(value)});
    }
    return identity;
  }

  static constexpr auto handlers() { return leat::list(handler<&Who::who>("who")); }

 private:
  const leat_request_v1* request_;
};

}  // namespace

LEAT_PLUGIN(Who, "who", "1.0.0")
