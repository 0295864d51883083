// Site: everything that requests are answered with, frozen when the configuration is loaded.
//
//   SiteBuilder builder;
//   builder.add_middleware({...});           // instances, in the order of the file
//   builder.add_route({...});                // each with its handler
//   std::unique_ptr<Site> site = builder.build(diagnostics);
//
// For each route build() compiles the chain: the global instances and the route's own, without duplicates
// (same kind, same options), ordered by phase, then by before/after, then as declared. What is left at run
// time is three arrays of pointers, with only the instances that have the hook.
//
// Thread: built on one, then read by all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/value.h"
#include "pipeline/handler.h"
#include "pipeline/middleware_kinds.h"
#include "pipeline/router.h"

namespace leat::pipeline {

// A middleware instance as declared.
struct MiddlewareSpec {
  std::string kind;
  std::string name;                 // for before/after and for routes to name it; may be empty
  std::vector<std::string> before;  // kinds or names that come after this one
  std::vector<std::string> after;   // ... and before it
  bool global = true;               // false: only for routes that name it
  Value options;
  Place place;
};

struct RouteSpec {
  std::string path;
  std::vector<std::string> methods;
  std::string handler_name;  // for people, "demo:json"
  std::unique_ptr<Handler> handler;
  std::vector<MiddlewareSpec> middleware;  // the route's own instances
  std::vector<std::string> named;          // declared instances that it asks for by name
  uint64_t body_limit = 0;                 // bytes; 0: the server's
  Place path_place, method_place, middleware_place;
};

// One instance in a compiled chain.
struct Step {
  const MiddlewareKind* kind = nullptr;
  const MiddlewareSpec* spec = nullptr;
  Middleware* instance = nullptr;
};

struct Route {
  std::string id;  // "GET /users/{id}": the label in logs and metrics
  Pattern pattern;
  http::MethodSet methods = 0;
  std::string path;
  std::string handler_name;
  Handler* handler = nullptr;  // nullptr for the route of requests that match none
  bool streams_body = false;
  uint64_t body_limit = 0;
  std::vector<Step> chain;          // in forward order
  std::vector<std::string> merged;  // duplicates that were left out, for people
  // The steps that have the hook.
  struct Hook {
    Middleware* instance;
    uint32_t position;  // in the chain, from 1; 0 for one without a forward step: its reverse ones always run
  };
  std::vector<Hook> on_request;   // forward
  std::vector<Hook> on_response;  // reverse
  std::vector<Hook> on_done;      // reverse
};

class Site {
 public:
  [[nodiscard]] const Router& router() const { return router_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }
  // The global chain, for what no route answers: 404, 405 and the like.
  [[nodiscard]] const Route& unmatched() const { return unmatched_; }

 private:
  friend class SiteBuilder;
  std::vector<std::unique_ptr<Handler>> handlers_;
  std::vector<std::unique_ptr<Middleware>> instances_;
  std::vector<std::unique_ptr<MiddlewareSpec>> specs_;
  std::vector<std::unique_ptr<Route>> routes_;
  Route unmatched_;
  Router router_;
};

class SiteBuilder {
 public:
  SiteBuilder();
  void add_middleware(MiddlewareSpec spec);
  void add_route(RouteSpec spec);
  // The site, or nullptr when anything was wrong, all of which is in `diagnostics` then.
  std::unique_ptr<Site> build(Diagnostics& diagnostics);

 private:
  Step make_step(MiddlewareSpec spec);
  void build_route(RouteSpec& spec);
  void compile_chain(Route& route, std::vector<Step> steps);
  void merge_duplicates(Route& route, std::vector<Step>& steps);
  bool order(std::vector<Step>& steps);
  void fail(int code, std::string message, const Place& place, std::string hint = {});

  std::unique_ptr<Site> site_;
  std::vector<MiddlewareSpec> declared_;
  std::vector<RouteSpec> specs_;
  std::vector<Step> declared_steps_;  // one for each of declared_; kind is null where it was wrong
  Diagnostics diagnostics_;
};

// The routes with their chains, as `leat routes` prints them.
std::string describe_text(const Site& site);
std::string describe_json(const Site& site);

}  // namespace leat::pipeline
