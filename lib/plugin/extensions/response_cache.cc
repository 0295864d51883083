// leat.response_cache/1: what plugins say about the responses that are stored for their routes.
#include "cache/cached_handler.h"
#include "plugin/call.h"
#include "plugin/detached_call.h"
#include "plugin/extensions/extensions.h"
#include "plugin/shared_resources.h"

namespace leat::plugin {

namespace {

int32_t wish(leat_request* request, const leat_response_wishes* wishes) {
  constexpr std::string_view kFunction = "leat.response_cache/1 wish";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (wishes == nullptr || wishes->struct_size < sizeof *wishes)
    return refuse(kFunction, "wishes are NULL or too short", LEAT_E_ARGUMENT);
  // More than INT64_MAX is a time below zero that was made unsigned.
  const auto said = [](uint64_t ms) {
    return ms == LEAT_UNSAID ? std::nullopt : std::optional(ms > INT64_MAX ? 0 : ms);
  };
  const cache::Wishes wanted{.no_store = wishes->no_store != 0,
                             .ttl_ms = said(wishes->ttl_ms),
                             .stale_while_revalidate_ms = said(wishes->stale_while_revalidate_ms),
                             .stale_if_error_ms = said(wishes->stale_if_error_ms)};
  const bool taken =
      current_errand != nullptr ? current_errand->wish(wanted) : cache::wish(*exchange, wanted);
  return taken ? LEAT_OK : LEAT_E_NOT_FOUND;
}

int32_t tag(leat_request* request, leat_str name) {
  constexpr std::string_view kFunction = "leat.response_cache/1 tag";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (!is_text(name) || name.len == 0) return refuse(kFunction, "the tag is empty", LEAT_E_ARGUMENT);
  const bool taken =
      current_errand != nullptr ? current_errand->add_tag(view(name)) : cache::add_tag(*exchange, view(name));
  return taken ? LEAT_OK : LEAT_E_NOT_FOUND;
}

int32_t purge(const leat_host* host, uint32_t by, leat_str name, int32_t hard) {
  constexpr std::string_view kFunction = "leat.response_cache/1 purge";
  static_assert(static_cast<uint32_t>(cache::PurgeBy::All) == LEAT_PURGE_ALL);
  PluginInstance* instance = host == nullptr ? nullptr : static_cast<const Host*>(host)->instance;
  SharedResources* shared = instance == nullptr ? nullptr : instance->library().options().shared;
  if (shared == nullptr) return refuse(kFunction, "this host has no cache", LEAT_E_ARGUMENT);
  if (!is_text(name) || by > LEAT_PURGE_ALL)
    return refuse(kFunction, "the name is NULL, or its kind is unknown", LEAT_E_ARGUMENT);
  const std::string_view wrong =
      shared->responses.purge(static_cast<cache::PurgeBy>(by), view(name), hard != 0, call_time_ms());
  return wrong.empty() ? LEAT_OK : refuse(kFunction, wrong, LEAT_E_ARGUMENT);
}

}  // namespace

const leat_response_cache_v1 kResponseCacheExtension = {
    .struct_size = sizeof(leat_response_cache_v1),
    .reserved = 0,
    .wish = wish,
    .tag = tag,
    .purge = purge,
};

}  // namespace leat::plugin
