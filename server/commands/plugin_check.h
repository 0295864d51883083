// `leat plugin check FILE.so`: what is wrong with a plugin, before it is deployed.
#pragma once

#include <string>

namespace leat::server {

// Prints the findings, and the services that a plugin which loads provides and needs, for people or as JSON.
// The exit code: 0 when there is no error (warnings may be),
// else 1.
int check_plugin_file(const std::string& file, bool json);

}  // namespace leat::server
