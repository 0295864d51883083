// leat.json/1: json::Writer, one event a call. The writer judges the events; a text with a mistake in it is
// never sent.
//
// Where its client has asked for another form (Exchange::answer_form) the events are written in that from the first one on.
// Who wants them as a text all the same, or gives the answer a type of its own, gets JSON made of it.
#include <new>
#include <optional>

#include "http/accept.h"
#include "json/binary_reader.h"
#include "json/writer.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"

struct leat_json {
  explicit leat_json(leat::http::Exchange& owner)
      : backend(backend_for(owner)), writer(owner.arena(), backend), exchange(&owner) {}

  // Whether the answer's form is ours to choose.
  static bool takes_form(const leat::http::Exchange& owner) {
    const std::string_view type = owner.response.content_type;
    return owner.answer_form != nullptr && (type.empty() || type == kType);
  }
  static leat::json::Backend backend_for(const leat::http::Exchange& owner) {
    return takes_form(owner) ? owner.answer_form->backend : leat::json::Backend::Auto;
  }
  static constexpr std::string_view kType = "application/json";

  const leat::json::Backend backend;
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
uint32_t form(const leat_json* json) {
  if (json->backend == json::Backend::Cbor) return LEAT_JSON_AS_CBOR;
  return json->backend == json::Backend::MessagePack ? LEAT_JSON_AS_MESSAGE_PACK : LEAT_JSON_AS_TEXT;
}
char* begin_bytes(leat_json* json, size_t room, char** end) { return json->writer.begin_bytes(room, *end); }

// JSON of what was written in another form. Nothing: why is a literal.
std::optional<std::string_view> as_json(json::Backend backend, std::string_view bytes, Arena& arena,
                                        const char*& why) {
  json::TextBuffer text(arena);
  const auto grow = [](void* owner, char*& at, char*& end, size_t size) {
    auto& buffer = *static_cast<json::TextBuffer*>(owner);
    buffer.at = at;
    if (!buffer.room(size)) return false;
    at = buffer.at;
    end = buffer.end();
    return true;
  };
  json::GrowingText out{.grow = grow, .owner = &text};
  if (const auto wrong = json::write_as_json(backend, bytes, out)) {
    why = wrong->message.empty() ? "no memory left for this request" : "a number that is not finite";
    return std::nullopt;
  }
  text.at = out.at;
  return text.text();
}

// The text; or, with `binary`, the bytes in the form that was written.
int32_t finish_as(leat_json* json, leat_str* text, bool binary, std::string_view function) {
  const char* why = nullptr;
  auto written = json->writer.finish();
  if (!written)
    why = json->writer.error();
  else if (json::is_binary(json->backend) && !binary)
    written = as_json(json->backend, *written, json->exchange->arena(), why);
  if (!written) return refuse(function, why, LEAT_E_STATE);
  *text = to_str(*written);
  return LEAT_OK;
}

int32_t finish(leat_json* json, leat_str* text) {
  constexpr std::string_view kFunction = "leat.json/1 finish";
  if (text == nullptr) return refuse(kFunction, "text is NULL", LEAT_E_ARGUMENT);
  *text = {};
  return finish_as(json, text, false, kFunction);
}

int32_t send(leat_request* request, leat_json* json) {
  constexpr std::string_view kFunction = "leat.json/1 send";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (json == nullptr || json->exchange != exchange)
    return refuse(kFunction, "the text is NULL, or another request's", LEAT_E_ARGUMENT);
  const bool open = !exchange->started();
  // What others may keep of it must say by what it is another.
  const bool varies =
      open && leat_json::takes_form(*exchange) && http::say_varies_by_accept(exchange->response);
  const bool binary = varies && json::is_binary(json->backend);
  leat_str text;
  if (const int32_t code = finish_as(json, &text, binary, kFunction); code != LEAT_OK) return code;
  if (binary)
    exchange->response.content_type = exchange->answer_form->type;
  else if (open && exchange->response.content_type.empty())
    exchange->response.content_type = leat_json::kType;
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
    .form = form,
    .begin_bytes = begin_bytes,
};

}  // namespace leat::plugin
