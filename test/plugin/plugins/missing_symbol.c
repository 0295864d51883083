/* Uses a function that nothing defines; linked without -z defs. */
#include <leat/plugin.h>

extern int32_t a_function_nobody_wrote(const leat_scope* scope, leat_request* request);

LEAT_NOTE("missing_symbol");
static const leat_handler handlers[] = {
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("x"), .handle = a_function_nobody_wrote}};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("missing_symbol", "1"), .handlers = handlers,
                                       .handler_count = 1};
