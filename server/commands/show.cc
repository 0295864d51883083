#include "server/commands/show.h"

#include <fmt/core.h>

#include <cstdio>
#include <expected>
#include <functional>
#include <string>

#include "config/json_schema.h"
#include "leat_version.h"
#include "pipeline/openapi.h"
#include "pipeline/site.h"
#include "plugin/shared_resources.h"
#include "server/commands/explain.h"
#include "server/commands/print.h"
#include "server/load.h"
#include "server/process/crash_report.h"
#include "server/process/exit_code.h"
#include "server/process/last_words.h"

namespace leat::server {

namespace {

// What is made of a configuration, or why it cannot be.
using Made = std::expected<std::string, std::string>;

// Prints what `make` makes of the configuration, without its secrets. `asked` gets what the plugins ask for; may be null.
int show(const Command& command, const std::function<Made(const Loaded&)>& make,
         plugin::AskedOptions* asked = nullptr) {
  report_crashes(own_words());
  HangWatch hangs([] {});
  plugin::PluginLibraries libraries(command.compiled_in);
  libraries.shared().asked = asked;
  const auto loaded = load_at_start(command, libraries, {.hangs = &hangs});
  libraries.shared().asked = nullptr;
  if (!loaded) return kExitConfiguration;
  const Made made = make(*loaded);
  if (made) {
    print(loaded->secrets.hide(*made));
    return kExitFine;
  }
  std::fprintf(stderr, "leat: %s\n", made.error().c_str());
  return kExitFailure;
}

}  // namespace

int show_routes(const Command& command) {
  return show(command, [&command](const Loaded& loaded) -> Made {
    const pipeline::Site& site = *loaded.assembly.site;
    return command.json ? pipeline::describe_json(site) + "\n"
                        : fmt::format("{}\n{}\n", pipeline::describe_text(site), pipeline::kPrecedence);
  });
}

int show_openapi(const Command& command) {
  return show(command, [&](const Loaded& loaded) -> Made {
    const pipeline::Site& site = *loaded.assembly.site;
    return pipeline::openapi_json(site, pipeline::described_host(site, command.host), LEAT_VERSION) + "\n";
  });
}

int show_schema(const Command& command) {
  if (command.file.empty()) {
    print(config::json_schema());
    return kExitFine;
  }
  config::KnownPlugins known;
  const auto make = [&known](const Loaded& loaded) -> Made {
    for (const auto& plugin : loaded.assembly.plugins) known.names.push_back(plugin->name());
    known.kinds = loaded.assembly.kinds->all();
    return config::json_schema(known);
  };
  return show(command, make, &known.asked);
}

int show_explanation(const Command& command) {
  return show(command, [&command](const Loaded& loaded) -> Made {
    return explain(*loaded.assembly.site, loaded.settings, command.question);
  });
}

}  // namespace leat::server
