// `leat plugin new`: a folder with a small plugin that builds, and passes its own test, as it is.
#pragma once

#include <string>

namespace leat::server {

struct NewPlugin {
  std::string name;
  std::string language = "c++";  // the name of a folder of server/commands/templates
  bool middleware = false;       // it has that in place of a handler
  std::string folder;            // to be made; the name of the plugin if empty
};

// Makes it and tells what to do next, or complains and leaves nothing behind. The exit code.
int make_plugin(const NewPlugin& plugin);

}  // namespace leat::server
