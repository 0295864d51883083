// Site: everything that requests are answered with, frozen when the configuration is loaded.
//
//   SiteBuilder builder;
//   builder.add_middleware({...});           // instances, in the order of the file, all before the first route
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
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/value.h"
#include "pipeline/chain.h"
#include "pipeline/handler.h"
#include "pipeline/middleware_kind.h"
#include "pipeline/router.h"

namespace leat::pipeline {

// What is empty though it must not be has been complained of by whoever made the spec.
struct RouteSpec {
  std::string path;
  std::vector<std::string> methods;
  std::string handler_name;  // for people, "demo:json"
  std::string owner;         // whose handler it is: the plugin's name in the configuration
  std::unique_ptr<Handler> handler;
  std::vector<MiddlewareSpec> middleware;  // the route's own instances
  std::vector<std::string> named;          // declared instances that it asks for by name
  uint64_t body_limit = 0;                 // bytes; 0: the server's
  Place path_place, method_place, middleware_place;
};

class Site;

// A chain, ready to be run.
struct Chain {
  // A step that has the hook.
  struct Hook {
    Middleware* instance;
    uint32_t position;  // in the chain, from 1; 0 for one without a forward step: its reverse ones always run
  };
  std::vector<Step> steps;                // in forward order
  std::vector<std::string> owners;        // plugins whose middleware is among them
  std::vector<Hook> on_request;           // forward
  std::vector<Hook> on_body;              // forward
  std::vector<http::FilterStep> filters;  // reverse
  std::vector<Hook> on_done;              // reverse
  bool moments = false;     // one of them asks when its handlers were called and its answers began
  bool preflights = false;  // one of them answers all preflight requests
};

struct Route {
  const Site* site = nullptr;  // that it is part of
  std::string id;              // "GET /users/{id}": the label in logs and metrics
  uint32_t number = 0;         // by which its requests are counted (RequestCounts)
  std::string_view path;       // in the id
  std::string_view handler_name;
  std::string_view owner;
  http::MethodSet methods = 0;
  Handler* handler = nullptr;  // nullptr for the route of requests that match none
  uint64_t body_limit = 0;
  bool streams_body = false;
  const Chain* chain = nullptr;  // the site's, which other routes may have as well
  // Its requests are, in whole or in part, the business of one of those plugins.
  [[nodiscard]] bool is_of(std::span<const std::string> plugins) const;
};

// Told of each success of a request whose method is not safe, on whatever route, before its answer is sent:
// for what keeps answers that may have become wrong by it. Any thread: a handler may run on the pool.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  virtual void on_change(http::Exchange& exchange) = 0;
};

class Site {
 public:
  [[nodiscard]] const Router& router() const { return router_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }
  // The global chain, for what no route answers: 404, 405 and the like.
  [[nodiscard]] const Route& unmatched() const { return unmatched_; }
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
  Route unmatched_;
  Router router_;
  ChangeListener* change_listener_ = nullptr;
};

class SiteBuilder {
 public:
  // The kinds must outlive the site, as must what the surroundings point to.
  explicit SiteBuilder(std::span<const MiddlewareKind> kinds, const Surroundings& surroundings = {});
  void add_middleware(MiddlewareSpec spec);
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
  void add_to_router(const Route& route, const Place& place);
  http::MethodSet read_methods(const RouteSpec& spec);
  std::vector<Step> steps_of(RouteSpec& spec);
  void give_chain(Route& route, std::vector<Step> steps);
  std::unique_ptr<Chain> compile_chain(std::vector<Step> steps);
  std::string_view keep(std::string&& name);
  void fail(int code, std::string message, const Place& place, std::string hint = {});

  std::span<const MiddlewareKind> kinds_;
  const Surroundings surroundings_;
  std::unique_ptr<Site> site_;
  std::vector<MiddlewareSpec> declared_;
  std::vector<std::string> names_;                           // of declared instances
  std::vector<Step> declared_steps_;                         // of those that could be made
  std::vector<Place> path_places_;                           // of the site's routes
  std::map<std::vector<const void*>, const Chain*> chains_;  // by the instances
  std::unordered_set<std::string> said_;
  bool middleware_made_ = false;
  Diagnostics diagnostics_;
};

// The routes with their chains, as `leat routes` prints them.
std::string describe_text(const Site& site);
std::string describe_json(const Site& site);

}  // namespace leat::pipeline
