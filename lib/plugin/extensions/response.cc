// leat.response/1: the answer. Each function judges what it is asked before the exchange sees it, so that a
// plugin's mistake is a value it gets back and a line that names it, and never a malformed answer.
#include <array>
#include <span>

#include "base/text.h"
#include "http/status.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"

namespace leat::plugin {
namespace {

constexpr std::string_view kAnswered = "the request was answered already";
constexpr std::string_view kNullText = "a text is NULL and not empty";

struct Checked {
  http::Exchange* exchange = nullptr;  // null: `code` is the answer
  int32_t code = LEAT_OK;
};

// The exchange, if this callback may still decide what its answer is.
Checked unanswered(leat_request* request, std::string_view function) {
  http::Exchange* exchange = exchange_of(request, function);
  if (exchange == nullptr) return {nullptr, LEAT_E_THREAD};
  if (is_over(*exchange)) return {nullptr, LEAT_E_STATE};
  if (exchange->started()) return {nullptr, refuse(function, kAnswered, LEAT_E_STATE)};
  return {exchange, LEAT_OK};
}

// The exchange, if this callback may give its answer.
Checked answerable(leat_request* request, std::string_view function) {
  const Checked checked = unanswered(request, function);
  if (checked.exchange == nullptr || !current_call.answering) return checked;
  return {nullptr,
          refuse(function, "the answer is on its way already: it can only be changed", LEAT_E_STATE)};
}

// The exchange, if its answer was begun and not ended.
Checked streaming(leat_request* request, std::string_view function) {
  http::Exchange* exchange = exchange_of(request, function);
  if (exchange == nullptr) return {nullptr, LEAT_E_THREAD};
  if (is_over(*exchange)) return {nullptr, LEAT_E_STATE};
  if (current_call.answering)
    return {nullptr,
            refuse(function, "the answer is another's: its body is given with give()", LEAT_E_STATE)};
  if (!exchange->started()) return {nullptr, refuse(function, "begin() was not called", LEAT_E_STATE)};
  if (exchange->finished())
    return {nullptr, refuse(function, "the answer is complete already", LEAT_E_STATE)};
  return {exchange, LEAT_OK};
}

int32_t set_status(leat_request* request, uint32_t status) {
  constexpr std::string_view kFunction = "leat.response/1 status";
  const auto [exchange, code] = unanswered(request, kFunction);
  if (exchange == nullptr) return code;
  if (status > 599 || !http::is_final_status(static_cast<uint16_t>(status)))
    return refuse(kFunction, "the status is not in 200..599", LEAT_E_ARGUMENT);
  exchange->response.status = static_cast<uint16_t>(status);
  return LEAT_OK;
}

int32_t set_type(http::Exchange& exchange, std::string_view type) {
  if (!is_field_value(type))
    return refuse("leat.response/1 content_type", "the type holds a control character", LEAT_E_ARGUMENT);
  exchange.response.content_type = type;
  return LEAT_OK;
}

int32_t content_type_static(leat_request* request, leat_str type) {
  constexpr std::string_view kFunction = "leat.response/1 content_type_static";
  const auto [exchange, code] = unanswered(request, kFunction);
  if (exchange == nullptr) return code;
  // The same few types come with every answer, and their bytes do not change: the last one is known to be
  // good.
  static constinit thread_local leat_str good{};
  if (type.ptr != nullptr && type.ptr == good.ptr && type.len == good.len) {
    exchange->response.content_type = view(type);
    return LEAT_OK;
  }
  if (!is_text(type)) return refuse(kFunction, kNullText, LEAT_E_ARGUMENT);
  const int32_t answer = set_type(*exchange, view(type));
  // Where an object was unmapped, another's bytes may come to lie.
  if (answer == LEAT_OK && !current_call.handler->instance().library().unloads()) good = type;
  return answer;
}

int32_t content_type(leat_request* request, leat_str type) {
  const auto [exchange, code] = unanswered(request, "leat.response/1 content_type");
  if (exchange == nullptr) return code;
  if (!is_text(type)) return refuse("leat.response/1 content_type", kNullText, LEAT_E_ARGUMENT);
  const std::string_view copy = exchange->arena().copy(view(type));
  return copy.data() == nullptr ? LEAT_E_MEMORY : set_type(*exchange, copy);
}

enum class Fields : uint8_t { Copied, Static };

int32_t add_field(leat_request* request, leat_str name, leat_str value, Fields fields, bool replace,
                  std::string_view function) {
  const auto [exchange, code] = unanswered(request, function);
  if (exchange == nullptr) return code;
  if (!is_text(name) || !is_text(value)) return refuse(function, kNullText, LEAT_E_ARGUMENT);
  if (!is_token(view(name)) || !is_field_value(view(value)))
    return refuse(function, "the name is not a token, or the value holds a control character",
                  LEAT_E_ARGUMENT);
  std::string_view kept_name = view(name), kept_value = view(value);
  if (fields == Fields::Copied) {
    kept_name = exchange->arena().copy(kept_name);
    kept_value = exchange->arena().copy(kept_value);
    if (kept_name.data() == nullptr || kept_value.data() == nullptr) return LEAT_E_MEMORY;
  }
  const bool added =
      replace ? exchange->response.set(kept_name, kept_value) : exchange->response.add(kept_name, kept_value);
  return added ? LEAT_OK
               : refuse(function, "a field that is the host's, or there are 64 fields already",
                        LEAT_E_ARGUMENT);
}

int32_t add_header(leat_request* request, leat_str name, leat_str value) {
  return add_field(request, name, value, Fields::Copied, false, "leat.response/1 add_header");
}
int32_t add_header_static(leat_request* request, leat_str name, leat_str value) {
  return add_field(request, name, value, Fields::Static, false, "leat.response/1 add_header_static");
}
int32_t set_header(leat_request* request, leat_str name, leat_str value) {
  return add_field(request, name, value, Fields::Copied, true, "leat.response/1 set_header");
}

int32_t remove_header(leat_request* request, leat_str name) {
  const auto [exchange, code] = unanswered(request, "leat.response/1 remove_header");
  if (exchange == nullptr) return code;
  exchange->response.remove(view(name));
  return LEAT_OK;
}

int32_t send(leat_request* request, leat_str body) {
  constexpr std::string_view kFunction = "leat.response/1 send";
  const auto [exchange, code] = answerable(request, kFunction);
  if (exchange == nullptr) return code;
  if (!is_text(body)) return refuse(kFunction, kNullText, LEAT_E_ARGUMENT);
  return exchange->send(view(body)) ? LEAT_OK : LEAT_E_STATE;
}

// Nothing to release where the object that the bytes lie in is never unmapped. Elsewhere they are copied: a
// client may take its time to read them.
int32_t send_static(leat_request* request, leat_str body) {
  constexpr std::string_view kFunction = "leat.response/1 send_static";
  const auto [exchange, code] = answerable(request, kFunction);
  if (exchange == nullptr) return code;
  if (!is_text(body)) return refuse(kFunction, kNullText, LEAT_E_ARGUMENT);
  const bool stays = !current_call.handler->instance().library().unloads();
  const bool sent = stays ? exchange->send_pinned(view(body), {}) : exchange->send(view(body));
  return sent ? LEAT_OK : LEAT_E_STATE;
}

int32_t send_problem(leat_request* request, uint32_t status, leat_str detail, leat_str extra) {
  constexpr std::string_view kFunction = "leat.response/1 send_problem";
  const auto [exchange, code] = answerable(request, kFunction);
  if (exchange == nullptr) return code;
  if (status < 400 || status > 599)
    return refuse(kFunction, "the status is not in 400..599", LEAT_E_ARGUMENT);
  if (!is_text(detail) || !is_text(extra)) return refuse(kFunction, kNullText, LEAT_E_ARGUMENT);
  return exchange->send_problem(static_cast<uint16_t>(status), view(detail), view(extra),
                                http::Origin::Handler)
             ? LEAT_OK
             : LEAT_E_STATE;
}

int32_t early_hints(leat_request* request, const leat_str* links, uint32_t count) {
  constexpr std::string_view kFunction = "leat.response/1 early_hints";
  constexpr uint32_t kMost = 32;
  constexpr size_t kMostBytes = size_t{8} * 1024;
  const auto [exchange, code] = answerable(request, kFunction);
  if (exchange == nullptr) return code;
  if (links == nullptr || count == 0 || count > kMost)
    return refuse(kFunction, "there are no links, or more than 32", LEAT_E_ARGUMENT);
  std::array<std::string_view, kMost> values;
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (links[i].len == 0 || !is_text(links[i]) || !is_field_value(view(links[i])))
      return refuse(kFunction, "a link is empty, or holds a control character", LEAT_E_ARGUMENT);
    values[i] = view(links[i]);
    bytes += values[i].size();
  }
  if (bytes > kMostBytes) return refuse(kFunction, "the links have more than 8 KiB", LEAT_E_ARGUMENT);
  if (exchange->send_hints(std::span(values).first(count))) return LEAT_OK;
  return refuse(kFunction, "eight were sent for this request", LEAT_E_STATE);
}

int32_t begin(leat_request* request, int64_t length) {
  constexpr std::string_view kFunction = "leat.response/1 begin";
  const auto [exchange, code] = answerable(request, kFunction);
  if (exchange == nullptr) return code;
  if (length < -1) return refuse(kFunction, "the length is negative", LEAT_E_ARGUMENT);
  RequestState* state = need_state(*exchange);
  if (state == nullptr) return LEAT_E_MEMORY;
  state->has_length = length >= 0;
  state->length_left = length >= 0 ? static_cast<uint64_t>(length) : 0;
  const auto framed = length >= 0 ? std::optional<uint64_t>(length) : std::nullopt;
  return exchange->begin(framed) ? LEAT_OK : LEAT_E_STATE;
}

int32_t write(leat_request* request, leat_str bytes) {
  constexpr std::string_view kFunction = "leat.response/1 write";
  const auto [exchange, code] = streaming(request, kFunction);
  if (exchange == nullptr) return code;
  if (!is_text(bytes)) return refuse(kFunction, kNullText, LEAT_E_ARGUMENT);
  RequestState& state = *state_of(*exchange);  // begin() made it
  if (state.has_length) {
    if (bytes.len > state.length_left)
      return refuse(kFunction, "more than the length that begin() was told", LEAT_E_ARGUMENT);
    state.length_left -= bytes.len;
  }
  if (bytes.len == 0 || exchange->write(view(bytes))) return LEAT_OK;
  if (exchange->finished() || exchange->cancelled())
    return LEAT_E_STATE;  // the write itself found the client gone
  state.blocked = true;
  return LEAT_BLOCKED;
}

int32_t add_trailer(leat_request* request, leat_str name, leat_str value) {
  constexpr std::string_view kFunction = "leat.response/1 add_trailer";
  const auto [exchange, code] = streaming(request, kFunction);
  if (exchange == nullptr) return code;
  const std::string_view kept_name = exchange->arena().copy(view(name));
  const std::string_view kept_value = exchange->arena().copy(view(value));
  if (kept_name.data() == nullptr || kept_value.data() == nullptr) return LEAT_E_MEMORY;
  if (exchange->add_trailer(kept_name, kept_value)) return LEAT_OK;
  return refuse(kFunction, "not a field that may be a trailer", LEAT_E_ARGUMENT);
}

int32_t end(leat_request* request) {
  constexpr std::string_view kFunction = "leat.response/1 end";
  const auto [exchange, code] = streaming(request, kFunction);
  if (exchange == nullptr) return code;
  const RequestState& state = *state_of(*exchange);
  const bool wants_body =
      exchange->request.method() != http::Method::Head && http::status_allows_body(exchange->response.status);
  if (!exchange->end()) return LEAT_E_STATE;
  if (wants_body && state.has_length && state.length_left > 0)
    return refuse(kFunction, "fewer bytes were written than begin() was told: the answer is cut",
                  LEAT_E_STATE);
  return LEAT_OK;
}

int32_t abort_answer(leat_request* request) {
  http::Exchange* exchange = exchange_of(request, "leat.response/1 abort");
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (exchange->finished() || is_over(*exchange)) return LEAT_E_STATE;
  exchange->abort();
  return LEAT_OK;
}

int32_t started(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.response/1 started");
  return exchange != nullptr && exchange->started() ? 1 : 0;
}

int32_t finished(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.response/1 finished");
  return exchange != nullptr && (exchange->finished() || is_over(*exchange)) ? 1 : 0;
}

}  // namespace

const leat_response_v1 kResponseExtension = {
    .struct_size = sizeof(leat_response_v1),
    .reserved = 0,
    .status = set_status,
    .content_type = content_type,
    .content_type_static = content_type_static,
    .add_header = add_header,
    .add_header_static = add_header_static,
    .set_header = set_header,
    .remove_header = remove_header,
    .send = send,
    .send_static = send_static,
    .send_problem = send_problem,
    .begin = begin,
    .write = write,
    .add_trailer = add_trailer,
    .end = end,
    .abort = abort_answer,
    .started = started,
    .finished = finished,
    .early_hints = early_hints,
};

}  // namespace leat::plugin
