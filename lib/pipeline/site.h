// Site: everything that requests are answered with, frozen when the configuration is loaded.
//
//   SiteBuilder builder;
//   builder.add_middleware({...});           // instances, in the order of the file, all before the first host and route
//   builder.add_host({...});                 // all before the first route
//   builder.add_route({...});                // each with its handler
//   std::unique_ptr<Site> site = builder.build(diagnostics);
//
// For each route add_route() compiles the chain of the global instances and the route's own (chain.h), once for all
// that have the same. What is left at run time is four arrays of pointers, with only the instances that have
// the hook.
//
// Thread: built on one, then read by all workers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/value.h"
#include "pipeline/chain.h"
#include "pipeline/handler.h"
#include "pipeline/hosts.h"
#include "pipeline/middleware_kind.h"
#include "pipeline/route.h"
#include "pipeline/router.h"

namespace leat::pipeline {

// What the host and the groups that it stands in say for all of theirs.
struct RouteScope {
  std::vector<std::string> named;     // declared instances, by name
  std::vector<size_t> inherited;      // and by their number
  std::vector<size_t> shared_limits;  // for whoever binds handlers
};

struct RewriteSpec {
  std::string target;
  Place place;
};

// Of which there may be a great many: what few have is not in it.
// What is empty though it must not be has been complained of by whoever made the spec.
struct RouteSpec {
  std::string path;
  std::vector<std::string> methods;
  std::string handler_name;  // for people, "demo:json"
  size_t owner_size = 0;     // of that, whose handler it is: the plugin's name in the configuration
  std::unique_ptr<Handler> handler;
  std::vector<MiddlewareSpec> middleware;   // the route's own instances
  std::vector<std::string> named;           // declared instances that it asks for by name
  std::shared_ptr<const RouteScope> scope;  // null: it stands alone
  size_t host = 0;                          // as add_host() has numbered it; 0: none
  std::string name;                         // in logs and metrics, in place of methods and path; may be empty
  std::unique_ptr<ConditionKeys> when;      // it is for requests that fit; null: for all
  std::unique_ptr<RewriteSpec> rewrite;     // where its requests are looked for in its place; no handler then
  uint64_t body_limit = 0;                  // bytes; 0: the server's
  uint32_t timeout_ms = 0;                  // 0: the server's
  Place path_place, method_place, middleware_place;
};

struct HostSpec {
  std::vector<std::string> names;      // of which HostPattern::parse() has found each good
  std::vector<std::string> listeners;  // addresses as net::Address::text() has them
  bool every_name = false;             // without names: before all other hosts
  TrailingSlash trailing_slash = TrailingSlash::Exact;
  std::shared_ptr<const RouteScope> scope;
  Place place, middleware_place;
};

class Site;

// Told of each success of a request whose method is not safe, on whatever route, before its answer is sent:
// for what keeps answers that may have become wrong by it. Any thread: a handler may run on the pool.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  virtual void on_change(http::Exchange& exchange) = 0;
};

class Site {
 public:
  [[nodiscard]] const HostTable& hosts() const { return hosts_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }
  // The global chain, for what never came to a host.
  [[nodiscard]] const Route& unmatched() const { return hosts_.rest().unmatched; }
  // Tells its middleware of a worker that serves by it from now on. The worker's thread.
  void begin(http::WorkerContext& worker) const;
  // nullptr where nobody asks.
  [[nodiscard]] ChangeListener* change_listener() const { return change_listener_; }

 private:
  friend class SiteBuilder;
  std::vector<std::unique_ptr<Handler>> handlers_;
  std::vector<std::unique_ptr<Middleware>> instances_;
  std::vector<std::unique_ptr<MiddlewareSpec>> specs_;
  std::vector<std::unique_ptr<Chain>> chains_;
  std::unordered_set<std::string> names_;  // of handlers and their owners
  std::vector<std::unique_ptr<Route>> routes_;
  HostTable hosts_;
  ChangeListener* change_listener_ = nullptr;
};

class SiteBuilder {
 public:
  // The kinds must outlive the site, as must what the surroundings point to.
  explicit SiteBuilder(std::span<const MiddlewareKind> kinds, const Surroundings& surroundings = {});
  // The instance's number.
  size_t add_middleware(MiddlewareSpec spec);
  // What becomes of slashes outside of every host.
  void set_trailing_slash(TrailingSlash policy) { site_->hosts_.rest().trailing_slash = policy; }
  // The host's number, from 1.
  size_t add_host(HostSpec spec);
  // What a route is called in logs and metrics: "GET,POST example.org/users/{id}", and what else tells it apart from others;
  // its name where it has one. After its host was added.
  [[nodiscard]] std::string id_of(const RouteSpec& spec) const;
  // Nothing is kept of `spec`: there may be a great many.
  void add_route(RouteSpec spec);
  // `listener` must outlive the site.
  void set_change_listener(ChangeListener& listener);
  // The site, or nullptr when anything was wrong, all of which is in `diagnostics` then. Once.
  std::unique_ptr<Site> build(Diagnostics& diagnostics);

 private:
  void make_middleware();
  Step make_step(MiddlewareSpec spec);
  void check_constraints(const MiddlewareSpec& spec, const std::vector<MiddlewareSpec>& own);
  void add_to_router(Route& route, const RouteSpec& spec);
  http::MethodSet read_methods(const RouteSpec& spec);
  void give_unmatched(Host& host, RouteSpec& spec);
  std::vector<Step> steps_of(RouteSpec& spec);
  void give_chain(Route& route, std::vector<Step> steps);
  std::unique_ptr<Chain> compile_chain(std::vector<Step> steps);
  void check_needs();
  std::string_view keep(std::string&& name);
  void fail(int code, std::string message, const Place& place, std::string hint = {});

  std::span<const MiddlewareKind> kinds_;
  const Surroundings surroundings_;
  std::unique_ptr<Site> site_;
  std::vector<MiddlewareSpec> declared_;
  std::vector<std::string> names_;    // of declared instances
  std::vector<Step> declared_steps_;  // of each; without a kind where it could not be made
  std::vector<Place> path_places_;    // of the site's routes
  std::vector<Host*> hosts_;          // by number; null for one that clashes with another
  std::vector<Place> host_places_;
  std::map<std::vector<const void*>, const Chain*> chains_;  // by the instances
  std::unordered_set<std::string> said_;
  bool middleware_made_ = false;
  bool incomplete_ = false;  // an instance could not be made, or one that is named is not there
  Diagnostics diagnostics_;
};

// Which of several routes a request has. One sentence.
inline constexpr std::string_view kPrecedence =
    "A request has the host with its own name, else the one with the longest *.name that it is below, else "
    "the rest; there "
    "the path decides, segment by segment from the left: text before {name}, and that before {name...}; and "
    "of routes with "
    "the same path the first whose `when` it fits, the one without coming last.";

// The routes with their chains, as `leat routes` prints them.
std::string describe_text(const Site& site);
std::string describe_json(const Site& site);

}  // namespace leat::pipeline
