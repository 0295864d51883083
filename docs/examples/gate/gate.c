/* gate: the middleware of guard.cc in C: a key for every request and a header on every answer, and bodies that
 * are changed in pieces. */
#include <leat/plugin.h>
#include <stdlib.h>
#include <string.h>

static const leat_request_v1* request_api;
static const leat_response_v1* response_api;
static const leat_config_v1* config_api;
static const leat_middleware_v1* middleware_api;

/* ---- gate:key, one for each instance of it in the configuration */

typedef struct key {
  size_t length;
  char bytes[256];
} key;

static int32_t key_create(const leat_host* host, void* instance, const leat_config* options, void** made,
                          leat_error* error) {
  (void)instance;
  leat_str text;
  if (config_api->string(options, LEAT_STR("key"), LEAT_STR(""), &text) != LEAT_OK) return LEAT_E_ARGUMENT;
  key* self = malloc(sizeof *self);
  if (self == NULL) return LEAT_E_MEMORY;
  if (text.len == 0 || text.len > sizeof self->bytes) {
    free(self);
    host->fail(error, LEAT_STR("key"), LEAT_STR("has 1 to 256 bytes"));
    return LEAT_E_ARGUMENT;
  }
  self->length = text.len;
  memcpy(self->bytes, text.ptr, text.len);
  *made = self;
  return LEAT_OK;
}

static void key_destroy(void* instance, void* made) {
  (void)instance;
  free(made);
}

static int32_t key_request(const leat_scope* scope, leat_request* request) {
  const key* self = scope->bound;
  const leat_str given = request_api->header(request, LEAT_STR("X-API-Key"));
  if (given.len == self->length && memcmp(given.ptr, self->bytes, given.len) == 0) return LEAT_NEXT;
  return response_api->send_problem(request, 401, LEAT_STR("Send the key in X-API-Key."), LEAT_STR("")) ==
                 LEAT_OK
             ? LEAT_DONE
             : LEAT_ERROR;
}

static int32_t key_head(const leat_scope* scope, leat_request* request) {
  (void)scope;
  const int32_t set = response_api->set_header(request, LEAT_STR("X-Guarded-By"), LEAT_STR("gate"));
  return set == LEAT_OK ? LEAT_BODY_KEEP : LEAT_ERROR;
}

/* ---- gate:upper */

static int32_t upper_head(const leat_scope* scope, leat_request* request) {
  (void)scope;
  const leat_str type = middleware_api->content_type(request);
  const int is_text = (type.len >= 5 && memcmp(type.ptr, "text/", 5) == 0) ||
                      (type.len >= 16 && memcmp(type.ptr, "application/json", 16) == 0);
  const int is_encoded = middleware_api->header(request, LEAT_STR("Content-Encoding")).ptr != NULL;
  return is_text && !is_encoded ? LEAT_BODY_CHANGE : LEAT_BODY_KEEP;
}

static int32_t upper_piece(const leat_scope* scope, leat_request* request, leat_str piece) {
  (void)scope;
  char bytes[1024];
  for (size_t done = 0; done < piece.len;) {
    size_t count = piece.len - done < sizeof bytes ? piece.len - done : sizeof bytes;
    for (size_t i = 0; i < count; ++i) {
      const char c = piece.ptr[done + i];
      bytes[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    const leat_str changed = {bytes, count};
    if (middleware_api->give(request, changed) < 0) return LEAT_NEXT; /* nobody reads it any more */
    done += count;
  }
  return LEAT_NEXT;
}

static const leat_middleware kinds[] = {
    {.struct_size = sizeof(leat_middleware),
     .phase = LEAT_PHASE_PROTECT,
     .name = LEAT_STR_INIT("key"),
     .sentence = LEAT_STR_INIT("Lets requests pass that have the key."),
     .create = key_create,
     .destroy = key_destroy,
     .request = key_request,
     .head = key_head},
    {.struct_size = sizeof(leat_middleware),
     .phase = LEAT_PHASE_TRANSFORM,
     .name = LEAT_STR_INIT("upper"),
     .sentence = LEAT_STR_INIT("Writes the texts of answers in capitals."),
     .head = upper_head,
     .piece = upper_piece}};

static int32_t load(const leat_host* host, leat_error* error) {
  request_api = host->extension(host, LEAT_STR("leat.request/1"));
  response_api = host->extension(host, LEAT_STR("leat.response/1"));
  config_api = host->extension(host, LEAT_STR("leat.config/1"));
  middleware_api = host->extension(host, LEAT_STR("leat.middleware/1"));
  if (request_api == NULL || response_api == NULL || config_api == NULL || middleware_api == NULL) {
    host->fail(error, LEAT_STR(""), LEAT_STR("this daemon is too old for middleware of plugins"));
    return LEAT_E_NOT_FOUND;
  }
  return middleware_api->declare(host, kinds, sizeof kinds / sizeof *kinds, error);
}

LEAT_NOTE("gate");
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("gate", "1.0.0"), .load = load};
