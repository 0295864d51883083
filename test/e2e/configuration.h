// The configurations the daemon is started with: the demo plugin's routes, with what a test wants otherwise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace leat::e2e {

struct Wanted {
  std::vector<std::string> listen = {"127.0.0.1:0"};
  std::string server;  // lines of the table that holds `listen`
  std::string limits;  // lines of the table of limits
  std::string more;    // tables after all others
};

std::string demo_configuration(const Wanted& wanted = {});
// For Wanted::more: a route for each of these handlers of test/plugin/plugins/misuse.cc, "/" and its name.
std::string misuse_tables(const std::vector<std::string_view>& handlers);

}  // namespace leat::e2e
