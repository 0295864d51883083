/* Uses the services of a plugin in C++, from C. */
#include "services.h"

#include <stdio.h>
#include <string.h>

LEAT_NOTE("consumer");

static const leat_response_v1* response;
static const leat_services_v1* services;
static const leat_log_v1* logger;

typedef struct consumer {
  const leat_host* host;
  const leat_service_use *users, *counter, *visit;
} consumer;
static consumer all[16]; /* instances */
static unsigned made;

static int32_t load(const leat_host* host, leat_error* error) {
  (void)error;
  response = host->extension(host, LEAT_STR("leat.response/1"));
  services = host->extension(host, LEAT_STR("leat.services/1"));
  logger = host->extension(host, LEAT_STR("leat.log/1"));
  return response && services && logger ? LEAT_OK : LEAT_E_NOT_FOUND;
}

static int32_t create(const leat_host* host, const leat_config* config, void** instance, leat_error* error) {
  (void)config;
  consumer* self = &all[made++ % 16];
  self->host = host;
  self->users = services->find(host, LEAT_STR("users/1"));
  self->counter = services->find(host, LEAT_STR("counter/1"));
  self->visit = services->find(host, LEAT_STR("visit/1"));
  if (services->find(host, LEAT_STR("undeclared/1")) != NULL) {
    host->fail(error, LEAT_STR(""), LEAT_STR("found what it does not need"));
    return LEAT_E_STATE;
  }
  logger->write(host, LEAT_LOG_INFO, LEAT_STR("consumer is made"));
  *instance = self;
  return LEAT_OK;
}
static void destroy(void* instance) {
  logger->write(((consumer*)instance)->host, LEAT_LOG_INFO, LEAT_STR("consumer ends"));
}
static int32_t worker_init(const leat_host* host, void* instance, uint32_t worker, void** state,
                           leat_error* error) {
  (void)instance, (void)worker, (void)state, (void)error;
  logger->write(host, LEAT_LOG_INFO, LEAT_STR("consumer begins on a worker"));
  return LEAT_OK;
}
static void worker_fini(void* instance, uint32_t worker, void* state) {
  (void)worker, (void)state;
  logger->write(((consumer*)instance)->host, LEAT_LOG_INFO, LEAT_STR("consumer ends on a worker"));
}
static void on_drain(const leat_host* host, void* instance, uint64_t deadline_ns) {
  (void)instance, (void)deadline_ns;
  logger->write(host, LEAT_LOG_INFO, LEAT_STR("consumer drains"));
}

/* "ann 1 1 2": the name of user 7, the worker's number, two steps of a visit. */
static int32_t asks(const leat_scope* scope, leat_request* request) {
  const consumer* self = scope->instance;
  const users_v1* users = services->table(self->users);
  const counter_v1* counter = services->table(self->counter);
  const visit_v1* visit = services->table(self->visit);
  void *a = NULL, *b = NULL, *c = NULL, *d = NULL;
  if (services->context(NULL, self->users, &a) != LEAT_OK ||
      services->context(request, self->counter, &b) != LEAT_OK)
    return LEAT_ERROR;
  const int32_t opened = services->context(request, self->visit, &c);
  if (opened != LEAT_OK) {
    response->send_problem(request, 503, LEAT_STR("no visit"), LEAT_STR(""));
    return LEAT_DONE;
  }
  if (services->context(request, self->visit, &d) != LEAT_OK || c != d) return LEAT_ERROR;
  const leat_str name = users->name_of(a, 7);
  char text[64];
  const uint64_t first = visit->step(c), second = visit->step(d);
  const int size =
      snprintf(text, sizeof text, "%.*s %llu %llu %llu", (int)name.len, name.ptr,
               (unsigned long long)counter->next(b), (unsigned long long)first, (unsigned long long)second);
  response->send(request, (leat_str){text, (size_t)size});
  return LEAT_DONE;
}

/* What the host says to misuse. */
static int32_t misuses(const leat_scope* scope, leat_request* request) {
  const consumer* self = scope->instance;
  void* context = NULL;
  char text[64];
  const int size =
      snprintf(text, sizeof text, "%d %d %d %d %d", services->context(NULL, self->counter, &context),
               services->context(NULL, self->visit, &context), services->context(request, NULL, &context),
               services->context(request, self->visit, NULL),
               services->find(scope->host, LEAT_STR("users/1")) == NULL);
  response->send(request, (leat_str){text, (size_t)size});
  return LEAT_DONE;
}

static void done(const leat_scope* scope, leat_request* request) {
  (void)request;
  logger->write(scope->host, LEAT_LOG_INFO, LEAT_STR("consumer's request is done"));
}

static const leat_handler handlers[] = {
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("asks"), .handle = asks, .on_done = done},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("misuses"), .handle = misuses}};
static const leat_need needs[] = {
    {.struct_size = sizeof(leat_need), .name = LEAT_STR_INIT("users/1")},
    {.struct_size = sizeof(leat_need), .name = LEAT_STR_INIT("counter/1")},
    {.struct_size = sizeof(leat_need), .name = LEAT_STR_INIT("visit/1")},
    {.struct_size = sizeof(leat_need), .flags = LEAT_NEED_OPTIONAL, .name = LEAT_STR_INIT("extra/1")}};

const leat_plugin_entry leat_plugin = {LEAT_ENTRY("consumer", "1.0"),
                                       .load = load,
                                       .create = create,
                                       .destroy = destroy,
                                       .worker_init = worker_init,
                                       .worker_fini = worker_fini,
                                       .handlers = handlers,
                                       .handler_count = 2,
                                       .on_drain = on_drain,
                                       .needs = needs,
                                       .need_count = 4};
