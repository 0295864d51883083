// The page of leat:dashboard as it is sent, and its Content-Security-Policy, which names its style and script by their
// hashes. Made from dashboard/page.html when Leat is built (dashboard/embed.py).
#pragma once

#include <string_view>

namespace leat::handlers {

extern const std::string_view kDashboardPage;
extern const std::string_view kDashboardPolicy;

}  // namespace leat::handlers
