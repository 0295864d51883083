#include "server/commands/version.h"

#include <fmt/core.h>

#include <string_view>
#include <vector>

#include "base/shared/plugin_text.hpp"
#include "coding/coding.h"
#include "json/backend.h"
#include "leat_version.h"
#include "server/assemble.h"

namespace leat::server {

namespace {

using Names = std::vector<std::string_view>;

std::string listed(const Names& names) {
  std::string text;
  for (const std::string_view each : names) text.append(text.empty() ? "" : ", ").append(each);
  return text;
}

std::string json_array(const Names& names) {
  std::string text;
  for (const std::string_view each : names) text += fmt::format("{}\"{}\"", text.empty() ? "" : ",", each);
  return "[" + text + "]";
}

}  // namespace

std::string version_text(const Command& command) {
  Names plugins, writers, packers;
  for (const leat_plugin_entry* each : command.compiled_in)
    plugins.emplace_back(each->name.ptr, each->name.len);
  for (const json::Backend each : json::built_backends()) writers.push_back(json::backend_name(each));
  for (const std::string_view each : coding::libraries()) packers.push_back(each);
  const std::string abi = fmt::format("{}.{}", LEAT_ABI_MAJOR, LEAT_ABI_MINOR);
  const std::string_view scan = encoding::scan.name;
  if (command.json)
    return fmt::format(
        "{{\"version\":\"{}\",\"plugin_abi\":\"{}\",\"allocator\":\"{}\",\"json_backends\":{},\"json_scan\":"
        "\"{}\","
        "\"compression\":{},\"static_plugins\":{}}}\n",
        LEAT_VERSION, abi, LEAT_ALLOCATOR, json_array(writers), scan, json_array(packers),
        json_array(plugins));
  return fmt::format(
      "leat {}\nplugin ABI {}\nallocator {}\nJSON writers {}; strings by {}\ncompression {}\nplugins in "
      "{}\n{}",
      LEAT_VERSION, abi, LEAT_ALLOCATOR, listed(writers), scan, packers.empty() ? "none" : listed(packers),
      installed_plugins(), plugins.empty() ? "" : "static plugins " + listed(plugins) + "\n");
}

}  // namespace leat::server
