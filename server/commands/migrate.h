// `leat migrate`: the configuration of another server as one of Leat's (server/migrate), written where it is wanted, and a
// list of all that is left for people to do.
#pragma once

#include <string>

namespace leat::server {

struct Migration {
  std::string from;  // "nginx" or "caddy"
  std::string file;
  std::string output;  // a file that is not there yet; empty: standard output
};

// An exit code: 0 where all was carried over, kExitIncomplete where something is left or what was made does not
// pass `leat check`, 1 where nothing was written.
int migrate_configuration(const Migration& migration);

}  // namespace leat::server
