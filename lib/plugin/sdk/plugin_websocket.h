/* plugin_websocket.h: WebSockets (RFC 6455) for plugins, beside plugin.h, whose rules hold here as well.
 *
 * A handler whose client asks for one accepts it, and has its callbacks from then on. All of a socket's callbacks run on the
 * worker of its request, one at a time. Pings, closing, compression and limits are the host's: see the settings websocket.*.
 *
 * A `leat_websocket*` is good from accept() until close() has returned, on its worker, in any callback there: also in those of
 * other sockets and requests. It is no address, so that one that is kept for too long is refused, and harms nobody. On
 * other threads a socket is known by its leat_websocket_id.
 */
#ifndef LEAT_PLUGIN_WEBSOCKET_H
#define LEAT_PLUGIN_WEBSOCKET_H

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_websocket leat_websocket;

/* What a message is. A text is UTF-8; the host sees to that in both directions. */
#define LEAT_WEBSOCKET_TEXT 1u
#define LEAT_WEBSOCKET_BINARY 2u

/* Codes to close with (RFC 6455, section 7.4.1); 3000..4999 are for applications. */
#define LEAT_CLOSE_NORMAL 1000u
#define LEAT_CLOSE_GOING_AWAY 1001u
#define LEAT_CLOSE_UNSUPPORTED 1003u
#define LEAT_CLOSE_NONE 1005u     /* a Close without a code */
#define LEAT_CLOSE_ABNORMAL 1006u /* told only: the connection has gone without a Close */
#define LEAT_CLOSE_INVALID 1007u
#define LEAT_CLOSE_POLICY 1008u
#define LEAT_CLOSE_INTERNAL 1011u
#define LEAT_CLOSE_TRY_LATER 1013u

/* Names a socket on any thread, and for ever. */
typedef struct leat_websocket_id {
  uint32_t worker;
  uint32_t slot;
  uint64_t generation;
} leat_websocket_id;

/* The request stays as long as the socket, with its memory and all that can be done with a request: timers, fetches,
 * suspensions, work on the pool. handle(), and what goes on with it, return LEAT_PENDING for as long as they have more to do with
 * the socket; LEAT_DONE closes it. Without the flag the request ends with the handshake, and an idle socket takes a tenth of the
 * memory. */
#define LEAT_WEBSOCKET_KEEPS_REQUEST 1u
/* Messages are not compressed, whatever is set. */
#define LEAT_WEBSOCKET_PLAIN 2u

/* What is called for a socket. Every member but message may be NULL. It must stay as long as the plugin is loaded. */
typedef struct leat_websocket_handler {
  uint32_t struct_size;
  uint32_t flags; /* LEAT_WEBSOCKET_* */
  /* [worker] The handler that has accepted it has returned. */
  void (*open)(const leat_scope* scope, leat_websocket* socket);
  /* [worker] `message` ends with the call. */
  void (*message)(const leat_scope* scope, leat_websocket* socket, uint32_t kind, leat_str message);
  /* [worker] There is room again after send() answered LEAT_BLOCKED. */
  void (*writable)(const leat_scope* scope, leat_websocket* socket);
  /* [worker] The time of set_timer() has come. */
  void (*timer)(const leat_scope* scope, leat_websocket* socket);
  /* [worker] It has ended: let go of its state. Exactly once for each accept(), and the last call. The code is its client's, or
   * LEAT_CLOSE_*. */
  void (*close)(const leat_scope* scope, leat_websocket* socket, uint32_t code, leat_str reason);
} leat_websocket_handler;

typedef struct leat_websocket_options {
  uint32_t struct_size;
  uint32_t protocol_count;
  const leat_str*
      protocols; /* subprotocols that are spoken here; the first one that the client names is chosen */
  const leat_str*
      origins; /* pages of these may connect, "https://a.example"; of "*" all. None: those of the same host */
  uint32_t origin_count;
  uint32_t reserved;
  uint64_t message_bytes; /* of a message at most; 0, or more than that: websocket.message_size */
  void* state;            /* as by set_state() */
} leat_websocket_options;

/* What becomes of a message for many where so much waits for a client already (websocket.queue_size). */
#define LEAT_SLOW_DROP 0u  /* it does not get this one */
#define LEAT_SLOW_CLOSE 1u /* its socket is closed (1008) */

typedef void (*leat_websocket_call)(const leat_scope* scope, leat_websocket* socket, leat_str bytes);

/* "leat.websocket/1": conversations with clients, message by message (RFC 6455). */
typedef struct leat_websocket_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [worker] 1: the request asks for a WebSocket, well or badly, and can have one here. Elsewhere it is a request like any
   * other. */
  int32_t (*asked)(const leat_request* request);
  /* [worker] In handle(), or whatever goes on with it, before anything is answered: agrees. The answer's fields go with that. LEAT_OK,
   * and it can be sent to at once. LEAT_E_ARGUMENT: what was asked was no proper handshake, or from a page that may not, and
   * has been answered so: return LEAT_DONE. LEAT_E_STATE: it was answered before, or its client has gone. LEAT_E_MEMORY.
   * `options` and `socket` may be NULL. Not for middleware, nor on the pool. */
  int32_t (*accept)(leat_request* request, const leat_websocket_handler* handler,
                    const leat_websocket_options* options, leat_websocket** socket);
  /* [worker] Sends a message, copied. LEAT_OK. LEAT_BLOCKED: it was taken, but wait for writable() with others. LEAT_E_BUSY: it was
   * not taken, so much waits to be sent (websocket.queue_size). LEAT_E_ARGUMENT: a text that is not UTF-8, or no kind.
   * LEAT_E_STATE: it is closing, or has gone. */
  int32_t (*send)(leat_websocket* socket, uint32_t kind, leat_str message);
  /* [worker] Closes it; what was sent before arrives before that. No message is received any more; close() is called once the client
   * has answered, or did not in time. LEAT_E_ARGUMENT: no code that can be sent, or a reason of more than 123 bytes or
   * that is not UTF-8. LEAT_CLOSE_NONE: without a code. */
  int32_t (*close)(leat_websocket* socket, uint32_t code, leat_str reason);
  /* [worker] No message is received until resume(): the client is slowed down. What has come of one is kept. */
  int32_t (*pause)(leat_websocket* socket);
  int32_t (*resume)(leat_websocket* socket);
  /* [worker] Has timer() called once after so many milliseconds, in place of what was set before; UINT64_MAX: not. */
  int32_t (*set_timer)(leat_websocket* socket, uint64_t delay_ms);
  /* [worker] A pointer of the plugin's own that stays with the socket. */
  int32_t (*set_state)(leat_websocket* socket, void* state);
  void* (*state)(leat_websocket* socket);
  /* [worker] The subprotocol that was chosen; absent if there is none. Until close() has returned. */
  leat_str (*protocol)(leat_websocket* socket);
  /* [worker] In a callback of a socket that keeps its request: that. Else NULL. */
  leat_request* (*request)(leat_websocket* socket);
  /* [worker] Bytes that wait to be sent. */
  uint64_t (*queued)(leat_websocket* socket);
  /* [worker] 1: it can be sent to. */
  int32_t (*is_open)(leat_websocket* socket);
  int32_t (*id)(leat_websocket* socket, leat_websocket_id* id);
  /* [any] Has `call` called on the socket's worker with a copy of `bytes`, unless it has ended by then. LEAT_E_NOT_FOUND: it has
   * ended. */
  int32_t (*post)(const leat_host* host, leat_websocket_id id, leat_websocket_call call, leat_str bytes);

  /* [worker] From now on it gets what is published of that topic, on whichever worker. A topic is a name, any bytes, of the
   * instance's own: other plugins have others, and a reload keeps them. It ends with the socket. `slow`: LEAT_SLOW_*, the last
   * one counts for all its topics. LEAT_E_STATE: it had subscribed, or is closing. */
  int32_t (*subscribe)(leat_websocket* socket, leat_str topic, uint32_t slow);
  /* [worker] LEAT_E_NOT_FOUND: it had not. */
  int32_t (*unsubscribe)(leat_websocket* socket, leat_str topic);
  /* [any] Sends a message to all subscribers of a topic, those of leat.events/1 too. It is encoded once, and copied for nobody. Who
   * subscribes later does not get it; each gets all of a worker's messages in the same order. LEAT_OK; LEAT_E_BUSY: so much is on its
   * way that it was not taken (websocket.broadcast_size); LEAT_E_ARGUMENT: a text that is not UTF-8, or no kind. */
  int32_t (*publish)(const leat_host* host, leat_str topic, uint32_t kind, leat_str message);
} leat_websocket_v1;

#ifdef __cplusplus
}
#endif

#endif
