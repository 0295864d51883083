/* Reads bodies with leat.json_reader/1, in each of the ways that it has, and answers with what it has
 * understood. */
#include <leat/plugin.h>
#include <string.h>

LEAT_NOTE("json_reader");

static const leat_request_v1* request_api;
static const leat_response_v1* response_api;
static const leat_json_v1* json_api;
static const leat_json_reader_v1* reader_api;

static int32_t load(const leat_host* host, leat_error* error) {
  (void)error;
  request_api = host->extension(host, LEAT_STR("leat.request/1"));
  response_api = host->extension(host, LEAT_STR("leat.response/1"));
  json_api = host->extension(host, LEAT_STR("leat.json/1"));
  reader_api = host->extension(host, LEAT_STR("leat.json_reader/1"));
  return request_api && response_api && json_api && reader_api ? LEAT_OK : LEAT_E_NOT_FOUND;
}

static int32_t verdict(int32_t sent) { return sent == LEAT_OK ? LEAT_DONE : LEAT_ERROR; }
static int32_t is(leat_str text, const char* other) {
  return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}
/* What was understood, or what is wrong. */
static int32_t answer(leat_request* request, leat_json_reader* in, leat_json* out) {
  if (reader_api->finish(in) != LEAT_OK) return verdict(reader_api->refuse(request, in));
  return verdict(json_api->send(request, out));
}

/* Any value, written as it is read. */
static void copy(leat_json_reader* in, leat_json* out) {
  switch (reader_api->kind(in)) {
    case LEAT_JSON_IS_OBJECT:
      reader_api->object(in, NULL, 0, 0);
      json_api->begin_object(out);
      while (reader_api->member(in) == 0) {
        json_api->key(out, reader_api->name(in));
        copy(in, out);
      }
      json_api->end_object(out);
      return;
    case LEAT_JSON_IS_ARRAY:
      reader_api->array(in);
      json_api->begin_array(out);
      while (reader_api->element(in)) copy(in, out);
      json_api->end_array(out);
      return;
    case LEAT_JSON_IS_STRING:
      json_api->string(out, reader_api->string(in));
      return;
    case LEAT_JSON_IS_BOOLEAN:
      json_api->boolean(out, reader_api->boolean(in));
      return;
    case LEAT_JSON_IS_NULL:
      if (reader_api->null(in)) json_api->null(out);
      return;
    default:
      json_api->raw(out, reader_api->raw(in));
  }
}
static int32_t echo(const leat_scope* scope, leat_request* request) {
  (void)scope;
  leat_json_reader* in = reader_api->body(request);
  leat_json* out = json_api->start(request);
  if (out == NULL) return LEAT_ERROR;
  copy(in, out);
  return answer(request, in, out);
}

/* Members with types. */
enum { ITEM, COUNT, PRICE, EXPRESS, TAGS, INNER, MEMBERS };
static const leat_str names[MEMBERS] = {LEAT_STR_INIT("item"),  LEAT_STR_INIT("count"),
                                        LEAT_STR_INIT("price"), LEAT_STR_INIT("express"),
                                        LEAT_STR_INIT("tags"),  LEAT_STR_INIT("inner")};
#define BIT(number) (UINT64_C(1) << (number))

static void inner(leat_json_reader* in, leat_json* out) {
  static const leat_str of_inner[] = {LEAT_STR_INIT("x")};
  json_api->begin_object(out);
  if (reader_api->object(in, of_inner, 1, BIT(0)))
    while (reader_api->member(in) == 0) {
      json_api->key(out, LEAT_STR("x"));
      json_api->integer(out, reader_api->integer(in, INT64_MIN, INT64_MAX));
    }
  json_api->end_object(out);
}
static int32_t order(const leat_scope* scope, leat_request* request) {
  (void)scope;
  leat_json_reader* in = reader_api->body(request);
  leat_json* out = json_api->start(request);
  if (out == NULL) return LEAT_ERROR;
  json_api->begin_object(out);
  if (reader_api->object(in, names, MEMBERS, BIT(ITEM) | BIT(COUNT) | BIT(EXPRESS) | BIT(TAGS)))
    for (int32_t which; (which = reader_api->member(in)) >= 0;) {
      json_api->key(out, names[which]);
      if (which == ITEM) {
        json_api->string(out, reader_api->string(in));
      } else if (which == COUNT) {
        json_api->unsigned_integer(out, reader_api->unsigned_integer(in, 0, 255));
      } else if (which == EXPRESS) {
        json_api->boolean(out, reader_api->boolean(in));
      } else if (which == TAGS) {
        json_api->begin_array(out);
        if (reader_api->array(in))
          while (reader_api->element(in)) json_api->string(out, reader_api->string(in));
        json_api->end_array(out);
      } else if (reader_api->null(in)) {
        json_api->null(out);
      } else if (which == PRICE) {
        json_api->real(out, reader_api->real(in));
      } else {
        inner(in, out);
      }
    }
  json_api->end_object(out);
  return answer(request, in, out);
}

/* The first element that is "yes", in the member "from" of whatever is there; the rest is left unread. */
static int32_t find(const leat_scope* scope, leat_request* request) {
  (void)scope;
  leat_json_reader* in = reader_api->body(request);
  leat_json* out = json_api->start(request);
  if (out == NULL) return LEAT_ERROR;
  int64_t found = -1;
  if (reader_api->object(in, NULL, 0, 0)) {
    while (reader_api->member(in) == 0) {
      if (!is(reader_api->name(in), "from") || !reader_api->array(in)) continue;
      for (int64_t index = 0; reader_api->element(in); ++index) {
        if (!is(reader_api->string(in), "yes")) continue;
        found = index;
        reader_api->leave(in);
        break;
      }
      reader_api->leave(in); /* the object */
      break;
    }
  }
  json_api->integer(out, found);
  return answer(request, in, out);
}

/* A title of one byte to eight, by a rule of its own. */
static int32_t title(const leat_scope* scope, leat_request* request) {
  (void)scope;
  static const leat_str known[] = {LEAT_STR_INIT("title")};
  leat_json_reader* in = reader_api->body(request);
  leat_json* out = json_api->start(request);
  if (out == NULL) return LEAT_ERROR;
  if (reader_api->object(in, known, 1, 1))
    while (reader_api->member(in) == 0) {
      const leat_str text = reader_api->string(in);
      if (text.len == 0 || text.len > 8) reader_api->reject(in, LEAT_STR("must be 1 to 8 bytes long"));
      json_api->string(out, text);
    }
  return answer(request, in, out);
}

/* What error() tells, of a text in a header. */
static int32_t error_of(const leat_scope* scope, leat_request* request) {
  (void)scope;
  leat_json_reader* in = reader_api->start(request, request_api->header(request, LEAT_STR("Text")));
  leat_json* out = json_api->start(request);
  leat_json_error error = {.struct_size = sizeof error};
  if (out == NULL) return LEAT_ERROR;
  json_api->begin_object(out);
  json_api->key(out, LEAT_STR("finish"));
  json_api->integer(out, reader_api->finish(in));
  json_api->key(out, LEAT_STR("error"));
  json_api->integer(out, reader_api->error(in, &error));
  json_api->key(out, LEAT_STR("offset"));
  json_api->unsigned_integer(out, error.offset);
  json_api->key(out, LEAT_STR("message"));
  json_api->string(out, error.message);
  json_api->key(out, LEAT_STR("pointer"));
  json_api->string(out, error.pointer);
  json_api->end_object(out);
  return verdict(json_api->send(request, out));
}

/* Calls in a wrong order, by the number in a header; then what the reader says. */
static int32_t misuse(const leat_scope* scope, leat_request* request) {
  (void)scope;
  static const leat_str one[] = {LEAT_STR_INIT("a")};
  leat_json_reader* in = reader_api->body(request);
  switch (request_api->header(request, LEAT_STR("Kind")).ptr[0]) {
    case '0': /* a value where none comes */
      reader_api->raw(in);
      reader_api->string(in);
      break;
    case '1':
      reader_api->array(in);
      reader_api->member(in);
      break;
    case '2':
      reader_api->array(in);
      reader_api->integer(in, 0, 9);
      break;
    case '3':
      reader_api->element(in);
      break;
    case '4':
      reader_api->leave(in);
      break;
    case '5':
      reader_api->object(in, one, 65, 0);
      break;
    case '6':
      reader_api->object(in, NULL, 1, 0);
      break;
    case '7': /* finish() within */
      reader_api->array(in);
      break;
    case '8': /* the client is not to blame */
      if (reader_api->finish(in) == LEAT_OK) return verdict(reader_api->refuse(request, in));
      break;
    default: /* no reader at all */
      if (reader_api->kind(NULL) != LEAT_JSON_IS_NOTHING || reader_api->object(NULL, one, 1, 1) != 0 ||
          reader_api->member(NULL) != -1 || reader_api->name(NULL).ptr != NULL ||
          reader_api->array(NULL) != 0 || reader_api->element(NULL) != 0 || reader_api->boolean(NULL) != 0 ||
          reader_api->integer(NULL, 1, 2) != 0 || reader_api->unsigned_integer(NULL, 1, 2) != 0 ||
          reader_api->real(NULL) != 0 || reader_api->string(NULL).len != 0 ||
          reader_api->raw(NULL).len != 0 || reader_api->null(NULL) != 0 ||
          reader_api->error(NULL, NULL) != LEAT_E_NOT_FOUND)
        return LEAT_NEXT;
      reader_api->leave(NULL);
      reader_api->reject(NULL, LEAT_STR("x"));
      in = NULL;
  }
  /* Nothing works any more. */
  if (reader_api->kind(in) != LEAT_JSON_IS_NOTHING && reader_api->finish(in) != LEAT_E_STATE)
    return LEAT_NEXT;
  const int32_t code = reader_api->finish(in);
  if (code != (in == NULL ? LEAT_E_MEMORY : LEAT_E_STATE) || reader_api->member(in) != -1) return LEAT_NEXT;
  if (reader_api->refuse(request, in) != code) return LEAT_NEXT;
  return verdict(response_api->send(request, LEAT_STR("refused")));
}

#define HANDLER(text, function) \
  {.struct_size = sizeof(leat_handler), .name = LEAT_STR_INIT(text), .handle = function}
static const leat_handler handlers[] = {HANDLER("echo", echo),      HANDLER("order", order),
                                        HANDLER("find", find),      HANDLER("title", title),
                                        HANDLER("error", error_of), HANDLER("misuse", misuse)};
const leat_plugin_entry leat_plugin = {LEAT_ENTRY("json_reader", "1.0"), .load = load, .handlers = handlers,
                                       .handler_count = sizeof handlers / sizeof *handlers};
