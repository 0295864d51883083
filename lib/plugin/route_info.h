#pragma once

#include <string>
#include <vector>

#include "pipeline/parameter_rules.h"

namespace leat::plugin {

// What a handler is told of the route that it is bound to.
struct RouteInfo {
  std::string id;
  std::string pattern;
  std::vector<std::string> params;  // names, in the order of Request::params()
  // What the configuration declares of its parameters.
  std::vector<pipeline::ParameterSpec> parameters = {};
  pipeline::FormLimits form_limits = {};
};

}  // namespace leat::plugin
