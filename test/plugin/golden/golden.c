/* golden: uses every extension of plugin.h once.
 *
 * golden-1.0.so is this file as it was built when version 1.0 of the interface was new, and is never built
 * again: every later daemon of that major version must load it and answer as the test says. A version that
 * adds to the interface adds a source and a binary of its own beside these. Made by
 *   gcc-14 -std=c11 -O2 -s -shared -fPIC -fvisibility=hidden -Ilib/plugin/sdk -Ibuild/lib/plugin/sdk \
 *     -Wl,--version-script,lib/plugin/sdk/plugin.map,-z,defs,-z,now,--build-id,-z,separate-code,-z,max-page-size=4096 \
 *     -o test/plugin/golden/golden-1.0.so test/plugin/golden/golden.c
 */
#include <leat/plugin.h>

LEAT_NOTE("golden");

static const leat_request_v1* request_api;
static const leat_route_v1* route_api;
static const leat_body_v1* body_api;
static const leat_response_v1* response_api;
static const leat_arena_v1* arena_api;
static const leat_json_v1* json_api;
static const leat_log_v1* log_api;
static const leat_config_v1* config_api;
static const leat_async_v1* async_api;
static const leat_timer_v1* timer_api;
static const leat_pool_v1* pool_api;
static const leat_client_v1* client_api;

static int64_t size; /* of the configuration */
static leat_upstream* upstream;
static int32_t workers; /* that have begun and not ended */

static int32_t load(const leat_host* host, leat_error* error) {
  request_api = host->extension(host, LEAT_STR("leat.request/1"));
  route_api = host->extension(host, LEAT_STR("leat.route/1"));
  body_api = host->extension(host, LEAT_STR("leat.body/1"));
  response_api = host->extension(host, LEAT_STR("leat.response/1"));
  arena_api = host->extension(host, LEAT_STR("leat.arena/1"));
  json_api = host->extension(host, LEAT_STR("leat.json/1"));
  log_api = host->extension(host, LEAT_STR("leat.log/1"));
  config_api = host->extension(host, LEAT_STR("leat.config/1"));
  async_api = host->extension(host, LEAT_STR("leat.async/1"));
  timer_api = host->extension(host, LEAT_STR("leat.timer/1"));
  pool_api = host->extension(host, LEAT_STR("leat.pool/1"));
  client_api = host->extension(host, LEAT_STR("leat.client/1"));
  if (request_api && route_api && body_api && response_api && arena_api && json_api && log_api &&
      config_api && async_api && timer_api && pool_api && client_api)
    return LEAT_OK;
  host->fail(error, LEAT_STR(""), LEAT_STR("an extension of version 1.0 is missing"));
  return LEAT_E_NOT_FOUND;
}

static int32_t create(const leat_host* host, const leat_config* config, void** instance, leat_error* error) {
  *instance = NULL;
  if (config_api->integer(config, LEAT_STR("size"), 3, 1, 10, &size) != LEAT_OK) return LEAT_E_ARGUMENT;
  return client_api->open(host, LEAT_STR("http://127.0.0.1:1"), NULL, LEAT_STR("size"), error, &upstream);
}

static int32_t worker_init(const leat_host* host, void* instance, uint32_t worker, void** state,
                           leat_error* error) {
  (void)instance, (void)worker, (void)error;
  ++workers;
  *state = &workers;
  log_api->write(host, LEAT_LOG_DEBUG, LEAT_STR("a worker begins"));
  return LEAT_OK;
}
static void worker_fini(void* instance, uint32_t worker, void* state) {
  (void)instance, (void)worker;
  --*(int32_t*)state;
}

static int32_t verdict(int32_t sent) { return sent == LEAT_OK ? LEAT_DONE : LEAT_ERROR; }

/* `bound` is the number of the parameter `n`, and one more. */
static int32_t bind(const leat_host* host, void* instance, const leat_route* route, void** bound,
                    leat_error* error) {
  (void)host, (void)instance, (void)error;
  *bound = (void*)(intptr_t)(route_api->param_index(route, LEAT_STR("n")) + 1);
  return LEAT_OK;
}

/* What the request says, as JSON. */
static int32_t tell(const leat_scope* scope, leat_request* request) {
  leat_json* json = json_api->start(request);
  if (json == NULL) return LEAT_ERROR;
  json_api->begin_object(json);
  json_api->key(json, LEAT_STR("method"));
  json_api->string(json, request_api->method(request));
  json_api->key(json, LEAT_STR("n"));
  json_api->string(json, request_api->param(request, (uint32_t)((intptr_t)scope->bound - 1)));
  json_api->key(json, LEAT_STR("q"));
  json_api->string(json, request_api->query_param(request, LEAT_STR("q")));
  json_api->key(json, LEAT_STR("accept"));
  json_api->string(json, request_api->header_by_id(request, request_api->header_id(LEAT_STR("accept"))));
  json_api->key(json, LEAT_STR("size"));
  json_api->integer(json, size);
  json_api->key(json, LEAT_STR("workers"));
  json_api->integer(json, *(int32_t*)scope->worker_state);
  json_api->key(json, LEAT_STR("more"));
  json_api->begin_array(json);
  json_api->real(json, 0.5);
  json_api->boolean(json, 1);
  json_api->null(json);
  json_api->raw(json, LEAT_STR("{}"));
  json_api->end_array(json);
  json_api->end_object(json);
  response_api->set_header(request, LEAT_STR("X-Golden"), arena_api->copy(request, LEAT_STR("1.0")));
  return verdict(json_api->send(request, json));
}

/* The length of a streamed body, in an answer that is written in pieces. */
static int32_t count(const leat_scope* scope, leat_request* request) {
  (void)scope;
  uint64_t* bytes = arena_api->alloc(request, sizeof *bytes, 8);
  if (bytes == NULL) return LEAT_ERROR;
  *bytes = 0;
  body_api->set_limit(request, 1000);
  return request_api->set_state(request, bytes) == LEAT_OK ? LEAT_DONE : LEAT_ERROR;
}
static int32_t count_piece(const leat_scope* scope, leat_request* request, leat_str piece) {
  (void)scope;
  *(uint64_t*)request_api->state(request) += piece.len;
  return LEAT_DONE;
}
static int32_t count_end(const leat_scope* scope, leat_request* request) {
  (void)scope;
  uint64_t left = *(uint64_t*)request_api->state(request);
  char digits[20];
  size_t at = sizeof digits;
  do digits[--at] = (char)('0' + left % 10);
  while ((left /= 10) != 0);
  response_api->content_type_static(request, LEAT_STR("text/plain"));
  response_api->begin(request, (int64_t)(sizeof digits - at + 6));
  response_api->write(request, (leat_str){digits + at, sizeof digits - at});
  response_api->write(request, LEAT_STR(" bytes"));
  return verdict(response_api->end(request));
}

/* A timer, then work on the pool, then a completion, then a fetch; each goes on with the next. */
static int32_t fetched(const leat_scope* scope, leat_request* request, void* argument) {
  (void)scope;
  const leat_fetched* seen = *(const leat_fetched**)argument;
  return verdict(response_api->send_problem(request, 502, seen->message, LEAT_STR("\"fetched\":true")));
}
static int32_t completed(const leat_scope* scope, leat_request* request, void* argument) {
  (void)scope;
  if (request == NULL) return LEAT_DONE;
  const leat_fetch fetch = {.struct_size = sizeof fetch, .target = LEAT_STR_INIT("/")};
  const leat_fetched** seen = argument;
  const int32_t begun = client_api->fetch(request, upstream, &fetch, fetched, argument, seen);
  if (begun == LEAT_OK) return LEAT_PENDING;
  /* A host without a client, as tests are. */
  return verdict(response_api->send(request, LEAT_STR("waited, worked, completed")));
}
static void work(void* argument) { *(int32_t*)argument = 42; }
static int32_t worked(const leat_scope* scope, leat_request* request, void* argument) {
  if (request == NULL) return LEAT_DONE;
  if (*(int32_t*)argument != 42) return LEAT_ERROR;
  leat_ticket ticket;
  void* place = arena_api->alloc(request, sizeof(void*), sizeof(void*));
  if (place == NULL || async_api->suspend(request, &ticket) != LEAT_OK) return LEAT_ERROR;
  return async_api->complete(scope->host, ticket, completed, place) == 1 ? LEAT_PENDING : LEAT_ERROR;
}
static int32_t waited(const leat_scope* scope, leat_request* request, void* argument) {
  (void)scope;
  return pool_api->submit(request, work, worked, argument) == LEAT_OK ? LEAT_PENDING : LEAT_ERROR;
}
static int32_t chain_begin(const leat_scope* scope, leat_request* request) {
  (void)scope;
  static int32_t result; /* outlives the request, as the work may */
  return timer_api->resume_after(request, 1, waited, &result) == LEAT_OK ? LEAT_PENDING : LEAT_ERROR;
}

static const leat_handler handlers[] = {
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("tell"), .bind = bind, .handle = tell},
    {.struct_size = sizeof(leat_handler),
     .flags = LEAT_HANDLER_STREAM_BODY,
     .name = LEAT_STR_INIT("count"),
     .handle = count,
     .on_body = count_piece,
     .on_body_end = count_end},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("chain"), .handle = chain_begin},
};

const leat_plugin_entry leat_plugin = {
    LEAT_ENTRY("golden", "1.0.0"),
    .load = load,
    .create = create,
    .worker_init = worker_init,
    .worker_fini = worker_fini,
    .handlers = handlers,
    .handler_count = sizeof handlers / sizeof handlers[0],
};
