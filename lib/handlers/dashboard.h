// leat:dashboard: a page that shows what goes on, for people, and the events that keep it live.
//
// One route serves both: an EventSource of the page's asks its own address again, and says so (Accept). The page needs
// nothing else, and its Content-Security-Policy allows it nothing else: style and script are those in it, by their
// hashes.
//
// What it shows is for who runs the daemon. So, unless its route says otherwise (`allow`), it is there for clients on the
// same machine alone; and who came through a proxy that is not known to be one (server.trusted_proxies) is none of these,
// though it seems so: were that proxy on this machine, everybody would be.
//
// Thread: any worker.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "handlers/condition.h"
#include "pipeline/handler.h"

namespace leat::handlers {

// `condition` and `watch` must outlive it. `allow`: who may see it, good ranges of addresses (AddressRange) or "all"; none:
// loopback addresses and unix sockets.
std::unique_ptr<pipeline::Handler> make_dashboard(const Condition& condition, const WatchPlace& watch,
                                                  std::span<const std::string> allow);

}  // namespace leat::handlers
