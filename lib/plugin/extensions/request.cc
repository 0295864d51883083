// leat.request/1, leat.body/1 and leat.arena/1: what a plugin reads of a request, and its memory.
#include <algorithm>

#include "http/exchange.h"
#include "pipeline/parameters.h"
#include "pipeline/site.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"

namespace leat::plugin {
namespace {

// Texts of a request are absent where they have no bytes at all, so that an empty value differs from none.
leat_str present(std::string_view text) { return text.data() == nullptr ? leat_str{"", 0} : to_str(text); }

leat_str method(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 method");
  return exchange == nullptr ? leat_str{} : to_str(http::method_name(exchange->request.method()));
}
leat_str target(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 target");
  return exchange == nullptr ? leat_str{} : present(exchange->request.target());
}
leat_str path(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 path");
  return exchange == nullptr ? leat_str{} : present(exchange->request.path());
}
leat_str query(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 query");
  return exchange == nullptr ? leat_str{} : present(exchange->request.query());
}
leat_str host(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 host");
  return exchange == nullptr ? leat_str{} : present(exchange->request.host());
}
leat_str peer(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 peer");
  return exchange == nullptr ? leat_str{} : present(exchange->request.peer());
}
leat_str client(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 client");
  return exchange == nullptr ? leat_str{} : present(exchange->request.client());
}
leat_str scheme(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 scheme");
  return exchange == nullptr ? leat_str{} : present(exchange->request.scheme());
}
int32_t client_in_doubt(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 client_in_doubt");
  return exchange != nullptr && exchange->request.client_in_doubt() ? 1 : 0;
}
leat_str user(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 user");
  return exchange == nullptr ? leat_str{} : present(exchange->request.user());
}
leat_str claim(const leat_request* request, leat_str name) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 claim");
  return exchange == nullptr ? leat_str{} : to_str(exchange->request.claim(view(name)));
}
leat_str tls(const leat_request* request, leat_str name) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 tls");
  const transport::TlsFacts* const facts = exchange == nullptr ? nullptr : exchange->request.identity().tls;
  if (facts == nullptr) return {};
  const std::string_view wanted = view(name);
  if (wanted == "version") return present(facts->version);
  if (wanted == "cipher") return present(facts->cipher);
  const transport::PeerCertificate* const shown = facts->certificate;
  if (shown == nullptr) return {};
  if (wanted == "subject") return present(shown->subject);
  if (wanted == "cn") return present(shown->common_name);
  if (wanted == "names") return present(shown->names);
  return wanted == "sha256" ? present(shown->fingerprint) : leat_str{};
}
leat_str id(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 id");
  return exchange == nullptr ? leat_str{} : present(exchange->request.id());
}
leat_str body(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 body");
  return exchange == nullptr ? leat_str{} : present(exchange->request.body());
}

uint32_t minor_version(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 minor_version");
  return exchange == nullptr ? 0 : exchange->request.minor_version();
}

leat_str route_id(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 route_id");
  if (exchange == nullptr) return {};
  return to_str(exchange->route != nullptr ? std::string_view(exchange->route->id)
                                           : current_call.handler->route_id());
}

leat_str header(const leat_request* request, leat_str name) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 header");
  return exchange == nullptr ? leat_str{} : to_str(exchange->request.header(view(name)));
}

uint32_t header_count(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 header_count");
  return exchange == nullptr ? 0 : static_cast<uint32_t>(exchange->request.head().headers().size());
}

int32_t header_at(const leat_request* request, uint32_t index, leat_str* name, leat_str* value) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 header_at");
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (name == nullptr || value == nullptr) return LEAT_E_ARGUMENT;
  const http::Head& head = exchange->request.head();
  if (index >= head.headers().size()) return LEAT_E_NOT_FOUND;
  const http::HeaderSlot& slot = head.headers()[index];
  *name = to_str(head.view(slot.name));
  *value = to_str(head.view(slot.value));
  return LEAT_OK;
}

int64_t content_length(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 content_length");
  if (exchange == nullptr) return 0;
  const http::Head& head = exchange->request.head();
  if (head.length_hidden) return -1;
  switch (head.framing) {
    case http::Framing::None:
      return 0;
    case http::Framing::Length:
      return static_cast<int64_t>(std::min<uint64_t>(head.content_length, INT64_MAX));
    case http::Framing::Chunked:
      break;
  }
  return -1;
}

leat_str param(const leat_request* request, uint32_t index) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 param");
  if (exchange == nullptr || index >= exchange->request.params().size()) return {};
  return present(exchange->request.params()[index]);
}

leat_str query_param(const leat_request* request, leat_str name) {
  http::Exchange* exchange = exchange_of(request, "leat.request/1 query_param");
  if (exchange == nullptr) return {};
  return to_str(pipeline::find_query(exchange->arena(), exchange->request.query(), view(name)));
}

leat_str cookie(const leat_request* request, leat_str name) {
  http::Exchange* exchange = exchange_of(request, "leat.request/1 cookie");
  if (exchange == nullptr) return {};
  return to_str(pipeline::find_cookie(exchange->request, view(name)));
}

uint32_t header_id(leat_str name) { return static_cast<uint32_t>(http::find_header(view(name))); }

leat_str header_by_id(const leat_request* request, uint32_t number) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 header_by_id");
  if (exchange == nullptr || number == 0 || number > static_cast<uint32_t>(http::kLastHeaderId)) return {};
  return to_str(exchange->request.header(static_cast<http::HeaderId>(number)));
}

uint32_t param_count(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 param_count");
  return exchange == nullptr ? 0 : static_cast<uint32_t>(exchange->request.params().size());
}

int32_t query_at(const leat_request* request, uint32_t index, leat_str* name, leat_str* value) {
  http::Exchange* exchange = exchange_of(request, "leat.request/1 query_at");
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (name == nullptr || value == nullptr) return LEAT_E_ARGUMENT;
  // Only the pair asked for is decoded. Empty ones, as in "a=1&&b=2", do not count.
  std::string_view rest = exchange->request.query();
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.empty() || index-- != 0) continue;
    const auto decoded = pipeline::parse_query(exchange->arena(), pair, 1);
    if (!decoded)
      return decoded.error() == pipeline::ParameterError::NoMemory ? LEAT_E_MEMORY : LEAT_E_ARGUMENT;
    *name = present(decoded->pairs()[0].name);
    *value = present(decoded->pairs()[0].value);
    return LEAT_OK;
  }
  return LEAT_E_NOT_FOUND;
}

uint64_t deadline_ns(const leat_request* request) {
  http::Exchange* exchange = exchange_of(request, "leat.request/1 deadline_ns");
  const uint64_t deadline_ms = exchange == nullptr ? UINT64_MAX : exchange->answer_deadline_ms();
  return deadline_ms == UINT64_MAX ? UINT64_MAX : deadline_ms * 1'000'000;
}

int32_t set_state(leat_request* request, void* user) {
  http::Exchange* exchange = exchange_of(request, "leat.request/1 set_state");
  if (exchange == nullptr) return LEAT_E_THREAD;
  RequestState* kept = need_state(*exchange);
  if (kept == nullptr) return LEAT_E_MEMORY;
  kept->user = user;
  return LEAT_OK;
}

void* state(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.request/1 state");
  const RequestState* kept = exchange == nullptr ? nullptr : state_of(*exchange);
  return kept == nullptr ? nullptr : kept->user;
}

// --- leat.body/1

int32_t pause(leat_request* request) {
  http::Exchange* exchange = exchange_of(request, "leat.body/1 pause");
  if (exchange == nullptr) return LEAT_E_THREAD;
  RequestState* kept = need_state(*exchange);
  if (kept == nullptr) return LEAT_E_MEMORY;
  kept->body_paused = true;
  exchange->pause_body();
  return LEAT_OK;
}

int32_t resume(leat_request* request) {
  http::Exchange* exchange = exchange_of(request, "leat.body/1 resume");
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (RequestState* kept = state_of(*exchange)) kept->body_paused = false;
  exchange->resume_body();
  return LEAT_OK;
}

int32_t set_limit(leat_request* request, uint64_t bytes) {
  http::Exchange* exchange = exchange_of(request, "leat.body/1 set_limit");
  if (exchange == nullptr) return LEAT_E_THREAD;
  exchange->set_body_limit(bytes);
  return LEAT_OK;
}

uint32_t trailer_count(const leat_request* request) {
  const http::Exchange* exchange = exchange_of(request, "leat.body/1 trailer_count");
  return exchange == nullptr ? 0 : static_cast<uint32_t>(exchange->request.trailers().size());
}

int32_t trailer_at(const leat_request* request, uint32_t index, leat_str* name, leat_str* value) {
  const http::Exchange* exchange = exchange_of(request, "leat.body/1 trailer_at");
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (name == nullptr || value == nullptr) return LEAT_E_ARGUMENT;
  if (index >= exchange->request.trailers().size()) return LEAT_E_NOT_FOUND;
  const http::HeaderSlot& slot = exchange->request.trailers()[index];
  *name = to_str(exchange->request.trailer_view(slot.name));
  *value = to_str(exchange->request.trailer_view(slot.value));
  return LEAT_OK;
}

// --- leat.arena/1

void* alloc(leat_request* request, size_t size, size_t align) {
  constexpr std::string_view kFunction = "leat.arena/1 alloc";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return nullptr;
  if (align == 0 || align > 16 || (align & (align - 1)) != 0) {
    refuse(kFunction, "the alignment is not 1, 2, 4, 8 or 16", LEAT_E_ARGUMENT);
    return nullptr;
  }
  // Even nothing has an address of its own, so that NULL always means that memory is out.
  return exchange->arena().allocate(std::max<size_t>(size, 1), align);
}

leat_str copy(leat_request* request, leat_str text) {
  http::Exchange* exchange = exchange_of(request, "leat.arena/1 copy");
  return exchange == nullptr ? leat_str{} : to_str(exchange->arena().copy(view(text)));
}

}  // namespace

const leat_request_v1 kRequestExtension = {
    .struct_size = sizeof(leat_request_v1),
    .reserved = 0,
    .method = method,
    .target = target,
    .path = path,
    .query = query,
    .host = host,
    .minor_version = minor_version,
    .peer = peer,
    .id = id,
    .route_id = route_id,
    .header = header,
    .header_count = header_count,
    .header_at = header_at,
    .content_length = content_length,
    .param = param,
    .query_param = query_param,
    .cookie = cookie,
    .body = body,
    .set_state = set_state,
    .state = state,
    .header_id = header_id,
    .header_by_id = header_by_id,
    .param_count = param_count,
    .query_at = query_at,
    .deadline_ns = deadline_ns,
    .client = client,
    .scheme = scheme,
    .client_in_doubt = client_in_doubt,
    .user = user,
    .claim = claim,
    .tls = tls,
};
const leat_body_v1 kBodyExtension = {
    .struct_size = sizeof(leat_body_v1),
    .reserved = 0,
    .pause = pause,
    .resume = resume,
    .set_limit = set_limit,
    .trailer_count = trailer_count,
    .trailer_at = trailer_at,
};
const leat_arena_v1 kArenaExtension = {
    .struct_size = sizeof(leat_arena_v1),
    .reserved = 0,
    .alloc = alloc,
    .copy = copy,
};

}  // namespace leat::plugin
