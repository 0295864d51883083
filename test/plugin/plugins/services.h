/* The tables that the test plugins for services agree on. */
#ifndef TEST_PLUGINS_SERVICES_H
#define TEST_PLUGINS_SERVICES_H

#include <leat/plugin.h>

/* A singleton. */
typedef struct users_v1 {
  uint32_t struct_size;
  leat_str (*name_of)(void* context, uint64_t id);
} users_v1;

/* For each worker. */
typedef struct counter_v1 {
  uint32_t struct_size;
  uint64_t (*next)(void* context);
} counter_v1;

/* For each request. */
typedef struct visit_v1 {
  uint32_t struct_size;
  uint64_t (*step)(void* context);
} visit_v1;

#endif
