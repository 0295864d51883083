/* Declares middleware that is wrong in one way each, by KIND; load() answers as declare() does. */
#include <leat/plugin.h>

static int32_t pass(const leat_scope* scope, leat_request* request) {
  (void)scope;
  (void)request;
  return LEAT_NEXT;
}

#define GOOD(kind_name)                    \
  {.struct_size = sizeof(leat_middleware), \
   .phase = LEAT_PHASE_LIMIT,              \
   .name = LEAT_STR_INIT(kind_name),       \
   .request = pass}

static leat_middleware kinds[2] = {GOOD("one"), GOOD("two")};

static int32_t load(const leat_host* host, leat_error* error) {
  const leat_middleware_v1* api = host->extension(host, LEAT_STR("leat.middleware/1"));
  if (api == NULL) return LEAT_E_NOT_FOUND;
  uint32_t count = 2;
  switch (KIND) {
    case 1:
      kinds[1].name = kinds[0].name;
      break;
    case 2:
      kinds[1].name = LEAT_STR("a:b");
      break;
    case 3:
      kinds[1].name.len = 0;
      break;
    case 4:
      kinds[1].phase = LEAT_PHASE_CONTENT + 1;
      break;
    case 5:
      kinds[1].struct_size = 8;
      break;
    case 6:
      kinds[0].struct_size = 8;
      break;
    case 7:
      kinds[1].state_size = 1u << 20;
      break;
    case 8:
      kinds[1].request = NULL;
      break;
    case 9:
      kinds[1].phase = LEAT_PHASE_CONTENT;
      break;
    case 10:
      kinds[1].flags = 1;
      break;
    case 11:
      count = 100000;
      break;
    case 12:
      kinds[1].sentence = LEAT_STR("two\nlines");
      break;
    default:
      break;
  }
  return api->declare(host, kinds, count, error);
}

LEAT_NOTE("bad_kind");
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("bad_kind", "1.0.0"), .load = load};
