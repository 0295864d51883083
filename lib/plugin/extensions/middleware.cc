// leat.middleware/1: kinds of middleware that plugins have, and what their callbacks need besides what
// handlers have.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "base/text.h"
#include "http/answer_filter.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"
#include "plugin/library.h"
#include "plugin/load_time.h"
#include "plugin/notes.h"

namespace leat::plugin {
namespace {

constexpr uint32_t kMiddlewareSize1_0 = 128;  // what the oldest plugin brings
constexpr uint32_t kMostKinds = 256;
constexpr size_t kMostNameBytes = 47;
constexpr size_t kMostSentenceBytes = 200;
// For each request, whether it needs them or not. Who needs more takes it from the arena when it does.
constexpr uint32_t kMostStateBytes = 65'536;

bool is_kind_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// What is wrong with a kind; empty for nothing.
std::string find_mistake(const leat_middleware& kind, const PluginLibrary& library) {
  const std::string_view name = view(kind.name);
  if (!is_kind_name(name))
    return fmt::format("`{}` is not a name: 1 to 47 of letters, digits, - and _", name);
  if (std::ranges::contains(library.middleware(), name, &DeclaredKind::name))
    return "there are two of that name";
  if (kind.phase > LEAT_PHASE_CONTENT) return fmt::format("{} is not a phase: see LEAT_PHASE_*", kind.phase);
  if (kind.flags != 0) return "it has flags that this daemon does not know";
  if (!is_text(kind.sentence) || kind.sentence.len > kMostSentenceBytes ||
      !is_field_value(view(kind.sentence)))
    return "its sentence is longer than 200 bytes, or holds a control character";
  if (kind.state_size > kMostStateBytes)
    return fmt::format("its state of {} bytes for each request is larger than 64 KiB", kind.state_size);
  const bool acts = kind.request != nullptr || kind.body != nullptr;
  if (!acts && kind.head == nullptr && kind.piece == nullptr && kind.end == nullptr && kind.done == nullptr)
    return "it has no callback";
  if (kind.phase == LEAT_PHASE_CONTENT && (acts || kind.writable != nullptr))
    return "in LEAT_PHASE_CONTENT it sees no requests: no request, body and writable";
  return {};
}

int32_t declare(const leat_host* host, const leat_middleware* kinds, uint32_t count, leat_error* error) {
  constexpr std::string_view kFunction = "leat.middleware/1 declare";
  PluginLibrary* library = host == nullptr ? nullptr : static_cast<const Host*>(host)->loading;
  if (library == nullptr) return refuse(kFunction, "kinds are declared in load()", LEAT_E_STATE);
  const auto fail = [&](const std::string& message) {
    const std::string text = "its middleware " + message;
    if (error == nullptr) return refuse(kFunction, text, LEAT_E_ARGUMENT);
    host->fail(error, {}, to_str(text));
    return LEAT_E_ARGUMENT;
  };
  if (count > kMostKinds || (count > 0 && kinds == nullptr))
    return fail("is not there, or more than 256 kinds");
  if (count == 0) return LEAT_OK;
  const uint32_t stride = kinds->struct_size;
  if (stride < kMiddlewareSize1_0 || stride % alignof(leat_middleware) != 0)
    return fail("lacks its struct_size: set it in each kind to the size of it");
  const auto* bytes = reinterpret_cast<const char*>(kinds);
  for (uint32_t i = 0; i < count; ++i) {
    DeclaredKind kind;
    std::memcpy(static_cast<void*>(&kind.table), bytes + size_t{i} * stride,
                std::min<size_t>(stride, sizeof kind.table));
    if (kind.table.struct_size != stride)
      return fail(fmt::format("number {} lacks its struct_size, which is the same for all", i + 1));
    kind.name = view(kind.table.name);
    if (const std::string mistake = find_mistake(kind.table, *library); !mistake.empty())
      return fail(fmt::format("number {}, `{}`: {}", i + 1, kind.name, mistake));
    kind.sentence = view(kind.table.sentence);
    library->add_middleware(std::move(kind));
  }
  return LEAT_OK;
}

int32_t give(leat_request* request, leat_str bytes) {
  constexpr std::string_view kFunction = "leat.middleware/1 give";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (current_call.onward == nullptr)
    return refuse(kFunction, "only piece() and end() give, of a body that is changed", LEAT_E_STATE);
  if (!is_text(bytes)) return refuse(kFunction, "a text is NULL and not empty", LEAT_E_ARGUMENT);
  if (exchange->finished() || exchange->cancelled()) return LEAT_E_STATE;
  if (bytes.len == 0 || current_call.onward->give(view(bytes))) return LEAT_OK;
  return exchange->finished() || exchange->cancelled() ? LEAT_E_STATE : LEAT_BLOCKED;
}

uint32_t status(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.middleware/1 status");
  return exchange == nullptr ? 0 : exchange->response.status;
}

leat_str content_type(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.middleware/1 content_type");
  if (exchange == nullptr || exchange->response.content_type.empty()) return {};
  return to_str(exchange->response.content_type);
}

leat_str header(const leat_request* request, leat_str name) {
  const http::Exchange* exchange = exchange_of(request, "leat.middleware/1 header");
  return exchange == nullptr ? leat_str{} : to_str(exchange->response.find(view(name)));
}

uint32_t header_count(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.middleware/1 header_count");
  return exchange == nullptr ? 0 : static_cast<uint32_t>(exchange->response.fields().size());
}

int32_t header_at(const leat_request* request, uint32_t index, leat_str* name, leat_str* value) {
  const http::Exchange* exchange = exchange_of(request, "leat.middleware/1 header_at");
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (name == nullptr || value == nullptr) return LEAT_E_ARGUMENT;
  const auto fields = exchange->response.fields();
  if (index >= fields.size()) return LEAT_E_NOT_FOUND;
  *name = to_str(fields[index].name);
  *value = to_str(fields[index].value);
  return LEAT_OK;
}

int32_t set_note(leat_request* request, leat_str name, leat_str value) {
  constexpr std::string_view kFunction = "leat.middleware/1 set_note";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (!is_text(name) || !is_text(value) || name.len == 0)
    return refuse(kFunction, "the name is empty, or a text is NULL and not empty", LEAT_E_ARGUMENT);
  if (is_over(*exchange)) return LEAT_E_STATE;
  if (current_call.answering || exchange->started())
    return refuse(kFunction, "the request was answered already", LEAT_E_STATE);
  return add_note(*exchange, view(name), view(value)) ? LEAT_OK : LEAT_E_MEMORY;
}

leat_str note(const leat_request* request, leat_str name) {
  const http::Exchange* exchange = exchange_of(request, "leat.middleware/1 note");
  return exchange == nullptr ? leat_str{} : to_str(find_note(*exchange, view(name)));
}

}  // namespace

const leat_middleware_v1 kMiddlewareExtension = {
    .struct_size = sizeof(leat_middleware_v1),
    .reserved = 0,
    .declare = declare,
    .give = give,
    .status = status,
    .content_type = content_type,
    .header = header,
    .header_count = header_count,
    .header_at = header_at,
    .set_note = set_note,
    .note = note,
};

}  // namespace leat::plugin
