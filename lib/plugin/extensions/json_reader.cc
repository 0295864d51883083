// leat.json_reader/1: JsonReader, one step a call.
#include <new>

#include "plugin/call.h"
#include "plugin/extensions/extensions.h"
#include "plugin/json_reader.h"

namespace leat::plugin {
namespace {

JsonReader* of(leat_json_reader* reader) { return reinterpret_cast<JsonReader*>(reader); }
const JsonReader* of(const leat_json_reader* reader) { return reinterpret_cast<const JsonReader*>(reader); }

// What `call` answers, and `otherwise` where there is no reader. A call that had no place is logged once,
// with the name of the function.
template <class T, class Call>
T ask(leat_json_reader* handle, const char* function, T otherwise, Call call) {
  JsonReader* const reader = of(handle);
  if (reader == nullptr || reader->state() != JsonReader::State::Fine) return otherwise;
  const T answer = call(*reader);
  if (reader->state() == JsonReader::State::Misused)
    refuse("leat.json_reader/1 " + std::string(function), reader->misuse(), LEAT_E_STATE);
  return answer;
}

leat_json_reader* make(http::Exchange& exchange, std::string_view text) {
  void* const memory = exchange.arena().allocate(sizeof(JsonReader), alignof(JsonReader));
  if (memory == nullptr) return nullptr;
  return reinterpret_cast<leat_json_reader*>(new (memory) JsonReader(exchange.arena(), text));
}
leat_json_reader* start(leat_request* request, leat_str text) {
  http::Exchange* const exchange = exchange_of(request, "leat.json_reader/1 start");
  return exchange == nullptr ? nullptr : make(*exchange, view(text));
}
leat_json_reader* body(leat_request* request) {
  http::Exchange* const exchange = exchange_of(request, "leat.json_reader/1 body");
  if (exchange == nullptr) return nullptr;
  leat_json_reader* const reader = make(*exchange, view(kRequestExtension.body(request)));
  // One that says nothing is taken at its word.
  const leat_str type = kRequestExtension.header(request, LEAT_STR("Content-Type"));
  if (reader != nullptr && type.ptr != nullptr && !detail::says_json(view(type))) of(reader)->set_bad_type();
  return reader;
}

uint32_t kind(const leat_json_reader* reader) {
  return reader == nullptr ? LEAT_JSON_IS_NOTHING : of(reader)->kind();
}
int32_t object(leat_json_reader* reader, const leat_str* names, uint32_t count, uint64_t required) {
  return ask(reader, "object", 0,
             [&](JsonReader& in) { return in.object({names, count}, required) ? 1 : 0; });
}
int32_t member(leat_json_reader* reader) {
  return ask(reader, "member", -1, [](JsonReader& in) { return in.member(); });
}
leat_str name(const leat_json_reader* reader) {
  return reader == nullptr ? leat_str{} : to_str(of(reader)->name());
}
int32_t array(leat_json_reader* reader) {
  return ask(reader, "array", 0, [](JsonReader& in) { return in.array() ? 1 : 0; });
}
int32_t element(leat_json_reader* reader) {
  return ask(reader, "element", 0, [](JsonReader& in) { return in.element() ? 1 : 0; });
}
void leave(leat_json_reader* reader) {
  ask(reader, "leave", 0, [](JsonReader& in) { return in.leave(), 0; });
}

int32_t boolean(leat_json_reader* reader) {
  return ask(reader, "boolean", 0, [](JsonReader& in) { return in.boolean() ? 1 : 0; });
}
int64_t integer(leat_json_reader* reader, int64_t least, int64_t most) {
  return ask(reader, "integer", int64_t{0}, [&](JsonReader& in) { return in.integer(least, most); });
}
uint64_t unsigned_integer(leat_json_reader* reader, uint64_t least, uint64_t most) {
  return ask(reader, "unsigned_integer", uint64_t{0},
             [&](JsonReader& in) { return in.unsigned_integer(least, most); });
}
double real(leat_json_reader* reader) {
  return ask(reader, "real", 0.0, [](JsonReader& in) { return in.real(); });
}
leat_str string(leat_json_reader* reader) {
  return ask(reader, "string", leat_str{}, [](JsonReader& in) { return to_str(in.string()); });
}
leat_str raw(leat_json_reader* reader) {
  return ask(reader, "raw", leat_str{}, [](JsonReader& in) { return to_str(in.raw()); });
}
int32_t null(leat_json_reader* reader) {
  return ask(reader, "null", 0, [](JsonReader& in) { return in.null() ? 1 : 0; });
}
void reject(leat_json_reader* reader, leat_str message) {
  ask(reader, "reject", 0, [&](JsonReader& in) { return in.reject(view(message)), 0; });
}

int32_t code_of(JsonReader::State state) {
  switch (state) {
    case JsonReader::State::Fine:
      return LEAT_OK;
    case JsonReader::State::Misused:
      return LEAT_E_STATE;
    case JsonReader::State::NoMemory:
      return LEAT_E_MEMORY;
    default:
      return LEAT_E_ARGUMENT;
  }
}
int32_t finish(leat_json_reader* reader) {
  ask(reader, "finish", 0, [](JsonReader& in) { return in.finish(), 0; });
  return reader == nullptr ? LEAT_E_MEMORY : code_of(of(reader)->state());
}
int32_t error(const leat_json_reader* reader, leat_json_error* out) {
  if (reader == nullptr || code_of(of(reader)->state()) != LEAT_E_ARGUMENT) return LEAT_E_NOT_FOUND;
  if (out == nullptr || out->struct_size < sizeof(leat_json_error))
    return refuse("leat.json_reader/1 error", "NULL, or its struct_size was not set", LEAT_E_ARGUMENT);
  out->offset = of(reader)->offset();
  out->message = to_str(of(reader)->message());
  out->pointer = to_str(of(reader)->pointer());
  return LEAT_OK;
}

int32_t refuse_text(leat_request* request, leat_json_reader* handle) {
  constexpr std::string_view kFunction = "leat.json_reader/1 refuse";
  http::Exchange* const exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  const JsonReader* const reader = of(handle);
  if (reader == nullptr) return LEAT_E_MEMORY;
  if (&reader->arena() != &exchange->arena())
    return refuse(kFunction, "the reader is another request's", LEAT_E_ARGUMENT);
  if (reader->state() == JsonReader::State::Fine)
    return refuse(kFunction, "nothing is wrong with the text", LEAT_E_STATE);
  if (reader->state() == JsonReader::State::BadType)
    return kResponseExtension.send_problem(request, 415, to_str(detail::kNotJson), {});
  if (reader->state() != JsonReader::State::BadText) return code_of(reader->state());
  return kResponseExtension.send_problem(request, 400, to_str(detail::problem_detail(reader->error())),
                                         to_str(detail::problem_members(reader->error())));
}

}  // namespace

const leat_json_reader_v1 kJsonReaderExtension = {
    .struct_size = sizeof(leat_json_reader_v1),
    .reserved = 0,
    .start = start,
    .body = body,
    .kind = kind,
    .object = object,
    .member = member,
    .name = name,
    .array = array,
    .element = element,
    .leave = leave,
    .boolean = boolean,
    .integer = integer,
    .unsigned_integer = unsigned_integer,
    .real = real,
    .string = string,
    .raw = raw,
    .null = null,
    .reject = reject,
    .finish = finish,
    .error = error,
    .refuse = refuse_text,
};

}  // namespace leat::plugin
