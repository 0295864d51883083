/* WebSockets and streams of events in C: what is refused, a socket that keeps its request, and topics. */
#include <leat/plugin_events.h>
#include <stdio.h>
#include <string.h>

static const leat_websocket_v1* sockets;
static const leat_events_v1* events;
static const leat_request_v1* requests;
static const leat_response_v1* responses;
static const leat_timer_v1* timers;

static int32_t load(const leat_host* host, leat_error* error) {
  (void)error;
  sockets = (const leat_websocket_v1*)host->extension(host, LEAT_STR("leat.websocket/1"));
  events = (const leat_events_v1*)host->extension(host, LEAT_STR("leat.events/1"));
  requests = (const leat_request_v1*)host->extension(host, LEAT_STR("leat.request/1"));
  responses = (const leat_response_v1*)host->extension(host, LEAT_STR("leat.response/1"));
  timers = (const leat_timer_v1*)host->extension(host, LEAT_STR("leat.timer/1"));
  return sockets != NULL && events != NULL ? LEAT_OK : LEAT_E_NOT_FOUND;
}

static leat_websocket* gone; /* one that has ended */

/* The number of the first line that was not as it should be; 0: none. */
#define EXPECT(condition) \
  if (!(condition)) return __LINE__

static int try_all(const leat_scope* scope, leat_websocket* socket) {
  static const char kReason[200] = "";
  const leat_str too_long = {kReason, 124};
  leat_websocket_id id;
  EXPECT(sockets->is_open(socket) == 1);
  EXPECT(sockets->send(socket, 7, LEAT_STR("x")) == LEAT_E_ARGUMENT);
  EXPECT(sockets->send(socket, LEAT_WEBSOCKET_TEXT, LEAT_STR("\xff")) == LEAT_E_ARGUMENT);
  EXPECT(sockets->send(socket, LEAT_WEBSOCKET_TEXT, (leat_str){NULL, 3}) == LEAT_E_ARGUMENT);
  EXPECT(sockets->close(socket, 1006, LEAT_STR("")) == LEAT_E_ARGUMENT);
  EXPECT(sockets->close(socket, 0, LEAT_STR("")) == LEAT_E_ARGUMENT);
  EXPECT(sockets->close(socket, LEAT_CLOSE_NORMAL, too_long) == LEAT_E_ARGUMENT);
  EXPECT(sockets->close(socket, LEAT_CLOSE_NORMAL, LEAT_STR("\xff")) == LEAT_E_ARGUMENT);
  EXPECT(sockets->id(socket, NULL) == LEAT_E_ARGUMENT);
  EXPECT(sockets->id(socket, &id) == LEAT_OK);
  EXPECT(sockets->post(scope->host, id, NULL, LEAT_STR("")) == LEAT_E_ARGUMENT);
  id.worker = 12345;
  EXPECT(sockets->protocol(socket).ptr == NULL);
  EXPECT(sockets->subscribe(socket, LEAT_STR("t"), 9) == LEAT_E_ARGUMENT);
  EXPECT(sockets->subscribe(socket, LEAT_STR("t"), LEAT_SLOW_DROP) == LEAT_OK);
  EXPECT(sockets->subscribe(socket, LEAT_STR("t"), LEAT_SLOW_DROP) == LEAT_E_STATE);
  EXPECT(sockets->unsubscribe(socket, LEAT_STR("t")) == LEAT_OK);
  EXPECT(sockets->unsubscribe(socket, LEAT_STR("t")) == LEAT_E_NOT_FOUND);
  EXPECT(sockets->publish(scope->host, LEAT_STR("t"), 7, LEAT_STR("x")) == LEAT_E_ARGUMENT);
  EXPECT(sockets->publish(scope->host, LEAT_STR("t"), LEAT_WEBSOCKET_TEXT, LEAT_STR("\xff")) ==
         LEAT_E_ARGUMENT);
  EXPECT(sockets->publish(scope->host, LEAT_STR("t"), LEAT_WEBSOCKET_BINARY, LEAT_STR("\xff")) == LEAT_OK);
  if (gone != NULL) {
    EXPECT(sockets->is_open(gone) == 0);
    EXPECT(sockets->send(gone, LEAT_WEBSOCKET_TEXT, LEAT_STR("x")) == LEAT_E_STATE);
    EXPECT(sockets->close(gone, LEAT_CLOSE_NORMAL, LEAT_STR("")) == LEAT_E_STATE);
    EXPECT(sockets->pause(gone) == LEAT_E_STATE);
    EXPECT(sockets->state(gone) == NULL);
    EXPECT(sockets->queued(gone) == 0);
  }
  EXPECT(sockets->is_open(NULL) == 0);
  EXPECT(sockets->request(socket) == NULL);
  gone = socket;
  return 0;
}

static void tries(const leat_scope* scope, leat_websocket* socket, uint32_t kind, leat_str message) {
  char text[16];
  const int failed = try_all(scope, socket);
  (void)kind, (void)message;
  snprintf(text, sizeof text, "%d", failed);
  sockets->send(socket, LEAT_WEBSOCKET_TEXT, (leat_str){text, strlen(text)});
}

static const leat_websocket_handler kTries = {sizeof kTries, 0, NULL, tries, NULL, NULL, NULL};

static int32_t misuse(const leat_scope* scope, leat_request* request) {
  const leat_websocket_handler none = {sizeof none, 0, NULL, NULL, NULL, NULL, NULL};
  leat_websocket* socket = NULL;
  (void)scope;
  if (sockets->asked(request) == 0) return LEAT_NEXT;
  if (sockets->accept(request, NULL, NULL, &socket) != LEAT_E_ARGUMENT) return LEAT_ERROR;
  if (sockets->accept(request, &none, NULL, &socket) != LEAT_E_ARGUMENT) return LEAT_ERROR;
  if (sockets->accept(request, &kTries, NULL, &socket) != LEAT_OK || socket == NULL) return LEAT_ERROR;
  if (sockets->accept(request, &kTries, NULL, &socket) != LEAT_E_STATE || socket != NULL) return LEAT_ERROR;
  if (responses->send(request, LEAT_STR("x")) != LEAT_E_STATE) return LEAT_ERROR;
  return LEAT_DONE;
}

/* Says what its request was asked for, a while later. */
static int32_t tell(const leat_scope* scope, leat_request* request, void* argument) {
  (void)scope;
  sockets->send((leat_websocket*)argument, LEAT_WEBSOCKET_TEXT, requests->target(request));
  return LEAT_PENDING;
}
static void keeps_message(const leat_scope* scope, leat_websocket* socket, uint32_t kind, leat_str message) {
  leat_request* request = sockets->request(socket);
  (void)scope, (void)kind;
  if (message.len == 3) { /* "end" */
    responses->abort(request);
  } else if (request == NULL || timers->resume_after(request, 5, tell, socket) != LEAT_OK) {
    sockets->close(socket, LEAT_CLOSE_INTERNAL, LEAT_STR(""));
  }
}
static const leat_websocket_handler kKeeps = {
    sizeof kKeeps, LEAT_WEBSOCKET_KEEPS_REQUEST, NULL, keeps_message, NULL, NULL, NULL};
static int32_t keeps(const leat_scope* scope, leat_request* request) {
  (void)scope;
  return sockets->accept(request, &kKeeps, NULL, NULL) == LEAT_OK ? LEAT_PENDING : LEAT_DONE;
}

/* All of a room hear what one of them says. */
static void room_open(const leat_scope* scope, leat_websocket* socket) {
  (void)scope;
  sockets->subscribe(socket, LEAT_STR("room"), LEAT_SLOW_CLOSE);
}
static void room_message(const leat_scope* scope, leat_websocket* socket, uint32_t kind, leat_str message) {
  (void)socket;
  sockets->publish(scope->host, LEAT_STR("room"), kind, message);
}
static const leat_websocket_handler kRoom = {sizeof kRoom, 0, room_open, room_message, NULL, NULL, NULL};
static int32_t room(const leat_scope* scope, leat_request* request) {
  (void)scope;
  sockets->accept(request, &kRoom, NULL, NULL);
  return LEAT_DONE;
}

/* The same room as events. */
static int32_t listen(const leat_scope* scope, leat_request* request) {
  const leat_events_options options = {sizeof options, 0, 50, 1500};
  (void)scope;
  if (events->send(request, LEAT_STR(""), LEAT_STR(""), LEAT_STR("x")) != LEAT_E_STATE) return LEAT_ERROR;
  if (events->begin(request, &options) != LEAT_OK) return LEAT_ERROR;
  if (events->begin(request, &options) != LEAT_E_STATE) return LEAT_ERROR;
  events->send(request, LEAT_STR("first"), LEAT_STR("7"), LEAT_STR("after\n"));
  events->send(request, LEAT_STR(""), LEAT_STR(""), events->last_id(request));
  if (events->subscribe(request, LEAT_STR("room"), LEAT_SLOW_DROP) != LEAT_OK) return LEAT_ERROR;
  return LEAT_PENDING;
}
static int32_t say(const leat_scope* scope, leat_request* request) {
  events->publish(scope->host, LEAT_STR("room"), LEAT_STR("said"), LEAT_STR("8"), requests->query(request));
  return responses->send(request, LEAT_STR("said")) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}

static const leat_handler handlers[] = {
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("misuse"), .handle = misuse},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("keeps"), .handle = keeps},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("room"), .handle = room},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("listen"), .handle = listen},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("say"), .handle = say},
};

LEAT_NOTE("sockets_c");
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("sockets_c", "1.0.0"), .load = load, .handlers = handlers,
                                       .handler_count = 5};
