// security_headers: the fields that make browsers careful with what they get.
//
// Each option is a field's value, "" to leave it out; what a handler sets itself stays.
#pragma once

#include <memory>

#include "base/value.h"
#include "pipeline/handler.h"
#include "pipeline/options.h"

namespace leat::middleware {

inline constexpr pipeline::Option kSecurityHeadersOptions[] = {
    {"content_type_options", pipeline::Option::Type::Text, "nosniff", "X-Content-Type-Options.", {}},
    {"referrer_policy",
     pipeline::Option::Type::Text,
     "strict-origin-when-cross-origin",
     "Referrer-Policy.",
     {}},
    {"frame_options", pipeline::Option::Type::Text, "DENY", "X-Frame-Options.", {}},
    {"content_security_policy",
     pipeline::Option::Type::Text,
     "",
     "Content-Security-Policy; it depends on the pages.",
     {}},
    {"strict_transport_security",
     pipeline::Option::Type::Text,
     "",
     "Strict-Transport-Security; it binds the host to TLS.",
     {}},
};

std::unique_ptr<pipeline::Middleware> create_security_headers(const Value& options, Diagnostics& diagnostics);

}  // namespace leat::middleware
