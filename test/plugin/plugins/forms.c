/* Answers by leat.json/1 in the ways in which it is not for the host to choose a form, or there is no room to say so. */
#include <leat/plugin.h>

LEAT_NOTE("forms");

static const leat_response_v1* response_api;
static const leat_json_v1* json_api;

static int32_t load(const leat_host* host, leat_error* error) {
  (void)error;
  response_api = host->extension(host, LEAT_STR("leat.response/1"));
  json_api = host->extension(host, LEAT_STR("leat.json/1"));
  return response_api && json_api ? LEAT_OK : LEAT_E_NOT_FOUND;
}

static int32_t verdict(int32_t sent) { return sent == LEAT_OK ? LEAT_DONE : LEAT_ERROR; }
static leat_json* write(leat_request* request) {
  leat_json* json = json_api->start(request);
  if (json == NULL) return NULL;
  json_api->begin_object(json);
  json_api->key(json, LEAT_STR("real"));
  json_api->real(json, 1.0);
  json_api->key(json, LEAT_STR("raw"));
  json_api->raw(json, LEAT_STR("[ \"\\u00e4\" , -1 ]"));
  json_api->end_object(json);
  return json;
}

/* As a text, which it sends itself. */
static int32_t finished(const leat_scope* scope, leat_request* request) {
  (void)scope;
  leat_str text;
  if (json_api->finish(write(request), &text) != LEAT_OK) return LEAT_ERROR;
  response_api->content_type(request, LEAT_STR("application/json"));
  return verdict(response_api->send(request, text));
}
/* With a type of its own, before and after it is written. */
static int32_t typed(const leat_scope* scope, leat_request* request) {
  (void)scope;
  response_api->content_type(request, LEAT_STR("application/hal+json"));
  return verdict(json_api->send(request, write(request)));
}
static int32_t typed_late(const leat_scope* scope, leat_request* request) {
  (void)scope;
  leat_json* json = write(request);
  response_api->content_type(request, LEAT_STR("application/hal+json"));
  return verdict(json_api->send(request, json));
}
/* With as many fields as an answer takes. */
static int32_t full(const leat_scope* scope, leat_request* request) {
  (void)scope;
  for (int i = 0; i < 64; ++i) response_api->add_header(request, LEAT_STR("X-Field"), LEAT_STR("x"));
  return verdict(json_api->send(request, write(request)));
}

static const leat_handler handlers[] = {
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("finished"), .handle = finished},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("typed"), .handle = typed},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("typed_late"), .handle = typed_late},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("full"), .handle = full},
};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("forms", "1"), .load = load, .handlers = handlers,
                                       .handler_count = sizeof handlers / sizeof *handlers};
