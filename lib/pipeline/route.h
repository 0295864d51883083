// Route: what a request is matched with, and the compiled chain that it passes. Both are parts of a site (site.h), which
// makes them, and are immutable when it serves.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/answer_filter.h"
#include "http/method.h"
#include "pipeline/chain.h"
#include "pipeline/condition.h"
#include "pipeline/handler.h"
#include "pipeline/target.h"

namespace leat::pipeline {

class Site;
struct Host;

// Neither is about a resource: CONNECT asks for a tunnel, and TRACE would show a client the fields that
// proxies added to its request.
inline constexpr http::MethodSet kNeverRouted =
    http::method_bit(http::Method::Connect) | http::method_bit(http::Method::Trace);
// In RouteSpec::methods: every method that a handler can have but OPTIONS, which is answered as it is where a route does not ask
// for it.
inline constexpr std::string_view kAnyMethod = "*";
inline constexpr http::MethodSet kEveryMethod = ((http::MethodSet{1} << http::kMethodCount) - 1) &
                                                ~kNeverRouted & ~http::method_bit(http::Method::Options);

// A chain, ready to be run.
struct Chain {
  // A step that has the hook.
  struct Hook {
    Middleware* instance;
    uint32_t position;  // in the chain, from 1; 0 for one without a forward step: its reverse ones always run
    bool for_clients;   // Middleware::for_clients()
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
  const Host* host = nullptr;  // likewise
  std::string id;              // "GET /users/{id}": the label in logs and metrics
  uint32_t number = 0;         // by which its requests are counted (RequestCounts)
  std::string_view path;       // its pattern
  std::string_view handler_name;
  std::string_view owner;
  http::MethodSet methods = 0;
  uint8_t params = 0;  // how many its pattern has
  bool streams_body = false;
  Handler* handler = nullptr;             // null for the route of requests that match none, and for rewrites
  uint64_t body_limit = 0;                // bytes; 0: the server's
  uint32_t timeout_ms = 0;                // of its answers' beginning; 0: the server's
  const Chain* chain = nullptr;           // the site's, which other routes may have as well
  std::unique_ptr<const Condition> when;  // it is for requests that fit only
  std::unique_ptr<const Target> rewrite;  // what is looked for in place of the path
  // Its requests are, in whole or in part, the business of one of those plugins.
  [[nodiscard]] bool is_of(std::span<const std::string> plugins) const {
    return std::ranges::any_of(plugins, [&](const std::string& plugin) {
      return plugin == owner || std::ranges::contains(chain->owners, plugin);
    });
  }
  // The methods that it answers: with GET comes HEAD.
  [[nodiscard]] http::MethodSet served() const {
    const bool get = (methods & http::method_bit(http::Method::Get)) != 0;
    return methods | (get ? http::method_bit(http::Method::Head) : 0);
  }
};

}  // namespace leat::pipeline
