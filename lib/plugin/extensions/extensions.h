// The extensions of the host, one constant table each. To grow one: append to its struct in sdk/plugin.h,
// raise the ABI's minor number, and fill in the new member here.
//
// Private to the plugin host.
#pragma once

#include "plugin/sdk/plugin.h"

namespace leat::plugin {

extern const leat_request_v1 kRequestExtension;               // extension_request.cc
extern const leat_body_v1 kBodyExtension;                     // extension_request.cc
extern const leat_arena_v1 kArenaExtension;                   // extension_request.cc
extern const leat_response_v1 kResponseExtension;             // extension_response.cc
extern const leat_json_v1 kJsonExtension;                     // extension_json.cc
extern const leat_json_reader_v1 kJsonReaderExtension;        // extension_json_reader.cc
extern const leat_async_v1 kAsyncExtension;                   // extension_async.cc
extern const leat_timer_v1 kTimerExtension;                   // extension_async.cc
extern const leat_pool_v1 kPoolExtension;                     // extension_pool.cc
extern const leat_client_v1 kClientExtension;                 // extension_client.cc
extern const leat_metrics_v1 kMetricsExtension;               // extension_metrics.cc
extern const leat_cache_v1 kCacheExtension;                   // extension_cache.cc
extern const leat_response_cache_v1 kResponseCacheExtension;  // extension_response_cache.cc
extern const leat_services_v1 kServicesExtension;             // extension_services.cc
extern const leat_config_v1 kConfigExtension;                 // extension_config.cc
extern const leat_route_v1 kRouteExtension;                   // extension_config.cc
extern const leat_log_v1 kLogExtension;                       // host.cc

}  // namespace leat::plugin
