// How a Caddyfile becomes a configuration of Leat: directive by directive, with what the blocks around it say.
//
//   caddy.cc             sites, matchers, and what answers there
//   caddy_settings.cc    the options of the server, and addresses
//   caddy_middleware.cc  what requests and answers pass
//
// Private to these.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/migrate/caddy.h"
#include "server/migrate/caddy_matcher.h"
#include "server/migrate/directive.h"
#include "server/migrate/target.h"

namespace leat::server::migrate {

struct CaddyLevel {
  const CaddyLevel* outside = nullptr;
  std::vector<Instance> instances;  // besides those outside
  std::optional<std::string> body;
  std::optional<std::string> root;
  Matcher matcher;
  bool answered = false;  // by what has no matcher of its own
  Keys answers;           // what does; none: nobody yet
  std::string answers_rank = {};
  const Directive* answers_from = nullptr;
  std::string rank = {};  // of all in it: Route::rank begins with it
  bool in_order = false;  // what stands in it has the order of the file
  size_t number = 0;      // of answers in it, so far
};

// An address of a site.
struct CaddyAddress {
  std::string name;      // empty: whatever host
  std::string listened;  // empty: it says no port
  bool plain = false;    // without TLS
  bool has_path = false, has_port = false;
};

class CaddyCarrier {
 public:
  explicit CaddyCarrier(Target& target) : target_(target) {}

  void run(const std::vector<Directive>& directives);

 private:
  void carry_options(const Directive& options);
  void carry_servers(const Directive& servers);
  void carry_trusted(const Directive& directive);
  void carry_timeout(const Directive& directive);
  void carry_time(const Directive& directive, std::string_view word, std::string_view table,
                  std::string_view key);
  void carry_own_log(const Directive& directive);
  static CaddyAddress read_address(std::string_view address);
  void carry_address(const CaddyAddress& address, bool certified, std::vector<std::string>& names,
                     std::vector<std::string_view>& whys);
  // By which addresses its requests come; none where that is by all.
  std::vector<std::string> listeners_of(const Directive& site) const;

  static bool is_certificate(const Directive& directive);
  // The files of `tls CERTIFICATE KEY`; null where there are none.
  static const Directive* certificate_of(const Directive& site);
  // Where TLS is spoken with those of that address.
  static std::string tls_address(const CaddyAddress& address);
  void add_certificate(const Directive& site, const std::vector<std::string>& names);

  void carry_site(const Directive& site);
  void carry_block(const std::vector<Directive>& block, CaddyLevel& level);
  static bool makes_route(const Directive& directive);
  static bool answers(const Directive& directive);
  std::optional<Matcher> read_matcher(const Directive& directive, size_t& first);
  void carry(const Directive& directive, CaddyLevel& level);
  bool carry_known(const Directive& directive, CaddyLevel& level);
  static std::string rank_of(const Directive& directive, const Matcher& matcher, CaddyLevel& level);
  void answer(CaddyLevel& level, const Matcher& matcher, Keys answers, const Directive& from);
  void carry_handle(const Directive& directive, CaddyLevel& outside);
  void carry_answer(const Directive& directive, CaddyLevel& level);
  void add_route(const CaddyLevel& level, const Matcher& matcher, Keys answers, std::string rank,
                 const Directive& from);

  // False, which is said: it is for some requests alone, and middleware is for a route.
  bool is_for_all(const Directive& directive, size_t& first);
  void carry_body(const Directive& directive, CaddyLevel& level);
  void carry_encode(const Directive& directive, CaddyLevel& level);
  void carry_passwords(const Directive& directive, CaddyLevel& level);
  void carry_question(const Directive& directive, CaddyLevel& level);
  void carry_pages(const Directive& directive, CaddyLevel& level);
  void carry_log(const Directive& directive, CaddyLevel& level);
  void carry_header(const Directive& directive, CaddyLevel& level);

  Target& target_;
  std::vector<std::string> names_;                        // of the site
  std::map<std::string, Matcher, std::less<>> matchers_;  // of the site, by name
  std::set<std::string, std::less<>> host_names_;  // by name and listeners: the first site's that has it
  std::set<std::string, std::less<>> listened_;    // by all sites
  std::set<std::string, std::less<>> by_tls_;      // addresses at which TLS is spoken
  std::set<std::string, std::less<>> spoken_;      // those of them that were declared
  std::set<std::string, std::less<>> certified_;   // names that have a certificate
};

}  // namespace leat::server::migrate
