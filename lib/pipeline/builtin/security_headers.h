// security_headers: the fields that make browsers careful with what they get.
//
// Each option is a field's value, "" to leave it out; what a handler sets itself stays.
#pragma once

#include <memory>

#include "base/value.h"
#include "pipeline/handler.h"
#include "pipeline/options.h"

namespace leat::pipeline {

inline constexpr Option kSecurityHeadersOptions[] = {
    {"content_type_options", Option::Type::Text, "nosniff", "X-Content-Type-Options.", {}},
    {"referrer_policy", Option::Type::Text, "strict-origin-when-cross-origin", "Referrer-Policy.", {}},
    {"frame_options", Option::Type::Text, "DENY", "X-Frame-Options.", {}},
    {"content_security_policy",
     Option::Type::Text,
     "",
     "Content-Security-Policy; it depends on the pages.",
     {}},
    {"strict_transport_security",
     Option::Type::Text,
     "",
     "Strict-Transport-Security; it binds the host to TLS.",
     {}},
};

std::unique_ptr<Middleware> create_security_headers(const Value& options, Diagnostics& diagnostics);

}  // namespace leat::pipeline
