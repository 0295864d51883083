#include "server/status.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/date.h"
#include "base/units.h"
#include "config/in_force.h"
#include "leat_version.h"
#include "plugin/sdk/plugin.h"
#include "server/process/usage.h"

namespace leat::server {

namespace {

struct Status {
  uint64_t up_s;
  bool ready;
  uint32_t workers;
  std::vector<OwnMetrics::Wire> wires;
  Observer::Reload reload;
  Usage usage = Usage::now();
};

uint64_t open_connections(const OwnMetrics::Wire& wire) {
  return wire.opened - std::min(wire.opened, wire.closed);
}

uint64_t open_connections(const Status& status) {
  uint64_t open = 0;
  for (const OwnMetrics::Wire& each : status.wires) open += open_connections(each);
  return open;
}

std::string time_of(const Observer::Reload& reload) { return std::string(view(iso_date(reload.time))) + "Z"; }

std::string reload_json(const Observer::Reload& reload) {
  if (reload.time == 0) return "null";
  return fmt::format("{{\"time\":\"{}\",\"good\":{},\"error\":{}}}", time_of(reload), reload.good,
                     reload.good ? "null" : config::json_text(reload.error));
}

std::string reload_text(const Observer::Reload& reload) {
  if (reload.time == 0) return "none since the start";
  return reload.good ? "good, " + time_of(reload)
                     : fmt::format("failed, {}: {}", time_of(reload), reload.error);
}

std::string status_json(const Status& status) {
  std::string listeners;
  for (const OwnMetrics::Wire& each : status.wires)
    listeners +=
        fmt::format("{}{{\"address\":{},\"connections\":{},\"accepted\":{}}}", listeners.empty() ? "" : ",",
                    config::json_text(each.listener), open_connections(each), each.opened);
  return fmt::format(
      "\"version\":\"{}\",\"plugin_abi\":\"{}.{}\",\"pid\":{},\"uptime\":{},\"ready\":{},\"workers\":{},"
      "\"listeners\":[{}],"
      "\"connections\":{},\"resident_bytes\":{},\"descriptors\":{},\"most_descriptors\":{},\"last_reload\":"
      "{}",
      LEAT_VERSION, LEAT_ABI_MAJOR, LEAT_ABI_MINOR, ::getpid(), status.up_s, status.ready, status.workers,
      listeners, open_connections(status), status.usage.resident_bytes, status.usage.open_descriptors,
      status.usage.most_descriptors, reload_json(status.reload));
}

std::string status_text(const Status& status) {
  std::string listeners;
  for (const OwnMetrics::Wire& each : status.wires)
    listeners +=
        fmt::format("  {}  {} open, {} accepted\n", each.listener, open_connections(each), each.opened);
  const uint64_t up = status.up_s;
  return fmt::format(
      "leat {}, plugin ABI {}.{}, process {}\nup {}d {:02}:{:02}:{:02}, {}\n{}, {} "
      "open, {} MiB resident, "
      "{} of {} descriptors\nlistening on\n{}last reload: {}\n",
      LEAT_VERSION, LEAT_ABI_MAJOR, LEAT_ABI_MINOR, ::getpid(), up / 86400, up / 3600 % 24, up / 60 % 60,
      up % 60, status.ready ? "ready" : "not ready", counted(status.workers, "worker"),
      counted(open_connections(status), "connection"), status.usage.resident_bytes >> 20,
      status.usage.open_descriptors, status.usage.most_descriptors, listeners, reload_text(status.reload));
}

}  // namespace

std::string status_of(Observer& observer, OwnMetrics& own, const RunningSettings& running, bool json) {
  const Status status{.up_s = observer.uptime_s(),
                      .ready = own.ready(),
                      .workers = running.workers(),
                      .wires = own.wires(),
                      .reload = observer.last_reload()};
  return json ? status_json(status) : status_text(status);
}

}  // namespace leat::server
