/* orders: what an order comes to, in C. Shows how a JSON body is read: member by member, with what is wrong
 * as an answer for the client, and no memory to be freed.
 */
#include <leat/plugin.h>

LEAT_NOTE("orders");

static const leat_response_v1* response_api;
static const leat_json_v1* json_api;
static const leat_json_reader_v1* reader_api;

static int32_t load(const leat_host* host, leat_error* error) {
  response_api = host->extension(host, LEAT_STR("leat.response/1"));
  json_api = host->extension(host, LEAT_STR("leat.json/1"));
  reader_api = host->extension(host, LEAT_STR("leat.json_reader/1"));
  if (response_api != NULL && json_api != NULL && reader_api != NULL) return LEAT_OK;
  host->fail(error, LEAT_STR(""), LEAT_STR("needs leat.response/1, leat.json/1 and leat.json_reader/1"));
  return LEAT_E_NOT_FOUND;
}

static int32_t verdict(int32_t sent) { return sent == LEAT_OK ? LEAT_DONE : LEAT_ERROR; }

/* {"customer": "Ada", "express": true, "lines": [{"item": "millet", "count": 3, "price": 250}]}, in cents;
 * who wants it express says so. */
enum { CUSTOMER, LINES, EXPRESS };
static const leat_str order_names[] = {LEAT_STR_INIT("customer"), LEAT_STR_INIT("lines"),
                                       LEAT_STR_INIT("express")};
enum { COUNT, PRICE };
static const leat_str line_names[] = {LEAT_STR_INIT("count"), LEAT_STR_INIT("price")};

/* One line: its members in any order, both of them required, others read over. */
static uint64_t read_line(leat_json_reader* in) {
  uint64_t count = 0, price = 0;
  if (reader_api->object(in, line_names, 2, 1u << COUNT | 1u << PRICE))
    for (int32_t which; (which = reader_api->member(in)) >= 0;) {
      if (which == COUNT) count = reader_api->unsigned_integer(in, 1, 1000);
      if (which == PRICE) price = reader_api->unsigned_integer(in, 0, 1000000);
    }
  return count * price;
}

/* POST /orders */
static int32_t total(const leat_scope* scope, leat_request* request) {
  (void)scope;
  leat_str customer = {NULL, 0};
  uint64_t cents = 0;
  int32_t express = 0;
  leat_json_reader* in = reader_api->body(request);
  if (reader_api->object(in, order_names, 3, 1u << CUSTOMER | 1u << LINES))
    for (int32_t which; (which = reader_api->member(in)) >= 0;) {
      if (which == CUSTOMER) {
        customer = reader_api->string(in);
        if (customer.len == 0) reader_api->reject(in, LEAT_STR("must not be empty"));
      } else if (which == EXPRESS) {
        express = reader_api->boolean(in);
      } else if (reader_api->array(in)) {
        while (reader_api->element(in)) cents += read_line(in);
      }
    }
  if (reader_api->finish(in) != LEAT_OK) return verdict(reader_api->refuse(request, in));

  leat_json* json = json_api->start(request);
  if (json == NULL) return LEAT_ERROR;
  json_api->begin_object(json);
  json_api->key(json, LEAT_STR("customer"));
  json_api->string(json, customer);
  json_api->key(json, LEAT_STR("cents"));
  json_api->unsigned_integer(json, cents + (express ? 500 : 0));
  json_api->end_object(json);
  return verdict(json_api->send(request, json));
}

static const leat_handler handlers[] = {
    {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT("total"), .handle = total},
};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("orders", "1.0.0"), .load = load, .handlers = handlers,
                                       .handler_count = sizeof handlers / sizeof *handlers};
