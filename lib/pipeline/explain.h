// What would become of a request: which host and route it has, which came close and why not, what it passes, who answers it, and
// the limits in force. Nothing of it is done: no middleware runs, no handler is called, nothing is counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "pipeline/site.h"

namespace leat::pipeline {

struct Explanation {
  std::string host;     // who it is for, and why
  std::string route;    // its id; empty where it has none
  std::string outcome;  // what is answered in the place of a route; empty where it has one
  std::vector<ExplainedFact> params;
  std::string rewritten;                  // the path and query that a rewrite made of its own
  std::vector<ExplainedFact> close;       // other routes, and why they are not the one
  uint64_t more_close = 0;                // of those that are not listed
  std::vector<ExplainedFact> middleware;  // in the order in which it is passed, and what each would do
  std::string handler;
  std::vector<ExplainedFact> facts;  // of the handler and the limits
};

// What holds where a route does not say otherwise.
struct DefaultLimits {
  uint64_t body_bytes = 0;
  uint32_t answer_timeout_ms = 0;
};

// Of a request whose head is complete, on any thread: `exchange` is whoever asks's own. A rewrite changes its head.
Explanation explain(const Site& site, http::Exchange& exchange, const DefaultLimits& defaults);

std::string explanation_text(const Explanation& explanation);
// An object.
std::string explanation_json(const Explanation& explanation);

}  // namespace leat::pipeline
