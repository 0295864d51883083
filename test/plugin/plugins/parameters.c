/* leat.parameters/1 as a plugin in C uses it, and misuses it. */
#include <leat/plugin.h>

#include <string.h>

static const leat_parameters_v1* parameters;
static const leat_response_v1* response;

static int32_t load(const leat_host* host, leat_error* error) {
  parameters = host->extension(host, LEAT_STR("leat.parameters/1"));
  response = host->extension(host, LEAT_STR("leat.response/1"));
  if (parameters != NULL && response != NULL) return LEAT_OK;
  host->fail(error, LEAT_STR(""), LEAT_STR("an extension is missing"));
  return LEAT_E_NOT_FOUND;
}

static int32_t number_of_n, number_of_tags, number_of_extra;

static int32_t bind_lookup(const leat_host* host, void* instance, const leat_route* route, void** bound,
                           leat_error* error) {
  (void)instance, (void)bound;
  const leat_parameter n = {.struct_size = sizeof n,
                            .in = LEAT_IN_QUERY,
                            .type = LEAT_TYPE_INTEGER,
                            .flags = LEAT_PARAMETER_REQUIRED | LEAT_PARAMETER_RANGE,
                            .name = LEAT_STR_INIT("n"),
                            .least = -3,
                            .most = 3};
  const leat_parameter tags = {.struct_size = sizeof tags,
                               .in = LEAT_IN_QUERY,
                               .flags = LEAT_PARAMETER_LIST,
                               .name = LEAT_STR_INIT("tag"),
                               .max_length = 4};
  number_of_extra = parameters->find(route, LEAT_IN_QUERY, LEAT_STR("extra"));
  number_of_n = parameters->declare(host, route, &n, error);
  number_of_tags = parameters->declare(host, route, &tags, error);
  if (parameters->find(route, LEAT_IN_QUERY, LEAT_STR("tag")) != number_of_tags) return LEAT_E_STATE;
  if (parameters->find(route, LEAT_IN_HEADER, LEAT_STR("tag")) != LEAT_E_NOT_FOUND) return LEAT_E_STATE;
  if (parameters->describe(route, LEAT_DESCRIBES_ANSWER, LEAT_STR("{\"type\":\"string\"}")) != LEAT_OK)
    return LEAT_E_STATE;
  if (parameters->describe(route, LEAT_DESCRIBES_ANSWER, LEAT_STR("{")) != LEAT_E_ARGUMENT)
    return LEAT_E_STATE;
  return number_of_n < 0 || number_of_tags < 0 ? LEAT_E_ARGUMENT : LEAT_OK;
}

/* "N EXTRA TAG TAG" */
static int32_t lookup(const leat_scope* scope, leat_request* request) {
  (void)scope;
  char text[128];
  size_t size = 0;
  leat_str words[4] = {parameters->value(request, (uint32_t)number_of_n), {"-", 1}, {0}, {0}};
  if (number_of_extra >= 0) words[1] = parameters->value(request, (uint32_t)number_of_extra);
  /* Those that there is no room for are counted, and a number that is none has no value. */
  if (parameters->values(request, (uint32_t)number_of_tags, words + 2, 2) > 2)
    words[3] = (leat_str)LEAT_STR_INIT("more");
  if (parameters->value(request, 99).ptr != NULL) return LEAT_ERROR;
  for (int i = 0; i < 4; ++i) {
    if (words[i].ptr == NULL) continue;
    memcpy(text + size, words[i].ptr, words[i].len);
    size += words[i].len;
    text[size++] = ' ';
  }
  response->send(request, (leat_str){text, size});
  return LEAT_DONE;
}

/* Called whatever its parameters are, and finds something wrong with the body each time. */
static int32_t judges(const leat_scope* scope, leat_request* request) {
  (void)scope;
  if (parameters->refuse(request) == LEAT_OK && parameters->wrong(request) == 0) return LEAT_ERROR;
  if (response->started(request)) return LEAT_DONE;
  if (parameters->wrong(request) != 0) return LEAT_ERROR;
  if (parameters->reject(request, LEAT_STR("/a~1b"), LEAT_STR("must not be \"empty\"")) != LEAT_OK)
    return LEAT_ERROR;
  if (parameters->wrong(request) != 1) return LEAT_ERROR;
  return parameters->refuse(request) == LEAT_OK && parameters->refuse(request) == LEAT_E_STATE ? LEAT_DONE
                                                                                               : LEAT_ERROR;
}

static int32_t fits(const leat_scope* scope, leat_request* request) {
  (void)scope;
  const int good = parameters->fits(LEAT_TYPE_UUID, LEAT_STR("01234567-89ab-cdef-0123-456789abcdef")) == 1 &&
                   parameters->fits(LEAT_TYPE_UUID, LEAT_STR("x")) == 0 &&
                   parameters->fits(LEAT_TYPE_INTEGER, LEAT_STR("18446744073709551615")) == 1 &&
                   parameters->fits(LEAT_TYPE_INTEGER, LEAT_STR("-9223372036854775809")) == 0 &&
                   parameters->fits(LEAT_TYPE_BOOLEAN, LEAT_STR("On")) == 1 &&
                   parameters->fits(LEAT_TYPE_FILE + 1, LEAT_STR("x")) == 0 &&
                   parameters->fits(LEAT_TYPE_TEXT, (leat_str){NULL, 3}) == 0;
  response->send(request, good ? (leat_str)LEAT_STR_INIT("good") : (leat_str)LEAT_STR_INIT("bad"));
  return LEAT_DONE;
}

#define DECLARES(what, ...)                                                                                \
  static int32_t bind_##what(const leat_host* host, void* instance, const leat_route* route, void** bound, \
                             leat_error* error) {                                                          \
    (void)instance, (void)bound;                                                                           \
    const leat_parameter parameter = {__VA_ARGS__};                                                        \
    return parameters->declare(host, route, &parameter, error) == LEAT_E_ARGUMENT ? LEAT_E_ARGUMENT        \
                                                                                  : LEAT_OK;               \
  }
DECLARES(no_size, .name = LEAT_STR_INIT("a"))
DECLARES(no_name, .struct_size = sizeof(leat_parameter))
DECLARES(no_place, .struct_size = sizeof(leat_parameter), .name = LEAT_STR_INIT("a"), .in = LEAT_IN_JSON + 1)
DECLARES(no_type, .struct_size = sizeof(leat_parameter), .name = LEAT_STR_INIT("a"),
         .type = LEAT_TYPE_FILE + 1)
DECLARES(no_choices, .struct_size = sizeof(leat_parameter), .name = LEAT_STR_INIT("a"), .choice_count = 2)
DECLARES(no_range, .struct_size = sizeof(leat_parameter), .name = LEAT_STR_INIT("a"),
         .type = LEAT_TYPE_INTEGER, .flags = LEAT_PARAMETER_RANGE, .least = 2, .most = 1)

#define HANDLER(handler_name, ...) \
  {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT(handler_name), __VA_ARGS__}
static const leat_handler handlers[] = {
    HANDLER("lookup", .bind = bind_lookup, .handle = lookup),
    HANDLER("judges", .flags = LEAT_HANDLER_REFUSES, .handle = judges),
    HANDLER("fits", .handle = fits),
    HANDLER("no_size", .bind = bind_no_size, .handle = fits),
    HANDLER("no_name", .bind = bind_no_name, .handle = fits),
    HANDLER("no_place", .bind = bind_no_place, .handle = fits),
    HANDLER("no_type", .bind = bind_no_type, .handle = fits),
    HANDLER("no_choices", .bind = bind_no_choices, .handle = fits),
    HANDLER("no_range", .bind = bind_no_range, .handle = fits),
};

LEAT_NOTE("parameters");
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("parameters", "1.0"), .load = load, .handlers = handlers,
                                       .handler_count = sizeof handlers / sizeof handlers[0]};
