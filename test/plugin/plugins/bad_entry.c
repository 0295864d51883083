/* Entries that are wrong in one way each; KIND says which. */
#include <leat/plugin.h>

LEAT_NOTE("bad_entry");

__attribute__((unused)) static int32_t handle(const leat_scope* scope, leat_request* request) {
  (void)scope;
  (void)request;
  return LEAT_NEXT;
}

#define HANDLER(text) {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT(text), .handle = handle}

#if KIND == 1 /* not an entry at all */
const leat_plugin_entry leat_plugin = {.magic = 7};
#elif KIND == 2  /* no name */
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("", "1")};
#elif KIND == 3  /* two handlers of one name */
static const leat_handler handlers[] = {HANDLER("same"), HANDLER("same")};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .handlers = handlers,
                                       .handler_count = 2};
#elif KIND == 4  /* a handler without a function */
static const leat_handler handlers[] = {{.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("x")}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .handlers = handlers,
                                       .handler_count = 1};
#elif KIND == 5  /* a count without handlers */
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .handler_count = 3};
#elif KIND == 6  /* sizes that were forgotten */
static const leat_handler handlers[] = {{.name = LEAT_STR_INIT("x"), .handle = handle}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .handlers = handlers,
                                       .handler_count = 1};
#elif KIND == 7  /* a service without functions */
static const leat_service services[] = {{.struct_size = sizeof(leat_service), .name = LEAT_STR_INIT("a/1")}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .services = services,
                                       .service_count = 1};
#elif KIND == 8  /* a service without a version */
static const uint32_t table = sizeof table;
static const leat_service services[] = {
    {.struct_size = sizeof(leat_service), .name = LEAT_STR_INIT("a"), .table = &table}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .services = services,
                                       .service_count = 1};
#elif KIND == 9  /* a service for each request that nothing opens */
static const uint32_t table = sizeof table;
static const leat_service services[] = {{.struct_size = sizeof(leat_service),
                                         .kind = LEAT_SERVICE_REQUEST,
                                         .name = LEAT_STR_INIT("a/1"),
                                         .table = &table}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .services = services,
                                       .service_count = 1};
#elif KIND == 10 /* flags that nobody knows */
static const leat_need needs[] = {
    {.struct_size = sizeof(leat_need), .flags = 8, .name = LEAT_STR_INIT("a/1")}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .needs = needs, .need_count = 1};
#elif KIND == 11 /* two needs of one name */
static const leat_need needs[] = {{.struct_size = sizeof(leat_need), .name = LEAT_STR_INIT("a/1")},
                                  {.struct_size = sizeof(leat_need), .name = LEAT_STR_INIT("a/1")}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .needs = needs, .need_count = 2};
#endif
