/* Finds at load that it cannot work, and talks before. */
#include <leat/plugin.h>
#include <stdio.h>

LEAT_NOTE("load_refuses");

static int32_t load(const leat_host* host, leat_error* error) {
  fputs("load_refuses looks for the future\n", stderr);
  if (host->extension(host, LEAT_STR("leat.from_the_future/9")) != NULL) return LEAT_OK;
  host->fail(error, LEAT_STR(""), LEAT_STR("needs leat.from_the_future/9"));
  return LEAT_E_NOT_FOUND;
}

const leat_plugin_entry leat_plugin = {LEAT_ENTRY("load_refuses", "1"), .load = load};
