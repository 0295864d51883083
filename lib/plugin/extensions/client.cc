// leat.client/1: asking other servers.
#include <algorithm>
#include <new>
#include <vector>

#include "client/asking.h"
#include "client/fetch.h"
#include "client/upstream.h"
#include "http/exchange.h"
#include "plugin/extensions/extensions.h"
#include "plugin/load_time.h"
#include "plugin/resumption.h"
#include "plugin/shared_resources.h"

namespace leat::plugin {

// A fetch under way. In its request's arena; what the plugin sees stays there after it.
struct FetchRecord {
  leat_fetched seen{};
  client::Fetch fetch;
  leat_resume resume = nullptr;
  void* argument = nullptr;
  FetchRecord* next = nullptr;
};

namespace {

bool take(RequestState& state, const FetchRecord& record) {
  for (FetchRecord** link = &state.fetches; *link != nullptr; link = &(*link)->next) {
    if (*link != &record) continue;
    *link = record.next;
    return true;
  }
  return false;
}

int32_t code_of(client::FetchStatus status) {
  switch (status) {
    case client::FetchStatus::Pending:
      return LEAT_E_STATE;
    case client::FetchStatus::Answered:
      return LEAT_OK;
    case client::FetchStatus::Timeout:
      return LEAT_E_TIMEOUT;
    case client::FetchStatus::Memory:
      return LEAT_E_MEMORY;
    case client::FetchStatus::Failed:
    case client::FetchStatus::TooLarge:
      break;
  }
  return LEAT_E_UPSTREAM;
}

// What came back, as the plugin sees it.
void show(http::Exchange& exchange, FetchRecord& record) {
  const client::Fetch& fetch = record.fetch;
  leat_fetched& seen = record.seen;
  seen.error = code_of(fetch.status);
  seen.message = to_str(fetch.message.data() != nullptr ? fetch.message : std::string_view("", 0));
  if (seen.error != LEAT_OK) return;
  auto* fields = exchange.arena().allocate_array<leat_field>(std::max<size_t>(fetch.fields.size(), 1));
  if (fields == nullptr) {
    seen.error = LEAT_E_MEMORY;
    return;
  }
  for (size_t i = 0; i < fetch.fields.size(); ++i)
    fields[i] = {to_str(fetch.fields[i].name), to_str(fetch.fields[i].value)};
  seen.status = fetch.code;
  seen.fields = fields;
  seen.field_count = static_cast<uint32_t>(fetch.fields.size());
  seen.body = to_str(fetch.body.data() != nullptr ? fetch.body : std::string_view("", 0));
}

void on_fetched(http::Exchange& exchange, void* argument) {
  client::Fetch& fetch = *static_cast<client::Fetch*>(argument);
  RequestState& state = *state_of(exchange);
  FetchRecord* record = state.fetches;
  while (&record->fetch != &fetch) record = record->next;
  take(state, *record);
  show(exchange, *record);
  state.handler->resume(exchange, record->resume, record->argument);
}

int32_t open(const leat_host* host, leat_str url, const leat_upstream_options* options, leat_str key,
             leat_error* error, leat_upstream** upstream) {
  constexpr std::string_view kFunction = "leat.client/1 open";
  PluginInstance* instance = host == nullptr ? nullptr : static_cast<const Host*>(host)->instance;
  if (instance == nullptr || !instance->creating())
    return refuse(kFunction, "upstreams are opened in create()", LEAT_E_STATE);
  if (upstream == nullptr || !is_text(url) || !is_text(key))
    return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  client::UpstreamOptions wanted;
  if (options != nullptr) {
    const auto set = [](auto& setting, auto value) {
      if (value != 0) setting = value;
    };
    set(wanted.connections, options->connections);
    set(wanted.waiting, options->waiting);
    set(wanted.connect_timeout_ms, options->connect_timeout_ms);
    set(wanted.timeout_ms, options->timeout_ms);
    set(wanted.idle_timeout_ms, options->idle_timeout_ms);
    set(wanted.body_bytes, options->body_bytes);
    if (LEAT_HAS(options, leat_upstream_options, protocol)) {
      if (options->protocol > LEAT_UPSTREAM_HTTP2)
        return refuse(kFunction, "that is no protocol", LEAT_E_ARGUMENT);
      wanted.protocol = static_cast<client::UpstreamProtocol>(options->protocol);
    }
  }
  const SharedResources* shared = instance->library().options().shared;
  const bool scripted = shared != nullptr && shared->scripted_upstreams;
  auto opened =
      scripted ? client::Upstream::parse(view(url), wanted) : client::Upstream::open(view(url), wanted);
  if (!opened) {
    const std::string why = "upstream `" + std::string(view(url)) + "`: " + opened.error();
    host->fail(error, key, to_str(why));
    return LEAT_E_ARGUMENT;
  }
  *upstream = instance->add_upstream(std::move(*opened));
  return LEAT_OK;
}

int32_t fetch(leat_request* request, leat_upstream* upstream, const leat_fetch* wanted, leat_resume resume,
              void* argument, const leat_fetched** fetched) {
  constexpr std::string_view kFunction = "leat.client/1 fetch";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (wanted == nullptr || resume == nullptr || fetched == nullptr ||
      (wanted->fields == nullptr && wanted->field_count != 0))
    return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  if (!current_call.handler->instance().owns(upstream))
    return refuse(kFunction, "the upstream is not this instance's", LEAT_E_ARGUMENT);
  if (const int32_t open = check_open(*exchange, kFunction); open != LEAT_OK) return open;
  client::Fetcher* fetcher = exchange->worker().fetcher();
  if (fetcher == nullptr) return refuse(kFunction, "this host has no client", LEAT_E_STATE);

  client::FetchRequest order{.target = view(wanted->target), .body = view(wanted->body)};
  if (wanted->method.len != 0) order.method = view(wanted->method);
  std::vector<client::Field> fields(wanted->field_count);
  for (uint32_t i = 0; i < wanted->field_count; ++i)
    fields[i] = {view(wanted->fields[i].name), view(wanted->fields[i].value)};
  order.fields = fields;
  const uint64_t own =
      wanted->timeout_ms != 0 ? wanted->timeout_ms : upstream->upstream->options().timeout_ms;
  order.timeout_ms = std::min(own, client::time_left_ms(*exchange));
  if (const auto why = client::refuse_request(order); !why.empty())
    return refuse(kFunction, why, LEAT_E_ARGUMENT);

  RequestState* state = need_state(*exchange);
  void* memory = exchange->arena().allocate(sizeof(FetchRecord), alignof(FetchRecord));
  if (state == nullptr || memory == nullptr) return LEAT_E_MEMORY;
  auto* record = new (memory) FetchRecord;
  record->seen.struct_size = sizeof(leat_fetched);
  record->seen.error = LEAT_E_STATE;
  record->fetch.exchange = exchange;
  record->fetch.resume = on_fetched;
  record->resume = resume;
  record->argument = argument;
  SharedResources* const shared = current_call.handler->instance().library().options().shared;
  client::refresh_if_due(upstream->upstream, exchange->worker().now_ns() / 1'000'000,
                         shared != nullptr ? &shared->pool : nullptr);
  if (!fetcher->start(record->fetch, upstream->upstream, order)) return LEAT_E_BUSY;
  keep_open(*exchange);
  record->next = state->fetches;
  state->fetches = record;
  *fetched = &record->seen;
  return LEAT_OK;
}

int32_t cancel(leat_request* request, const leat_fetched* fetched) {
  http::Exchange* exchange = exchange_of(request, "leat.client/1 cancel");
  if (exchange == nullptr) return LEAT_E_THREAD;
  RequestState* state = state_of(*exchange);
  for (FetchRecord* each = state == nullptr ? nullptr : state->fetches; each != nullptr; each = each->next) {
    if (&each->seen != fetched) continue;
    take(*state, *each);
    exchange->worker().fetcher()->cancel(each->fetch);
    return LEAT_OK;
  }
  return LEAT_E_NOT_FOUND;
}

}  // namespace

void cancel_fetches(http::Exchange& exchange, RequestState& state) {
  while (FetchRecord* record = state.fetches) {
    state.fetches = record->next;
    exchange.worker().fetcher()->cancel(record->fetch);
  }
}

const leat_client_v1 kClientExtension = {
    .struct_size = sizeof(leat_client_v1),
    .reserved = 0,
    .open = open,
    .fetch = fetch,
    .cancel = cancel,
};

}  // namespace leat::plugin
