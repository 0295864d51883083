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
#elif KIND == 2 /* no name */
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("", "1")};
#elif KIND == 3 /* two handlers of one name */
static const leat_handler handlers[] = {HANDLER("same"), HANDLER("same")};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .handlers = handlers,
                                       .handler_count = 2};
#elif KIND == 4 /* a handler without a function */
static const leat_handler handlers[] = {{.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("x")}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .handlers = handlers,
                                       .handler_count = 1};
#elif KIND == 5 /* a count without handlers */
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .handler_count = 3};
#elif KIND == 6 /* sizes that were forgotten */
static const leat_handler handlers[] = {{.name = LEAT_STR_INIT("x"), .handle = handle}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_entry", "1"), .handlers = handlers,
                                       .handler_count = 1};
#endif
