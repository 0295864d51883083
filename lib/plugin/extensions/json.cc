// leat.json/1: json::Writer, one event a call. The writer judges the events; a text with a mistake in it is
// never sent.
#include <new>

#include "json/writer.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"

struct leat_json {
  explicit leat_json(leat::http::Exchange& owner) : writer(owner.arena()), exchange(&owner) {}
  leat::json::Writer writer;
  leat::http::Exchange* exchange;
};

namespace leat::plugin {
namespace {

leat_json* start(leat_request* request) {
  http::Exchange* exchange = exchange_of(request, "leat.json/1 start");
  if (exchange == nullptr) return nullptr;
  void* memory = exchange->arena().allocate(sizeof(leat_json), alignof(leat_json));
  return memory == nullptr ? nullptr : new (memory) leat_json(*exchange);
}

void begin_object(leat_json* json) { json->writer.begin_object(); }
void end_object(leat_json* json) { json->writer.end_object(); }
void begin_array(leat_json* json) { json->writer.begin_array(); }
void end_array(leat_json* json) { json->writer.end_array(); }
void key(leat_json* json, leat_str name) { json->writer.key(view(name)); }
void string(leat_json* json, leat_str text) { json->writer.string(view(text)); }
void integer(leat_json* json, int64_t number) { json->writer.integer(number); }
void unsigned_integer(leat_json* json, uint64_t number) { json->writer.unsigned_integer(number); }
void real(leat_json* json, double number) { json->writer.real(number); }
void boolean(leat_json* json, int32_t truth) { json->writer.boolean(truth != 0); }
void null(leat_json* json) { json->writer.null(); }
void raw(leat_json* json, leat_str text) { json->writer.raw(view(text)); }

char* begin_text(leat_json* json, size_t room, char** end) { return json->writer.begin_text(room, *end); }
char* more_room(leat_json* json, char* at, size_t room, char** end) {
  return json->writer.more_room(at, room, *end);
}
void end_text(leat_json* json, char* at, int32_t why) {
  json->writer.end_text(at, why == LEAT_JSON_NOT_UTF8     ? "text that is not UTF-8"
                            : why == LEAT_JSON_NOT_FINITE ? "a number that is not finite"
                                                          : "no memory left for this request");
}
uint32_t levels_left(const leat_json* json) { return json->writer.levels_left(); }

int32_t finish(leat_json* json, leat_str* text) {
  constexpr std::string_view kFunction = "leat.json/1 finish";
  if (text == nullptr) return refuse(kFunction, "text is NULL", LEAT_E_ARGUMENT);
  *text = {};
  const auto written = json->writer.finish();
  if (!written) return refuse(kFunction, json->writer.error(), LEAT_E_STATE);
  *text = to_str(*written);
  return LEAT_OK;
}

int32_t send(leat_request* request, leat_json* json) {
  constexpr std::string_view kFunction = "leat.json/1 send";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (json == nullptr || json->exchange != exchange)
    return refuse(kFunction, "the text is NULL, or another request's", LEAT_E_ARGUMENT);
  leat_str text;
  if (const int32_t code = finish(json, &text); code != LEAT_OK) return code;
  if (exchange->response.content_type.empty() && !exchange->started())
    exchange->response.content_type = "application/json";
  return kResponseExtension.send(request, text);
}

}  // namespace

const leat_json_v1 kJsonExtension = {
    .struct_size = sizeof(leat_json_v1),
    .reserved = 0,
    .start = start,
    .begin_object = begin_object,
    .end_object = end_object,
    .begin_array = begin_array,
    .end_array = end_array,
    .key = key,
    .string = string,
    .integer = integer,
    .unsigned_integer = unsigned_integer,
    .real = real,
    .boolean = boolean,
    .null = null,
    .raw = raw,
    .finish = finish,
    .send = send,
    .begin_text = begin_text,
    .more_room = more_room,
    .end_text = end_text,
    .levels_left = levels_left,
};

}  // namespace leat::plugin
