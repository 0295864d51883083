// Reloading: the configuration read anew while the one before it serves, and what that one's files said.
//
// What comes of it is ready to serve, and nothing has changed; the control thread then has it taken up.
//
// Thread: the control thread.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>

#include "config/file.h"
#include "plugin/library.h"
#include "server/commands/command_line.h"
#include "server/load.h"
#include "server/process/control.h"
#include "server/running_settings.h"

namespace leat::server {

// What serves, or is about to: who named it, and what its files said.
struct Source {
  std::string file;
  config::Files files;
};

class Reloading {
 public:
  // What serves: what its files said, and how many routes that came to.
  struct Served {
    Source source;
    size_t routes;
    Declared declared;
  };

  // `served` is put anew with each configuration that comes to serve.
  Reloading(Command command, std::shared_ptr<Served> served, RunningSettings& running,
            plugin::PluginLibraries& libraries)
      : command_(std::move(command)), served_(std::move(served)), running_(running), libraries_(libraries) {}

  // Must outlive what it returns. `remarks` are for whoever asked. An error is text for people.
  std::expected<Control::Options::Loaded, std::string> operator()(std::string& remarks) const;

 private:
  [[nodiscard]] std::string lost_since(const Source& source, size_t routes) const;

  Command command_;
  std::shared_ptr<Served> served_;
  RunningSettings& running_;
  plugin::PluginLibraries& libraries_;
};

}  // namespace leat::server
