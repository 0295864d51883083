/* plugin_events.h: streams of events (server-sent events, WHATWG HTML section 9.2) for plugins, beside plugin.h, whose rules hold
 * here as well.
 *
 * A stream is an answer in pieces that lasts, of text/event-stream, which a page reads with EventSource. It is kept alive by the
 * host, and may subscribe to topics, as WebSockets do (plugin_websocket.h): what is published comes to both.
 */
#ifndef LEAT_PLUGIN_EVENTS_H
#define LEAT_PLUGIN_EVENTS_H

#include "plugin.h"
#include "plugin_websocket.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_events_options {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t
      heartbeat_ms; /* without anything else for so long a comment is sent, so that nobody between takes it for dead; 0: 15 s */
  uint64_t retry_ms; /* after how long its client is to come again when it ends; 0: as the client likes */
} leat_events_options;

/* "leat.events/1": streams of events, with a heartbeat, and topics. */
typedef struct leat_events_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [worker] The id of the last event that the client has seen, where it comes again (Last-Event-ID); else absent. */
  leat_str (*last_id)(const leat_request* request);
  /* [worker] Begins the stream as the request's answer, with the fields that were set, and goes on until the client leaves or
   * leat.response/1 end(). The handler returns LEAT_PENDING. `options` may be NULL. As leat.response/1 begin(); LEAT_E_THREAD for
   * middleware, and on the pool. */
  int32_t (*begin)(leat_request* request, const leat_events_options* options);
  /* [worker] Sends an event; a name and an id may be empty. `data` may have several lines. As leat.response/1 write(). */
  int32_t (*send)(leat_request* request, leat_str name, leat_str id, leat_str data);
  /* [worker] As leat.websocket/1 subscribe() and unsubscribe(). A stream that is closed for being slow is cut. */
  int32_t (*subscribe)(leat_request* request, leat_str topic, uint32_t slow);
  int32_t (*unsubscribe)(leat_request* request, leat_str topic);
  /* [any] As leat.websocket/1 publish(), of a text, with a name and an id for those who have it as an event. */
  int32_t (*publish)(const leat_host* host, leat_str topic, leat_str name, leat_str id, leat_str data);
} leat_events_v1;

#ifdef __cplusplus
}
#endif

#endif
