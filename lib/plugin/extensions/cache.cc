// leat.cache/1: values that plugins keep for all workers.
//
// A key in the store is the instance's name, a NUL, and the plugin's key; a tag likewise. So plugins cannot
// meet in one, and a new generation finds what the old one has stored.
#include <array>
#include <cstring>
#include <expected>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "cache/store.h"
#include "plugin/extensions/extensions.h"
#include "plugin/resumption.h"
#include "plugin/shared_resources.h"

namespace leat::plugin {

// A value that a request has seen. In its arena.
struct CachePin {
  cache::Pin pin;
  CachePin* next;
};

namespace {

// A key of an instance as the store has it. Short ones need no memory.
class StoreKey {
 public:
  StoreKey(const PluginInstance& instance, std::string_view key) {
    const std::string& name = instance.name();
    size_ = name.size() + 1 + key.size();
    if (size_ > short_.size()) long_.reset(new (std::nothrow) char[size_]);
    char* at = bytes();
    if (at == nullptr) return;
    std::memcpy(at, name.c_str(), name.size() + 1);
    if (!key.empty()) std::memcpy(at + name.size() + 1, key.data(), key.size());
  }
  // False: there was no memory for it.
  explicit operator bool() { return bytes() != nullptr; }
  [[nodiscard]] std::string_view text() { return {bytes(), size_}; }

 private:
  char* bytes() { return size_ > short_.size() ? long_.get() : short_.data(); }

  size_t size_;
  std::array<char, 256> short_;
  std::unique_ptr<char[]> long_;
};

struct Caller {
  PluginInstance* instance = nullptr;
  cache::Store* store = nullptr;
};

Caller caller_of(const leat_host* host, std::string_view function) {
  PluginInstance* instance = host == nullptr ? nullptr : static_cast<const Host*>(host)->instance;
  if (instance == nullptr) {
    refuse(function, "the host does not belong to an instance", LEAT_E_ARGUMENT);
    return {};
  }
  SharedResources* shared = instance->library().options().shared;
  if (shared != nullptr) return {instance, &shared->cache};
  refuse(function, "this host has no cache", LEAT_E_ARGUMENT);
  return {};
}

std::expected<cache::Pin, int32_t> find(http::Exchange& exchange, leat_str key, std::string_view function) {
  PluginInstance& instance = current_call.handler->instance();
  const Caller caller = caller_of(&instance.host(), function);
  if (caller.store == nullptr) return std::unexpected(LEAT_E_NOT_FOUND);
  StoreKey whole(instance, view(key));
  if (!whole) return std::unexpected(LEAT_E_MEMORY);
  cache::Pin pin = caller.store->find(exchange.worker().index(), whole.text(), call_time_ms());
  if (!pin) return std::unexpected(LEAT_E_NOT_FOUND);
  return pin;
}

int32_t get(leat_request* request, leat_str key, leat_str* value) {
  constexpr std::string_view kFunction = "leat.cache/1 get";
  if (value == nullptr || !is_text(key)) return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  *value = {};
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  auto pin = find(*exchange, key, kFunction);
  if (!pin) return pin.error();
  RequestState* state = need_state(*exchange);
  void* memory = exchange->arena().allocate(sizeof(CachePin), alignof(CachePin));
  if (state == nullptr || memory == nullptr) return LEAT_E_MEMORY;
  *value = to_str(pin->value());
  state->pins = new (memory) CachePin{std::move(*pin), state->pins};
  return LEAT_OK;
}

int32_t send(leat_request* request, leat_str key) {
  constexpr std::string_view kFunction = "leat.cache/1 send";
  if (!is_text(key)) return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (exchange->started() || is_over(*exchange))
    return refuse(kFunction, "the request was answered already", LEAT_E_STATE);
  auto pin = find(*exchange, key, kFunction);
  if (!pin) return pin.error();
  const std::string_view value = pin->value();
  return exchange->send_pinned(value, {cache::Pin::release, pin->detach()}) ? LEAT_OK : LEAT_E_STATE;
}

int32_t put(const leat_host* host, leat_str key, leat_str value, uint64_t ttl_ms, const leat_str* tags,
            uint32_t tag_count) {
  constexpr std::string_view kFunction = "leat.cache/1 put";
  if (!is_text(key) || !is_text(value) || (tags == nullptr && tag_count != 0))
    return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  const Caller caller = caller_of(host, kFunction);
  if (caller.store == nullptr) return LEAT_E_ARGUMENT;
  const uint64_t now = call_time_ms();
  const uint64_t expires = ttl_ms == 0 ? UINT64_MAX : now + ttl_ms;
  try {
    std::vector<std::string> owned;
    for (uint32_t i = 0; i < tag_count; ++i)
      owned.push_back(caller.instance->name() + '\0' + std::string(view(tags[i])));
    const std::vector<std::string_view> texts(owned.begin(), owned.end());
    StoreKey whole(*caller.instance, view(key));
    if (!whole) return LEAT_E_MEMORY;
    if (ttl_ms > INT64_MAX) {  // below zero
      caller.store->purge(whole.text());
      return LEAT_OK;
    }
    switch (caller.store->put(whole.text(), view(value), now, expires, texts)) {
      case cache::Store::Result::Stored:
        return LEAT_OK;
      case cache::Store::Result::TooLarge:
        return LEAT_E_ARGUMENT;
      case cache::Store::Result::Memory:
        break;
    }
  } catch (const std::bad_alloc&) {
  }
  return LEAT_E_MEMORY;
}

template <auto purge_in>
uint64_t purge_by(const leat_host* host, leat_str text) {
  constexpr std::string_view kFunction = "leat.cache/1 purge";
  if (!is_text(text)) {
    refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
    return 0;
  }
  const Caller caller = caller_of(host, kFunction);
  if (caller.store == nullptr) return 0;
  StoreKey whole(*caller.instance, view(text));
  return whole ? (caller.store->*purge_in)(whole.text()) : 0;
}

}  // namespace

void drop_pins(RequestState& state) {
  while (CachePin* pin = state.pins) {
    state.pins = pin->next;
    pin->~CachePin();
  }
}

const leat_cache_v1 kCacheExtension = {
    .struct_size = sizeof(leat_cache_v1),
    .reserved = 0,
    .get = get,
    .send = send,
    .put = put,
    .purge = purge_by<&cache::Store::purge>,
    .purge_prefix = purge_by<&cache::Store::purge_prefix>,
    .purge_tag = purge_by<&cache::Store::purge_tag>,
};

}  // namespace leat::plugin
