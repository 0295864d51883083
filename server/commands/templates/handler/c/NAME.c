/* @NAME@: a plugin for Leat, with one handler. @NAME@.toml leads requests to it, test.cc and test.py ask it.
 *
 * <leat/plugin.h> documents everything that is called here. All workers call the handler at the same time:
 * what it changes needs a lock, or belongs into the worker_state of worker_init().
 */
#include <leat/plugin.h>

#include <stdlib.h>
#include <string.h>

LEAT_NOTE("@NAME@");

/* The extensions in use, all asked for when the plugin is loaded. */
static const leat_config_v1* config_api;
static const leat_route_v1* route_api;
static const leat_request_v1* request_api;
static const leat_response_v1* response_api;
static const leat_json_v1* json_api;

static const void* find(const leat_host* host, leat_error* error, leat_str name) {
  const void* table = host->extension(host, name);
  if (table == NULL) host->fail(error, name, LEAT_STR("this daemon has no such extension"));
  return table;
}

static int32_t load(const leat_host* host, leat_error* error) {
  config_api = find(host, error, LEAT_STR("leat.config/1"));
  route_api = find(host, error, LEAT_STR("leat.route/1"));
  request_api = find(host, error, LEAT_STR("leat.request/1"));
  response_api = find(host, error, LEAT_STR("leat.response/1"));
  json_api = find(host, error, LEAT_STR("leat.json/1"));
  return config_api && route_api && request_api && response_api && json_api ? LEAT_OK : LEAT_E_NOT_FOUND;
}

/* [plugin.config] of @NAME@.toml: the greeting, in memory of our own. */
typedef struct instance {
  size_t size;
  char greeting[];
} instance;

static int32_t create(const leat_host* host, const leat_config* config, void** out, leat_error* error) {
  leat_str greeting;
  if (config_api->string(config, LEAT_STR("greeting"), LEAT_STR("Hello"), &greeting) != LEAT_OK)
    return LEAT_E_ARGUMENT; /* reported at its line by the host */
  if (greeting.len == 0) {
    host->fail(error, LEAT_STR("greeting"), LEAT_STR("must not be empty"));
    return LEAT_E_ARGUMENT;
  }
  instance* self = malloc(sizeof *self + greeting.len);
  if (self == NULL) return LEAT_E_MEMORY;
  self->size = greeting.len;
  memcpy(self->greeting, greeting.ptr, greeting.len);
  *out = self;
  return LEAT_OK;
}

static void destroy(void* self) { free(self); }

/* The number of the path parameter {name} is kept in `*bound`. */
static int32_t bind_hello(const leat_host* host, void* self, const leat_route* route, void** bound,
                          leat_error* error) {
  (void)self;
  const int32_t index = route_api->param_index(route, LEAT_STR("name"));
  if (index < 0) {
    host->fail(error, LEAT_STR(""), LEAT_STR("the handler needs a path parameter {name}"));
    return LEAT_E_ARGUMENT;
  }
  *bound = (void*)(intptr_t)index;
  return LEAT_OK;
}

/* A whole number from 1 to 10 in decimal digits; 1 for an absent text, 0 for anything else. */
static int parse_times(leat_str text) {
  if (text.ptr == NULL) return 1;
  int number = 0;
  for (size_t i = 0; i < text.len; ++i) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') return 0;
    number = number * 10 + (text.ptr[i] - '0');
    if (number > 10) return 0;
  }
  return number;
}

/* GET /hello/Ada?times=3 */
static int32_t hello(const leat_scope* scope, leat_request* request) {
  const instance* self = scope->instance;
  const leat_str name = request_api->param(request, (uint32_t)(intptr_t)scope->bound);
  const int times = parse_times(request_api->query_param(request, LEAT_STR("times")));
  if (times == 0) {
    const int32_t sent = response_api->send_problem(
        request, 400, LEAT_STR("The query parameter `times` must be a whole number from 1 to 10."),
        LEAT_STR("\"parameter\":\"times\""));
    return sent == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
  }
  leat_json* json = json_api->start(request);
  if (json == NULL) return LEAT_ERROR;
  json_api->begin_object(json);
  json_api->key(json, LEAT_STR("greeting"));
  json_api->string(json, (leat_str){self->greeting, self->size});
  json_api->key(json, LEAT_STR("name"));
  json_api->string(json, name);
  json_api->key(json, LEAT_STR("times"));
  json_api->integer(json, times);
  json_api->end_object(json);
  return json_api->send(request, json) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}

static const leat_handler handlers[] = {{.struct_size = sizeof(leat_handler),
                                         .name = LEAT_STR_INIT("hello"),
                                         .bind = bind_hello,
                                         .handle = hello}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("@NAME@", "0.1.0"),
                                       .load = load,
                                       .create = create,
                                       .destroy = destroy,
                                       .handlers = handlers,
                                       .handler_count = sizeof handlers / sizeof *handlers};
