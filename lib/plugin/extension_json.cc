// leat.json/1: json::Writer, one event a call.
//
// The writer trusts its caller to order events rightly; a plugin is not trusted so far. Which events may come
// next is kept here, a bit for each level, and a text with a mistake in it is never sent.
#include "json/writer.h"

#include <array>
#include <new>

#include "plugin/call.h"
#include "plugin/extensions.h"

struct leat_json {
  // Deeper than any answer is meant to be, and than most readers accept.
  static constexpr uint32_t kMostDepth = 128;
  enum class Expect : uint8_t { Value, KeyOrEnd, ValueOrEnd, Nothing };

  leat_json(leat::http::Exchange& owner) : writer(owner.arena()), exchange(&owner) {}

  // Whether a value may come now; takes the step that it makes.
  bool value() {
    if (expect != Expect::Value && expect != Expect::ValueOrEnd) return broken = true, false;
    after_value();
    return !broken;
  }
  bool open(bool object) {
    if (!value() || depth == kMostDepth) return broken = true, false;
    objects[depth++] = object;
    expect = object ? Expect::KeyOrEnd : Expect::ValueOrEnd;
    return true;
  }
  bool close(bool object) {
    if (depth == 0 || objects[depth - 1] != object ||
        expect != (object ? Expect::KeyOrEnd : Expect::ValueOrEnd))
      return broken = true, false;
    --depth;
    after_value();
    return !broken;
  }
  bool key() {
    if (expect != Expect::KeyOrEnd) return broken = true, false;
    expect = Expect::Value;
    return !broken;
  }

  leat::json::Writer writer;
  leat::http::Exchange* exchange;
  Expect expect = Expect::Value;
  bool broken = false;
  uint32_t depth = 0;
  std::array<bool, kMostDepth> objects;

 private:
  void after_value() {
    if (depth == 0)
      expect = Expect::Nothing;
    else
      expect = objects[depth - 1] ? Expect::KeyOrEnd : Expect::ValueOrEnd;
  }
};

namespace leat::plugin {
namespace {

leat_json* start(leat_request* request) {
  http::Exchange* exchange = exchange_of(request, "leat.json/1 start");
  if (exchange == nullptr) return nullptr;
  void* memory = exchange->arena().allocate(sizeof(leat_json), alignof(leat_json));
  return memory == nullptr ? nullptr : new (memory) leat_json(*exchange);
}

void begin_object(leat_json* json) {
  if (json->open(true)) json->writer.begin_object();
}
void end_object(leat_json* json) {
  if (json->close(true)) json->writer.end_object();
}
void begin_array(leat_json* json) {
  if (json->open(false)) json->writer.begin_array();
}
void end_array(leat_json* json) {
  if (json->close(false)) json->writer.end_array();
}
void key(leat_json* json, leat_str name) {
  if (json->key()) json->writer.key(view(name));
}
void string(leat_json* json, leat_str text) {
  if (json->value()) json->writer.string(view(text));
}
void integer(leat_json* json, int64_t number) {
  if (json->value()) json->writer.integer(number);
}
void unsigned_integer(leat_json* json, uint64_t number) {
  if (json->value()) json->writer.unsigned_integer(number);
}
void real(leat_json* json, double number) {
  if (json->value()) json->writer.real(number);
}
void boolean(leat_json* json, int32_t truth) {
  if (json->value()) json->writer.boolean(truth != 0);
}
void null(leat_json* json) {
  if (json->value()) json->writer.null();
}
void raw(leat_json* json, leat_str text) {
  if (json->value()) json->writer.raw(view(text));
}

int32_t finish(leat_json* json, leat_str* text) {
  constexpr std::string_view kFunction = "leat.json/1 finish";
  if (text == nullptr) return refuse(kFunction, "text is NULL", LEAT_E_ARGUMENT);
  *text = {};
  if (json->broken || json->expect != leat_json::Expect::Nothing)
    return refuse(kFunction, "the events do not make one whole JSON value", LEAT_E_STATE);
  const std::string_view written = json->writer.finish();
  if (written.data() == nullptr) return LEAT_E_MEMORY;
  *text = to_str(written);
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

const leat_json_v1 kJsonExtension = {sizeof(leat_json_v1),
                                     0,
                                     start,
                                     begin_object,
                                     end_object,
                                     begin_array,
                                     end_array,
                                     key,
                                     string,
                                     integer,
                                     unsigned_integer,
                                     real,
                                     boolean,
                                     null,
                                     raw,
                                     finish,
                                     send};

}  // namespace leat::plugin
