/* @NAME@: a plugin for Leat, with one kind of middleware, for the routes of whichever plugin. @NAME@.toml puts it before
 * one, test.cc and test.py ask that.
 *
 * <leat/plugin.h> documents everything that is called here. All workers call the middleware at the same time: what it
 * changes needs a lock, or belongs into the memory that each request has for it (`state_size`).
 */
#include <leat/plugin.h>

#include <stdlib.h>
#include <string.h>

LEAT_NOTE("@NAME@");

/* The extensions in use, all asked for when the plugin is loaded. */
static const leat_config_v1* config_api;
static const leat_request_v1* request_api;
static const leat_response_v1* response_api;
static const leat_middleware_v1* middleware_api;

static const void* find(const leat_host* host, leat_error* error, leat_str name) {
  const void* table = host->extension(host, name);
  if (table == NULL) host->fail(error, name, LEAT_STR("this daemon has no such extension"));
  return table;
}

/* One for each [[middleware]] entry of @NAME@.toml: the key, in memory of our own. */
typedef struct key {
  size_t size;
  char bytes[];
} key;

static int32_t create_key(const leat_host* host, void* plugin, const leat_config* options, void** made,
                          leat_error* error) {
  (void)plugin;
  leat_str text;
  if (config_api->string(options, LEAT_STR("key"), LEAT_STR(""), &text) != LEAT_OK)
    return LEAT_E_ARGUMENT; /* reported at its line by the host */
  if (text.len == 0) {
    host->fail(error, LEAT_STR("key"), LEAT_STR("is missing: without it nobody could come in"));
    return LEAT_E_ARGUMENT;
  }
  key* self = malloc(sizeof *self + text.len);
  if (self == NULL) return LEAT_E_MEMORY;
  self->size = text.len;
  memcpy(self->bytes, text.ptr, text.len);
  *made = self;
  return LEAT_OK;
}

static void destroy_key(void* plugin, void* made) {
  (void)plugin;
  free(made);
}

/* Before the handler: NEXT lets the request go on, DONE means that this has answered. */
static int32_t request(const leat_scope* scope, leat_request* request) {
  const key* self = scope->bound;
  const leat_str given = request_api->header(request, LEAT_STR("X-API-Key"));
  if (given.len == self->size && memcmp(given.ptr, self->bytes, given.len) == 0) return LEAT_NEXT;
  const int32_t sent =
      response_api->send_problem(request, 401, LEAT_STR("Send the key in X-API-Key."), LEAT_STR(""));
  return sent == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}

/* The head of each answer on its way to the client, refusals too. */
static int32_t head(const leat_scope* scope, leat_request* request) {
  (void)scope;
  const int32_t set = response_api->set_header(request, LEAT_STR("X-Guarded-By"), LEAT_STR("@NAME@"));
  return set == LEAT_OK ? LEAT_BODY_KEEP : LEAT_ERROR;
}

static const leat_middleware kinds[] = {{.struct_size = sizeof(leat_middleware),
                                         .phase = LEAT_PHASE_PROTECT,
                                         .name = LEAT_STR_INIT("key"),
                                         .sentence = LEAT_STR_INIT("Lets requests pass that have the key."),
                                         .create = create_key,
                                         .destroy = destroy_key,
                                         .request = request,
                                         .head = head}};

static int32_t load(const leat_host* host, leat_error* error) {
  config_api = find(host, error, LEAT_STR("leat.config/1"));
  request_api = find(host, error, LEAT_STR("leat.request/1"));
  response_api = find(host, error, LEAT_STR("leat.response/1"));
  middleware_api = find(host, error, LEAT_STR("leat.middleware/1"));
  if (!config_api || !request_api || !response_api || !middleware_api) return LEAT_E_NOT_FOUND;
  return middleware_api->declare(host, kinds, sizeof kinds / sizeof *kinds, error);
}

const leat_plugin_entry leat_plugin = {LEAT_ENTRY("@NAME@", "0.1.0"), .load = load};
