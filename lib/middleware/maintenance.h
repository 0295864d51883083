// maintenance: everybody is told to come again later, but for those who do the work.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/host_address.h"
#include "base/schema.h"
#include "pipeline/condition.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct MaintenanceOptions {
  bool on = true;
  std::vector<std::string> allow;
  uint64_t retry_after_ms = 600'000;
  std::string detail = "The site is being worked on. Please come again later.";
};

inline constexpr schema::Row kMaintenanceRows[] = {
    schema::boolean<&MaintenanceOptions::on>("on", "Whether the work goes on; a reload takes it up."),
    schema::list<&MaintenanceOptions::allow>(
        "allow", "ranges of addresses", pipeline::check_condition_client, 0,
        "Clients that are served all the same: ranges of addresses as in "
        "`server.trusted_proxies`."),
    schema::duration<&MaintenanceOptions::retry_after_ms>("retry_after", 1000, int64_t{30} * 24 * 3600 * 1000,
                                                          "When to come again, for Retry-After."),
    schema::text<&MaintenanceOptions::detail>("detail", 1024, "What is said."),
};

std::unique_ptr<pipeline::Middleware> create_maintenance(const MaintenanceOptions& options,
                                                         const pipeline::BuildContext& context);

}  // namespace leat::middleware
