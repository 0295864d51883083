#pragma once

#include <string>
#include <vector>

namespace leat::plugin {

// What a handler is told of the route that it is bound to.
struct RouteInfo {
  std::string id;
  std::string pattern;
  std::vector<std::string> params;  // names, in the order of Request::params()
};

}  // namespace leat::plugin
