/* hello: the smallest whole plugin in C. One handler that answers with a literal, and one that greets by
 * name.
 *
 * The tables are asked for once, in load(), and kept: they are the same for every instance and thread.
 */
#include <leat/plugin.h>

LEAT_NOTE("hello");

static const leat_request_v1* request_api;
static const leat_response_v1* response_api;
static const leat_json_v1* json_api;

static int32_t load(const leat_host* host, leat_error* error) {
  request_api = host->extension(host, LEAT_STR("leat.request/1"));
  response_api = host->extension(host, LEAT_STR("leat.response/1"));
  json_api = host->extension(host, LEAT_STR("leat.json/1"));
  if (request_api != NULL && response_api != NULL && json_api != NULL) return LEAT_OK;
  host->fail(error, LEAT_STR(""), LEAT_STR("needs leat.request/1, leat.response/1 and leat.json/1"));
  return LEAT_E_NOT_FOUND;
}

static int32_t verdict(int32_t sent) { return sent == LEAT_OK ? LEAT_DONE : LEAT_ERROR; }

/* GET /: sent from where it lies. */
static int32_t hello(const leat_scope* scope, leat_request* request) {
  (void)scope;
  return verdict(response_api->send_static(request, LEAT_STR("Hello, World!\n")));
}

/* GET /{name}: the route has one path parameter, so its number is 0. */
static int32_t greet(const leat_scope* scope, leat_request* request) {
  (void)scope;
  leat_json* json = json_api->start(request);
  if (json == NULL) return LEAT_ERROR;
  json_api->begin_object(json);
  json_api->key(json, LEAT_STR("hello"));
  json_api->string(json, request_api->param(request, 0));
  json_api->end_object(json);
  return verdict(json_api->send(request, json));
}

static const leat_handler handlers[] = {
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("hello"), .handle = hello},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("greet"), .handle = greet},
};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("hello", "1.0.0"), .load = load, .handlers = handlers,
                                       .handler_count = sizeof handlers / sizeof *handlers};
