/* What a plugin of a later minor version brings: tables with members that today's host does not know, while
 * it asks for no more than version 1.0. */
#include <leat/plugin.h>

LEAT_NOTE("grown");

typedef struct later_handler {
  leat_handler today;
  void (*on_something_new)(void);
} later_handler;

typedef struct later_entry {
  leat_plugin_entry today;
  void (*something_new)(void);
} later_entry;

static const leat_response_v1* response;

static int32_t load(const leat_host* host, leat_error* error) {
  (void)error;
  response = host->extension(host, LEAT_STR("leat.response/1"));
  return response != NULL ? LEAT_OK : LEAT_E_NOT_FOUND;
}

static int32_t one(const leat_scope* scope, leat_request* request) {
  (void)scope;
  response->send(request, LEAT_STR("one"));
  return LEAT_DONE;
}
static int32_t two(const leat_scope* scope, leat_request* request) {
  (void)scope;
  response->send(request, LEAT_STR("two"));
  return LEAT_DONE;
}

#define HANDLER(text, function)                                                                       \
  {                                                                                                   \
    .today = {.struct_size = sizeof(later_handler), .name = LEAT_STR_INIT(text), .handle = function } \
  }
static const later_handler handlers[] = {HANDLER("one", one), HANDLER("two", two)};

/* The symbol is what the linker sees; its type here is the later one. */
LEAT_EXPORT extern const later_entry leat_plugin_later __asm__("leat_plugin");
const later_entry leat_plugin_later = {.today = {.magic = LEAT_PLUGIN_MAGIC,
                                                 .struct_size = sizeof(later_entry),
                                                 .abi_major = LEAT_ABI_MAJOR,
                                                 .abi_minor = 0,
                                                 .name = LEAT_STR_INIT("grown"),
                                                 .version = LEAT_STR_INIT("1"),
                                                 .load = load,
                                                 .handlers = &handlers[0].today,
                                                 .handler_count = 2}};
