// Telling the service manager how far we are (sd_notify(3)), without linking its library: one datagram to the
// socket that NOTIFY_SOCKET names.
#pragma once

#include <string_view>

namespace leat::server {

// `state` is "READY=1", "STOPPING=1" and the like. Does nothing where no manager asked to be told.
void notify_manager(std::string_view state);

}  // namespace leat::server
