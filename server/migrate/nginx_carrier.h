// How a configuration of nginx becomes one of Leat: directive by directive, each by a function of its own, with what the levels
// around it say.
//
//   nginx.cc             servers, locations, and what answers there
//   nginx_settings.cc    what is said once for all: where to listen, limits, whom to believe, logs
//   nginx_middleware.cc  what requests and answers pass, and which of it a route has
//
// Private to these.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/migrate/directive.h"
#include "server/migrate/nginx.h"
#include "server/migrate/places.h"
#include "server/migrate/target.h"

namespace leat::server::migrate {

// What stands on one level and holds for those in it that say nothing else.
struct NginxLevel {
  const NginxLevel* outside = nullptr;
  std::optional<std::string> body;
  std::vector<Instance> access_logs;
  bool logs = false;  // access_log stands here, and be it `off`
  std::vector<std::string> rules;
  std::string otherwise;
  std::vector<Instance> methods;                             // limit_except
  std::vector<Instance> rates;                               // limit_req
  std::vector<Instance> crowds;                              // limit_conn
  std::vector<std::string> always, on_success, to_handlers;  // fields
  std::optional<std::string> lifetime;                       // expires, as Cache-Control; empty: none
  std::optional<bool> packs;                                 // gzip
  std::vector<std::string> packed;                           // gzip_types
  std::optional<std::string> least_packed, pack_level;       // gzip_min_length, gzip_comp_level
  std::optional<std::string> realm, passwords;  // auth_basic, auth_basic_user_file; `off` is a realm
  std::optional<Instance> asked;                // auth_request; without a kind: off
  std::vector<std::string> pages;               // error_page
  std::optional<std::string> root;
  std::vector<const Directive*> certificates, keys;  // ssl_certificate, ssl_certificate_key
  const Directive* server = nullptr;                 // of a server
  std::vector<std::string> names;                    // likewise
  std::optional<RoutePlace> place;                   // of a location
  std::string rank;                                  // likewise: Route::rank
  const Directive* from = nullptr;                   // of a server or a location: itself
  Keys answers;
  bool returned = false;
};

class NginxCarrier {
 public:
  explicit NginxCarrier(Target& target) : target_(target) {}

  void run(const std::vector<Directive>& directives);

 private:
  using Carry = void (NginxCarrier::*)(const Directive&, NginxLevel&);
  struct Known {
    std::string_view name;
    Carry carry;
  };
  static constexpr auto known();

  void gather(const std::vector<Directive>& directives);
  void carry(const Directive& directive, NginxLevel& level);
  void carry_nothing(const Directive&, NginxLevel&) {}
  void carry_all(const Directive& directive, NginxLevel& level);

  // The nearest level that says it.
  template <class Says>
  static const NginxLevel* nearest(const NginxLevel& level, Says says) {
    for (const NginxLevel* at = &level; at != nullptr; at = at->outside)
      if (says(*at)) return at;
    return nullptr;
  }

  static std::optional<std::string> root_of(const Directive& block);
  static bool makes_route(const Directive& directive);
  void carry_server(const Directive& server, NginxLevel& outside);
  // Those that a host can have; directives with others, and why not, go into `others`, which may be null.
  using NamesLeft = std::vector<std::pair<const Directive*, std::string_view>>;
  static std::vector<std::string> names_of(const Directive& server, NamesLeft* others);
  std::vector<std::string> begin_host(const Directive& server);
  void add_route(const NginxLevel& level, RoutePlace place, Keys answers, const Directive& from);
  void carry_answers(const Directive& server, NginxLevel& level);
  [[nodiscard]] std::vector<std::string> listeners_of(const Directive& server) const;
  void carry_location(const Directive& location, NginxLevel& outside);
  std::string rank_of(const Directive& location);
  std::expected<RoutePlace, std::string_view> place_of(const Directive& location) const;
  void carry_stub_status(const Directive& directive, NginxLevel& level);
  void carry_return(const Directive& directive, NginxLevel& level);
  void carry_rewrite(const Directive& directive, NginxLevel& level);

  void carry_listen(const Directive& directive, NginxLevel& level);
  void carry_certificate(const Directive& directive, NginxLevel& level);
  void carry_versions(const Directive& directive, NginxLevel& level);
  void add_certificates(const NginxLevel& level);
  void gather_listening(const Directive& server);
  static bool has_certificate(const std::vector<Directive>& directives);
  [[nodiscard]] bool is_to_https(const Directive& directive, const NginxLevel& level) const;
  void carry_trusted(const Directive& directive, NginxLevel& level);
  void carry_real_ip_header(const Directive& directive, NginxLevel& level);
  void carry_workers(const Directive& directive, NginxLevel& level);
  void carry_connections(const Directive& directive, NginxLevel& level);
  void carry_keepalive_requests(const Directive& directive, NginxLevel& level);
  void carry_body(const Directive& directive, NginxLevel& level);
  void carry_head(const Directive& directive, NginxLevel& level);
  void carry_timeout(const Directive& directive, NginxLevel& level);
  void carry_access_log(const Directive& directive, NginxLevel& level);
  void carry_error_log(const Directive& directive, NginxLevel& level);

  static Route route_of(const NginxLevel& level);
  static Keys packing_of(const NginxLevel& level);
  void carry_rule(const Directive& directive, NginxLevel& level);
  void carry_methods(const Directive& directive, NginxLevel& level);
  void carry_rate(const Directive& directive, NginxLevel& level);
  void carry_crowd(const Directive& directive, NginxLevel& level);
  void tell_zone(const Directive& directive, std::string_view zone, const Instance& instance);
  void carry_packing(const Directive& directive, NginxLevel& level);
  void carry_passwords(const Directive& directive, NginxLevel& level);
  void carry_question(const Directive& directive, NginxLevel& level);
  void carry_answer_field(const Directive& directive, NginxLevel& level);
  void carry_lifetime(const Directive& directive, NginxLevel& level);
  void carry_request_field(const Directive& directive, NginxLevel& level);
  void carry_root(const Directive& directive, NginxLevel& level);
  void carry_pages(const Directive& directive, NginxLevel& level);

  Target& target_;
  std::map<std::string, const Directive*, std::less<>> zones_, crowd_zones_, formats_;  // by name
  std::map<std::string, Instance, std::less<>> counted_;  // by kind and zone: the first
  struct NginxHost {
    std::vector<std::string> names, listeners;
  };
  std::vector<NginxHost> hosts_;
  std::map<std::string, size_t, std::less<>> hosts_of_;  // by name and listeners: its index
  std::vector<std::string> listened_;
  std::vector<std::string> listened_by_tls_;  // of those
  std::set<std::string, std::less<>> certified_names_;
  bool certified_ = false;                                            // there is a certificate with its key
  bool default_certified_ = false;                                    // a server that is the default has one
  std::vector<std::string> arriving_;                                 // all that servers listen on
  std::map<const Directive*, std::vector<std::string>> arriving_by_;  // by server: where its requests come in
  size_t expressions_ = 0;                                            // so far, for their order
  bool trusts_ = false;                                               // set_real_ip_from stands somewhere
};

}  // namespace leat::server::migrate
