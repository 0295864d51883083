// The extensions of the host: their names, and a constant table for each, which a file of this folder defines.
//
// To add one: its struct in sdk/plugin.h, a row here, its file, and that file's row in meson.build. To grow one:
// append to its struct, raise the ABI's minor number, and fill in the new member in its file.
//
// Private to the plugin host.
#pragma once

#include "plugin/sdk/plugin.h"
#include "plugin/sdk/plugin_events.h"
#include "plugin/sdk/plugin_websocket.h"

#define LEAT_EXTENSIONS(EXTENSION)                                                    \
  EXTENSION("leat.request/1", leat_request_v1, kRequestExtension)                     \
  EXTENSION("leat.body/1", leat_body_v1, kBodyExtension)                              \
  EXTENSION("leat.response/1", leat_response_v1, kResponseExtension)                  \
  EXTENSION("leat.arena/1", leat_arena_v1, kArenaExtension)                           \
  EXTENSION("leat.json/1", leat_json_v1, kJsonExtension)                              \
  EXTENSION("leat.json_reader/1", leat_json_reader_v1, kJsonReaderExtension)          \
  EXTENSION("leat.parameters/1", leat_parameters_v1, kParametersExtension)            \
  EXTENSION("leat.session/1", leat_session_v1, kSessionExtension)                     \
  EXTENSION("leat.log/1", leat_log_v1, kLogExtension)                                 \
  EXTENSION("leat.config/1", leat_config_v1, kConfigExtension)                        \
  EXTENSION("leat.route/1", leat_route_v1, kRouteExtension)                           \
  EXTENSION("leat.async/1", leat_async_v1, kAsyncExtension)                           \
  EXTENSION("leat.timer/1", leat_timer_v1, kTimerExtension)                           \
  EXTENSION("leat.pool/1", leat_pool_v1, kPoolExtension)                              \
  EXTENSION("leat.client/1", leat_client_v1, kClientExtension)                        \
  EXTENSION("leat.metrics/1", leat_metrics_v1, kMetricsExtension)                     \
  EXTENSION("leat.services/1", leat_services_v1, kServicesExtension)                  \
  EXTENSION("leat.cache/1", leat_cache_v1, kCacheExtension)                           \
  EXTENSION("leat.response_cache/1", leat_response_cache_v1, kResponseCacheExtension) \
  EXTENSION("leat.middleware/1", leat_middleware_v1, kMiddlewareExtension)            \
  EXTENSION("leat.websocket/1", leat_websocket_v1, kWebsocketExtension)               \
  EXTENSION("leat.events/1", leat_events_v1, kEventsExtension)

namespace leat::plugin {

#define LEAT_DECLARE_EXTENSION(name, type, table) extern const type table;
LEAT_EXTENSIONS(LEAT_DECLARE_EXTENSION)
#undef LEAT_DECLARE_EXTENSION

}  // namespace leat::plugin
