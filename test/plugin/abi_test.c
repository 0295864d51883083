/* The ABI as a C compiler sees it. Every number in here is a promise to plugins that were built once: a
 * change that breaks one of these lines breaks them. New members are appended, with lines of their own. */
#include <stdalign.h>
#include <stddef.h>

#include "plugin/sdk/plugin.h"

#define AT(type, member, offset) \
  _Static_assert(offsetof(type, member) == (offset), #type "." #member " has moved")
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")
/* The function at place `index` of an extension's table. */
#define FUNCTION(type, member, index) AT(type, member, 8 + 8 * (index))

_Static_assert(LEAT_ABI_MAJOR == 1, "the major version");
_Static_assert(LEAT_PLUGIN_MAGIC == 0x5441454c, "the magic number");

SIZE(leat_str, 16);
AT(leat_str, ptr, 0);
AT(leat_str, len, 8);

AT(leat_host, struct_size, 0);
AT(leat_host, abi_major, 4);
AT(leat_host, abi_minor, 8);
AT(leat_host, worker_count, 12);
AT(leat_host, version, 16);
AT(leat_host, extension, 32);
AT(leat_host, fail, 40);
SIZE(leat_host, 48);

AT(leat_scope, struct_size, 0);
AT(leat_scope, worker, 4);
AT(leat_scope, host, 8);
AT(leat_scope, instance, 16);
AT(leat_scope, worker_state, 24);
AT(leat_scope, bound, 32);
SIZE(leat_scope, 40);

AT(leat_handler, struct_size, 0);
AT(leat_handler, flags, 4);
AT(leat_handler, name, 8);
AT(leat_handler, bind, 24);
AT(leat_handler, unbind, 32);
AT(leat_handler, handle, 40);
AT(leat_handler, on_body, 48);
AT(leat_handler, on_body_end, 56);
AT(leat_handler, on_writable, 64);
AT(leat_handler, on_cancel, 72);
AT(leat_handler, on_done, 80);
SIZE(leat_handler, 88);

AT(leat_plugin_entry, magic, 0);
AT(leat_plugin_entry, struct_size, 4);
AT(leat_plugin_entry, abi_major, 8);
AT(leat_plugin_entry, abi_minor, 12);
AT(leat_plugin_entry, name, 16);
AT(leat_plugin_entry, version, 32);
AT(leat_plugin_entry, load, 48);
AT(leat_plugin_entry, unload, 56);
AT(leat_plugin_entry, create, 64);
AT(leat_plugin_entry, destroy, 72);
AT(leat_plugin_entry, worker_init, 80);
AT(leat_plugin_entry, worker_fini, 88);
AT(leat_plugin_entry, handlers, 96);
AT(leat_plugin_entry, handler_count, 104);
AT(leat_plugin_entry, self_test, 112);
AT(leat_plugin_entry, export_state, 120);
AT(leat_plugin_entry, import_state, 128);
AT(leat_plugin_entry, on_drain, 136);
AT(leat_plugin_entry, services, 144);
AT(leat_plugin_entry, needs, 152);
AT(leat_plugin_entry, service_count, 160);
AT(leat_plugin_entry, need_count, 164);
AT(leat_plugin_entry, flags, 168);
SIZE(leat_plugin_entry, 176);

AT(leat_service, struct_size, 0);
AT(leat_service, kind, 4);
AT(leat_service, name, 8);
AT(leat_service, table, 24);
AT(leat_service, open, 32);
AT(leat_service, close, 40);
SIZE(leat_service, 48);

AT(leat_need, struct_size, 0);
AT(leat_need, flags, 4);
AT(leat_need, name, 8);
SIZE(leat_need, 24);

FUNCTION(leat_request_v1, method, 0);
FUNCTION(leat_request_v1, target, 1);
FUNCTION(leat_request_v1, path, 2);
FUNCTION(leat_request_v1, query, 3);
FUNCTION(leat_request_v1, host, 4);
FUNCTION(leat_request_v1, minor_version, 5);
FUNCTION(leat_request_v1, peer, 6);
FUNCTION(leat_request_v1, id, 7);
FUNCTION(leat_request_v1, route_id, 8);
FUNCTION(leat_request_v1, header, 9);
FUNCTION(leat_request_v1, header_count, 10);
FUNCTION(leat_request_v1, header_at, 11);
FUNCTION(leat_request_v1, content_length, 12);
FUNCTION(leat_request_v1, param, 13);
FUNCTION(leat_request_v1, query_param, 14);
FUNCTION(leat_request_v1, cookie, 15);
FUNCTION(leat_request_v1, body, 16);
FUNCTION(leat_request_v1, set_state, 17);
FUNCTION(leat_request_v1, state, 18);
FUNCTION(leat_request_v1, header_id, 19);
FUNCTION(leat_request_v1, header_by_id, 20);
FUNCTION(leat_request_v1, param_count, 21);
FUNCTION(leat_request_v1, query_at, 22);
FUNCTION(leat_request_v1, deadline_ns, 23);
FUNCTION(leat_request_v1, client, 24);
FUNCTION(leat_request_v1, scheme, 25);
FUNCTION(leat_request_v1, client_in_doubt, 26);
FUNCTION(leat_request_v1, user, 27);
FUNCTION(leat_request_v1, claim, 28);
FUNCTION(leat_request_v1, tls, 29);

FUNCTION(leat_route_v1, id, 0);
FUNCTION(leat_route_v1, pattern, 1);
FUNCTION(leat_route_v1, param_count, 2);
FUNCTION(leat_route_v1, param_name, 3);
FUNCTION(leat_route_v1, param_index, 4);

FUNCTION(leat_body_v1, pause, 0);
FUNCTION(leat_body_v1, resume, 1);
FUNCTION(leat_body_v1, set_limit, 2);
FUNCTION(leat_body_v1, trailer_count, 3);
FUNCTION(leat_body_v1, trailer_at, 4);

FUNCTION(leat_response_v1, status, 0);
FUNCTION(leat_response_v1, content_type, 1);
FUNCTION(leat_response_v1, content_type_static, 2);
FUNCTION(leat_response_v1, add_header, 3);
FUNCTION(leat_response_v1, add_header_static, 4);
FUNCTION(leat_response_v1, set_header, 5);
FUNCTION(leat_response_v1, remove_header, 6);
FUNCTION(leat_response_v1, send, 7);
FUNCTION(leat_response_v1, send_static, 8);
FUNCTION(leat_response_v1, send_problem, 9);
FUNCTION(leat_response_v1, begin, 10);
FUNCTION(leat_response_v1, write, 11);
FUNCTION(leat_response_v1, add_trailer, 12);
FUNCTION(leat_response_v1, end, 13);
FUNCTION(leat_response_v1, abort, 14);
FUNCTION(leat_response_v1, started, 15);
FUNCTION(leat_response_v1, finished, 16);
FUNCTION(leat_response_v1, early_hints, 17);

FUNCTION(leat_arena_v1, alloc, 0);
FUNCTION(leat_arena_v1, copy, 1);

FUNCTION(leat_json_v1, start, 0);
FUNCTION(leat_json_v1, begin_object, 1);
FUNCTION(leat_json_v1, end_object, 2);
FUNCTION(leat_json_v1, begin_array, 3);
FUNCTION(leat_json_v1, end_array, 4);
FUNCTION(leat_json_v1, key, 5);
FUNCTION(leat_json_v1, string, 6);
FUNCTION(leat_json_v1, integer, 7);
FUNCTION(leat_json_v1, unsigned_integer, 8);
FUNCTION(leat_json_v1, real, 9);
FUNCTION(leat_json_v1, boolean, 10);
FUNCTION(leat_json_v1, null, 11);
FUNCTION(leat_json_v1, raw, 12);
FUNCTION(leat_json_v1, finish, 13);
FUNCTION(leat_json_v1, send, 14);
FUNCTION(leat_json_v1, begin_text, 15);
FUNCTION(leat_json_v1, more_room, 16);
FUNCTION(leat_json_v1, end_text, 17);
FUNCTION(leat_json_v1, levels_left, 18);
FUNCTION(leat_json_v1, form, 19);
FUNCTION(leat_json_v1, begin_bytes, 20);

FUNCTION(leat_log_v1, enabled, 0);
FUNCTION(leat_log_v1, write, 1);

FUNCTION(leat_config_v1, has, 0);
FUNCTION(leat_config_v1, integer, 1);
FUNCTION(leat_config_v1, real, 2);
FUNCTION(leat_config_v1, boolean, 3);
FUNCTION(leat_config_v1, string, 4);
FUNCTION(leat_config_v1, table, 5);
FUNCTION(leat_config_v1, count, 6);
FUNCTION(leat_config_v1, string_at, 7);
FUNCTION(leat_config_v1, table_at, 8);
FUNCTION(leat_config_v1, integer_at, 9);
FUNCTION(leat_config_v1, real_at, 10);
FUNCTION(leat_config_v1, boolean_at, 11);

SIZE(leat_ticket, 16);
AT(leat_ticket, slot, 4);
AT(leat_ticket, generation, 8);

FUNCTION(leat_async_v1, suspend, 0);
FUNCTION(leat_async_v1, complete, 1);

FUNCTION(leat_timer_v1, resume_after, 0);
FUNCTION(leat_timer_v1, now_ns, 1);

FUNCTION(leat_pool_v1, submit, 0);
FUNCTION(leat_pool_v1, gather, 1);
FUNCTION(leat_pool_v1, cancelled, 2);

SIZE(leat_field, 32);
SIZE(leat_upstream_options, 40); /* 32 at first */
AT(leat_upstream_options, body_bytes, 24);
AT(leat_upstream_options, protocol, 32);
SIZE(leat_fetch, 72);
AT(leat_fetch, fields, 40);
AT(leat_fetch, timeout_ms, 64);
SIZE(leat_fetched, 56);
AT(leat_fetched, fields, 16);
AT(leat_fetched, message, 40);
FUNCTION(leat_cache_v1, get, 0);
FUNCTION(leat_cache_v1, send, 1);
FUNCTION(leat_cache_v1, put, 2);
FUNCTION(leat_cache_v1, purge, 3);
FUNCTION(leat_cache_v1, purge_prefix, 4);
FUNCTION(leat_cache_v1, purge_tag, 5);

SIZE(leat_response_wishes, 32);
AT(leat_response_wishes, no_store, 4);
AT(leat_response_wishes, ttl_ms, 8);
AT(leat_response_wishes, stale_while_revalidate_ms, 16);
AT(leat_response_wishes, stale_if_error_ms, 24);
FUNCTION(leat_response_cache_v1, wish, 0);
FUNCTION(leat_response_cache_v1, tag, 1);
FUNCTION(leat_response_cache_v1, purge, 2);

FUNCTION(leat_services_v1, find, 0);
FUNCTION(leat_services_v1, table, 1);
FUNCTION(leat_services_v1, context, 2);

FUNCTION(leat_client_v1, open, 0);
FUNCTION(leat_client_v1, fetch, 1);
FUNCTION(leat_client_v1, cancel, 2);

SIZE(leat_metric_options, 64);
AT(leat_metric_options, type, 4);
AT(leat_metric_options, name, 8);
AT(leat_metric_options, help, 24);
AT(leat_metric_options, labels, 40);
AT(leat_metric_options, bounds, 48);
AT(leat_metric_options, label_count, 56);
AT(leat_metric_options, bound_count, 60);
FUNCTION(leat_metrics_v1, declare, 0);
FUNCTION(leat_metrics_v1, add, 1);
FUNCTION(leat_metrics_v1, set, 2);
FUNCTION(leat_metrics_v1, change, 3);
FUNCTION(leat_metrics_v1, observe, 4);

SIZE(leat_gather_result, 24);
AT(leat_gather_result, first_error, 20);

AT(leat_middleware, struct_size, 0);
AT(leat_middleware, phase, 4);
AT(leat_middleware, name, 8);
AT(leat_middleware, sentence, 24);
AT(leat_middleware, state_size, 40);
AT(leat_middleware, flags, 44);
AT(leat_middleware, create, 48);
AT(leat_middleware, destroy, 56);
AT(leat_middleware, request, 64);
AT(leat_middleware, body, 72);
AT(leat_middleware, writable, 80);
AT(leat_middleware, head, 88);
AT(leat_middleware, piece, 96);
AT(leat_middleware, end, 104);
AT(leat_middleware, cancel, 112);
AT(leat_middleware, done, 120);
SIZE(leat_middleware, 128);
FUNCTION(leat_middleware_v1, declare, 0);
FUNCTION(leat_middleware_v1, give, 1);
FUNCTION(leat_middleware_v1, status, 2);
FUNCTION(leat_middleware_v1, content_type, 3);
FUNCTION(leat_middleware_v1, header, 4);
FUNCTION(leat_middleware_v1, header_count, 5);
FUNCTION(leat_middleware_v1, header_at, 6);
FUNCTION(leat_middleware_v1, set_note, 7);
FUNCTION(leat_middleware_v1, note, 8);

AT(leat_parameter, struct_size, 0);
AT(leat_parameter, in, 4);
AT(leat_parameter, type, 8);
AT(leat_parameter, flags, 12);
AT(leat_parameter, name, 16);
AT(leat_parameter, sentence, 32);
AT(leat_parameter, least, 48);
AT(leat_parameter, most, 56);
AT(leat_parameter, least_number, 64);
AT(leat_parameter, most_number, 72);
AT(leat_parameter, min_length, 80);
AT(leat_parameter, max_length, 84);
AT(leat_parameter, min_items, 88);
AT(leat_parameter, max_items, 92);
AT(leat_parameter, pattern, 96);
AT(leat_parameter, choices, 112);
AT(leat_parameter, choice_count, 120);
AT(leat_parameter, fallback, 128);
AT(leat_parameter, max_size, 144);
SIZE(leat_parameter, 152);
AT(leat_file, struct_size, 0);
AT(leat_file, name, 8);
AT(leat_file, type, 24);
AT(leat_file, content, 40);
AT(leat_file, size, 56);
SIZE(leat_file, 64);
FUNCTION(leat_parameters_v1, declare, 0);
FUNCTION(leat_parameters_v1, find, 1);
FUNCTION(leat_parameters_v1, value, 2);
FUNCTION(leat_parameters_v1, values, 3);
FUNCTION(leat_parameters_v1, wrong, 4);
FUNCTION(leat_parameters_v1, reject, 5);
FUNCTION(leat_parameters_v1, refuse, 6);
FUNCTION(leat_parameters_v1, fits, 7);
FUNCTION(leat_parameters_v1, describe, 8);
FUNCTION(leat_parameters_v1, pattern, 9);
FUNCTION(leat_parameters_v1, matches, 10);
FUNCTION(leat_parameters_v1, file, 11);

FUNCTION(leat_session_v1, need, 0);
FUNCTION(leat_session_v1, there, 1);
FUNCTION(leat_session_v1, get, 2);
FUNCTION(leat_session_v1, set, 3);
FUNCTION(leat_session_v1, remove, 4);
FUNCTION(leat_session_v1, clear, 5);
FUNCTION(leat_session_v1, renew, 6);

AT(leat_note, owner, 12);
AT(leat_note, abi_major, 20);
AT(leat_note, abi_minor, 24);
AT(leat_note, name, 28);
SIZE(leat_note, 76);

/* So that the object is linked and its checks are part of the test program. */
int leat_abi_in_c(void);
int leat_abi_in_c(void) { return LEAT_ABI_MINOR; }
