// leat.log/1: lines of plugins in the daemon's log.
#include <fmt/core.h>

#include "base/log.h"
#include "plugin/extensions/extensions.h"
#include "plugin/host_table.h"
#include "plugin/text.h"

namespace leat::plugin {
namespace {

int32_t log_enabled(const leat_host*, uint32_t level) {
  return level <= LEAT_LOG_ERROR && log::enabled(static_cast<log::Level>(level)) ? 1 : 0;
}

void log_write(const leat_host* host, uint32_t level, leat_str message) {
  if (host == nullptr || log_enabled(host, level) == 0) return;
  // A line break in a message would forge a line of the log.
  std::string line = fmt::format("{}: {}", static_cast<const Host*>(host)->blame, view(message));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  log::write_of_plugin(static_cast<log::Level>(level), static_cast<const Host*>(host)->blame, line);
}

}  // namespace

const leat_log_v1 kLogExtension = {
    .struct_size = sizeof(leat_log_v1),
    .reserved = 0,
    .enabled = log_enabled,
    .write = log_write,
};

}  // namespace leat::plugin
