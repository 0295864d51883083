// The page that shows a description of an API, and the policy that goes with it: openapi/viewer.html, embedded by
// dashboard/embed.py.
#pragma once

#include <string_view>

namespace leat::handlers {

extern const std::string_view kViewerPage;
// Content-Security-Policy: its own style and script, the description from where it came, and nothing else.
extern const std::string_view kViewerPolicy;

}  // namespace leat::handlers
