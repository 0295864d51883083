/* leat.session/1 in C: what each function answers, as text. */
#include <leat/plugin.h>

#include <stdio.h>

static const leat_session_v1* session;
static const leat_response_v1* response;
static const leat_request_v1* request_api;

static int32_t load(const leat_host* host, leat_error* error) {
  session = host->extension(host, LEAT_STR("leat.session/1"));
  response = host->extension(host, LEAT_STR("leat.response/1"));
  request_api = host->extension(host, LEAT_STR("leat.request/1"));
  if (session != NULL && response != NULL && request_api != NULL) return LEAT_OK;
  host->fail(error, LEAT_STR(""), LEAT_STR("this daemon is too old"));
  return LEAT_E_NOT_FOUND;
}

static int32_t answer(leat_request* request, const char* text, int size) {
  const leat_str body = {text, (size_t)size};
  return response->send(request, body) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}

/* Each call on a session that is empty at first. */
static int32_t all(const leat_scope* scope, leat_request* request) {
  (void)scope;
  char text[256];
  leat_str value, none, empty;
  const leat_str unnamed = {"", 0}, bytes = {"a\0b", 3}, broken = {NULL, 1};
  const int there = session->there(request);
  const int missing = session->get(request, LEAT_STR("k"), &none);
  const int set = session->set(request, bytes, bytes);
  const int got = session->get(request, bytes, &value);
  const int set_empty = session->set(request, LEAT_STR("e"), unnamed);
  const int got_empty = session->get(request, LEAT_STR("e"), &empty);
  const int no_name = session->set(request, unnamed, bytes);
  const int no_text = session->set(request, broken, bytes);
  const int no_place = session->get(request, bytes, NULL);
  const int removed = session->remove(request, LEAT_STR("e"));
  const int again = session->remove(request, LEAT_STR("e"));
  const int renewed = session->renew(request);
  const int size =
      snprintf(text, sizeof text, "%d %d%d %d %d:%zu %d %d%d%d %d %d %d %d %d %d", there, missing,
               none.ptr == NULL, set, got, value.len, set_empty, got_empty, empty.ptr != NULL, (int)empty.len,
               no_name, no_text, no_place, removed, again, renewed);
  return answer(request, text, size);
}

/* After its own answer, and where there is no session. */
static int32_t late(const leat_scope* scope, leat_request* request) {
  (void)scope;
  char text[128];
  const int before = session->set(request, LEAT_STR("a"), LEAT_STR("1"));
  const int size =
      snprintf(text, sizeof text, "%d %d %d", session->there(request), before, session->clear(request));
  return answer(request, text, size);
}
static int32_t after(const leat_scope* scope, leat_request* request) {
  (void)scope;
  const int32_t sent = answer(request, "sent", 4);
  leat_str value;
  const int codes[] = {session->set(request, LEAT_STR("a"), LEAT_STR("1")),
                       session->remove(request, LEAT_STR("a")), session->clear(request),
                       session->renew(request)};
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; ++i)
    if (codes[i] != LEAT_E_STATE) return LEAT_ERROR;
  return session->get(request, LEAT_STR("a"), &value) == LEAT_OK ? sent : LEAT_ERROR;
}
static void on_done(const leat_scope* scope, leat_request* request) {
  (void)scope;
  /* Nothing is changed any more, and nothing breaks. */
  (void)session->set(request, LEAT_STR("a"), LEAT_STR("1"));
}

static const leat_handler handlers[] = {
    {.struct_size = sizeof(leat_handler),
     .flags = LEAT_HANDLER_ANY_THREAD,
     .name = LEAT_STR_INIT("all"),
     .handle = all},
    {.struct_size = sizeof(leat_handler),
     .flags = LEAT_HANDLER_ANY_THREAD,
     .name = LEAT_STR_INIT("late"),
     .handle = late},
    {.struct_size = sizeof(leat_handler),
     .flags = LEAT_HANDLER_ANY_THREAD,
     .name = LEAT_STR_INIT("after"),
     .handle = after,
     .on_done = on_done},
};

LEAT_NOTE("session_c");
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("session_c", "1.0"), .load = load, .handlers = handlers,
                                       .handler_count = sizeof handlers / sizeof handlers[0]};
