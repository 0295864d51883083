#include "plugin/host_table.h"

#include <fmt/core.h>

#include "plugin/extensions/extensions.h"
#include "plugin/load_time.h"
#include "plugin/shared_resources.h"
#include "plugin/text.h"

namespace leat::plugin {
namespace {

struct Extension {
  std::string_view name;
  const void* table;
};

#define LEAT_EXTENSION_ROW(name, type, table) {name, &table},
constexpr Extension kExtensions[] = {LEAT_EXTENSIONS(LEAT_EXTENSION_ROW)};
#undef LEAT_EXTENSION_ROW

const void* find_extension(const leat_host* host, leat_str name) {
  const void* table = nullptr;
  for (const Extension& extension : kExtensions)
    if (extension.name == view(name)) table = extension.table;
  const SharedResources* shared = host == nullptr ? nullptr : static_cast<const Host*>(host)->shared;
  return shared == nullptr || shared->exchange_table == nullptr ? table : shared->exchange_table(name, table);
}

void add_failure(leat_error* error, leat_str key, leat_str message) {
  if (error != nullptr) error->failures.push_back({std::string(view(key)), std::string(view(message))});
}

}  // namespace

Host::Host(std::string_view plugin, const LibraryOptions& options, PluginInstance* owner)
    : leat_host{sizeof(leat_host),
                LEAT_ABI_MAJOR,
                LEAT_ABI_MINOR,
                options.worker_count,
                to_str(options.daemon_version),
                find_extension,
                add_failure},
      blame(fmt::format("plugin {}", plugin)),
      instance(owner),
      shared(options.shared) {}

}  // namespace leat::plugin
