// A plugin whose handlers end the process in the ways that a bug does.
#include <leat/plugin.h>
#include <signal.h>
#include <stdlib.h>

LEAT_NOTE("crash");

static int32_t segv(const leat_scope* scope, leat_request* request) {
  (void)scope;
  (void)request;
  int* volatile nowhere = NULL;
  *(volatile int*)nowhere = 1;
  return LEAT_DONE;
}

static int32_t aborts(const leat_scope* scope, leat_request* request) {
  (void)scope;
  (void)request;
  abort();
}

static int32_t killed(const leat_scope* scope, leat_request* request) {
  (void)scope;
  (void)request;
  raise(SIGKILL);
  return LEAT_DONE;
}

static const leat_handler handlers[] = {
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("segv"), .handle = segv},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("aborts"), .handle = aborts},
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("killed"), .handle = killed},
};

const leat_plugin_entry leat_plugin = {LEAT_ENTRY("crash", "1.0"), .handlers = handlers,
                                       .handler_count = sizeof handlers / sizeof *handlers};
