// security_headers: the fields that make browsers careful with what they get.
//
// Options, each a field's value, "" to leave it out; what a handler sets itself stays:
//   content_type_options     X-Content-Type-Options, default "nosniff"
//   referrer_policy          Referrer-Policy, default "strict-origin-when-cross-origin"
//   frame_options            X-Frame-Options, default "DENY"
//   content_security_policy  Content-Security-Policy, none by default: it depends on the pages
//   strict_transport_security  Strict-Transport-Security, none by default: it binds the host name to TLS
#pragma once

#include <memory>

#include "base/value.h"
#include "pipeline/handler.h"

namespace leat::pipeline {

std::unique_ptr<Middleware> create_security_headers(const Value& options, Diagnostics& diagnostics);

}  // namespace leat::pipeline
