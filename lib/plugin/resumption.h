// Suspensions of a request, as the extensions that go on with it later use them.
//
// Private to the plugin host. Worker's thread, in a callback for the request.
#pragma once

#include <expected>

#include "plugin/call.h"

namespace leat::plugin {

// What a request must be to be suspended: not over, not answered. LEAT_OK, or why not.
int32_t check_open(http::Exchange& exchange, std::string_view function);

// Has the request stay when its callback returns.
http::Ticket keep_open(http::Exchange& exchange);

// A new suspension of the request, which it keeps open; or LEAT_E_MEMORY.
std::expected<SuspensionTable::Slot*, int32_t> begin_suspension(http::Exchange& exchange);
// Undoes that, before anything could complete it.
void drop_suspension(http::Exchange& exchange, SuspensionTable::Slot& slot);
// Names it to other threads.
leat_ticket ticket_of(http::Exchange& exchange, const SuspensionTable::Slot& slot);

// Gives up what the request asks of upstreams. (extensions/client.cc)
void cancel_fetches(http::Exchange& exchange, RequestState& state);

// Closes the contexts of services that the request has used. (extensions/services.cc)
void close_contexts(http::Exchange& exchange, RequestState& state);

// Lets go of the cache's values that the request has seen. (extensions/cache.cc)
void drop_pins(RequestState& state);

// A completion arrives: the `resume` of SuspensionTable::complete.
void on_completion(http::Exchange& exchange, void* slot);

}  // namespace leat::plugin
